"""Logins on stable storage: accounts read, codes spent, answers counted, tallies and audit rows written.

The login path. It uses the driver's own connection and a few fixed statements:
an ORM here would cost more than the rest of a login (`docs/decisions/`). One
transaction serves a whole batch and holds the write lock from its start.
"""

import sqlite3
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from authn.account import Account
from authn.errors import KeyRingError, StoreError
from authn.instants import UnixSeconds
from authn.lockout import DAY_S
from authn.ports import Settlement
from authn.request import AccessRequest
from authn.secret import Secret
from authn.verdict import Verdict
from store.accounts import AccountReader
from store.audit import AuditChain, AuditRow, ChainHead
from store.engine import Database, as_store_error
from store.keyring import KeyRing, context
from store.login_alarms import LoginAlarms
from store.settlement import settle
from store.stories import story

_APPEND_AUDIT = "INSERT INTO audit (chain, seq, at_ms, event, body, mac) VALUES (?, ?, ?, ?, ?, ?)"
_LAST_LINK = "SELECT seq, mac FROM audit WHERE chain = ? ORDER BY seq DESC LIMIT 1"
_PRUNE = (
    ("DELETE FROM conversations WHERE expires < ?", 0),
    ("DELETE FROM place_strangers WHERE at < ?", DAY_S),  # their buckets are empty
    ("DELETE FROM tallies WHERE updated_at < ? AND failures = 0", DAY_S),
    ("DELETE FROM tallies WHERE updated_at < ?", 30 * DAY_S),
    ("DELETE FROM user_places WHERE last_at < ?", 180 * DAY_S),
)

LOGIN_EVENT = "login"


class _Probe(Secret):
    __slots__ = ()


class SqliteAttempts:
    """The `authn.ports.AttemptStore` over SQLite. Used by one thread."""

    def __init__(self, database: Database, keyring: KeyRing, chain: AuditChain) -> None:
        self.chain = chain
        self.accounts = AccountReader(self.execute, keyring)
        self.alarms = LoginAlarms()
        with database.write() as connection:
            head = chain.head(connection)
        self._chain_id = head.chain
        self._first_head = head
        self._pooled = database.driver_connection()
        self._connection = self._driver()

    def transaction(self) -> "SqliteTransaction":
        """Open a transaction; it takes the write lock when entered."""
        return SqliteTransaction(self)

    def is_well(self) -> bool:
        """Whether a login could be judged and written now: the database takes a transaction, the keys open a seal."""
        try:
            with self.transaction():
                pass
            place = context("meta", "probe")
            keyring = self.accounts.keyring
            keyring.open(keyring.seal(_Probe(b"probe"), place), place)
        except (StoreError, KeyRingError):
            return False
        return True

    def prune(self, now: UnixSeconds) -> None:
        """Forget what has run out: answered challenges, empty buckets, old failures, places nobody comes from."""
        for statement, kept_s in _PRUNE:
            self.execute(statement, (now - kept_s,))

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
        return self._attempts.accounts.read(requests)

    def settle(self, settlements: Sequence[Settlement]) -> list[Verdict]:
        """Write spends, tallies and audit rows, and commit. See `authn.ports`."""
        verdicts: list[Verdict] = []
        audit_rows: list[AuditRow] = []
        stories: list[dict[str, Any]] = []
        head = self._attempts.head()
        for settlement in settlements:
            verdict, is_new_place = settle(self._attempts.execute, settlement)
            told = story(settlement, verdict, is_new_place=is_new_place)
            row = self._attempts.chain.link(head, settlement.request.received, LOGIN_EVENT, told)
            head = ChainHead(row.chain, row.seq, row.mac)
            audit_rows.append(row)
            verdicts.append(verdict)
            stories.append(told)
        self._attempts.execute_many(
            _APPEND_AUDIT, [(row.chain, row.seq, row.at_ms, row.event, row.body, row.mac) for row in audit_rows]
        )
        self._attempts.execute("COMMIT")
        for settlement, row, told in zip(settlements, audit_rows, stories, strict=True):
            alerts = settlement.decision.trace.alerts
            self._attempts.alarms.look_at(row.reference, settlement.request.received, told, rule_alerts=alerts)
        return verdicts
