"""Users and their tokens, as an operator handles them.

Every change writes its audit row in the same transaction. `by` names who did
it: an operating-system user at the command line.
"""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from authn.account import UserId
from authn.errors import OperationError
from authn.instants import UnixSeconds
from authn.request import NO_REALMS, NOBODY, Username, canonical_username
from authn.secret import Seed
from authn.totp import Algorithm, TimeStep, TotpParameters, match_step
from store import schema
from store.contexts import seed_context, verifier_context
from store.installation import Installation
from store.passwords import PasswordHash

_SERIAL_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MIN_SEED_OCTETS = 10
"""80 bits: what old authenticator apps made. New seeds have 160 (RFC 4226 §4 R6)."""
NEW_SEED_OCTETS = 20
MAX_SEED_OCTETS = 128
CONFIRM_WINDOW = 2


@dataclass(frozen=True, slots=True)
class TokenSummary:
    """A token without its seed."""

    serial: str
    phase: str
    parameters: TotpParameters
    drift: int
    created_at: UnixSeconds


@dataclass(frozen=True, slots=True)
class UserSummary:
    """A user without secrets."""

    username: Username
    enabled: bool
    has_password: bool
    groups: tuple[str, ...]
    created_at: UnixSeconds
    tokens: tuple[TokenSummary, ...] = ()
    locked_until: UnixSeconds | None = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A seed to be stored: `confirmed` when its owner uses it already."""

    seed: Seed
    parameters: TotpParameters = field(default_factory=TotpParameters)
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to be added."""

    name: str
    password_hash: PasswordHash | None = None
    groups: tuple[str, ...] = ()
    token: NewToken | None = None


