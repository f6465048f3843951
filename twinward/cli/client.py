"""`twinward client`: the NAS clients."""

from typing import Any

import click

from authn.client import ClientRules, NasClient
from authn.instants import UnixSeconds
from authn.secret import SharedSecret
from store.nas_clients import NasClients, new_shared_secret
from twinward.cli.client_audit import audit
from twinward.cli.client_readiness import readiness
from twinward.cli.client_rules import changed_rules, inputs_text, rule_options, warnings
from twinward.cli.context import Console, json_option, now, read_secret, show, table, time_text

DAY_S = 86400


@click.group()
def client() -> None:
    """NAS clients: who may ask, from where, with which shared secret."""


client.add_command(audit)
client.add_command(readiness)


@client.command()
@click.argument("name")
@click.option("--network", required=True, metavar="CIDR", help="Address or network that the NAS asks from.")
@click.option(
    "--secret-file", metavar="F|-", help="File with the shared secret; without it one is made and shown once."
)
@click.option("--shared-address", is_flag=True, help="Another client has this network too: NAS behind one address.")
@rule_options
@json_option
@click.pass_obj
def add(
    console: Console,
    /,
    name: str,
    network: str,
    secret_file: str | None,
    shared_address: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Add a NAS client. Running servers know it within a second or two."""
    rules = changed_rules(name, ClientRules(), options)
    shared_secret, made = _shared_secret(secret_file)
    with console.installation() as installation:
        added = NasClients(installation, console.by).add(
            name, network, shared_secret, now(), rules, shared_address=shared_address
        )
    value = {"client": name, "network": str(added), "warnings": warnings(rules)} | made
    show(value, "\n".join([f"Added client {name} at {added}.", *_shown_once(made), *warnings(rules)]), as_json)


@client.command("set")
@click.argument("name")
@rule_options
@json_option
@click.pass_obj
def set_(console: Console, /, name: str, as_json: bool, **options: Any) -> None:
    """Change the rules of a NAS client; what is not named stays as it is."""
    if all(value is None for value in options.values()):
        raise click.UsageError("name at least one rule to change")
    with console.installation() as installation:
        clients = NasClients(installation, console.by)
        rules = changed_rules(name, clients.show(name).rules, options)
        clients.set_rules(name, rules, now())
    text = "\n".join([f"Client {name} has new rules.", *warnings(rules)])
    show({"client": name, "warnings": warnings(rules)}, text, as_json)


@client.command("list")
@json_option
@click.pass_obj
def list_(console: Console, as_json: bool) -> None:
    """List the NAS clients."""
    with console.installation() as installation:
        clients = NasClients(installation, console.by).all()
    rows = [
        (one.name, one.network, inputs_text(one.rules), one.rules.message_authenticator, ",".join(_methods(one.rules)))
        for one in clients
    ]
    headings = ("name", "network", "input", "message-authenticator", "methods")
    show(
        {"clients": [_facts(one) for one in clients]},
        table(headings, rows, "There is no client yet; `twinward client add NAME --network CIDR` makes one."),
        as_json,
    )


@client.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_(console: Console, name: str, as_json: bool) -> None:
    """Show one NAS client, without its shared secrets."""
    with console.installation() as installation:
        facts = _facts(NasClients(installation, console.by).show(name))
    told = facts | {"shadow_until": time_text(facts["shadow_until"])}
    lines = [f"{key.replace('_', ' '):24}{'-' if value is None else value}" for key, value in told.items()]
    show(facts, "\n".join(lines), as_json)


@client.command("rotate-secret")
@click.argument("name")
@click.option("--secret-file", metavar="F|-", help="File with the new shared secret; without it one is made.")
@click.option(
    "--keep-old-days",
    type=click.FloatRange(min=0, min_open=True, max=365),
    default=30.0,
    show_default=True,
    help="How long the old one is accepted beside the new.",
)
@click.option("--end-old", is_flag=True, help="Instead: accept only the newest from now on.")
@json_option
@click.pass_obj
def rotate_secret(
    console: Console, name: str, secret_file: str | None, keep_old_days: float, end_old: bool, as_json: bool
) -> None:
    """Give a client a new shared secret while the old one still works; `client audit` tells when that is idle."""
    if end_old:
        if secret_file is not None:
            raise click.UsageError("--end-old makes no new secret")
        with console.installation() as installation:
            NasClients(installation, console.by).end_old_secret(name, now())
        show({"client": name}, f"Client {name} has one shared secret again, the newest.", as_json)
        return
    until = UnixSeconds(now() + keep_old_days * DAY_S)
    made = _change_secret(console, name, secret_file, until)
    lines = [
        f"Client {name} has a new shared secret; the old one is accepted until {time_text(until)}.",
        *_shown_once(made),
        f"`twinward client audit {name}` tells which of them the NAS uses;"
        f" `twinward client rotate-secret {name} --end-old` ends the old one.",
    ]
    show({"client": name, "old_until": until} | made, "\n".join(lines), as_json)


@client.command("set-secret")
@click.argument("name")
@click.option("--secret-file", metavar="F|-", help="File with the new shared secret; without it one is made.")
@json_option
@click.pass_obj
def set_secret(console: Console, name: str, secret_file: str | None, as_json: bool) -> None:
    """Replace a client's shared secret at once; the old one stops working."""
    made = _change_secret(console, name, secret_file, None)
    text = "\n".join([f"Client {name} has a new shared secret.", *_shown_once(made)])
    show({"client": name} | made, text, as_json)


@client.command()
@click.argument("name")
@json_option
@click.pass_obj
def unlock(console: Console, name: str, as_json: bool) -> None:
    """Forget what strangers have failed at a NAS client, so that no network has to wait."""
    with console.installation() as installation:
        emptied = NasClients(installation, console.by).forget_strangers(name, now())
    show({"client": name, "networks": emptied}, f"Forgot the failures from {emptied} networks at {name}.", as_json)


@client.command()
@click.argument("name")
@json_option
@click.pass_obj
def remove(console: Console, name: str, as_json: bool) -> None:
    """Remove a NAS client; its requests get no answer from then on."""
    with console.installation() as installation:
        NasClients(installation, console.by).remove(name, now())
    show({"client": name}, f"Removed client {name}.", as_json)


def _shared_secret(source: str | None) -> tuple[SharedSecret, dict[str, Any]]:
    """The shared secret from a file, or a new one with what is to be shown of it."""
    if source is not None:
        return SharedSecret(read_secret(source, "Shared secret")), {}
    made = new_shared_secret()
    return made, {"shared_secret": made.reveal().decode("ascii")}


def _change_secret(console: Console, name: str, source: str | None, until: UnixSeconds | None) -> dict[str, Any]:
    shared_secret, made = _shared_secret(source)
    with console.installation() as installation:
        NasClients(installation, console.by).rotate_shared_secret(name, shared_secret, now(), keep_old_until=until)
    return made


def _shown_once(made: dict[str, Any]) -> list[str]:
    return [f"Shared secret: {secret}   (shown this once; enter it at the NAS)" for secret in made.values()]


def _methods(rules: ClientRules) -> list[str]:
    return sorted(method.value for method in rules.methods)


def _facts(client: NasClient) -> dict[str, Any]:
    rules = client.rules
    return {
        "name": client.name,
        "network": str(client.network),
        "input": inputs_text(rules),
        "separator": rules.separator,
        "methods": ",".join(_methods(rules)),
        "message_authenticator": rules.message_authenticator,
        "sign_replies": rules.sign_replies,
        "status_server": rules.status_server,
        "prompt": rules.prompt,
        "uniform_challenge": rules.uniform_challenge,
        "nas_timeout_s": rules.timeout_s,
        "nas_tries": rules.tries,
        "repeat_window_s": rules.repeat_window_s,
        "on_failure": rules.on_failure,
        "charset": rules.charset or "utf-8",
        "max_logins_per_s": rules.max_logins_per_s,
        "disconnect_port": rules.disconnect_port,
        "recovery_codes": rules.recovery_codes,
        "shadow_until": rules.shadow_until,
        "shared_secret_octets": len(client.shared_secret),
        "shared_secrets": len(client.shared_secrets),
    }
