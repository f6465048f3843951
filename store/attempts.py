"""Logins on stable storage: accounts read, steps spent, tallies and audit rows written.

The login path. It uses the driver's own connection and a few fixed statements:
an ORM here would cost more than the rest of a login (`docs/decisions/`). One
transaction serves a whole batch and holds the write lock from its start.
"""

import sqlite3
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from authn.account import DECOY, Account, Token, TokenId, UserId
from authn.decide import Decision
from authn.errors import BrokenSealError, StoreError
from authn.instants import UnixSeconds
from authn.lockout import NO_FAILURES, Tally
from authn.ports import Settlement
from authn.request import AccessRequest
from authn.secret import Seed, Verifier
from authn.totp import Algorithm, TimeStep, TotpParameters
from authn.verdict import Accept, Reason, Reject, Unavailable, Verdict
from store.audit import AuditChain, AuditRow, ChainHead
from store.contexts import seed_context
from store.engine import Database, as_store_error
from store.keyring import KeyRing

_SELECT_ACCOUNTS = """
WITH asked (username, client_id) AS (VALUES {places})
SELECT u.username, u.id, u.sealed_verifier, u.enabled,
       t.id, t.serial, t.sealed_seed, t.period_s, t.digits, t.algorithm, t.drift, t.last_step,
       y.failures, y.locked_until
FROM asked
CROSS JOIN users u ON u.username = asked.username
LEFT JOIN tokens t ON t.user_id = u.id AND t.phase = 'active'
LEFT JOIN tallies y ON y.user_id = u.id AND y.client_id = asked.client_id
"""
_SPEND = "UPDATE tokens SET last_step = ?, drift = ? WHERE id = ? AND last_step < ? AND phase = 'active'"
_SET_TALLY = """
INSERT INTO tallies (user_id, client_id, failures, locked_until) VALUES (?, ?, ?, ?)
ON CONFLICT (user_id, client_id) DO UPDATE SET failures = excluded.failures, locked_until = excluded.locked_until
"""
_CLEAR_TALLY = "DELETE FROM tallies WHERE user_id = ? AND client_id = ?"
_APPEND_AUDIT = "INSERT INTO audit (chain, seq, at_ms, event, body, mac) VALUES (?, ?, ?, ?, ?, ?)"
_LAST_LINK = "SELECT seq, mac FROM audit WHERE chain = ? ORDER BY seq DESC LIMIT 1"

LOGIN_EVENT = "login"


class SqliteAttempts:
    """The `authn.ports.AttemptStore` over SQLite. Used by one thread."""

    def __init__(self, database: Database, keyring: KeyRing, chain: AuditChain) -> None:
        self.keyring = keyring  # replaced whole when keys are rotated
        self.chain = chain
        with database.write() as connection:
            head = chain.head(connection)
        self._chain_id = head.chain
        self._first_head = head
        self._pooled = database.driver_connection()
        self._connection = self._driver()
        self._selects: dict[int, str] = {}

    def transaction(self) -> "SqliteTransaction":
        """Open a transaction; it takes the write lock when entered."""
        return SqliteTransaction(self)

    def close(self) -> None:
        """Give the connection back."""
        self._pooled.close()

    def _driver(self) -> sqlite3.Connection:
        connection = self._pooled.driver_connection
        if not isinstance(connection, sqlite3.Connection):
            raise StoreError("this store speaks SQLite only")
        return connection

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run a statement, with the driver's errors as ours."""
        try:
            return self._connection.execute(statement, parameters)
        except sqlite3.Error as error:
            raise as_store_error(error) from error

    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement once per row, with the driver's errors as ours."""
        try:
            self._connection.executemany(statement, rows)
        except sqlite3.Error as error:
            raise as_store_error(error) from error

    def rollback(self) -> None:
        """Leave a transaction without writing, whatever state it is in."""
        if self._connection.in_transaction:
            self._connection.rollback()

    def head(self) -> ChainHead:
        """The end of this process's audit chain, as the transaction sees it."""
        row = self.execute(_LAST_LINK, (self._chain_id,)).fetchone()
        return ChainHead(self._chain_id, row[0], row[1]) if row else self._first_head

    def select_for(self, requests: int) -> str:
        """The statement that reads so many accounts. Rounded up to a power of two, to have few of them."""
        size = 1 << (requests - 1).bit_length()
        if size not in self._selects:
            self._selects[size] = _SELECT_ACCOUNTS.format(places=",".join(["(?,?)"] * size))
        return self._selects[size]


