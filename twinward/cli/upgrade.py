"""`twinward upgrade`: bring the database of an older version up to this one."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import click

from authn.errors import ConfigError
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
    _copy(path, copy)
    upgrade_installation(path, settings.key_path)
    text = f"{path} has the schema {wanted} now. The old database: {copy}"
    show(value | {"done": True, "copy": str(copy)}, text, as_json)


def _copy(source: Path, target: Path) -> None:
    """A consistent copy, readable by its owner only. Raises ConfigError."""
    try:
        target.touch(mode=0o600, exist_ok=False)
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"{target}: cannot copy the database: {error}; nothing was changed") from error
