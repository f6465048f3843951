"""Accounts as the login rules see them, read from rows with one statement a batch.

What few users have (exemptions, recovery codes) is read by statements of its
own, and only where a login could have use for it.
"""

import hmac
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from authn import recovery
from authn.account import DECOY, Account, LastSpend, RecoveryCode, Token, TokenId, UserId
from authn.client import ClientId, InputMode
from authn.errors import BrokenSealError
from authn.exemption import Exemption, ExemptionId, ExemptionKind
from authn.instants import UnixSeconds
from authn.lockout import NO_BUCKET, NO_FAILURES, Bucket, FirstCode, Tally
from authn.matching import step_mark
from authn.otp import Algorithm, HotpParameters, OtpParameters, TimeStep, TotpParameters
from authn.places import MAX_PLACE_OCTETS, known_place_of, place_of
from authn.request import NOBODY, AccessRequest, Username
from authn.secret import Seed, Verifier
from store.contexts import exemption_context, recovery_code_context, seed_context
from store.keyring import KeyRing
from store.standing import Standing

Execute = Callable[[str, Sequence[Any]], sqlite3.Cursor]

_SELECT_ACCOUNTS = """
WITH asked (n, username, client_id, place, known_place) AS (VALUES {places})
SELECT asked.n, u.id, u.sealed_verifier, u.sealed_standing, u.strangers_level, u.strangers_at, u.exempt_until,
       k.last_at, s.level, s.at,
       y.failures, y.locked_until, y.last_guess, y.first_code_token, y.first_code_step, y.first_code_at,
       y.unlock_tries, y.day_level, y.day_at,
       t.id, t.serial, t.sealed_seed, t.period_s, t.digits, t.algorithm, t.drift, t.last_step, t.step_mark,
       t.spent_by, t.spent_at
FROM asked
LEFT JOIN users u ON u.username = asked.username
LEFT JOIN tokens t ON t.user_id = u.id AND t.phase = 'active'
LEFT JOIN tallies y ON y.user_id = u.id AND y.client_id = asked.client_id AND y.place = asked.place
LEFT JOIN user_places k ON k.user_id = u.id AND k.place = asked.known_place
LEFT JOIN place_strangers s ON s.client_id = asked.client_id AND s.place = asked.place
WHERE asked.n IS NOT NULL
"""
_TALLY, _TOKEN = slice(10, 19), slice(19, 30)
_SELECT_NAME_STRANGERS = "SELECT level, at FROM place_strangers WHERE client_id = ? AND place = ?"
_SELECT_ANSWERS = "SELECT answers FROM conversations WHERE id = ?"
_SELECT_EXEMPTIONS = """
SELECT id, serial, kind, client_id, until, logins, used, sealed_mark FROM exemptions WHERE user_id = ? AND until > ?
"""
_SELECT_RECOVERY_CODES = "SELECT serial, sealed_digest FROM recovery_codes WHERE user_id = ?"

_Row = tuple[Any, ...]


