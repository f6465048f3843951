"""Logins on stable storage: accounts read, steps spent, answers counted, tallies and audit rows written.

The login path. It uses the driver's own connection and a few fixed statements:
an ORM here would cost more than the rest of a login (`docs/decisions/`). One
transaction serves a whole batch and holds the write lock from its start.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from authn.account import DECOY, Account, LastSpend, Token, TokenId, UserId
from authn.decision import Answer, Decision
from authn.errors import BrokenSealError, KeyRingError, StoreError
from authn.instants import UnixSeconds
from authn.lockout import NO_FAILURES, Tally
from authn.ports import Settlement
from authn.request import AccessRequest
from authn.secret import Secret, Seed, Verifier
from authn.totp import Algorithm, TimeStep, TotpParameters
from authn.verdict import Accept, Challenge, Reason, Reject, Unavailable, Verdict
from store.audit import AuditChain, AuditRow, ChainHead
from store.contexts import seed_context
from store.engine import Database, as_store_error
from store.keyring import KeyRing, context

_SELECT_ACCOUNTS = """
WITH asked (username, client_id) AS (VALUES {places})
SELECT u.username, u.id, u.sealed_verifier, u.enabled,
       t.id, t.serial, t.sealed_seed, t.period_s, t.digits, t.algorithm, t.drift, t.last_step,
       t.spent_by, t.spent_at,
       y.failures, y.locked_until
