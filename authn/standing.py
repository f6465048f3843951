"""Why a login is refused whatever its password is: who it is, where, when, and what failed before."""

from dataclasses import replace

from authn.case import Alone, Case
from authn.client import InputMode
from authn.decision import Decision
from authn.lockout import FirstCode, after_unlock_try, unlocks
from authn.matching import is_readable
from authn.outcomes import failed, refused
from authn.request import NOBODY
from authn.verdict import Reason


def standing_refusal(case: Case, alone: Alone | None) -> Decision | None:
    """The refusal of a login that nothing typed could save, or None. `alone` is why no code would be needed."""
    account = case.account
    if account.id is None:
        if alone is None or not case.is_kept_elsewhere or case.request.username == NOBODY:
            return failed(case, Reason.UNKNOWN_USER)
    elif not account.enabled:
        return refused(case, Reason.USER_DISABLED)
    if case.rule.refuses or (case.rule.requires_code and InputMode.PASSWORD_ONLY in case.modes):
        return refused(case, Reason.POLICY)
    delay = _delay(case)
    if delay is not None:
        return delay
    if not account.tokens:
        if account.broken_seals:  # a user whose token was altered is not one without token
            return refused(case, Reason.SEAL_BROKEN)
        if alone is None and case.recovery is None:
            return refused(case, Reason.NO_TOKEN)
    return None


def _delay(case: Case) -> Decision | None:
    """The refusal of a login that must wait, unless its owner shows two codes in a row."""
    if case.is_delayed:
        reason = Reason.LOCKED
    elif case.is_shut_out:
        reason = Reason.STRANGERS
    else:
        return None
    return _named(_unless_unlocked(case, reason), case, reason)


def _named(decision: Decision | None, case: Case, reason: Reason) -> Decision | None:
    """Tell whose bucket it was."""
    if decision is None or reason is not Reason.STRANGERS:
        return decision
    return replace(decision, trace=replace(decision.trace, bucket=case.full_bucket))


def _unless_unlocked(case: Case, reason: Reason) -> Decision | None:
    tally, match, lockout = case.account.tally, case.match, case.policy.lockout
    if case.account.id is None or case.is_shut_out_for_good or not tally.has_unlock_tries(case.now, lockout):
        return refused(case, reason)
    if match is not None and match.is_fresh:
        if unlocks(tally, match.token.id, match.step, case.now):
            return None
        first_code = FirstCode(match.token.id, match.step, case.now)
        return refused(case, reason, after_unlock_try(tally, lockout, case.now, first_code))
    if case.is_asked_at_a_prompt and tally.may_unlock(case.now):
        return None  # the second code comes at the prompt, once the password is found right
    if is_readable(case.request, case.account, case.unlock_modes):
        return refused(case, reason, after_unlock_try(tally, lockout, case.now, None))
    return refused(case, reason)
