"""What a decision writes: spends, answers, tallies, places. The conditions in the statements decide."""

from typing import Any

from authn.account import Account, UserId
from authn.decision import Answer, Decision, Spend, SpendExemption, SpendRecoveryCode, SpendStep, WithoutSpend
from authn.errors import StoreError
from authn.instants import UnixSeconds
from authn.lockout import NO_BUCKET, NO_FAILURES, Tally
from authn.places import known_place_of, place_of
from authn.ports import Settlement
from authn.request import AccessRequest
from authn.verdict import Accept, Reason, Reject, Verdict
from store.accounts import Execute, bucket_of, place_of_name

_COUNT_ANSWER = """
INSERT INTO conversations (id, answers, expires) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET answers = answers + excluded.answers WHERE answers < ?
"""
_SPEND_STEP = """
UPDATE tokens SET last_step = ?, drift = ?, step_mark = ?, spent_by = ?, spent_at = ?,
    clock_off_s = coalesce(?, clock_off_s)
WHERE id = ? AND last_step < ? AND phase = 'active'
"""
_SPEND_RECOVERY_CODE = "DELETE FROM recovery_codes WHERE serial = ? AND user_id = ?"
_SPEND_EXEMPTION = """
UPDATE exemptions SET used = used + 1
WHERE id = ? AND user_id = ? AND until > ? AND (logins IS NULL OR used < logins)
"""
_SET_TALLY = """
INSERT INTO tallies (user_id, client_id, place, failures, locked_until, last_guess, first_code_token, first_code_step,
                     first_code_at, unlock_tries, day_level, day_at, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (user_id, client_id, place) DO UPDATE SET failures = excluded.failures,
    locked_until = excluded.locked_until, last_guess = excluded.last_guess,
    first_code_token = excluded.first_code_token, first_code_step = excluded.first_code_step,
    first_code_at = excluded.first_code_at, unlock_tries = excluded.unlock_tries, day_level = excluded.day_level,
    day_at = excluded.day_at, updated_at = excluded.updated_at
"""
_CLEAR_TALLY = "DELETE FROM tallies WHERE user_id = ? AND client_id = ? AND place = ?"
_SET_STRANGERS = "UPDATE users SET strangers_level = ?, strangers_at = ? WHERE id = ?"
_SELECT_PLACE_STRANGERS = "SELECT level, at FROM place_strangers WHERE client_id = ? AND place = ?"
_SET_PLACE_STRANGERS = """
INSERT INTO place_strangers (client_id, place, level, at) VALUES (?, ?, ?, ?)
ON CONFLICT (client_id, place) DO UPDATE SET level = excluded.level, at = excluded.at
"""
_RENEW_VERIFIER = "UPDATE users SET sealed_verifier = ? WHERE id = ? AND sealed_verifier = ?"
_NOTE_PLACE = """
INSERT INTO user_places (user_id, place, first_at, last_at) VALUES (?, ?, ?, ?)
ON CONFLICT (user_id, place) DO UPDATE SET last_at = max(last_at, excluded.last_at)
"""
_HAS_PLACES = "SELECT 1 FROM user_places WHERE user_id = ? LIMIT 1"
_NOTE_MODE = """
INSERT INTO input_mode_uses (client_id, mode, user_id, last_at) VALUES (?, ?, ?, ?)
ON CONFLICT (client_id, mode, user_id) DO UPDATE SET last_at = excluded.last_at
"""
_NOTE_SHADOW = """
INSERT INTO shadow_outcomes (client_id, username, outcome, times, last_at) VALUES (?, ?, ?, 1, ?)
ON CONFLICT (client_id, username) DO UPDATE SET outcome = excluded.outcome, times = times + 1,
    last_at = excluded.last_at
"""

PLACE_NOTED_EVERY_S = 86400
"""That a user still comes from a known place is written once a day, and not at every login."""


def settle(execute: Execute, settlement: Settlement) -> tuple[Verdict, bool]:
    """Write one decision; the verdict that stands, and whether the user came from a new place."""
    decision, request, account = settlement.decision, settlement.request, settlement.account
    verdict = _spend(execute, decision, account.id)
    if verdict is not decision.verdict:
        return verdict, False
    if decision.tally is not None and account.id is not None:
        _write_tally(execute, account.id, request, decision.tally)
    _write_strangers(execute, decision, request, account)
    if decision.renewed is not None and account.verifier is not None and account.id is not None:
        execute(_RENEW_VERIFIER, (decision.renewed.reveal(), account.id, account.verifier.reveal()))
    if account.id is not None and len(request.client.rules.inputs) > 1 and decision.mode is not None:
        execute(_NOTE_MODE, (request.client.id, decision.mode.value, account.id, request.received))
    if decision.trace.would_be is not None:
        execute(_NOTE_SHADOW, (request.client.id, request.username, decision.trace.would_be, request.received))
    is_new_place = False
    if isinstance(verdict, Accept) and account.id is not None and _makes_known(decision, request):
        is_new_place = _note_place(execute, account.id, account.known_at, request)
    return verdict, is_new_place


