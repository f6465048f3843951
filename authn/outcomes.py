"""How verdicts are made of a case, with the writes that belong to them."""

from dataclasses import replace

from authn.account import LastSpend, Token
from authn.case import Alone, Case, RecoveryMatch
from authn.challenge import FoundCode, Opening, Relay, verifier_mark
from authn.client import InputMode
from authn.decision import Decision, Spend, SpendExemption, SpendRecoveryCode, SpendStep, WithoutSpend
from authn.diagnosis import Diagnosis
from authn.first_factor import FurtherQuestion
from authn.instants import UnixSeconds
from authn.lockout import Tally, after_accept, after_failure
from authn.matching import (
    Match,
    clock_off_s,
    fingerprint,
    guess_fingerprint,
    has_spent,
    is_repeat,
    learned_drift,
    step_mark,
)
from authn.otp import HotpParameters, TimeStep
from authn.places import place_of
from authn.secret import Password, Verifier
from authn.verdict import Accept, Challenge, Prompt, Reason, RecoveryCodeUsed, Reject

WOULD_BE_LET_IN = "accept"
"""What enforcement would have come to for a login at a client in shadow mode that had its code."""
WOULD_BE_ASKED = "prompt"
"""Likewise for one by a user with a token, at a client that asks for codes at a prompt."""


_TELLS_OF_THE_USER = frozenset(
    (
        Reason.LOCKED,
        Reason.STRANGERS,
        Reason.POLICY,
        Reason.USER_DISABLED,
        Reason.NO_TOKEN,
        Reason.NO_PASSWORD,
        Reason.SEAL_BROKEN,
        Reason.SAME_GUESS,
    )
)


def accepted(case: Case, match: Match) -> Decision:
    """Let in by a code, and spend it."""
    by = LastSpend(fingerprint(match.token, case.request, match.credentials.code), case.now)
    drift = learned_drift(match, case.policy, case.window)
    spend = _spend_step(match.token, match.step, drift, by, clock_off_s(match, case.now))
    return _let_in(case, _accept(case, match), spend, mode=match.credentials.mode)


def accepted_by_recovery_code(case: Case, recovery: RecoveryMatch) -> Decision:
    """Let in by a recovery code, and spend it."""
    accept = Accept(case.account.groups, notice=RecoveryCodeUsed(len(case.account.recovery_codes) - 1))
    spend = SpendRecoveryCode(recovery.code.serial)
    return _let_in(case, accept, spend, mode=recovery.typed.mode)


def accepted_alone(case: Case, alone: Alone, would_be: str | None = None) -> Decision:
    """Let in by the password alone."""
    accept = Accept(case.account.groups, notice=alone.notice)
    mode = InputMode.PASSWORD_ONLY if InputMode.PASSWORD_ONLY in case.modes else None
    if isinstance(alone.because, SpendExemption):
        return _let_in(case, accept, alone.because, mode=mode)
    return _let_in(case, accept, without_spend=alone.because, mode=mode, would_be=would_be)


def accepted_by_found_code(case: Case, found: FoundCode) -> Decision | None:
    """Let in by the code of an earlier round, and spend it now; None if its token is gone or it was spent meanwhile."""
    for token in case.account.tokens:
        if token.id == found.token_id and found.step > token.last_step:
            by = LastSpend(fingerprint(token, case.request, None), case.now)
            spend = _spend_step(token, found.step, token.drift, by)
            return _let_in(case, Accept(case.account.groups), spend)
    return None


def accepted_as_repeat(case: Case, found: FoundCode) -> Decision | None:
    """The Accept of a moment ago once more, where this very answer spent the code of an earlier round; else None."""
    for token in case.account.tokens:
        if token.id == found.token_id and has_spent(token, found.step, case.request, None):
            return Decision(Accept(case.account.groups), without_spend=WithoutSpend.REPEAT, trace=case.trace())
    return None


def accepted_with_clock_set(case: Case, match: Match) -> Decision:
    """Let in by the second of two codes in a row, and learn the clock of the device from them."""
    decision = accepted(case, match)
    parameters = match.token.parameters
    if isinstance(decision.spend, SpendStep) and not isinstance(parameters, HotpParameters):
        drift = match.step - parameters.step_at(case.now)
        return replace(decision, spend=_spend_step(match.token, match.step, drift, decision.spend.by))
    return decision


def judged_spent(case: Case, match: Match) -> Decision:
    """A spent code: the first verdict again for the attempt that spent it, a replay for everybody else."""
    mode = match.credentials.mode
    if is_repeat(match, case.request):
        return Decision(_accept(case, match), without_spend=WithoutSpend.REPEAT, mode=mode)
    return replayed(case, match)


def replayed(case: Case, match: Match) -> Decision:
    """Refused because the code was used; tells how long until the next one.

    One that is long over is the old code of a client that kept it.
    """
    if not match.in_window:
        return Decision(Reject(Reason.OLD_CODE), mode=match.credentials.mode, trace=case.trace())
    wait_s, parameters = None, match.token.parameters
    if not isinstance(parameters, HotpParameters):
        wait_s = max(0, int((match.token.last_step + 1 - match.token.drift) * parameters.period_s - case.now) + 1)
    trace = replace(case.trace(), wait_s=wait_s)
    return Decision(Reject(Reason.CODE_REPLAYED), mode=match.credentials.mode, trace=trace)


