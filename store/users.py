"""Users, as an operator handles them.

Every change writes its audit row in the same transaction.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from authn.account import UserId
from authn.errors import BrokenSealError, OperationError
from authn.instants import UnixSeconds
from authn.request import NOBODY, Username
from store import schema
from store.contexts import verifier_context
from store.passwords import PasswordHash
from store.recovery_codes import codes_left
from store.standing import Standing, checked_group
from store.tokens import NewToken, TokenSummary, insert_token, tokens_of
from store.user_operations import UserOperations, find_user, forget_guesses, open_standing, write_standing


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """Where a user has logged in from."""

    place: str
    first_at: UnixSeconds
    last_at: UnixSeconds


@dataclass(frozen=True, slots=True)
class UserSummary:
    """A user without secrets. `altered` tells that somebody wrote to the database past twinward."""

    username: Username
    enabled: bool
    has_password: bool
    groups: tuple[str, ...]
    created_at: UnixSeconds
    tokens: tuple[TokenSummary, ...] = ()
    locked_until: UnixSeconds | None = None
    places: tuple[KnownPlace, ...] = ()
    recovery_codes: int = 0
    altered: bool = False


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be added."""

    name: str
    password_hash: PasswordHash | None = None
    groups: tuple[str, ...] = ()
    token: NewToken | None = None


