"""`twinward upgrade`: bring the database of an older version up to this one."""

import time

import click

from store.engine import Database
from store.upgrading import upgrade as upgrade_installation
from twinward.cli.context import Console, json_option, show


@click.command()
@click.option("--check", is_flag=True, help="Only tell what would be done.")
@json_option
@click.pass_obj
def upgrade(console: Console, check: bool, as_json: bool) -> None:
    """Bring the database up to this version, with a copy of the old one beside it. Stop the servers first."""
    settings = console.settings()
    path = settings.database_path
    found, wanted = Database.revisions(path)
    value = {"database": str(path), "found": found, "wanted": wanted}
    if found == wanted:
        show(value | {"done": False}, f"{path} is up to date ({wanted}).", as_json)
        return
    if check:
        show(value | {"done": False}, f"{path} has the schema {found}; `twinward upgrade` makes it {wanted}.", as_json)
        return
    copy = path.with_name(f"{path.name}.before-{wanted}-{time.strftime('%Y%m%d%H%M%S')}")
    upgrade_installation(path, settings.key_path, copy)
    text = f"{path} has the schema {wanted} now. The old database: {copy}"
    show(value | {"done": True, "copy": str(copy)}, text, as_json)
