"""`twinward user`: the people who log in."""

import csv
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click

from authn.errors import OperationError
from authn.otp import Algorithm, TotpParameters
from authn.secret import Password
from radius_wire.password_hiding import MAX_PASSWORD_OCTETS
from store.passwords import PasswordHash, Passwords, read_foreign_hash
from store.sessions import Sessions
from store.tokens import NewToken
from store.users import NewUser, UserSummary
from twinward.cli.context import Console, json_option, now, read_secret, show, table, time_text
from twinward.cli.session import end_sessions
from twinward.config import Settings
from twinward.seeds import read_seed

IMPORT_COLUMNS = ("name", "password", "seed", "period", "digits", "algorithm", "groups", "password_hash")
_REQUIRED_COLUMNS = frozenset(("name", "password", "seed"))


@click.group()
def user() -> None:
    """Users: the people who log in."""


def password_from(octets: bytes, settings: Settings) -> PasswordHash:
    """The hash of a new password. Raises OperationError for one that could never be typed over RADIUS."""
    if b"\0" in octets:
        raise OperationError("a password cannot hold the octet NUL")
    if len(octets) > MAX_PASSWORD_OCTETS - settings.new_token.digits:
        raise OperationError(
            f"a password has at most {MAX_PASSWORD_OCTETS - settings.new_token.digits} octets:"
            f" RADIUS carries {MAX_PASSWORD_OCTETS}, code included"
        )
    return Passwords(settings.hashing).hash(Password(octets))


@user.command()
@click.argument("name")
@click.option("--password-file", metavar="F|-", help="File with the password; without it you are asked.")
@click.option("--no-password", is_flag=True, help="The user has no password here: for code-only clients.")
@click.option("--group", "groups", multiple=True, metavar="G", help="A group of the user; may be repeated.")
@json_option
@click.pass_obj
def add(
    console: Console, name: str, password_file: str | None, no_password: bool, groups: tuple[str, ...], as_json: bool
) -> None:
    """Add a user. `twinward token enrol` gives them their token."""
    if no_password and password_file:
        raise click.UsageError("--no-password and --password-file exclude each other")
    password_hash = None
    if not no_password:
        settings = console.settings()
        password_hash = password_from(read_secret(password_file, f"Password for {name}", twice=True), settings)
    with console.installation() as installation:
        username = console.users(installation).add(NewUser(name, password_hash, groups), now())
    show(
        {"user": username},
        f"Added user {username}.\nNext: twinward token enrol {username}",
        as_json,
    )


@user.command("list")
@json_option
@click.pass_obj
def list_(console: Console, as_json: bool) -> None:
    """List the users."""
    with console.installation() as installation:
        users = list(console.users(installation).all())
    rows = [(one.username, _standing(one), "yes" if one.has_password else "no", ", ".join(one.groups)) for one in users]
    show(
        {"users": [_facts(one) for one in users]},
        table(("name", "standing", "password", "groups"), rows, "There is no user yet; `twinward user add NAME`."),
        as_json,
    )


@user.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_(console: Console, name: str, as_json: bool) -> None:
    """Show one user with their tokens."""
    with console.installation() as installation:
        one = console.users(installation).show(name)
    lines = [
        f"name      {one.username}",
        f"standing  {_standing(one)}",
        f"password  {'yes' if one.has_password else 'no'}",
        f"groups    {', '.join(one.groups) or '-'}",
        f"added     {time_text(one.created_at)}",
    ]
    lines += [f"token     {token.serial}  {token.phase}" for token in one.tokens] or ["token     none"]
    lines.append(f"recovery  {one.recovery_codes} codes left")
    lines += [f"place     {place.place}, last {time_text(place.last_at)}" for place in one.places]
    facts = _facts(one) | {
        "tokens": [{"serial": token.serial, "phase": token.phase} for token in one.tokens],
        "recovery_codes": one.recovery_codes,
        "places": [{"place": place.place, "first": place.first_at, "last": place.last_at} for place in one.places],
    }
    show(facts, "\n".join(lines), as_json)


@user.command()
@click.argument("name")
@click.option("--password-file", metavar="F|-", help="File with the new password; without it you are asked.")
@click.option("--hash-file", metavar="F|-", help="File with a hash that another program made of the password.")
@json_option
@click.pass_obj
def password(console: Console, name: str, password_file: str | None, hash_file: str | None, as_json: bool) -> None:
    """Set a user's password, or take over the hash of it."""
    if hash_file is not None:
        if password_file is not None:
            raise click.UsageError("--password-file and --hash-file exclude each other")
        password_hash = read_foreign_hash(read_secret(hash_file, "Hash").decode("utf-8", "replace"))
    else:
        octets = read_secret(password_file, f"New password for {name}", twice=True)
        password_hash = password_from(octets, console.settings())
    with console.installation() as installation:
        console.users(installation).set_password(name, password_hash, now())
    show({"user": name}, f"Set the password of {name}.", as_json)


@user.command()
@click.argument("name")
@click.option("--set", "groups", required=True, metavar="G[,G]…", help="The groups; empty for none.")
@json_option
@click.pass_obj
def groups(console: Console, name: str, groups: str, as_json: bool) -> None:
    """Put a user into these groups and no others."""
    names = [group.strip() for group in groups.split(",") if group.strip()]
    with console.installation() as installation:
        console.users(installation).set_groups(name, names, now())
    show({"user": name, "groups": names}, f"{name} is in {', '.join(names) or 'no group'}.", as_json)