FROM asked
CROSS JOIN users u ON u.username = asked.username
LEFT JOIN tokens t ON t.user_id = u.id AND t.phase = 'active'
LEFT JOIN tallies y ON y.user_id = u.id AND y.client_id = asked.client_id
"""
_SELECT_GROUPS = "SELECT user_id, name FROM user_groups WHERE user_id IN ({places}) ORDER BY name"
_SELECT_ANSWERS = "SELECT answers FROM conversations WHERE id = ?"
_COUNT_ANSWER = """
INSERT INTO conversations (id, answers, expires) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET answers = answers + excluded.answers WHERE answers < ?
"""
_SPEND = """
UPDATE tokens SET last_step = ?, drift = ?, spent_by = ?, spent_at = ?
WHERE id = ? AND last_step < ? AND phase = 'active'
"""
_SET_TALLY = """
INSERT INTO tallies (user_id, client_id, failures, locked_until) VALUES (?, ?, ?, ?)
ON CONFLICT (user_id, client_id) DO UPDATE SET failures = excluded.failures, locked_until = excluded.locked_until
"""
_CLEAR_TALLY = "DELETE FROM tallies WHERE user_id = ? AND client_id = ?"
_NOTE_MODE = """
INSERT INTO input_mode_uses (client_id, mode, user_id, last_at) VALUES (?, ?, ?, ?)
ON CONFLICT (client_id, mode, user_id) DO UPDATE SET last_at = excluded.last_at
"""
_APPEND_AUDIT = "INSERT INTO audit (chain, seq, at_ms, event, body, mac) VALUES (?, ?, ?, ?, ?, ?)"
_LAST_LINK = "SELECT seq, mac FROM audit WHERE chain = ? ORDER BY seq DESC LIMIT 1"

LOGIN_EVENT = "login"


class _Probe(Secret):
    __slots__ = ()


class SqliteAttempts:
    """The `authn.ports.AttemptStore` over SQLite. Used by one thread.

    `with_groups` says whether accounts are read with their groups, which costs a statement more.
    """

    def __init__(self, database: Database, keyring: KeyRing, chain: AuditChain) -> None:
        self.keyring = keyring  # replaced whole when keys are rotated
        self.chain = chain
        self.with_groups = False
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

    def is_well(self) -> bool:
        """Whether a login could be judged and written now: the database takes a transaction, the keys open a seal."""
        try:
            with self.transaction():
                pass
            place = context("meta", "probe")
            self.keyring.open(self.keyring.seal(_Probe(b"probe"), place), place)
        except (StoreError, KeyRingError):
            return False
        return True

    def prune(self, now: UnixSeconds) -> None:
        """Forget answered challenges that have expired: their State does not open a conversation any more."""
        try:
            self._connection.execute("DELETE FROM conversations WHERE expires < ?", (now,))
        except sqlite3.Error as error:
            raise as_store_error(error) from error

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
        groups_of = self._groups(rows_of) if self._attempts.with_groups and rows_of else {}
        accounts = []
        for request in requests:
            account = self._account(rows_of.get(request.username), groups_of)
            if request.conversation is not None:
                account = replace(account, answers=self._answers(request.conversation.id))
            accounts.append(account)
        return accounts

    def settle(self, settlements: Sequence[Settlement]) -> list[Verdict]:
        """Write spends, tallies and audit rows, and commit. See `authn.ports`."""
        verdicts: list[Verdict] = []
        audit_rows: list[AuditRow] = []
        head = self._attempts.head()
        for settlement in settlements:
            decision = settlement.decision
            verdict = self._settle(decision)
            if verdict is decision.verdict:
                self._write_down(settlement)
            row = self._attempts.chain.link(head, settlement.request.received, LOGIN_EVENT, _story(settlement, verdict))
            head = ChainHead(row.chain, row.seq, row.mac)
            audit_rows.append(row)
            verdicts.append(verdict)
        self._attempts.execute_many(
            _APPEND_AUDIT, [(row.chain, row.seq, row.at_ms, row.event, row.body, row.mac) for row in audit_rows]
        )
        self._attempts.execute("COMMIT")
        return verdicts

    def _settle(self, decision: Decision) -> Verdict:
        """Count an answer, spend the step of an Accept. The conditions in the statements decide, not what was read."""
        if decision.answer is not None and not self._count(decision.answer):
            return Reject(Reason.CHALLENGE_USED)
        if not isinstance(decision.verdict, Accept):
            return decision.verdict
        spend = decision.spend
        if spend is None:
            if decision.without_spend is None:
                raise StoreError("an Accept that spends nothing is refused")
            return decision.verdict
        values = (spend.step, spend.drift, spend.by.fingerprint, spend.by.at, spend.token_id, spend.step)
        cursor = self._attempts.execute(_SPEND, values)
        return decision.verdict if cursor.rowcount == 1 else Reject(Reason.CODE_REPLAYED)

    def _count(self, answer: Answer) -> bool:
        """Count an answer of a conversation; False if it has had all of its answers."""
        counted = answer.limit if answer.closing else 1
        values = (answer.conversation_id, counted, answer.expires, answer.limit)
        return self._attempts.execute(_COUNT_ANSWER, values).rowcount == 1

    def _write_down(self, settlement: Settlement) -> None:
        """The tally, and who used which input mode where a client accepts several."""
        decision, request = settlement.decision, settlement.request
        if decision.tally is not None:
            self._write_tally(settlement, decision.tally)
        user_id, inputs = settlement.account.id, request.client.rules.inputs
        if len(inputs) > 1 and decision.mode is not None and user_id is not None:
            values = (request.client.id, decision.mode.value, user_id, request.received)
            self._attempts.execute(_NOTE_MODE, values)

    def _write_tally(self, settlement: Settlement, tally: Tally) -> None:
        user_id, client_id = settlement.account.id, settlement.request.client.id
        if user_id is None:
            return
        if tally == NO_FAILURES:
            self._attempts.execute(_CLEAR_TALLY, (user_id, client_id))
        else:
            self._attempts.execute(_SET_TALLY, (user_id, client_id, tally.failures, tally.locked_until))

    def _answers(self, conversation_id: bytes) -> int:
        row = self._attempts.execute(_SELECT_ANSWERS, (conversation_id,)).fetchone()
        return 0 if row is None else int(row[0])

    def _groups(self, rows_of: dict[str, list[tuple[Any, ...]]]) -> dict[int, tuple[str, ...]]:
        ids = [rows[0][1] for rows in rows_of.values()]
        groups: dict[int, tuple[str, ...]] = {}
        for user_id, name in self._attempts.execute(_SELECT_GROUPS.format(places=",".join("?" * len(ids))), ids):
            groups[user_id] = (*groups.get(user_id, ()), name)
        return groups

    def _account(self, rows: list[tuple[Any, ...]] | None, groups_of: dict[int, tuple[str, ...]]) -> Account:
        if rows is None:
            return DECOY
        _, user_id, sealed_verifier, enabled, *_, failures, locked_until = rows[0]
        tokens: list[Token] = []
        broken_seals = False
        for row in rows:
            if row[4] is None:
                continue
            try:
                tokens.append(self._token(UserId(user_id), row[4:14]))
            except BrokenSealError:
                broken_seals = True
        verifier = None if sealed_verifier is None else Verifier(sealed_verifier)
        tally = NO_FAILURES if failures is None else Tally(failures, UnixSeconds(locked_until))
        groups = groups_of.get(user_id, ())
        return Account(UserId(user_id), bool(enabled), verifier, tuple(tokens), tally, broken_seals, groups)

    def _token(self, user_id: UserId, row: tuple[Any, ...]) -> Token:
        token_id, serial, sealed_seed, period_s, digits, algorithm, drift, last_step, spent_by, spent_at = row
        try:
            parameters = TotpParameters(period_s, digits, Algorithm(algorithm))
        except ValueError as error:
            raise BrokenSealError("a token's parameters were altered") from error
        seed = self._attempts.keyring.open(sealed_seed, seed_context(user_id, serial, "active", parameters))
        spent = None if spent_by is None else LastSpend(spent_by, UnixSeconds(spent_at))
        return Token(TokenId(token_id), Seed(seed), parameters, drift, TimeStep(last_step), spent)


def _story(settlement: Settlement, verdict: Verdict) -> dict[str, Any]:
    """What the audit row tells: who, through which client, with what outcome. Nothing typed but the name."""
    request, decision = settlement.request, settlement.decision
    spend = decision.spend
    modes = (decision.mode,) if decision.mode else request.client.rules.modes_at(request.received)
    story: dict[str, Any] = {"user": request.username, "client": request.client.name, "input_mode": ",".join(modes)}
    if request.station is not None:
        story["station"] = request.station
    match verdict:
        case Accept():
            story["verdict"] = "accept"
            if decision.without_spend is not None:
                story["without_code"] = decision.without_spend.value
        case Reject(reason):
            story["verdict"], story["reason"] = "reject", reason
        case Challenge(_, _, because):
            story["verdict"] = "challenge"
            if because is not None:
                story["reason"] = because
        case Unavailable(inability):
            story["verdict"], story["reason"] = "unavailable", inability
    if spend is not None:
        story["token"], story["step"], story["drift"] = spend.token_id, spend.step, spend.drift
    if decision.tally is not None:
        story["failures"] = decision.tally.failures
    return story