class Users:
    """The operations on users and tokens. Every refusal is an OperationError.

    `realms` are those that fall away from a name, here as at a login.
    """

    def __init__(self, installation: Installation, by: str, *, realms: frozenset[str] = NO_REALMS) -> None:
        self._installation = installation
        self._realms = realms
        self._database = installation.database
        self._keyring = installation.keyring
        self._by = by

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
            self._write_verifier(connection, UserId(user.id), password_hash)
            self._audit(connection, now, "user.password_set", user.username)

    def set_enabled(self, name: str, enabled: bool, now: UnixSeconds) -> None:
        """Let a user log in, or not."""
        with self._database.write() as connection:
            user = self._get(connection, name)
            connection.execute(update(schema.users).where(schema.users.c.id == user.id).values(enabled=enabled))
            self._audit(connection, now, "user.enabled" if enabled else "user.disabled", user.username)

    def unlock(self, name: str, now: UnixSeconds) -> None:
        """Forget a user's failed logins at every client."""
        with self._database.write() as connection:
            user = self._get(connection, name)
            connection.execute(delete(schema.tallies).where(schema.tallies.c.user_id == user.id))
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
                select(schema.user_groups.c.name).where(schema.user_groups.c.user_id == user.id).order_by("name")
            ).scalars()
            locked_until = connection.execute(
                select(func.max(schema.tallies.c.locked_until)).where(schema.tallies.c.user_id == user.id)
            ).scalar_one()
            tokens = connection.execute(
                select(schema.tokens).where(schema.tokens.c.user_id == user.id).order_by(schema.tokens.c.id)
            )
            return UserSummary(
                Username(user.username),
                user.enabled,
                user.sealed_verifier is not None,
                tuple(groups),
                UnixSeconds(user.created_at),
                tuple(_token_summary(row) for row in tokens),
                UnixSeconds(locked_until) if locked_until else None,
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
                yield UserSummary(
                    Username(row.username),
                    row.enabled,
                    row.sealed_verifier is not None,
                    tuple(sorted(row.groups.split("\x1f"))) if row.groups else (),
                    UnixSeconds(row.created_at),
                )

    def add_token(self, name: str, token: NewToken, now: UnixSeconds) -> str:
        """Store a token; it is pending until confirmed, unless it is confirmed already. Returns the serial."""
        with self._database.write() as connection:
            user = self._get(connection, name)
            return self._write_token(connection, UserId(user.id), Username(user.username), token, now)

    def confirm_token(self, serial: str, code: str, now: UnixSeconds) -> None:
        """Activate a pending token by a code from it. The code is spent with it."""
        with self._database.write() as connection:
            row, username = _get_token(connection, serial)
            if row.phase != "pending":
                raise OperationError(f"token {row.serial} is {row.phase}, not pending")
            parameters = _parameters(row)
            seed = self._open_seed(row)
            here = parameters.step_at(now)
            step = match_step(seed, code, parameters, around=here, window=CONFIRM_WINDOW)
            if step is None:
                raise OperationError(
                    "this code does not belong to the token; check the clock of the phone and try again"
                )
            sealed = self._keyring.seal(seed, seed_context(row.user_id, row.serial, "active", parameters))
            connection.execute(
                update(schema.tokens)
                .where(schema.tokens.c.id == row.id)
                .values(phase="active", sealed_seed=sealed, last_step=step, drift=step - here)
            )
            self._audit(connection, now, "token.activated", username, token=row.serial)

    def revoke_token(self, serial: str, now: UnixSeconds) -> None:
        """Take a token out of use for good and destroy its seed."""
        with self._database.write() as connection:
            row, username = _get_token(connection, serial)
            if row.phase == "revoked":
                raise OperationError(f"token {row.serial} is revoked already")
            connection.execute(
                update(schema.tokens).where(schema.tokens.c.id == row.id).values(phase="revoked", sealed_seed=None)
            )
            self._audit(connection, now, "token.revoked", username, token=row.serial)

    def resync_token(self, serial: str, codes: tuple[str, str], now: UnixSeconds, *, reach: int = 60) -> int:
        """Learn the clock of a device from two codes in a row; returns the drift in steps.

        Looks `reach` steps to each side for two consecutive steps with these codes (RFC 6238 §6).
        """
        with self._database.write() as connection:
            row, username = _get_token(connection, serial)
            if row.phase != "active":
                raise OperationError(f"token {row.serial} is {row.phase}, not active")
            parameters = _parameters(row)
            seed = self._open_seed(row)
            here = parameters.step_at(now)
            for step in range(max(here - reach, row.last_step + 1), here + reach):
                first = match_step(seed, codes[0], parameters, around=TimeStep(step), window=0)
                second = match_step(seed, codes[1], parameters, around=TimeStep(step + 1), window=0)
                if first is not None and second is not None:
                    drift = second - here
                    connection.execute(
                        update(schema.tokens)
                        .where(schema.tokens.c.id == row.id, schema.tokens.c.last_step < second)
                        .values(last_step=second, drift=drift)
                    )
                    self._audit(connection, now, "token.resynced", username, token=row.serial, drift=drift)
                    return drift
            raise OperationError("these are not two unused codes in a row of this token")

    def tokens(self, name: str) -> tuple[TokenSummary, ...]:
        """A user's tokens, oldest first."""
        return self.show(name).tokens

    def token(self, serial: str) -> tuple[Username, TokenSummary]:
        """One token and its owner."""
        with self._database.read() as connection:
            row, username = _get_token(connection, serial)
            return username, _token_summary(row)

    def canonical(self, name: str) -> Username:
        """A name as it is kept."""
        return canonical_username(name.encode(), realms=self._realms)

    def _get(self, connection: Connection, name: str) -> Row[tuple[object, ...]]:
        user = _find(connection, self.canonical(name))
        if user is None:
            raise OperationError(f"there is no user {name}")
        return user

    def _insert(self, connection: Connection, user: NewUser, now: UnixSeconds) -> Username:
        username = self.canonical(user.name)
        if username == NOBODY:
            raise OperationError(f"{user.name!r} cannot be a user name: it is empty, too long or not printable")
        if _find(connection, username) is not None:
            raise OperationError(f"there is a user {username} already")
        row = {"username": username, "sealed_verifier": None, "enabled": True, "created_at": now}
        inserted = connection.execute(insert(schema.users).values(row).returning(schema.users.c.id))
        user_id = UserId(inserted.scalar_one())
        if user.password_hash is not None:
            self._write_verifier(connection, user_id, user.password_hash)
        groups = sorted(set(user.groups))
        for group in groups:
            connection.execute(insert(schema.user_groups).values(user_id=user_id, name=group))
        self._audit(connection, now, "user.added", username, groups=groups)
        if user.token is not None:
            self._write_token(connection, user_id, username, user.token, now)
        return username

    def _write_verifier(self, connection: Connection, user_id: UserId, password_hash: PasswordHash) -> None:
        sealed = self._keyring.seal(password_hash, verifier_context(user_id))
        connection.execute(update(schema.users).where(schema.users.c.id == user_id).values(sealed_verifier=sealed))

    def _write_token(
        self, connection: Connection, user_id: UserId, username: Username, token: NewToken, now: UnixSeconds
    ) -> str:
        if not MIN_SEED_OCTETS <= len(token.seed) <= MAX_SEED_OCTETS:
            raise OperationError(
                f"a seed has {MIN_SEED_OCTETS} to {MAX_SEED_OCTETS} octets, this one {len(token.seed)}"
            )
        serial = "".join(secrets.choice(_SERIAL_LETTERS) for _ in range(12))
        phase = "active" if token.confirmed else "pending"
        parameters = token.parameters
        connection.execute(
            insert(schema.tokens).values(
                serial=serial,
                user_id=user_id,
                phase=phase,
                sealed_seed=self._keyring.seal(token.seed, seed_context(user_id, serial, phase, parameters)),
                period_s=parameters.period_s,
                digits=parameters.digits,
                algorithm=parameters.algorithm.value,
                drift=0,
                last_step=0,
                created_at=now,
            )
        )
        self._audit(connection, now, f"token.{phase}", username, token=serial)
        return serial

    def _open_seed(self, row: Row[tuple[object, ...]]) -> Seed:
        """The seed of a token's row. Raises BrokenSealError if the row was altered."""
        place = seed_context(row.user_id, row.serial, row.phase, _parameters(row))
        return Seed(self._keyring.open(row.sealed_seed, place))

    def _audit(self, connection: Connection, now: UnixSeconds, event: str, username: str, **facts: object) -> None:
        self._installation.audit.append(connection, now, event, {"user": username, "by": self._by, **facts})


def new_seed() -> Seed:
    """A fresh random seed of 160 bits."""
    return Seed(secrets.token_bytes(NEW_SEED_OCTETS))


def _find(connection: Connection, username: Username) -> Row[tuple[object, ...]] | None:
    return connection.execute(select(schema.users).where(schema.users.c.username == username)).one_or_none()


def _get_token(connection: Connection, serial: str) -> tuple[Row[tuple[object, ...]], Username]:
    query = (
        select(schema.tokens, schema.users.c.username)
        .join(schema.users, schema.users.c.id == schema.tokens.c.user_id)
        .where(schema.tokens.c.serial == serial.strip().upper())
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise OperationError(f"there is no token {serial}; `twinward token list USER` shows them")
    return row, Username(row.username)


def _parameters(row: Row[tuple[object, ...]]) -> TotpParameters:
    return TotpParameters(row.period_s, row.digits, Algorithm(row.algorithm))


def _token_summary(row: Row[tuple[object, ...]]) -> TokenSummary:
    return TokenSummary(row.serial, row.phase, _parameters(row), row.drift, UnixSeconds(row.created_at))
