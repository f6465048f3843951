"""Bringing an installation of an older version up to this one: its schema, and what its rows are sealed to.

All of it in one transaction: what fails leaves everything as it was.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from sqlalchemy import Connection, Row, select, update

from authn.errors import BrokenSealError, ConfigError
from authn.matching import step_mark
from authn.otp import TimeStep
from authn.request import Username
from authn.secret import Seed, Verifier
from store import schema
from store.accounts import parameters_of
from store.contexts import seed_context, verifier_context
from store.engine import Database, alembic_config
from store.installation import open_keys
from store.keyring import KeyRing, context, read_key_file
from store.standing import Standing

_SEALED_TO_NUMBERS = "0001"
"""The revision whose values were sealed to the numbers of their users, and not to their names as well."""


def upgrade(database_path: Path, key_path: Path, copy: Path) -> None:
    """Upgrade an installation that no server uses, with a copy of it as it was.

    Raises ConfigError, StoreError or BrokenSealError.
    """
    kek = read_key_file(key_path)
    found, _ = Database.revisions(database_path)
    database = Database(database_path)
    try:
        keyring, _ = open_keys(database, kek, key_path, "upgrade")
        _copy(database_path, copy)
        with database.write() as connection:
            command.upgrade(alembic_config(connection), "head")
            if found == _SEALED_TO_NUMBERS:
                _seal_to_names(connection, keyring)
    finally:
        database.close()


def _copy(source: Path, target: Path) -> None:
    """A consistent copy, readable by its owner only. Raises ConfigError."""
    try:
        target.touch(mode=0o600, exist_ok=False)
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"{target}: cannot copy the database: {error}; nothing was changed") from error


def _seal_to_names(connection: Connection, keyring: KeyRing) -> None:
    """Seal seeds and verifiers to the names of their users too, and give every user a standing."""
    groups: dict[int, list[str]] = {}
    for row in connection.execute(select(schema.user_groups).order_by(schema.user_groups.c.name)):
        groups.setdefault(row.user_id, []).append(row.name)
    enrolled = set(
        connection.execute(
            select(schema.tokens.c.user_id).where(schema.tokens.c.phase != "pending").distinct()
        ).scalars()
    )
    names: dict[int, Username] = {}
    for user in connection.execute(select(schema.users)).all():
        names[user.id] = username = Username(user.username)
        standing = Standing(user.enabled, tuple(groups.get(user.id, ())), user.id in enrolled)
        values: dict[str, bytes] = {"sealed_standing": standing.seal(keyring, user.id, username)}
        if user.sealed_verifier is not None:
            values["sealed_verifier"] = _resealed_verifier(keyring, user)
        connection.execute(update(schema.users).where(schema.users.c.id == user.id).values(values))
    for token in connection.execute(select(schema.tokens).where(schema.tokens.c.sealed_seed.is_not(None))).all():
        if token.user_id not in names:
            raise BrokenSealError(f"token {token.serial} in the database belongs to no user; remove its row")
        _reseal_token(connection, keyring, token, names[token.user_id])


def _resealed_verifier(keyring: KeyRing, user: Row[tuple[object, ...]]) -> bytes:
    old = context("users", "sealed_verifier", user.id)
    opened = _open(keyring, user.sealed_verifier, old, f"the password of user {user.username}")
    return keyring.seal(Verifier(opened), verifier_context(user.id, user.username))


def _reseal_token(connection: Connection, keyring: KeyRing, token: Row[tuple[object, ...]], username: Username) -> None:
    try:
        parameters = parameters_of(token.period_s, token.digits, token.algorithm)
    except BrokenSealError as error:
        raise BrokenSealError(f"the parameters of token {token.serial} of user {username} were altered") from error
    shape = f"{token.period_s}/{token.digits}/{token.algorithm}"
    old = context("tokens", "sealed_seed", token.user_id, token.serial, token.phase, shape)
    seed = Seed(_open(keyring, token.sealed_seed, old, f"token {token.serial} of user {username}"))
    place = seed_context(token.user_id, username, token.serial, token.phase, parameters)
    mark = step_mark(seed, token.serial, TimeStep(token.last_step), token.drift)
    connection.execute(
        update(schema.tokens)
        .where(schema.tokens.c.id == token.id)
        .values(sealed_seed=keyring.seal(seed, place), step_mark=mark)
    )


def _open(keyring: KeyRing, sealed: bytes, place: bytes, what: str) -> bytes:
    try:
        return keyring.open(sealed, place)
    except BrokenSealError as error:
        raise BrokenSealError(
            f"{what} was altered in the database and does not open; with the old version, set it anew or remove it"
        ) from error
