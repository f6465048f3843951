"""`twinward explain`: the story of one audit entry, with what to do about it, or of a login that might be."""

from typing import Any

import click

from authn.verdict import Inability, Reason
from store import audit
from store.attempts import LOGIN_EVENT
from twinward.cli.context import Console, json_option, show, time_text
from twinward.cli.what_if import imagine

_TEXTS: dict[str, tuple[str, str]] = {
    Reason.UNKNOWN_USER: (
        "There is no user of this name.",
        "Check the spelling; `twinward user list` shows the names.",
    ),
    Reason.USER_DISABLED: ("The user is disabled.", "`twinward user enable NAME` lets them in again."),
    Reason.LOCKED: (
        "After too many failures from here, in a row or over the day (failures_per_day), the user must wait; this login"
        " let nobody in, right or wrong.",
        "Wait, or `twinward user unlock NAME`, or the user logs in with two codes in a row: one, then the next.",
    ),
    Reason.STRANGERS: (
        "Somebody has failed too often lately, at this name (bucket: user) or from this network at many names (bucket:"
        " network), from where this user never came. Places that the user has come from with a code are not affected.",
        "Look at who guesses: `twinward audit list`. The user logs in with two codes in a row, one and then the next;"
        " or `twinward user unlock NAME`, and for a network `twinward client unlock CLIENT`.",
    ),
    Reason.POLICY: (
        "A rule of the policy refuses this login.",
        "The rule is named above; `twinward explain --what-if NAME` tries others without a login.",
    ),
    Reason.NO_TOKEN: ("The user has no active token.", "`twinward token enrol NAME`."),
    Reason.NO_PASSWORD: (
        "The user has no password here, but this client sends one.",
        "`twinward user password NAME`, or make the client code-only.",
    ),
    Reason.UNREADABLE_FIELD: (
        "What was typed cannot be a password and a code in any way that this client accepts.",
        "`twinward client show NAME` tells how its users must type: by default the password and then the code, in one"
        " field, without a blank. If this happens to everyone at one client, its input mode or shared secret is wrong.",
    ),
    Reason.WRONG_CODE: (
        "The code belongs to no time step near the present, nor to one within reach that came after the last login.",
        "A typing error, or a code of another account in the app, or of an app that was set up anew.",
    ),
    Reason.CLOCK_OFF: (
        "The code is right for another time: the clock of the device is off.",
        "Let the phone set its clock by the network. `twinward token resync SERIAL` learns a constant offset from two"
        " codes in a row. At a prompt a clock that is behind is learned from the next code, if the user has come from"
        " there before. If many users have it, look at this server's clock: `twinward doctor`.",
    ),
    Reason.WRONG_PERIOD: (
        "The app makes codes of another period than the token has: it ignored that setting of the QR code.",
        "`twinward token revoke SERIAL`, and `twinward token enrol NAME` with the period that the app knows, or"
        " another app.",
    ),
    Reason.OLD_CODE: (
        "The code is the one of the user's last login, long over: a client that kept it sends it again, as VPN clients"
        " do when they renew their keys, often after an hour. It was not counted.",
        "Let the VPN server remember the session: OpenVPN has `auth-gen-token`, others a longer rekey or session time.",
    ),
    Reason.SAME_GUESS: (
        "The same wrong password or code as a moment ago: a NAS repeats itself, or a program has an old password."
        " It was not counted again, and nobody was asked.",
        "See the entry before it for what was wrong.",
    ),
    Reason.DUMMY_PASSWORD: (
        "sshd sent the made-up password that it sends for a user whom its host does not know or does not let in.",
        "Add the user to the host, or look at AllowUsers and AllowGroups in its sshd_config.",
    ),
    Reason.CODE_REPLAYED: (
        "The code was right but had been used before.",
        "Wait for the next code. If the user used it once only, the NAS sent two requests: look at its retry settings.",
    ),
    Reason.WRONG_PASSWORD: (
        "The password was not right. Where a code came with it, that was right, and was not used up.",
        "The user tries again, or `twinward user password NAME`. If the user typed a code behind the password, and no"
        " `read as` stands above: the code was wrong too, and all of it was taken for the password.",
    ),
    Reason.SEAL_BROKEN: (
        "A row of this user in the database was altered and does not open.",
        "Somebody wrote to the database past twinward: find out who. Then set password and token anew.",
    ),
    Reason.NO_CREDENTIALS: ("The request held no password.", "Set the NAS to PAP."),
    Reason.UNSUPPORTED_METHOD: (
        "The NAS used a method that this client may not use: CHAP, MS-CHAP or EAP.",
        "Set the NAS to PAP. Where the client is code-only, `twinward client set NAME --method pap,chap,mschapv2`"
        " lets it use CHAP and MS-CHAPv2.",
    ),
    Reason.CHALLENGE_EXPIRED: (
        "The code came after the prompt had expired.",
        "The user logs in again. login.challenge_lifetime_s sets how long a prompt may be answered.",
    ),
    Reason.CHALLENGE_USED: (
        "The prompt had had all its answers, or had let its user in already.",
        "The user logs in again. If it happens to many, the NAS sends an old State: look for a software update.",
    ),
    Reason.PASSWORD_CHANGED: (
        "The user's password was changed between the prompt and the code.",
        "The user logs in again with the new password.",
    ),
    Inability.STORE_UNAVAILABLE: ("The database could not be used.", "Look into the server's log."),
    Inability.KEYS_UNAVAILABLE: ("A key is missing.", "Look into the server's log."),
    Inability.FIRST_FACTOR_UNAVAILABLE: (
        "Who keeps the password could not be asked, or did not answer in time; nobody's failures were counted.",
        "`twinward doctor` asks every first factor and tells what is wrong; the server's log has more.",
    ),
    Inability.OVERLOADED: (
        "Too many passwords waited to be checked; nobody was answered, and the NAS asked again.",
        "More cores, or fewer logins at once.",
    ),
    Inability.BUG: ("An error in twinward.", "The server's log has its trace; please report it."),
}


