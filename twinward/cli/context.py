"""What every command has at hand: the configuration, the clock, who is at the keyboard, how to print."""

import getpass
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from authn.errors import OperationError
from authn.instants import UnixSeconds
from authn.request import Username, canonical_username
from store.exemptions import Exemptions
from store.installation import Installation
from store.recovery_codes import RecoveryCodes
from store.tokens import Tokens
from store.users import Users
from twinward.app import open_installation
from twinward.config import Settings, find_config, read_config

Command = TypeVar("Command", bound=Callable[..., Any])

MAX_SECRET_OCTETS = 4096


class Console:
    """The operator's side of one command."""

    def __init__(self, config: Path | None) -> None:
        self.config = config

    def settings(self) -> Settings:
        """The configuration. Raises ConfigError."""
        return read_config(find_config(self.config))

    @contextmanager
    def installation(self) -> Iterator[Installation]:
        """The opened installation of the configuration."""
        installation = open_installation(self.settings(), "cli")
        try:
            yield installation
        finally:
            installation.close()

    def users(self, installation: Installation) -> Users:
        """The users of an installation, by the names that its logins use."""
        return Users(installation, self.by, realms=self.settings().realms)

    def tokens(self, installation: Installation) -> Tokens:
        """The tokens of an installation."""
        return Tokens(installation, self.by, realms=self.settings().realms)

    def recovery_codes(self, installation: Installation) -> RecoveryCodes:
        """The recovery codes of an installation."""
        return RecoveryCodes(installation, self.by, realms=self.settings().realms)

    def exemptions(self, installation: Installation) -> Exemptions:
        """Grace and bypasses of an installation."""
        return Exemptions(installation, self.by, realms=self.settings().realms)

    def username(self, name: str) -> Username:
        """A user's name as it is kept."""
        return canonical_username(name.encode(), realms=self.settings().realms)

    @property
    def by(self) -> str:
        """Who runs the command, as the audit chain names them; under sudo, who asked for it."""
        try:
            return os.environ.get("SUDO_USER") or getpass.getuser()
        except (KeyError, OSError):
            return f"uid {os.getuid()}"


def now() -> UnixSeconds:
    """The wall clock."""
    return UnixSeconds(time.time())


def json_option(command: Command) -> Command:
    """Give a command `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print machine-readable JSON.")(command)


def show(value: Mapping[str, Any], text: str, as_json: bool) -> None:
    """Print a result: the mapping as JSON, or the text for people."""
    click.echo(json.dumps(value, indent=2) if as_json else text)


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> str:
    """Columns that line up, or `empty` when there are no rows."""
    if not rows:
        return empty
    cells = [[heading.upper() for heading in headings]] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def time_text(at: UnixSeconds | None) -> str:
    """A time for people, in the zone of the machine."""
    return "-" if at is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def read_secret(source: str | None, prompt: str, *, twice: bool = False) -> bytes:
    """A secret: one line from a file, from standard input (`-`), or typed without echo.

    The line's end does not belong to the secret. Raises OperationError when it is
    empty, too long, or when there is neither a source nor a terminal to ask at.
    """
    if source == "-":
        octets = sys.stdin.buffer.readline(MAX_SECRET_OCTETS + 1)
    elif source is not None:
        try:
            octets = Path(source).read_bytes()[: MAX_SECRET_OCTETS + 1].split(b"\n", 1)[0]
        except OSError as error:
            raise OperationError(f"{source}: cannot read: {error.strerror}") from error
    elif sys.stdin.isatty():
        octets = click.prompt(prompt, hide_input=True, confirmation_prompt=twice).encode()
    else:
        raise OperationError(f"{prompt}: there is no terminal to ask at; give a file, or - to read standard input")
    secret = octets.rstrip(b"\r\n")
    if not secret:
        raise OperationError(f"{prompt}: nothing was given")
    if len(secret) > MAX_SECRET_OCTETS:
        raise OperationError(f"{prompt}: longer than {MAX_SECRET_OCTETS} octets")
    return secret
