"""The answer to a prompt: of ours, whose field holds the code and nothing else, or of another server."""

import hmac
from dataclasses import replace

from authn.case import Case
from authn.challenge import Conversation, FoundCode, Opening
from authn.credentials import answer
from authn.decision import Answer, Decision
from authn.diagnosis import diagnose
from authn.first_factor import AskFirstFactor
from authn.first_round import judge_password
from authn.matching import Match, expected_step, is_repeat
from authn.otp import TimeStep, match_step
from authn.outcomes import (
    accepted,
    accepted_as_repeat,
    accepted_by_recovery_code,
    accepted_with_clock_set,
    asked_for_next_code,
    failed_by_code,
    judged_spent,
    password_mark,
    refused,
    replayed,
)
from authn.standing import standing_refusal
from authn.verdict import Accept, Challenge, Prompt, Reason, Reject, Unavailable

_ASK_AGAIN = (
    Reason.WRONG_CODE,
    Reason.CLOCK_OFF,
    Reason.WRONG_PERIOD,
    Reason.OLD_CODE,
    Reason.UNREADABLE_FIELD,
    Reason.CODE_REPLAYED,
    Reason.SAME_GUESS,
)
"""What a user who knows the password may correct at the prompt."""


def decide_answer(case: Case, conversation: Conversation) -> Decision:
    """Judge the answer to a prompt for a code."""
    opening, match = conversation.opening, case.match
    if match is not None and not match.is_fresh and is_repeat(match, case.request):
        return standing_refusal(case, None) or judged_spent(case, match)
    if opening.expires <= case.now:
        return refused(case, Reason.CHALLENGE_EXPIRED)
    decided = _judge(case, opening)
    answers = 1 if opening.found is not None else case.policy.max_answers
    counted = Answer(conversation.id, answers, isinstance(decided.verdict, Accept), opening.expires)
    decided = replace(decided, answer=counted)
    if isinstance(decided.verdict, Reject) and case.account.answers + 1 < answers:
        reason = decided.verdict.reason
        if case.request.client.rules.uniform_challenge or reason in _ASK_AGAIN:
            return replace(decided, verdict=Challenge(Prompt.CODE_AGAIN, None, reason))
    return decided


def decide_relayed_answer(case: Case, conversation: Conversation) -> Decision | AskFirstFactor:
    """Hand an answer on to the server that asked, and judge by what it says. Each of its States is answered once."""
    opening = conversation.opening
    if case.account.answers and opening.found is not None:
        repeated = accepted_as_repeat(case, opening.found)
        if repeated is not None:
            return standing_refusal(case, case.alone()) or repeated
    if opening.expires <= case.now:
        return refused(case, Reason.CHALLENGE_EXPIRED)
    if case.account.answers:
        return refused(case, Reason.CHALLENGE_USED)  # nor is the other server asked again
    refusal = standing_refusal(case, case.alone())
    if refusal is not None:
        return refusal
    if not _is_of_same_password(case, opening):
        return refused(case, Reason.PASSWORD_CHANGED)
    decided = judge_password(case, case.request.password, opening.found, opening.relay)
    if isinstance(decided, AskFirstFactor) or isinstance(decided.verdict, Unavailable):
        return decided  # without a verdict the question stays open, for the NAS sends its answer again
    return replace(decided, answer=Answer(conversation.id, 1, True, opening.expires))


def _judge(case: Case, opening: Opening) -> Decision:
    refusal = standing_refusal(case, None)
    if refusal is not None:
        return refusal
    if case.is_same_guess:
        return refused(case, Reason.SAME_GUESS)
    match = case.match or _next_after(case, opening.found)
    if match is None and case.recovery is None:
        return _judge_wrong_code(case, opening)
    if match is not None and not match.is_fresh:
        return replayed(case, match)
    if not opening.password_held:
        return refused(case, Reason.WRONG_PASSWORD)  # counted when it was typed
    if not _is_of_same_password(case, opening):
        return refused(case, Reason.PASSWORD_CHANGED)
    if match is None:
        assert case.recovery is not None  # noqa: S101 - for the type checker: one of them was found
        return accepted_by_recovery_code(case, case.recovery)
    return accepted(case, match) if match is case.match else accepted_with_clock_set(case, match)


def _judge_wrong_code(case: Case, opening: Opening) -> Decision:
    """A code of the past may be the first of two in a row, by which a clock is learned (RFC 6238 §6).

    Not one of the future: it would tell a guesser which code to come back with.
    Nor for a stranger: two codes that were seen over a shoulder are in a row, too.
    """
    diagnosis = diagnose(case.request, case.account, case.modes, case.policy)
    is_uniform = case.request.client.rules.uniform_challenge
    may_learn = opening.password_held and opening.found is None and not is_uniform
    if may_learn and not case.is_stranger and _is_of_same_password(case, opening):
        far = diagnosis.far
        if far is not None and far.offset < 0:
            return asked_for_next_code(case, diagnosis, FoundCode(far.token.id, far.step))
    return failed_by_code(case, diagnosis)


def _next_after(case: Case, found: FoundCode | None) -> Match | None:
    """The code that follows the one of the round before, whatever the time is."""
    for token in case.account.tokens if found is not None else ():
        credentials = answer(case.request.password, token.parameters.digits)
        if found is None or token.id != found.token_id or credentials is None:
            continue
        step = match_step(token.seed, credentials.code, token.parameters, range(found.step + 1, found.step + 2))
        if step is not None:
            return Match(token, credentials, TimeStep(step), expected_step(token, case.now), same_view=2)
    return None


def _is_of_same_password(case: Case, opening: Opening) -> bool:
    return hmac.compare_digest(opening.verifier_mark, password_mark(case, None))