_PLAIN = ("input_mode", "station", "rule", "failures", "token", "drift", "prompt")


@click.command()
@click.argument("ref", required=False)
@click.option("--what-if", "user", metavar="USER", help="Instead: what a login of this user would come to now.")
@click.option("--client", "client_name", metavar="NAME", help="With --what-if: through this client.")
@click.option("--station", metavar="ADDRESS", help="With --what-if: from this Calling-Station-Id.")
@click.option("--typed-file", metavar="F|-", help="With --what-if: what is typed. Nothing is spent, nobody is asked.")
@json_option
@click.pass_obj
def explain(
    console: Console,
    ref: str | None,
    user: str | None,
    client_name: str | None,
    station: str | None,
    typed_file: str | None,
    as_json: bool,
) -> None:
    """Tell the story of one login by its reference, and what to do. References: `twinward audit list`."""
    if (ref is None) == (user is None):
        raise click.UsageError("give a reference, or --what-if USER")
    if user is not None:
        if client_name is None:
            raise click.UsageError("--what-if needs --client")
        facts = imagine(console, user, client_name, station, typed_file)
        show(facts, _page(facts), as_json)
        return
    with console.installation() as installation, installation.database.read() as connection:
        entry = audit.entry(connection, ref or "")
    facts = {"reference": entry.reference, "at": entry.at, "event": entry.event, **entry.body}
    meaning, cure = meaning_of(str(facts.get("reason")))
    if meaning:
        facts |= {"meaning": meaning, "cure": cure}
    heading = f"{entry.reference}  {time_text(entry.at)}  {entry.event}"
    if entry.event == LOGIN_EVENT:
        text = "\n".join([heading, *_story(facts)])
    else:
        text = "\n".join([heading, *(f"  {key.replace('_', ' '):14}{one}" for key, one in entry.body.items())])
    show(facts, text, as_json)


def meaning_of(reason: str) -> tuple[str, str]:
    """What a reason means, and what to do about it; empty texts for none."""
    return _TEXTS.get(reason, ("", ""))


def _story(facts: dict[str, Any]) -> list[str]:
    """A login, line by line."""
    lines = [f"{facts['user']!r} through client {facts['client']}: {facts['verdict']}"]
    if "reason" in facts:
        lines[0] += f", {facts['reason']}"
    lines += [_line(key, facts[key]) for key in _PLAIN if key in facts]
    if "split" in facts:
        password, code = facts["split"]
        lines.append(_line("read as", f"{password} octets of password and {code} of code"))
    if "first_factor" in facts:
        lines.append(_line("first factor", f"{facts['first_factor']}: {facts.get('password', 'not asked')}"))
    if "offset" in facts:
        lines.append(_line("code of", _when(facts["offset"], facts.get("period"))))
    elif facts.get("reason") == Reason.WRONG_PERIOD:
        lines.append(_line("app's period", f"{facts.get('period')} s"))
    if "without_code" in facts:
        lines.append(_line("without code", facts["without_code"]))
    if facts.get("recovery_code"):
        lines.append(_line("by", "a recovery code"))
    if "full_bucket" in facts:
        lines.append(_line("bucket", facts["full_bucket"]))
    if "would_be" in facts:
        lines.append(_line("enforced", f"would have come to: {facts['would_be']}"))
    if facts.get("new_place"):
        lines.append(_line("place", "new for this user"))
    if "wait_s" in facts:
        lines.append(_line("next code in", f"{facts['wait_s']} s from then"))
    if "meaning" in facts:
        lines += ["", facts["meaning"], f"What to do: {facts['cure']}"]
    return lines


def _line(key: str, value: object) -> str:
    return f"  {key.replace('_', ' '):14}{value}"


def _when(offset: int, period_s: int | None) -> str:
    """The distance of a code from the present, for people."""
    if period_s is None:
        return "the expected count" if not offset else f"{offset} counts further on"
    if not offset:
        return "the present step"
    side = "ago" if offset < 0 else "ahead"
    seconds = abs(offset) * period_s
    span = f"{seconds} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return f"{abs(offset)} step{'' if abs(offset) == 1 else 's'} ({span}) {side}"


def _page(facts: dict[str, Any]) -> str:
    lines = [f"{facts['user']!r} through client {facts['client']}, now: {facts['outcome']}"]
    lines += [_line(key, value) for key, value in facts["circumstances"].items()]
    meaning, cure = meaning_of(str(facts.get("reason")))
    if meaning:
        lines += ["", meaning, f"What to do: {cure}"]
    return "\n".join(lines)
