"""The devices that make codes, as an operator handles them.

    PENDING --a code from it--> ACTIVE --revoke--> REVOKED (its seed is destroyed)

Every change writes its audit row in the same transaction.
"""

import secrets
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, Row, insert, select, update

from authn.account import UserId
from authn.diagnosis import COMMON_PERIODS_S
from authn.errors import OperationError
from authn.instants import UnixSeconds
from authn.matching import step_mark
from authn.otp import (
    DIGITS,
    Algorithm,
    HotpParameters,
    OtpParameters,
    TimeStep,
    TotpParameters,
    match_step,
    steps_around,
)
from authn.request import Username
from authn.secret import Seed
from store import schema
from store.accounts import parameters_of
from store.contexts import seed_context
from store.installation import Installation
from store.keyring import KeyRing
from store.user_operations import (
    UserOperations,
    find_user,
    forget_guesses,
    new_serial,
    open_standing,
    write_standing,
)

MIN_SEED_OCTETS = 10
"""80 bits: what old authenticator apps made. New seeds have 160 (RFC 4226 §4 R6)."""
NEW_SEED_OCTETS = 20
MAX_SEED_OCTETS = 128
CONFIRM_WINDOW = 2
CONFIRM_LOOK_AHEAD = 10
RESYNC_REACH = 60
RESYNC_LOOK_AHEAD = 100


@dataclass(frozen=True, slots=True)
class TokenSummary:
    """A token without its seed. `last_spent_at` is when its last code was taken."""

    serial: str
    phase: str
    parameters: OtpParameters
    drift: int
    created_at: UnixSeconds
    last_spent_at: UnixSeconds | None = None
    clock_off_s: float | None = None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A seed to be stored: `confirmed` when its owner uses it already. `counter` is the next one of a counted token."""

    seed: Seed
    parameters: OtpParameters = field(default_factory=TotpParameters)
    confirmed: bool = False
    counter: int = 0

    @property
    def phase(self) -> str:
        """Where its life begins."""
        return "active" if self.confirmed else "pending"


class Tokens(UserOperations):
    """The operations on tokens."""

    def add(self, name: str, token: NewToken, now: UnixSeconds) -> str:
        """Store a token; it is pending until confirmed, unless it is confirmed already. Returns the serial."""
        with self._database.write() as connection:
            user = self._get(connection, name)
            serial = insert_token(self._installation, connection, UserId(user.id), user.username, token, now)
            self._audit(connection, now, f"token.{token.phase}", user.username, token=serial)
            return serial

    def confirm(self, serial: str, code: str, now: UnixSeconds) -> None:
        """Activate a pending token by a code from it. The code is spent with it.

        A code of another period or length names the setting that the app has ignored.
        """
        with self._database.write() as connection:
            row, username = _get_token(connection, serial)
            if row.phase != "pending":
                raise OperationError(f"token {row.serial} is {row.phase}, not pending")
            parameters, seed = _parameters(row), self._open_seed(row, username)
            here, steps = _confirmable(row, parameters, now)
            step = match_step(seed, code, parameters, steps)
            if step is None:
                raise OperationError(_why_not(seed, code, parameters, now))
            place = seed_context(row.user_id, username, row.serial, "active", parameters)
            drift = 0 if isinstance(parameters, HotpParameters) else step - here
            mark = step_mark(seed, row.serial, step, drift)
            connection.execute(
                update(schema.tokens)
                .where(schema.tokens.c.id == row.id)
                .values(
                    phase="active",
                    sealed_seed=self._keyring.seal(seed, place),
                    last_step=step,
                    drift=drift,
                    step_mark=mark,
                )
            )
            _note_enrolled(connection, self._keyring, username)
            forget_guesses(connection, UserId(row.user_id))
            self._audit(connection, now, "token.activated", username, token=row.serial)

    def revoke(self, serial: str, now: UnixSeconds) -> None:
        """Take a token out of use for good and destroy its seed."""
        with self._database.write() as connection:
            row, username = _get_token(connection, serial)
            if row.phase == "revoked":
                raise OperationError(f"token {row.serial} is revoked already")
            connection.execute(
                update(schema.tokens).where(schema.tokens.c.id == row.id).values(phase="revoked", sealed_seed=None)
            )
            self._audit(connection, now, "token.revoked", username, token=row.serial)

    def resync(self, serial: str, codes: tuple[str, str], now: UnixSeconds, *, reach: int = RESYNC_REACH) -> int:
        """Learn the clock of a device, or its counter, from two codes in a row; returns the drift in steps.

        Looks `reach` steps to each side for two consecutive unused steps with these
        codes (RFC 6238 §6), of a counted token RESYNC_LOOK_AHEAD codes ahead (RFC 4226 §7.4).
        """
        with self._database.write() as connection:
            row, username = _get_token(connection, serial)
            if row.phase != "active":
                raise OperationError(f"token {row.serial} is {row.phase}, not active")
            parameters, seed = _parameters(row), self._open_seed(row, username)
            if isinstance(parameters, HotpParameters):
                here, steps = TimeStep(0), range(row.last_step + 1, row.last_step + 1 + RESYNC_LOOK_AHEAD)
            else:
                here = parameters.step_at(now)
                steps = range(max(here - reach, row.last_step + 1), here + reach)
            for step in steps:
                first = match_step(seed, codes[0], parameters, range(step, step + 1))
                second = match_step(seed, codes[1], parameters, range(step + 1, step + 2))
                if first is not None and second is not None:
                    drift = 0 if isinstance(parameters, HotpParameters) else second - here
                    mark = step_mark(seed, row.serial, second, drift)
                    connection.execute(
                        update(schema.tokens)
                        .where(schema.tokens.c.id == row.id, schema.tokens.c.last_step < second)
                        .values(last_step=second, drift=drift, step_mark=mark)
                    )
                    forget_guesses(connection, UserId(row.user_id))
                    self._audit(connection, now, "token.resynced", username, token=row.serial, drift=drift)
                    return drift
            raise OperationError("these are not two unused codes in a row of this token")

    def of(self, name: str) -> tuple[TokenSummary, ...]:
        """A user's tokens, oldest first."""
        with self._database.read() as connection:
            return tokens_of(connection, UserId(self._get(connection, name).id))

    def show(self, serial: str) -> tuple[Username, TokenSummary]:
        """One token and its owner."""
        with self._database.read() as connection:
            row, username = _get_token(connection, serial)
            return username, _summary(row)

    def _open_seed(self, row: Row[tuple[object, ...]], username: Username) -> Seed:
        """The seed of a token's row. Raises BrokenSealError if the row was altered."""
        place = seed_context(row.user_id, username, row.serial, row.phase, _parameters(row))
        return Seed(self._keyring.open(row.sealed_seed, place))