@user.command()
@click.argument("name")
@click.option("--keep-sessions", is_flag=True, help="Leave the user's sessions alone.")
@json_option
@click.pass_obj
def disable(console: Console, name: str, keep_sessions: bool, as_json: bool) -> None:
    """Refuse every login of a user until enabled again, and end the sessions that accounting told of."""
    with console.installation() as installation:
        console.users(installation).set_enabled(name, False, now())
        going_on = Sessions(installation.database).open(console.username(name))
        outcomes = [] if keep_sessions else end_sessions(installation, going_on, console.by)
    text = "\n".join([f"Disabled {name}.", *(one["text"] for one in outcomes)])
    show({"user": name, "sessions": outcomes}, text, as_json)


@user.command()
@click.argument("name")
@json_option
@click.pass_obj
def enable(console: Console, name: str, as_json: bool) -> None:
    """Let a disabled user log in again."""
    with console.installation() as installation:
        console.users(installation).set_enabled(name, True, now())
    show({"user": name}, f"Enabled {name}.", as_json)


@user.command()
@click.argument("name")
@json_option
@click.pass_obj
def unlock(console: Console, name: str, as_json: bool) -> None:
    """Forget a user's failed logins, and those of strangers at this name, so that nobody need wait."""
    with console.installation() as installation:
        console.users(installation).unlock(name, now())
    show({"user": name}, f"Unlocked {name}.", as_json)


@user.command()
@click.argument("name")
@json_option
@click.pass_obj
def remove(console: Console, name: str, as_json: bool) -> None:
    """Remove a user and their tokens for good. The audit chain keeps their name."""
    with console.installation() as installation:
        console.users(installation).remove(name, now())
    show({"user": name}, f"Removed {name}.", as_json)


@user.command("import")
@click.option("--file", "source", required=True, metavar="F|-", help="CSV file, or - for standard input.")
@click.option("--format", "form", type=click.Choice(["csv"]), default="csv", show_default=True)
@json_option
@click.pass_obj
def import_(console: Console, source: str, form: str, as_json: bool) -> None:
    """Add users from a CSV file: all of them, or none if a line is wrong.

    The first line names the columns: name,password,seed and, if wanted, period,digits,algorithm,groups (several
    groups are separated by ;),password_hash (of PHP, Django, LDAP or a shadow file; it is
    replaced by ours at the user's next good login). An empty password or seed is left out; a seed is base32, or
    hexadecimal after `hex:`. Imported tokens are active at once. The file holds secrets: destroy it afterwards.
    """
    del form  # one so far
    settings = console.settings()
    users = _read_csv(_open_source(source), settings)
    with console.installation() as installation:
        added = console.users(installation).add_all(users, now())
    show({"added": len(added)}, f"Added {len(added)} users. Destroy the file: it holds their secrets.", as_json)


def _open_source(source: str) -> str:
    try:
        octets = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        return octets.decode("utf-8-sig")
    except OSError as error:
        raise OperationError(f"{source}: cannot read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OperationError(f"{source}: not UTF-8 text") from error


def _read_csv(text: str, settings: Settings) -> list[NewUser]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    header = set(reader.fieldnames or ())
    if missing := _REQUIRED_COLUMNS - header:
        raise OperationError(f"line 1: the columns {', '.join(sorted(missing))} are missing")
    if unknown := header - set(IMPORT_COLUMNS):
        raise OperationError(
            f"line 1: unknown columns {', '.join(sorted(unknown))}; known: {', '.join(IMPORT_COLUMNS)}"
        )
    try:
        lines = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise OperationError(f"line {reader.line_num}: {error}") from error
    with ThreadPoolExecutor(settings.hashing_threads) as pool:
        return list(pool.map(lambda line: _new_user(line[0], line[1], settings), lines))


def _new_user(number: int, row: dict[str, str], settings: Settings) -> NewUser:
    try:
        if None in row or None in row.values():
            raise OperationError("the number of fields is not that of the header")
        password_hash = _password_of(row, settings)
        token = None
        if row["seed"]:
            default = settings.new_token
            parameters = TotpParameters(
                int(row.get("period") or default.period_s),
                int(row.get("digits") or default.digits),
                Algorithm((row.get("algorithm") or default.algorithm).lower()),
            )
            token = NewToken(read_seed(row["seed"]), parameters, confirmed=True)
        groups = tuple(group.strip() for group in (row.get("groups") or "").split(";") if group.strip())
        return NewUser(row["name"], password_hash, groups, token)
    except (OperationError, ValueError) as error:
        raise OperationError(f"line {number}: {error}") from error


def _password_of(row: dict[str, str], settings: Settings) -> PasswordHash | None:
    """The hash of a line's password, made here or brought along."""
    brought = row.get("password_hash") or ""
    if row["password"] and brought:
        raise OperationError("give password or password_hash, not both")
    if brought:
        return read_foreign_hash(brought)
    return password_from(row["password"].encode(), settings) if row["password"] else None


def _standing(one: UserSummary) -> str:
    if one.altered:
        return "altered"
    if not one.enabled:
        return "disabled"
    if one.locked_until is not None and one.locked_until > now():
        return f"locked until {time_text(one.locked_until)}"
    return "enabled"


def _facts(one: UserSummary) -> dict[str, Any]:
    return {
        "name": one.username,
        "standing": _standing(one),
        "has_password": one.has_password,
        "groups": list(one.groups),
        "added": one.created_at,
    }
