"""Accounts as the login rules see them, read from rows with one statement a batch.

What few users have (exemptions, recovery codes) is read by statements of its
own, and only where a login could have use for it.
"""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from authn import recovery
from authn.account import (
    DECOY,
    NO_BUCKET,
    Account,
    LastSpend,
    RecoveryCode,
    RecoveryCodeId,
    Token,
    TokenId,
    UserId,
)
from authn.client import ClientId, InputMode
from authn.errors import BrokenSealError
from authn.exemption import Exemption, ExemptionId, ExemptionKind
from authn.instants import UnixSeconds
from authn.lockout import NO_FAILURES, Bucket, Tally
from authn.otp import Algorithm, HotpParameters, OtpParameters, TimeStep, TotpParameters
from authn.places import place_of
from authn.request import NOBODY, AccessRequest
from authn.secret import Seed, Verifier
from store.contexts import exemption_context, recovery_code_context, seed_context
from store.keyring import KeyRing

Execute = Callable[[str, Sequence[Any]], sqlite3.Cursor]

_SELECT_ACCOUNTS = """
WITH asked (n, username, client_id, place, known_place) AS (VALUES {places})
SELECT asked.n, u.id, u.sealed_verifier, u.enabled, u.strangers_level, u.strangers_at, u.exempt_until,
       t.id, t.serial, t.sealed_seed, t.period_s, t.digits, t.algorithm, t.drift, t.last_step, t.spent_by, t.spent_at,
       y.failures, y.locked_until, y.last_guess, y.unlock_step, y.unlock_tries,
       k.last_at, s.level, s.at
FROM asked
LEFT JOIN users u ON u.username = asked.username
LEFT JOIN tokens t ON t.user_id = u.id AND t.phase = 'active'
LEFT JOIN tallies y ON y.user_id = u.id AND y.client_id = asked.client_id AND y.place = asked.place
LEFT JOIN user_places k ON k.user_id = u.id AND k.place = asked.known_place
LEFT JOIN place_strangers s ON s.client_id = asked.client_id AND s.place = asked.place
WHERE asked.n IS NOT NULL
"""
_TOKEN = slice(7, 17)
_TALLY = slice(17, 22)
_SELECT_GROUPS = "SELECT user_id, name FROM user_groups WHERE user_id IN ({places}) ORDER BY name"
_SELECT_ANSWERS = "SELECT answers FROM conversations WHERE id = ?"
_SELECT_EXEMPTIONS = """
SELECT id, serial, kind, client_id, until, logins, used, sealed_mark FROM exemptions WHERE user_id = ? AND until > ?
"""
_SELECT_RECOVERY_CODES = "SELECT id, sealed_digest FROM recovery_codes WHERE user_id = ?"

_Row = tuple[Any, ...]


