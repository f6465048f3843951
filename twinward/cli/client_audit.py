"""`twinward client audit`: what was seen of each client, and what is safe to change."""

from typing import Any

import click

from authn.client import MessageAuthenticatorRule, NasClient
from authn.instants import UnixSeconds
from radius_server.sightings import SIGNED, UNSIGNED, UNSIGNED_PROXY_STATE, secret_sighting
from store.client_sightings import ClientSightings, ModeUse, Sighting
from store.nas_clients import NasClients, SecretAge
from store.secret_strength import Strength, strength
from twinward.cli.context import Console, json_option, now, show, table, time_text

MODE_USES_SHOWN = 20
DAY_S = 86400
IDLE_AFTER_S = 7 * DAY_S
ENOUGH_SIGNED = 20


@click.command()
@click.argument("name", required=False)
@json_option
@click.pass_obj
def audit(console: Console, name: str | None, as_json: bool) -> None:
    """Tell of each client whether it signs its requests, and what is safe to enforce."""
    with console.installation() as installation:
        clients = NasClients(installation, console.by)
        sightings = ClientSightings(installation.database)
        everyone = clients.all()
        chosen = everyone if name is None else [clients.show(name)]
        reports = [
            _report(
                one,
                [other.name for other in everyone if other.name != one.name and _share_a_secret(one, other)],
                sightings.of(one.id),
                clients.secret_ages(one.name),
                sightings.mode_uses(one.id),
                now(),
            )
            for one in chosen
        ]
    if name is not None:
        show(reports[0], _page(reports[0]), as_json)
        return
    headings = ("name", "rule", "signed", "unsigned", "last unsigned", "enforce?", "secret")
    rows = [
        (
            one["client"],
            one["message_authenticator"],
            one["signed"],
            one["unsigned"],
            time_text(one["last_unsigned"]),
            one["safe_to_require"],
            one["secret_strength"] + (", shared" if one["secret_shared_with"] else ""),
        )
        for one in reports
    ]
    show({"clients": reports}, table(headings, rows, "There is no client yet."), as_json)


def _report(
    client: NasClient,
    twins: list[str],
    seen: dict[str, Sighting],
    ages: list[SecretAge],
    uses: list[ModeUse],
    at: UnixSeconds,
) -> dict[str, Any]:
    nothing = Sighting(client.id, "", 0, UnixSeconds(0.0))
    signed = seen.get(SIGNED, nothing)
    unsigned = [seen.get(what, nothing) for what in (UNSIGNED, UNSIGNED_PROXY_STATE)]
    last_unsigned = max(one.last_at for one in unsigned)
    safe, why = _is_safe(client, signed, last_unsigned)
    return {
        "client": client.name,
        "network": str(client.network),
        "message_authenticator": client.rules.message_authenticator,
        "signed": signed.times,
        "last_signed": signed.last_at or None,
        "unsigned": sum(one.times for one in unsigned),
        "unsigned_with_proxy_state": unsigned[1].times,
        "last_unsigned": last_unsigned or None,
        "safe_to_require": safe,
        "why": why,
        "sign_replies": client.rules.sign_replies,
        "secret_strength": _strength(client),
        "secret_octets": len(client.shared_secret),
        "secret_shared_with": twins,
        "secrets": [_secret(age, seen, at) for age in ages],
        "input_modes": _modes(client, uses),
    }


def _is_safe(client: NasClient, signed: Sighting, last_unsigned: UnixSeconds) -> tuple[str, str]:
    """Whether unsigned requests may be dropped, and why one thinks so."""
    if client.rules.message_authenticator is MessageAuthenticatorRule.REQUIRE:
        if last_unsigned > signed.last_at:
            return "enforced", "but unsigned requests came in last and were dropped: look at the NAS, or who forges"
        return "enforced", "unsigned requests are dropped"
    if not signed.times:
        return "no", "no signed request was ever seen"
    if signed.times < ENOUGH_SIGNED:
        return "not yet", f"only {signed.times} signed requests were seen"
    if last_unsigned and signed.last_at - last_unsigned < IDLE_AFTER_S:
        return "no", f"an unsigned request came on {time_text(last_unsigned)}, less than a week before the last signed"
    return "yes", f"twinward client set {client.name} --message-authenticator require"


def _strength(client: NasClient) -> Strength:
    return strength(client.shared_secret)


def _secret(age: SecretAge, seen: dict[str, Sighting], at: UnixSeconds) -> dict[str, Any]:
    used = seen.get(secret_sighting(age.number))
    is_old = age.until is not None
    idle_since = None if used is None else used.last_at
    return {
        "number": age.number,
        "since": age.created_at,
        "until": age.until,
        "last_used": idle_since,
        "may_end": is_old and at - max(idle_since or 0.0, age.created_at) > DAY_S,
    }


def _modes(client: NasClient, uses: list[ModeUse]) -> list[dict[str, Any]]:
    """Of a client with several input modes: who used which one last."""
    if len(client.rules.inputs) < 2:
        return []
    return [
        {
            "mode": one.mode,
            "until": one.until,
            "users": [
                {"user": use.username, "last": use.last_at} for use in uses if use.mode is one.mode
            ],
        }
        for one in client.rules.inputs
    ]  # fmt: skip


def _share_a_secret(one: NasClient, other: NasClient) -> bool:
    return any(mine.secret == theirs.secret for mine in one.shared_secrets for theirs in other.shared_secrets)


def _page(report: dict[str, Any]) -> str:
    lines = [
        f"{report['client']} at {report['network']}: Message-Authenticator {report['message_authenticator']}",
        f"  signed requests      {report['signed']}, last {time_text(report['last_signed'])}",
        f"  unsigned requests    {report['unsigned']}, last {time_text(report['last_unsigned'])}"
        f" ({report['unsigned_with_proxy_state']} with Proxy-State)",
        f"  safe to enforce      {report['safe_to_require']}: {report['why']}",
        f"  shared secret        {report['secret_strength']}, {report['secret_octets']} octets"
        + (f", the same as {', '.join(report['secret_shared_with'])}" if report["secret_shared_with"] else ""),
    ]
    if not report["sign_replies"]:
        lines.append("  replies              not signed: who sits on the path can forge an acceptance")
    if len(report["secrets"]) > 1:
        for one in report["secrets"]:
            end = "newest" if one["until"] is None else f"until {time_text(one['until'])}"
            idle = "; idle for a day and more, may be ended" if one["may_end"] else ""
            lines.append(f"  secret {one['number']:<14}{end}, last used {time_text(one['last_used'])}{idle}")
    for mode in report["input_modes"]:
        end = "" if mode["until"] is None else f" until {time_text(mode['until'])}"
        lines.append(f"  input {mode['mode']}{end}: {len(mode['users'])} users")
        lines += [f"    {use['user']:24}{time_text(use['last'])}" for use in mode["users"][:MODE_USES_SHOWN]]
        if len(mode["users"]) > MODE_USES_SHOWN:
            lines.append(f"    and {len(mode['users']) - MODE_USES_SHOWN} more; --json lists them all")
    return "\n".join(lines)
