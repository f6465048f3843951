"""`twinward grace` and `twinward bypass`: who may log in without a code, until when, and why."""

from typing import Any

import click

from authn.exemption import ExemptionKind
from authn.instants import UnixSeconds
from store.exemptions import GrantedExemption
from twinward.cli.context import Console, json_option, now, show, table, time_text
from twinward.dates import end_of_day, span_s


@click.group()
def grace() -> None:
    """Logins without a code for who has no token yet; it ends with the first token, or at its date."""


@click.group()
def bypass() -> None:
    """Logins without a code for who has lost the token, for hours or days at most."""


def _end(until: str | None, lasting: str | None) -> UnixSeconds:
    if (until is None) == (lasting is None):
        raise click.UsageError("say how long: --until DATE or --for SPAN")
    try:
        return end_of_day(until) if until is not None else UnixSeconds(now() + span_s(lasting or ""))
    except ValueError as fault:
        raise click.UsageError(str(fault)) from fault


def _commands(group: click.Group, kind: ExemptionKind) -> None:
    """The three commands of a kind."""

    @group.command("grant")
    @click.argument("user")
    @click.option("--until", metavar="DATE", help="Until the end of a day.")
    @click.option("--for", "lasting", metavar="SPAN", help="For so long: 30m, 8h, 2d.")
    @click.option("--logins", type=click.IntRange(1), help="For so many logins at most.")
    @click.option("--client", "client_name", metavar="NAME", help="At this NAS client only.")
    @click.option("--reason", required=True, help="Why; it stands in the audit trail.")
    @json_option
    @click.pass_obj
    def grant(
        console: Console,
        user: str,
        until: str | None,
        lasting: str | None,
        logins: int | None,
        client_name: str | None,
        reason: str,
        as_json: bool,
    ) -> None:
        end = _end(until, lasting)
        with console.installation() as installation:
            serial = console.exemptions(installation).grant(
                user, kind, end, reason, now(), logins=logins, client=client_name
            )
        where = f" at {client_name}" if client_name else ""
        often = f", for {logins} logins at most" if logins else ""
        text = f"{kind.capitalize()} {serial}: {user} needs no code{where} until {time_text(end)}{often}."
        show({"exemption": serial, "user": user, "until": end, "logins": logins, "client": client_name}, text, as_json)

    grant.help = f"Grant a {kind}; it needs an end and a reason."

    @group.command("list")
    @json_option
    @click.pass_obj
    def list_(console: Console, as_json: bool) -> None:
        with console.installation() as installation:
            granted = console.exemptions(installation).all(now(), kind)
        rows = [
            (
                one.serial,
                one.username,
                one.client or "everywhere",
                time_text(one.until),
                one.used if one.logins is None else f"{one.used} of {one.logins}",
                one.owner,
                one.reason,
            )
            for one in granted
        ]
        headings = ("serial", "user", "client", "until", "used", "by", "reason")
        show({"exemptions": [_facts(one) for one in granted]}, table(headings, rows, f"No {kind} goes on."), as_json)

    list_.help = f"List every {kind} that goes on, the first to end first."

    @group.command("end")
    @click.argument("serial")
    @json_option
    @click.pass_obj
    def end_(console: Console, serial: str, as_json: bool) -> None:
        with console.installation() as installation:
            username = console.exemptions(installation).end(serial, now())
        show({"exemption": serial, "user": username}, f"{kind.capitalize()} {serial} of {username} is over.", as_json)

    end_.help = f"End a {kind} at once."


def _facts(one: GrantedExemption) -> dict[str, Any]:
    return {
        "exemption": one.serial,
        "user": one.username,
        "client": one.client,
        "until": one.until,
        "logins": one.logins,
        "used": one.used,
        "by": one.owner,
        "reason": one.reason,
    }


_commands(grace, ExemptionKind.GRACE)
_commands(bypass, ExemptionKind.BYPASS)