class AccountReader:
    """Reads accounts through the connection of a transaction.

    `with_groups` says whether accounts are read with their groups, which costs a statement more.
    """

    def __init__(self, execute: Execute, keyring: KeyRing) -> None:
        self.keyring = keyring  # replaced whole when keys are rotated
        self.with_groups = False
        self._execute = execute
        self._selects: dict[int, str] = {}

    def read(self, requests: Sequence[AccessRequest]) -> list[Account]:
        """The accounts of `requests`, in their order; the decoy for unknown names."""
        statement = self._select_for(len(requests))
        parameters: list[Any] = []
        for number, request in enumerate(requests):
            name = None if request.username == NOBODY else request.username
            place = place_of(request.station)
            parameters += (number, name, request.client.id, place, place or known_place_of(request))
        parameters += [None] * (statement.count("?") - len(parameters))
        rows_of: list[list[_Row]] = [[] for _ in requests]
        for row in self._execute(statement, parameters):
            rows_of[row[0]].append(row)
        groups_of = self._groups([rows[0][1] for rows in rows_of if rows[0][1] is not None])
        return [self._account(request, rows, groups_of) for request, rows in zip(requests, rows_of, strict=True)]

    def _select_for(self, requests: int) -> str:
        """The statement that reads so many accounts. Rounded up to a power of two, to have few of them."""
        size = 1 << (requests - 1).bit_length()
        if size not in self._selects:
            self._selects[size] = _SELECT_ACCOUNTS.format(places=",".join(["(?,?,?,?,?)"] * size))
        return self._selects[size]

    def _account(self, request: AccessRequest, rows: list[_Row], groups_of: dict[int, tuple[str, ...]]) -> Account:
        row = rows[0]
        level, at = row[23:25]
        place_strangers = NO_BUCKET if level is None else Bucket(level, UnixSeconds(at))
        answers = 0 if request.conversation is None else self._answers(request.conversation.id)
        if row[1] is None:
            if level is None and not answers:
                return DECOY
            return replace(DECOY, place_strangers=place_strangers, answers=answers)
        user_id = UserId(row[1])
        tokens, broken_seals = self._tokens(user_id, rows)
        exemptions: tuple[Exemption, ...] = ()
        if row[6] is not None and row[6] > request.received:
            exemptions = self._exemptions(user_id, request.received)
        return Account(
            user_id,
            bool(row[3]),
            None if row[2] is None else Verifier(row[2]),
            tokens,
            NO_FAILURES if row[17] is None else _tally(row[_TALLY]),
            broken_seals,
            groups_of.get(user_id, ()),
            answers,
            None if row[22] is None else UnixSeconds(row[22]),
            Bucket(row[4], UnixSeconds(row[5])) if row[4] else NO_BUCKET,
            place_strangers,
            self._recovery_codes(user_id) if _may_hold_recovery_code(request) else (),
            exemptions,
        )

    def _tokens(self, user_id: UserId, rows: list[_Row]) -> tuple[tuple[Token, ...], bool]:
        """The active tokens, and whether one was altered."""
        tokens, broken_seals = [], False
        for row in rows:
            if row[7] is None:
                continue
            try:
                tokens.append(self._token(user_id, row[_TOKEN]))
            except BrokenSealError:
                broken_seals = True
        return tuple(tokens), broken_seals

    def _token(self, user_id: UserId, row: _Row) -> Token:
        token_id, serial, sealed_seed, period_s, digits, algorithm, drift, last_step, spent_by, spent_at = row
        parameters = parameters_of(period_s, digits, algorithm)
        seed = self.keyring.open(sealed_seed, seed_context(user_id, serial, "active", parameters))
        spent = None if spent_by is None else LastSpend(spent_by, UnixSeconds(spent_at))
        return Token(TokenId(token_id), Seed(seed), parameters, drift, TimeStep(last_step), spent)

    def _groups(self, ids: list[int]) -> dict[int, tuple[str, ...]]:
        groups: dict[int, tuple[str, ...]] = {}
        if self.with_groups and ids:
            for user_id, name in self._execute(_SELECT_GROUPS.format(places=",".join("?" * len(ids))), ids):
                groups[user_id] = (*groups.get(user_id, ()), name)
        return groups

    def _answers(self, conversation_id: bytes) -> int:
        row = self._execute(_SELECT_ANSWERS, (conversation_id,)).fetchone()
        return 0 if row is None else int(row[0])

    def _exemptions(self, user_id: UserId, now: UnixSeconds) -> tuple[Exemption, ...]:
        """The exemptions that go on. One that was altered in the database is none."""
        found = []
        for row in self._execute(_SELECT_EXEMPTIONS, (user_id, now)):
            id_, serial, kind, client_id, until, logins, used, mark = row
            try:
                self.keyring.open(mark, exemption_context(user_id, serial, kind, client_id, until, logins))
                parsed = ExemptionKind(kind)
            except (BrokenSealError, ValueError):
                continue
            where = None if client_id is None else ClientId(client_id)
            found.append(Exemption(ExemptionId(id_), parsed, UnixSeconds(until), logins, used, where))
        return tuple(found)

    def _recovery_codes(self, user_id: UserId) -> tuple[RecoveryCode, ...]:
        """The unused recovery codes. One that was altered or copied is none."""
        found = []
        for id_, sealed in self._execute(_SELECT_RECOVERY_CODES, (user_id,)):
            try:
                digest = self.keyring.open(sealed, recovery_code_context(user_id))
            except BrokenSealError:
                continue
            found.append(RecoveryCode(RecoveryCodeId(id_), digest))
        return tuple(found)


def parameters_of(period_s: int, digits: int, algorithm: str) -> OtpParameters:
    """The parameters in a token's row. Raises BrokenSealError for what no token has."""
    try:
        if period_s == 0:
            return HotpParameters(digits, Algorithm(algorithm))
        return TotpParameters(period_s, digits, Algorithm(algorithm))
    except ValueError as error:
        raise BrokenSealError("a token's parameters were altered") from error


def known_place_of(request: AccessRequest) -> str:
    """What a place is known by: the network of the user, or the client where the NAS tells none."""
    return place_of(request.station) or f"client {request.client.id}"


def _tally(row: _Row) -> Tally:
    failures, locked_until, last_guess, unlock_step, unlock_tries = row
    step = None if unlock_step is None else TimeStep(unlock_step)
    return Tally(failures, UnixSeconds(locked_until), last_guess or b"", step, unlock_tries)


def _may_hold_recovery_code(request: AccessRequest) -> bool:
    """Whether it is worth looking for recovery codes: what was typed has the form of one somewhere."""
    rules, typed = request.client.rules, request.password
    if not rules.recovery_codes or len(typed) < recovery.LENGTH:
        return False
    modes = rules.modes_at(request.received)
    if request.conversation is not None and InputMode.CHALLENGE in modes:
        modes = (InputMode.CODE_ONLY,)
    return bool(recovery.readings(typed, modes, rules.separator))