class SqliteTransaction:
    """One batch: BEGIN IMMEDIATE, one read, the writes, COMMIT."""

    def __init__(self, attempts: SqliteAttempts) -> None:
        self._attempts = attempts

    def __enter__(self) -> Self:
        self._attempts.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._attempts.rollback()  # nothing is left to roll back once `settle` has committed

    def load(self, requests: Sequence[AccessRequest]) -> list[Account]:
        """The accounts of `requests`, in their order; the decoy for unknown names."""
        statement = self._attempts.select_for(len(requests))
        parameters: list[Any] = []
        for request in requests:
            parameters += (request.username, request.client.id)
        parameters += [None] * (statement.count("?") - len(parameters))
        rows_of: dict[str, list[tuple[Any, ...]]] = {}
        for row in self._attempts.execute(statement, parameters):
            rows_of.setdefault(row[0], []).append(row)
        return [self._account(rows_of.get(request.username)) for request in requests]

    def settle(self, settlements: Sequence[Settlement]) -> list[Verdict]:
        """Write spends, tallies and audit rows, and commit. See `authn.ports`."""
        verdicts: list[Verdict] = []
        audit_rows: list[AuditRow] = []
        head = self._attempts.head()
        for settlement in settlements:
            decision = settlement.decision
            verdict = self._spend(decision)
            if decision.tally is not None and verdict is decision.verdict:
                self._write_tally(settlement, decision.tally)
            row = self._attempts.chain.link(head, settlement.request.received, LOGIN_EVENT, _story(settlement, verdict))
            head = ChainHead(row.chain, row.seq, row.mac)
            audit_rows.append(row)
            verdicts.append(verdict)
        self._attempts.execute_many(
            _APPEND_AUDIT, [(row.chain, row.seq, row.at_ms, row.event, row.body, row.mac) for row in audit_rows]
        )
        self._attempts.execute("COMMIT")
        return verdicts

    def _spend(self, decision: Decision) -> Verdict:
        """Spend the step of an Accept. The condition in the statement decides, not what was read before."""
        if not isinstance(decision.verdict, Accept):
            return decision.verdict
        spend = decision.spend
        if spend is None:
            raise StoreError("an Accept that spends nothing is refused")
        cursor = self._attempts.execute(_SPEND, (spend.step, spend.drift, spend.token_id, spend.step))
        return decision.verdict if cursor.rowcount == 1 else Reject(Reason.CODE_REPLAYED)

    def _write_tally(self, settlement: Settlement, tally: Tally) -> None:
        user_id, client_id = settlement.account.id, settlement.request.client.id
        if user_id is None:
            return
        if tally == NO_FAILURES:
            self._attempts.execute(_CLEAR_TALLY, (user_id, client_id))
        else:
            self._attempts.execute(_SET_TALLY, (user_id, client_id, tally.failures, tally.locked_until))

    def _account(self, rows: list[tuple[Any, ...]] | None) -> Account:
        if rows is None:
            return DECOY
        _, user_id, sealed_verifier, enabled, *_, failures, locked_until = rows[0]
        tokens: list[Token] = []
        broken_seals = False
        for row in rows:
            if row[4] is None:
                continue
            try:
                tokens.append(self._token(UserId(user_id), row[4:12]))
            except BrokenSealError:
                broken_seals = True
        verifier = None if sealed_verifier is None else Verifier(sealed_verifier)
        tally = NO_FAILURES if failures is None else Tally(failures, UnixSeconds(locked_until))
        return Account(UserId(user_id), bool(enabled), verifier, tuple(tokens), tally, broken_seals)

    def _token(self, user_id: UserId, row: tuple[Any, ...]) -> Token:
        token_id, serial, sealed_seed, period_s, digits, algorithm, drift, last_step = row
        try:
            parameters = TotpParameters(period_s, digits, Algorithm(algorithm))
        except ValueError as error:
            raise BrokenSealError("a token's parameters were altered") from error
        seed = self._attempts.keyring.open(sealed_seed, seed_context(user_id, serial, "active", parameters))
        return Token(TokenId(token_id), Seed(seed), parameters, drift, TimeStep(last_step))


def _story(settlement: Settlement, verdict: Verdict) -> dict[str, Any]:
    """What the audit row tells: who, through which client, with what outcome. Nothing typed but the name."""
    request, spend = settlement.request, settlement.decision.spend
    story: dict[str, Any] = {
        "user": request.username,
        "client": request.client.name,
        "input_mode": request.client.input_mode,
    }
    if request.station is not None:
        story["station"] = request.station
    match verdict:
        case Accept():
            story["verdict"] = "accept"
        case Reject(reason):
            story["verdict"], story["reason"] = "reject", reason
        case Unavailable(inability):
            story["verdict"], story["reason"] = "unavailable", inability
    if spend is not None:
        story["token"], story["step"], story["drift"] = spend.token_id, spend.step, spend.drift
    if settlement.decision.tally is not None:
        story["failures"] = settlement.decision.tally.failures
    return story
