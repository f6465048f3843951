"""`twinward explain`: the story of one audit entry, with what to do about it."""

import click

from authn.verdict import Inability, Reason
from store import audit
from store.attempts import LOGIN_EVENT
from twinward.cli.context import Console, json_option, show, time_text

_TEXTS: dict[str, tuple[str, str]] = {
    Reason.UNKNOWN_USER: (
        "There is no user of this name.",
        "Check the spelling; `twinward user list` shows the names.",
    ),
    Reason.USER_DISABLED: ("The user is disabled.", "`twinward user enable NAME` lets them in again."),
    Reason.LOCKED: (
        "After too many failures the user must wait; this login was not looked at.",
        "Wait, or `twinward user unlock NAME`.",
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
        "The code belongs to no time step near the present.",
        "Check that the phone's clock is set by the network; `twinward token resync` learns a constant offset."
        " A code of another account in the app looks the same.",
    ),
    Reason.CODE_REPLAYED: (
        "The code was right but had been used before.",
        "Wait for the next code. If the user used it once only, the NAS sent two requests: look at its retry settings.",
    ),
    Reason.WRONG_PASSWORD: (
        "The code was right, the password was not. The code was not used up.",
        "The user tries again, or `twinward user password NAME`.",
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
    Inability.FIRST_FACTOR_UNAVAILABLE: ("The password could not be checked.", "Look into the server's log."),
    Inability.OVERLOADED: (
        "Too many passwords waited to be checked; nobody was answered, and the NAS asked again.",
        "More cores, or fewer logins at once.",
    ),
    Inability.BUG: ("An error in twinward.", "The server's log has its trace; please report it."),
}


@click.command()
@click.argument("ref")
@json_option
@click.pass_obj
def explain(console: Console, ref: str, as_json: bool) -> None:
    """Tell the story of one login by its reference, and what to do."""
    with console.installation() as installation, installation.database.read() as connection:
        entry = audit.entry(connection, ref)
    body = dict(entry.body)
    meaning, cure = _TEXTS.get(str(body.get("reason")), ("", ""))
    value = {"reference": entry.reference, "at": entry.at, "event": entry.event, **body}
    if meaning:
        value |= {"meaning": meaning, "cure": cure}
    lines = [f"{entry.reference}  {time_text(entry.at)}  {entry.event}"]
    if entry.event == LOGIN_EVENT:
        lines.append(f"{body.pop('user')!r} through client {body.pop('client')}: {body.pop('verdict')}")
    lines += [f"  {key.replace('_', ' '):12}{one}" for key, one in body.items()]
    if meaning:
        lines += ["", meaning, f"What to do: {cure}"]
    show(value, "\n".join(lines), as_json)