class AccountReader:
    """Reads accounts through the connection of a transaction.

    `with_unknown_names` says whether somebody else may know names that are not
    known here, so that failures at them are worth a statement more.
    """

    def __init__(self, execute: Execute, keyring: KeyRing) -> None:
        self.with_unknown_names = False
        self._execute = execute
        self._selects: dict[int, str] = {}
        self.keyring = keyring

    @property
    def keyring(self) -> KeyRing:
        """Replaced whole when keys are rotated."""
        return self._keyring

    @keyring.setter
    def keyring(self, keyring: KeyRing) -> None:
        self._keyring = keyring
        self._guess_key = keyring.derive(b"wrong guesses")

    def read(self, requests: Sequence[AccessRequest]) -> list[Account]:
        """The accounts of `requests`, in their order; the decoy for unknown names."""
        statement = self._select_for(len(requests))
        parameters: list[Any] = []
        for number, request in enumerate(requests):
            name = None if request.username == NOBODY else request.username
            place = place_of(request.station)
            known_place = known_place_of(request.client, request.station, request.received)
            parameters += (number, name, request.client.id, place, known_place)
        parameters += [None] * (statement.count("?") - len(parameters))
        rows_of: list[list[_Row]] = [[] for _ in requests]
        for row in self._execute(statement, parameters):
            rows_of[row[0]].append(row)
        return [self._account(request, rows) for request, rows in zip(requests, rows_of, strict=True)]

    def _select_for(self, requests: int) -> str:
        """The statement that reads so many accounts. Rounded up to a power of two, to have few of them."""
        size = 1 << (requests - 1).bit_length()
        if size not in self._selects:
            self._selects[size] = _SELECT_ACCOUNTS.format(places=",".join(["(?,?,?,?,?)"] * size))
        return self._selects[size]

    def _account(self, request: AccessRequest, rows: list[_Row]) -> Account:
        row = rows[0]
        place_strangers = bucket_of(row[8], row[9])
        answers = 0 if request.conversation is None else self._answers(request.conversation.id)
        if row[1] is None:
            return self._unknown(request, place_strangers, answers)
        user_id, username = UserId(row[1]), request.username
        tokens, broken_seals = self._tokens(user_id, username, rows)
        try:
            standing = Standing.open(self._keyring, row[3], user_id, username)
        except BrokenSealError:
            standing, tokens, broken_seals = Standing(True), (), True  # refused as altered, whatever else it is
        exemptions: tuple[Exemption, ...] = ()
        if row[6] is not None and row[6] > request.received:
            exemptions = self._exemptions(user_id, username, request.received)
        return Account(
            user_id,
            standing.enabled,
            None if row[2] is None else Verifier(row[2]),
            tokens,
            NO_FAILURES if row[10] is None else _tally(row[_TALLY]),
            broken_seals,
            standing.groups,
            answers,
            None if row[7] is None else UnixSeconds(row[7]),
            bucket_of(row[4], row[5]),
            place_strangers,
            self._recovery_codes(user_id, username) if _may_hold_recovery_code(request) else (),
            exemptions,
            standing.enrolled,
            self._guess_key,
        )

    def _unknown(self, request: AccessRequest, place_strangers: Bucket, answers: int) -> Account:
        """The decoy, with what failed at the place and at the name."""
        strangers = NO_BUCKET
        if self.with_unknown_names and request.username != NOBODY:
            found = self._execute(_SELECT_NAME_STRANGERS, (request.client.id, place_of_name(request))).fetchone()
            strangers = NO_BUCKET if found is None else bucket_of(*found)
        if place_strangers is strangers is NO_BUCKET and not answers:
            return DECOY
        return replace(DECOY, place_strangers=place_strangers, strangers=strangers, answers=answers)

    def _tokens(self, user_id: UserId, username: Username, rows: list[_Row]) -> tuple[tuple[Token, ...], bool]:
        """The active tokens, and whether one was altered."""
        tokens, broken_seals = [], False
        for row in rows:
            if row[19] is None:
                continue
            try:
                tokens.append(self._token(user_id, username, row[_TOKEN]))
            except BrokenSealError:
                broken_seals = True
        return tuple(tokens), broken_seals

    def _token(self, user_id: UserId, username: Username, row: _Row) -> Token:
        token_id, serial, sealed_seed, period_s, digits, algorithm, drift, last_step, mark, spent_by, spent_at = row
        parameters = parameters_of(period_s, digits, algorithm)
        seed = Seed(self._keyring.open(sealed_seed, seed_context(user_id, username, serial, "active", parameters)))
        if mark is None or not hmac.compare_digest(mark, step_mark(seed, serial, last_step, drift)):
            raise BrokenSealError("the steps of a token were altered")
        spent = None if spent_by is None else LastSpend(spent_by, UnixSeconds(spent_at))
        return Token(TokenId(token_id), seed, parameters, drift, TimeStep(last_step), spent, serial)

    def _answers(self, conversation_id: bytes) -> int:
        row = self._execute(_SELECT_ANSWERS, (conversation_id,)).fetchone()
        return 0 if row is None else int(row[0])

    def _exemptions(self, user_id: UserId, username: Username, now: UnixSeconds) -> tuple[Exemption, ...]:
        """The exemptions that go on. One that was altered in the database is none."""
        found = []
        for row in self._execute(_SELECT_EXEMPTIONS, (user_id, now)):
            id_, serial, kind, client_id, until, logins, used, mark = row
            try:
                place = exemption_context(user_id, username, serial, kind, client_id, until, logins)
                self._keyring.open(mark, place)
                parsed = ExemptionKind(kind)
            except (BrokenSealError, ValueError):
                continue
            where = None if client_id is None else ClientId(client_id)
            found.append(Exemption(ExemptionId(id_), parsed, UnixSeconds(until), logins, used, where))
        return tuple(found)

    def _recovery_codes(self, user_id: UserId, username: Username) -> tuple[RecoveryCode, ...]:
        """The unused recovery codes. One that was altered or copied is none."""
        found = []
        for serial, sealed in self._execute(_SELECT_RECOVERY_CODES, (user_id,)):
            try:
                digest = self._keyring.open(sealed, recovery_code_context(user_id, username, serial))
            except BrokenSealError:
                continue
            found.append(RecoveryCode(serial, digest))
        return tuple(found)


def parameters_of(period_s: int, digits: int, algorithm: str) -> OtpParameters:
    """The parameters in a token's row. Raises BrokenSealError for what no token has."""
    try:
        if period_s == 0:
            return HotpParameters(digits, Algorithm(algorithm))
        return TotpParameters(period_s, digits, Algorithm(algorithm))
    except ValueError as error:
        raise BrokenSealError("a token's parameters were altered") from error


def place_of_name(request: AccessRequest) -> str:
    """Where failures at a name that is not known here are counted; no station has a control character."""
    return f"\x1f{request.username}"[:MAX_PLACE_OCTETS]


def bucket_of(level: float | None, at: float | None) -> Bucket:
    """The bucket in two columns of a row; an empty one where they hold none."""
    return Bucket(level, UnixSeconds(at or 0.0)) if level else NO_BUCKET


def _tally(row: _Row) -> Tally:
    failures, locked_until, last_guess, token_id, step, shown_at, unlock_tries, day_level, day_at = row
    first_code = None if step is None else FirstCode(token_id, TimeStep(step), UnixSeconds(shown_at))
    day = bucket_of(day_level, day_at)
    return Tally(failures, UnixSeconds(locked_until), last_guess or b"", first_code, unlock_tries, day)


def _may_hold_recovery_code(request: AccessRequest) -> bool:
    """Whether it is worth looking for recovery codes: what was typed has the form of one somewhere."""
    rules, typed = request.client.rules, request.password
    if not rules.recovery_codes or len(typed) < recovery.LENGTH:
        return False
    modes = rules.modes_at(request.received)
    if request.conversation is not None and InputMode.CHALLENGE in modes:
        modes = (InputMode.CODE_ONLY,)
    return bool(recovery.readings(typed, modes, rules.separator))