class Users(UserOperations):
    """The operations on users."""

    def add(self, user: NewUser, now: UnixSeconds) -> Username:
        """Add a user, perhaps with a token; returns the canonical name."""
        return self.add_all([user], now)[0]

    def add_all(self, users: Iterable[NewUser], now: UnixSeconds) -> list[Username]:
        """Add all of these users, or none of them; returns the canonical names."""
        with self._database.write() as connection:
            return [self._insert(connection, user, now) for user in users]

    def set_password(self, name: str, password_hash: PasswordHash, now: UnixSeconds) -> None:
        """Replace a user's password."""
        with self._database.write() as connection:
            user = self._get(connection, name)
            self._write_verifier(connection, UserId(user.id), user.username, password_hash)
            forget_guesses(connection, UserId(user.id))
            self._audit(connection, now, "user.password_set", user.username)

    def set_groups(self, name: str, groups: Iterable[str], now: UnixSeconds) -> None:
        """Put a user into these groups and no others."""
        with self._database.write() as connection:
            user = self._get(connection, name)
            connection.execute(delete(schema.user_groups).where(schema.user_groups.c.user_id == user.id))
            written = self._write_groups(connection, UserId(user.id), groups)
            standing = open_standing(self._keyring, user)
            write_standing(connection, self._keyring, user, replace(standing, groups=tuple(written)))
            self._audit(connection, now, "user.groups_set", user.username, groups=written)

    def set_enabled(self, name: str, enabled: bool, now: UnixSeconds) -> None:
        """Let a user log in, or not."""
        with self._database.write() as connection:
            user = self._get(connection, name)
            connection.execute(update(schema.users).where(schema.users.c.id == user.id).values(enabled=enabled))
            standing = open_standing(self._keyring, user)
            write_standing(connection, self._keyring, user, replace(standing, enabled=enabled))
            self._audit(connection, now, "user.enabled" if enabled else "user.disabled", user.username)

    def unlock(self, name: str, now: UnixSeconds) -> None:
        """Forget a user's failed logins everywhere, and those of strangers at this name."""
        with self._database.write() as connection:
            user = self._get(connection, name)
            connection.execute(delete(schema.tallies).where(schema.tallies.c.user_id == user.id))
            connection.execute(update(schema.users).where(schema.users.c.id == user.id).values(strangers_level=0))
            self._audit(connection, now, "user.unlocked", user.username)

    def remove(self, name: str, now: UnixSeconds) -> None:
        """Remove a user and every token with its seed."""
        with self._database.write() as connection:
            user = self._get(connection, name)
            connection.execute(delete(schema.users).where(schema.users.c.id == user.id))
            self._audit(connection, now, "user.removed", user.username)

    def show(self, name: str) -> UserSummary:
        """One user with groups, tokens and the longest delay at any client."""
        with self._database.read() as connection:
            user = self._get(connection, name)
            groups = connection.execute(
                select(schema.user_groups.c.name).where(schema.user_groups.c.user_id == user.id)
            ).scalars()
            standing, altered = self._standing_of(user, groups)
            locked_until = connection.execute(
                select(func.max(schema.tallies.c.locked_until)).where(schema.tallies.c.user_id == user.id)
            ).scalar_one()
            rows = schema.user_places
            places = connection.execute(
                select(rows).where(rows.c.user_id == user.id).order_by(rows.c.last_at.desc())
            ).all()
            return UserSummary(
                Username(user.username),
                standing.enabled,
                user.sealed_verifier is not None,
                standing.groups,
                UnixSeconds(user.created_at),
                tokens_of(connection, UserId(user.id)),
                UnixSeconds(locked_until) if locked_until else None,
                tuple(KnownPlace(row.place, UnixSeconds(row.first_at), UnixSeconds(row.last_at)) for row in places),
                codes_left(connection, UserId(user.id)),
                altered,
            )

    def all(self) -> Iterator[UserSummary]:
        """Every user by name, without tokens, a page at a time."""
        groups = (
            select(func.group_concat(schema.user_groups.c.name, "\x1f"))
            .where(schema.user_groups.c.user_id == schema.users.c.id)
            .scalar_subquery()
        )
        query = select(schema.users, groups.label("groups")).order_by(schema.users.c.username)
        with self._database.read() as connection:
            for row in connection.execution_options(yield_per=1000).execute(query):
                standing, altered = self._standing_of(row, row.groups.split("\x1f") if row.groups else ())
                yield UserSummary(
                    Username(row.username),
                    standing.enabled,
                    row.sealed_verifier is not None,
                    standing.groups,
                    UnixSeconds(row.created_at),
                    altered=altered,
                )

    def _standing_of(self, row: Row[tuple[object, ...]], groups: Iterable[str]) -> tuple[Standing, bool]:
        """What counts of a user, and whether the columns beside it say otherwise, or it does not open."""
        try:
            standing = open_standing(self._keyring, row)
        except BrokenSealError:
            return Standing(False), True
        return standing, bool(row.enabled) is not standing.enabled or sorted(groups) != sorted(standing.groups)

    def _insert(self, connection: Connection, user: NewUser, now: UnixSeconds) -> Username:
        username = self.canonical(user.name)
        if username == NOBODY:
            raise OperationError(f"{user.name!r} cannot be a user name: it is empty, too long or not printable")
        if find_user(connection, username) is not None:
            raise OperationError(f"there is a user {username} already")
        row = {"username": username, "sealed_verifier": None, "enabled": True, "created_at": now}
        inserted = connection.execute(insert(schema.users).values(row).returning(schema.users.c.id))
        user_id = UserId(inserted.scalar_one())
        if user.password_hash is not None:
            self._write_verifier(connection, user_id, username, user.password_hash)
        groups = self._write_groups(connection, user_id, user.groups)
        sealed = Standing(True, tuple(groups)).seal(self._keyring, user_id, username)
        connection.execute(update(schema.users).where(schema.users.c.id == user_id).values(sealed_standing=sealed))
        self._audit(connection, now, "user.added", username, groups=groups)
        if user.token is not None:
            serial = insert_token(self._installation, connection, user_id, username, user.token, now)
            self._audit(connection, now, f"token.{user.token.phase}", username, token=serial)
        return username

    def _write_groups(self, connection: Connection, user_id: UserId, groups: Iterable[str]) -> list[str]:
        names = sorted({checked_group(name) for name in groups})
        for name in names:
            connection.execute(insert(schema.user_groups).values(user_id=user_id, name=name))
        return names

    def _write_verifier(
        self, connection: Connection, user_id: UserId, username: Username, password_hash: PasswordHash
    ) -> None:
        sealed = self._keyring.seal(password_hash, verifier_context(user_id, username))
        connection.execute(update(schema.users).where(schema.users.c.id == user_id).values(sealed_verifier=sealed))