def failed(case: Case, reason: Reason) -> Decision:
    """Refused, and counted where it happened; of a stranger also at the name and at the place."""
    account, lockout, now = case.account, case.policy.lockout, case.now
    tally = strangers = None
    by_unlock = case.is_delayed or case.is_shut_out
    if account.id is not None:
        guess = guess_fingerprint(case.request, account)
        tally = after_failure(account.tally, lockout, now, guess, by_unlock=by_unlock)
    if case.is_stranger and (account.id is not None or case.is_asked_elsewhere):
        size = lockout.strangers_per_user
        strangers = account.strangers.with_one_more(now, size, 2 * size if by_unlock else size)
    return Decision(
        Reject(reason),
        tally=tally,
        strangers=strangers,
        place_strangers=_place_strangers(case),
        trace=case.trace(),
    )


def failed_by_code(case: Case, diagnosis: Diagnosis) -> Decision:
    """Refused for want of a right code."""
    trace = replace(
        case.trace(), split=case.split_of_wrong_code(), offset=diagnosis.offset, period_s=diagnosis.period_s
    )
    return replace(failed(case, diagnosis.reason), trace=trace)


def refused(case: Case, reason: Reason, tally: Tally | None = None) -> Decision:
    """Refused without counting against the user.

    A stranger's counts at the place, where it depends on who the user is: else
    the bucket of the place would tell a name that exists from one that does not.
    """
    counted = _place_strangers(case) if reason in _TELLS_OF_THE_USER else None
    return Decision(Reject(reason), tally=tally, place_strangers=counted, trace=case.trace())


def asked_for_code(case: Case) -> Decision:
    """The password held; now the code."""
    renewed = None if case.checked is None else case.checked.renewed
    opening = _opening(case, password_held=True, mark=password_mark(case, renewed))
    return Decision(Challenge(Prompt.CODE, opening), mode=InputMode.CHALLENGE, renewed=renewed, trace=case.trace())


def asked_for_next_code(case: Case, diagnosis: Diagnosis, found: FoundCode) -> Decision:
    """The code is of another time: the one after it would show that the clock of the device is off.

    It counts like every wrong code.
    """
    opening = replace(_opening(case, password_held=True, mark=password_mark(case, None)), found=found)
    challenge = Challenge(Prompt.NEXT_CODE, opening, Reason.CLOCK_OFF)
    return replace(failed_by_code(case, diagnosis), verdict=challenge, mode=InputMode.CHALLENGE)


def asked_for_nothing_that_helps(case: Case, because: Reason) -> Challenge:
    """A prompt like every other, whose answer cannot let in."""
    return Challenge(Prompt.CODE, _opening(case, password_held=False, mark=verifier_mark(None)), because)


def asked_by_another_server(case: Case, further: FurtherQuestion, found: FoundCode | None) -> Decision:
    """Hand on what another server asks."""
    opening = _opening(case, password_held=False, mark=password_mark(case, None), relay=further.relay, found=found)
    return Decision(Challenge(Prompt.RELAYED, opening, text=further.prompt), trace=case.trace())


def password_mark(case: Case, renewed: Verifier | None) -> bytes:
    """What changes when the password of this user is another, or somebody else keeps it."""
    if case.is_kept_elsewhere:
        return verifier_mark(Verifier(case.keeper_rule.keeper.encode()))
    return verifier_mark(renewed or case.account.verifier)


def _opening(
    case: Case, *, password_held: bool, mark: bytes, relay: Relay | None = None, found: FoundCode | None = None
) -> Opening:
    expires = UnixSeconds(case.now + case.policy.challenge_lifetime_s)
    return Opening(expires, password_held, mark, relay, found)


def _spend_step(token: Token, step: TimeStep, drift: int, by: LastSpend, clock_off_s: float | None = None) -> SpendStep:
    mark = step_mark(token.seed, token.serial, step, drift)
    return SpendStep(token.id, step, drift, by, mark, clock_off_s)


def _accept(case: Case, match: Match) -> Accept:
    code = None if case.request.code_proof is None else Password(match.credentials.code.encode("ascii"))
    return Accept(case.account.groups, code)


def _place_strangers(case: Case) -> int | None:
    """The bucket that a stranger's failure goes into at its place, by its size."""
    if case.is_stranger and place_of(case.request.station):
        return case.policy.lockout.strangers_per_network
    return None


def _let_in(
    case: Case,
    accept: Accept,
    spend: Spend | None = None,
    without_spend: WithoutSpend | None = None,
    mode: InputMode | None = None,
    would_be: str | None = None,
) -> Decision:
    """Failures are forgotten, and a better verifier is kept."""
    trace = case.trace()
    if case.is_shadowed:
        trace = replace(trace, would_be=would_be or WOULD_BE_LET_IN)
    renewed = None if case.checked is None else case.checked.renewed
    return Decision(
        accept,
        spend,
        after_accept(case.account.tally),
        without_spend,
        mode=mode,
        renewed=renewed,
        trace=trace,
    )
