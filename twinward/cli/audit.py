"""`twinward audit`."""

import sys

import click

from store.audit import count, newest
from twinward.cli.context import Console, json_option, show, table, time_text


@click.group()
def audit() -> None:
    """The audit chain."""


@audit.command("list")
@click.option("--user", metavar="NAME", help="Only what concerns this user.")
@click.option("--limit", type=click.IntRange(1, 10000), default=20, show_default=True)
@json_option
@click.pass_obj
def list_(console: Console, user: str | None, limit: int, as_json: bool) -> None:
    """List the newest entries with their references; `twinward explain REF` tells one whole."""
    name = None if user is None else console.username(user)
    with console.installation() as installation, installation.database.read() as connection:
        entries = newest(connection, limit, name)
    rows = [
        (
            one.reference,
            time_text(one.at),
            one.event,
            one.body.get("user", ""),
            one.body.get("client", ""),
            " ".join(str(one.body[key]) for key in ("verdict", "reason") if key in one.body),
        )
        for one in entries
    ]
    facts = [{"reference": one.reference, "at": one.at, "event": one.event, **one.body} for one in entries]
    headings = ("reference", "time", "event", "user", "client", "outcome")
    show({"entries": facts}, table(headings, rows, "Nothing has happened yet."), as_json)


@audit.command()
@json_option
@click.pass_obj
def verify(console: Console, as_json: bool) -> None:
    """Check that no row was edited, removed or reordered. Exit status 1 if one was."""
    with console.installation() as installation, installation.database.read() as connection:
        findings = list(installation.audit.verify(connection))
        rows = count(connection)
    text = "\n".join(findings) or f"{rows} rows, none altered or missing."
    show({"rows": rows, "findings": findings}, text, as_json)
    if findings:
        sys.exit(1)
