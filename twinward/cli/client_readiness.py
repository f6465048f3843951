"""`twinward client readiness`: whether a client in shadow mode may enforce codes."""

import click

from authn.outcomes import WOULD_BE_ASKED, WOULD_BE_LET_IN
from authn.verdict import Reason
from store.nas_clients import NasClients
from store.shadow_report import shadow_outcomes
from twinward.cli.context import Console, json_option, now, show, table, time_text

_SENTENCES: dict[str, str] = {
    WOULD_BE_LET_IN: "ready: typed a right code",
    WOULD_BE_ASKED: "ready: has a token, and would be asked for its code",
    Reason.NO_TOKEN: "has no token: twinward token enrol",
    Reason.UNKNOWN_USER: "is not known here: twinward user add",
    Reason.UNREADABLE_FIELD: "has a token, but typed no code",
    Reason.WRONG_CODE: "has a token, but typed no right code",
    Reason.CLOCK_OFF: "has a token whose clock is off: twinward token resync",
    Reason.WRONG_PERIOD: "has an app that ignores the token's period: enrol anew",
    Reason.OLD_CODE: "has a client that sends an old code again",
}


@click.command()
@click.argument("name")
@json_option
@click.pass_obj
def readiness(console: Console, name: str, as_json: bool) -> None:
    """Tell who would be locked out if a client in shadow mode enforced codes now."""
    with console.installation() as installation:
        client = NasClients(installation, console.by).show(name)
        outcomes = shadow_outcomes(installation.database, client.id)
    ready = sum(one.is_ready for one in outcomes)
    rows = [
        (one.username, _SENTENCES.get(one.outcome, one.outcome), one.times, time_text(one.last_at)) for one in outcomes
    ]
    until = client.rules.shadow_until
    if until is None:
        mode = f"{name} is not in shadow mode; `twinward client set {name} --shadow-until DATE` begins it."
    elif client.rules.shadows_at(now()):
        mode = f"{name} is in shadow mode until {time_text(until)}: a right password lets in alone."
    else:
        mode = f"{name} enforces codes since {time_text(until)}."
    told = f"{ready} of {len(outcomes)} users who have logged in would get in with codes enforced."
    value = {
        "client": name,
        "shadow_until": until,
        "ready": ready,
        "users": [
            {
                "user": one.username,
                "outcome": one.outcome,
                "ready": one.is_ready,
                "logins": one.times,
                "last": one.last_at,
            }
            for one in outcomes
        ],
    }
    text = table(("user", "standing", "logins", "last"), rows, "Nobody has logged in through it in shadow mode yet.")
    show(value, f"{mode}\n{told}\n\n{text}", as_json)
