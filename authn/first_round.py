"""A login that answers no prompt: the code, then the password, and what they come to together."""

from authn.case import Alone, Case, RecoveryMatch
from authn.challenge import FoundCode, Relay
from authn.client import InputMode
from authn.decision import Decision, WithoutSpend
from authn.diagnosis import diagnose
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding
from authn.matching import Match
from authn.outcomes import (
    WOULD_BE_ASKED,
    accepted,
    accepted_alone,
    accepted_by_found_code,
    accepted_by_recovery_code,
    asked_by_another_server,
    asked_for_code,
    failed,
    failed_by_code,
    judged_spent,
    refused,
)
from authn.secret import Password
from authn.standing import standing_refusal
from authn.verdict import Inability, Reason, Unavailable

Proof = Match | RecoveryMatch | FoundCode | None
"""The second factor as far as it was given: with the password, in an earlier round, or not yet."""

_SSHD_DUMMY = b"\b\n\r\x7fINCORRECT"
"""What sshd hands on, as long as what was typed and so begun anew or cut, for a user that its host will not have."""
_SSHD_DUMMY_LEAST = 4


def decide_first(case: Case) -> Decision | AskFirstFactor:
    """Judge a login that answers no prompt."""
    if _is_sshd_dummy(case.request.password):
        return refused(case, Reason.DUMMY_PASSWORD)  # no guess: nobody typed it
    alone = case.alone()
    refusal = standing_refusal(case, alone)
    if refusal is not None:
        return refusal
    match, recovery = case.match, case.recovery
    if match is not None and not match.is_fresh:
        return judged_spent(case, match)
    if case.is_same_guess:
        return refused(case, Reason.SAME_GUESS)
    if match is not None:
        if match.credentials.mode is InputMode.CODE_ONLY:
            return accepted(case, match)
        return judge_password(case, match.credentials.password, match)
    if recovery is not None:
        if recovery.typed.mode is InputMode.CODE_ONLY:
            return accepted_by_recovery_code(case, recovery)
        return judge_password(case, recovery.typed.password, recovery)
    if (alone is not None or InputMode.CHALLENGE in case.modes) and len(case.request.password):
        return _decide_by_password(case, alone)
    return failed_by_code(case, diagnose(case.request, case.account, case.modes, case.policy))


def _decide_by_password(case: Case, alone: Alone | None) -> Decision | AskFirstFactor:
    """Judge a field that may be the password alone.

    Unless it holds a code of another time or period, for then it is plain where
    the password ends: a password that happens to end so is one in ten thousand.
    Such a code is wrong, and costs no check but in shadow mode.
    """
    whole, in_shadow = case.request.password, alone is not None and alone.because is WithoutSpend.SHADOW
    if not case.has_token or not (alone is None or in_shadow):
        return judge_password(case, whole, None)
    diagnosis = diagnose(case.request, case.account, case.modes, case.policy)
    if diagnosis.credentials is None:
        return judge_password(case, whole, None)
    if in_shadow:
        return judge_password(case, diagnosis.credentials.password, None)
    return failed_by_code(case, diagnosis)


def _is_sshd_dummy(field: Password) -> bool:
    octets = field.reveal()
    repeated = _SSHD_DUMMY * (len(octets) // len(_SSHD_DUMMY) + 1)
    return len(octets) >= _SSHD_DUMMY_LEAST and repeated.startswith(octets)


def judge_password(
    case: Case, password: Password | None, proof: Proof, relay: Relay | None = None
) -> Decision | AskFirstFactor:
    """Ask who keeps the password, or judge by what was said. With a `relay` it is an answer to another server."""
    keeper, checked = case.keeper, case.checked
    if password is None or keeper is None:
        return refused(case, Reason.NO_PASSWORD)
    if checked is None or checked.keeper != keeper:
        request = case.request
        at_once = case.failures_left
        return AskFirstFactor(request.username, password, keeper, request.client.id, case.account.id, relay, at_once)
    match checked.finding:
        case Finding.PASSED:
            return _password_held(case, proof)
        case Finding.FAILED:
            return failed(case, Reason.WRONG_PASSWORD)
        case Finding.ASKS_MORE:
            return _relayed(case, checked, proof)
        case Finding.SEAL_BROKEN:
            return refused(case, Reason.SEAL_BROKEN)
        case Finding.CANNOT_TELL:
            return Decision(Unavailable(Inability.FIRST_FACTOR_UNAVAILABLE), trace=case.trace())
        case Finding.OVERLOADED:
            return Decision(Unavailable(Inability.OVERLOADED), trace=case.trace())


def _password_held(case: Case, proof: Proof) -> Decision:
    """A right password: with a code it lets in, alone where no code is needed; else the prompt follows."""
    match proof:
        case Match():
            return accepted(case, proof)
        case RecoveryMatch():
            return accepted_by_recovery_code(case, proof)
        case FoundCode():
            return accepted_by_found_code(case, proof) or refused(case, Reason.CODE_REPLAYED)
        case None:
            alone = case.alone()
            if alone is not None:
                return accepted_alone(case, alone, _would_be(case, alone))
            return asked_for_code(case)


def _relayed(case: Case, checked: CheckedPassword, proof: Proof) -> Decision:
    if checked.further is None or case.request.client.rules.uniform_challenge:  # whose prompts must not differ
        return Decision(Unavailable(Inability.FIRST_FACTOR_UNAVAILABLE), trace=case.trace())
    found = FoundCode(proof.token.id, proof.step) if isinstance(proof, Match) else None
    return asked_by_another_server(case, checked.further, proof if isinstance(proof, FoundCode) else found)


def _would_be(case: Case, alone: Alone) -> str | None:
    """At a client in shadow mode: what enforcement would have come to."""
    if alone.because is not WithoutSpend.SHADOW:
        return None
    account = case.account
    if account.id is None:
        return Reason.UNKNOWN_USER
    if not case.has_token:
        return Reason.NO_TOKEN
    if InputMode.CHALLENGE in case.modes:
        return WOULD_BE_ASKED
    return diagnose(case.request, account, case.modes, case.policy).reason
