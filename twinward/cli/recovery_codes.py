"""`twinward recovery-codes`: codes on paper for the day the phone is gone."""

import click

from store.recovery_codes import NEW_CODES
from twinward.cli.context import Console, json_option, now, show


@click.group("recovery-codes")
def recovery_codes() -> None:
    """Recovery codes: each good once in the place of a code."""


@recovery_codes.command()
@click.argument("user")
@click.option("--count", type=int, default=NEW_CODES, show_default=True, help="How many.")
@json_option
@click.pass_obj
def renew(console: Console, user: str, count: int, as_json: bool) -> None:
    """Make new recovery codes in the place of all old ones, and show them this once."""
    with console.installation() as installation:
        codes = console.recovery_codes(installation).renew(user, now(), count)
    lines = [
        f"Recovery codes of {user}, shown this once. Each lets in once, typed where the code goes, hyphens and all:",
        "",
        *(f"  {code}" for code in codes),
    ]
    show({"user": user, "recovery_codes": codes}, "\n".join(lines), as_json)


@recovery_codes.command()
@click.argument("user")
@json_option
@click.pass_obj
def remove(console: Console, user: str, as_json: bool) -> None:
    """Destroy a user's recovery codes."""
    with console.installation() as installation:
        left = console.recovery_codes(installation).remove(user, now())
    show({"user": user, "removed": left}, f"Destroyed {left} recovery codes of {user}.", as_json)


@recovery_codes.command("show")
@click.argument("user")
@json_option
@click.pass_obj
def show_(console: Console, user: str, as_json: bool) -> None:
    """Tell how many recovery codes are left; they cannot be shown again."""
    with console.installation() as installation:
        left = console.recovery_codes(installation).left(user)
    show({"user": user, "left": left}, f"{user} has {left} recovery codes left.", as_json)