def insert_token(
    installation: Installation,
    connection: Connection,
    user_id: UserId,
    username: Username,
    token: NewToken,
    now: UnixSeconds,
) -> str:
    """Write the row of a token in the caller's transaction, who writes it down; returns the serial."""
    if not MIN_SEED_OCTETS <= len(token.seed) <= MAX_SEED_OCTETS:
        raise OperationError(f"a seed has {MIN_SEED_OCTETS} to {MAX_SEED_OCTETS} octets, this one {len(token.seed)}")
    serial = new_serial()
    phase, parameters = token.phase, token.parameters
    last_step = TimeStep(token.counter - 1 if isinstance(parameters, HotpParameters) else 0)
    place = seed_context(user_id, username, serial, phase, parameters)
    connection.execute(
        insert(schema.tokens).values(
            serial=serial,
            user_id=user_id,
            phase=phase,
            sealed_seed=installation.keyring.seal(token.seed, place),
            period_s=parameters.period_s or 0,
            digits=parameters.digits,
            algorithm=parameters.algorithm.value,
            drift=0,
            last_step=last_step,
            step_mark=step_mark(token.seed, serial, last_step, 0),
            created_at=now,
        )
    )
    forget_guesses(connection, user_id)
    if token.confirmed:
        _note_enrolled(connection, installation.keyring, username)
    return serial


def tokens_of(connection: Connection, user_id: UserId) -> tuple[TokenSummary, ...]:
    """A user's tokens, oldest first."""
    rows = schema.tokens
    query = select(rows).where(rows.c.user_id == user_id).order_by(rows.c.id)
    return tuple(_summary(row) for row in connection.execute(query))


def new_seed() -> Seed:
    """A fresh random seed of 160 bits."""
    return Seed(secrets.token_bytes(NEW_SEED_OCTETS))


def _note_enrolled(connection: Connection, keyring: KeyRing, username: Username) -> None:
    """Remember that a user has had a token, even if its row should vanish."""
    user = find_user(connection, username)
    if user is None:
        raise OperationError(f"there is no user {username}")
    standing = open_standing(keyring, user)
    if not standing.enrolled:
        write_standing(connection, keyring, user, replace(standing, enrolled=True))


def _confirmable(row: Row[tuple[object, ...]], parameters: OtpParameters, now: UnixSeconds) -> tuple[TimeStep, range]:
    """The step that a new device should show, and those that are taken from it."""
    if isinstance(parameters, HotpParameters):
        here = TimeStep(row.last_step + 1)
        return here, range(here, here + CONFIRM_LOOK_AHEAD)
    here = parameters.step_at(now)
    return here, steps_around(here, CONFIRM_WINDOW)


def _why_not(seed: Seed, code: str, parameters: OtpParameters, now: UnixSeconds) -> str:
    """What is wrong with the first code of a new device: often the app has ignored a setting of its QR code."""
    if isinstance(parameters, TotpParameters):
        for period_s in {*COMMON_PERIODS_S, parameters.period_s}:
            for digits in DIGITS:
                for algorithm in Algorithm:
                    other = TotpParameters(period_s, digits, algorithm)
                    if other != parameters and match_step(
                        seed, code, other, steps_around(other.step_at(now), CONFIRM_WINDOW)
                    ):
                        return (
                            f"the app ignores what the QR code says: it makes codes of {digits} digits every"
                            f" {period_s} s with {algorithm}. Revoke this token and enrol anew with --period {period_s}"
                            f" --digits {digits} --algorithm {algorithm}, or use another app"
                        )
    return "this code does not belong to the token; check the clock of the phone and try again"


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


def _parameters(row: Row[tuple[object, ...]]) -> OtpParameters:
    return parameters_of(row.period_s, row.digits, row.algorithm)


def _summary(row: Row[tuple[object, ...]]) -> TokenSummary:
    spent_at = None if row.spent_at is None else UnixSeconds(row.spent_at)
    return TokenSummary(
        row.serial, row.phase, _parameters(row), row.drift, UnixSeconds(row.created_at), spent_at, row.clock_off_s
    )
