"""`twinward audit`."""

import sys

import click

from store.audit import count
from twinward.cli.context import Console, json_option, show


@click.group()
def audit() -> None:
    """The audit chain."""


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