def _makes_known(decision: Decision, request: AccessRequest) -> bool:
    """Whether an Accept makes its place known: by a code, or where no code is asked for by any login."""
    if isinstance(decision.spend, SpendStep | SpendRecoveryCode):
        return True
    enforces = request.client.rules.enforces_codes_at(request.received)
    return not enforces and decision.without_spend is not WithoutSpend.REPEAT


def _spend(execute: Execute, decision: Decision, user_id: UserId | None) -> Verdict:
    """Count an answer, spend what an Accept takes out of use."""
    if decision.answer is not None and not _count(execute, decision.answer):
        return Reject(Reason.CHALLENGE_USED)
    if not isinstance(decision.verdict, Accept):
        return decision.verdict
    if decision.spend is None:
        if decision.without_spend is None:
            raise StoreError("an Accept that spends nothing is refused")
        return decision.verdict
    statement, values, otherwise = _spending(decision.spend, user_id)
    return decision.verdict if execute(statement, values).rowcount == 1 else Reject(otherwise)


def _spending(spend: Spend, user_id: UserId | None) -> tuple[str, tuple[Any, ...], Reason]:
    """The conditional statement of a spend, and what the login comes to where somebody was faster."""
    match spend:
        case SpendStep():
            values = (spend.step, spend.drift, spend.mark, spend.by.fingerprint, spend.by.at, spend.clock_off_s)
            return _SPEND_STEP, (*values, spend.token_id, spend.step), Reason.CODE_REPLAYED
        case SpendRecoveryCode():
            return _SPEND_RECOVERY_CODE, (spend.serial, user_id), Reason.CODE_REPLAYED
        case SpendExemption():
            return _SPEND_EXEMPTION, (spend.exemption_id, user_id, spend.at), Reason.NO_TOKEN


def _count(execute: Execute, answer: Answer) -> bool:
    """Count an answer of a conversation; False if it has had all of its answers."""
    counted = answer.limit if answer.closing else 1
    values = (answer.conversation_id, counted, answer.expires, answer.limit)
    return execute(_COUNT_ANSWER, values).rowcount == 1


def _write_tally(execute: Execute, user_id: UserId, request: AccessRequest, tally: Tally) -> None:
    at = (user_id, request.client.id, place_of(request.station))
    if tally == NO_FAILURES:
        execute(_CLEAR_TALLY, at)
        return
    first = tally.first_code
    shown = (None, None, None) if first is None else (first.token_id, first.step, first.at)
    kept = (tally.unlock_tries, tally.day.level, tally.day.at, request.received)
    execute(_SET_TALLY, (*at, tally.failures, tally.locked_until, tally.last_guess or None, *shown, *kept))


def _write_strangers(execute: Execute, decision: Decision, request: AccessRequest, account: Account) -> None:
    if decision.strangers is not None:
        level, at = decision.strangers.level, decision.strangers.at
        if account.id is not None:
            execute(_SET_STRANGERS, (level, at, account.id))
        else:
            execute(_SET_PLACE_STRANGERS, (request.client.id, place_of_name(request), level, at))
    if decision.place_strangers is not None:
        place = (request.client.id, place_of(request.station))
        row = execute(_SELECT_PLACE_STRANGERS, place).fetchone()
        bucket = (NO_BUCKET if row is None else bucket_of(*row)).with_one_more(
            request.received, decision.place_strangers
        )
        execute(_SET_PLACE_STRANGERS, (*place, bucket.level, bucket.at))


def _note_place(execute: Execute, user_id: UserId, known_at: UnixSeconds | None, request: AccessRequest) -> bool:
    """Remember where a user came from; whether it is a new place for somebody who has others."""
    now = request.received
    if known_at is not None and now - known_at < PLACE_NOTED_EVERY_S:
        return False
    is_new = known_at is None and execute(_HAS_PLACES, (user_id,)).fetchone() is not None
    execute(_NOTE_PLACE, (user_id, known_place_of(request.client, request.station, now), now, now))
    return is_new
