"""The login decision: one function, pure, the only place that says yes.

Rules, in the order they speak:

1. A field the door could not read is refused.
2. An unknown name, a disabled user, a delayed tally and a user without a token
   are refused; their codes are looked at all the same, for the time it takes.
3. The code is looked at before the password, so a wrong code costs no password
   check. A spent code is refused as replayed, and so are the digits of the last
   spent step where a later step happens to show them again (once in a million).
   Only the very attempt that spent it, asked again by a NAS that lost its reply,
   gets its verdict once more.
4. The password is checked once, against the verifier on record at the moment of
   judging. A wrong one is refused and does not spend the code.
5. Where the client asks for the code at a prompt, a right password is answered
   with a challenge, and its answer is judged as the code.
6. Only then is the login accepted, and the step spent with it.

A wrong code, a wrong password and an unreadable field count as failures. A
replayed code does not: it is no guess, and a NAS that repeats itself must not
delay its user.
"""

import hmac
from dataclasses import replace

from authn.account import Account, LastSpend
from authn.challenge import Conversation, Opening, verifier_mark
from authn.client import InputMode
from authn.decision import Answer, AskFirstFactor, CheckedPassword, Decision, Finding, Spend, WithoutSpend
from authn.instants import UnixSeconds
from authn.lockout import NO_FAILURES, after_failure
from authn.matching import Match, find_code, fingerprint, is_readable, is_repeat, learned_drift
from authn.policy import Policy
from authn.request import AccessRequest
from authn.secret import Password
from authn.verdict import Accept, Challenge, Inability, Prompt, Reason, Reject, Unavailable


def decide(
    request: AccessRequest, account: Account, checked: CheckedPassword | None, policy: Policy
) -> Decision | AskFirstFactor:
    """Judge one login. `checked` is None until a first factor has been asked.

    Time is `request.received`: a code that was good when it arrived stays good
    while its password is being checked. Never raises for what a user or peer sent.
    """
    modes = request.client.rules.modes_at(request.received)
    match = find_code(request, account, modes, policy)
    if request.unusable is not None:
        return Decision(Reject(request.unusable))
    if request.conversation is not None and InputMode.CHALLENGE in modes:
        return _decide_answer(request.conversation, match, request, account, policy)
    decided = _decide_first(match, request, account, checked, modes, policy)
    if request.client.rules.uniform_challenge and isinstance(decided, Decision):
        return _uniform(decided, request, policy)
    return decided


def _decide_first(
    match: Match | None,
    request: AccessRequest,
    account: Account,
    checked: CheckedPassword | None,
    modes: tuple[InputMode, ...],
    policy: Policy,
) -> Decision | AskFirstFactor:
    """Judge a login that answers no challenge."""
    refusal = _standing_refusal(request, account, needs_token=InputMode.PASSWORD_ONLY not in modes)
    if refusal is not None:
        return Decision(Reject(refusal))
    if match is not None:
        if not match.is_fresh:
            return _decide_spent(match, request, account)
        if match.credentials.mode is InputMode.CODE_ONLY:
            return _accepted(match, request, account, policy)
        return _decide_by_password(match.credentials.password, match, request, account, checked, policy)
    if (InputMode.CHALLENGE in modes or InputMode.PASSWORD_ONLY in modes) and len(request.password):
        return _decide_by_password(request.password, None, request, account, checked, policy)
    reason = Reason.WRONG_CODE if is_readable(request, account, modes) else Reason.UNREADABLE_FIELD
    return _failed(reason, request, account, policy)


def _decide_by_password(
    password: Password | None,
    match: Match | None,
    request: AccessRequest,
    account: Account,
    checked: CheckedPassword | None,
    policy: Policy,
) -> Decision | AskFirstFactor:
    """Judge by the password; the code was right, or `match` is None and it is not in the field."""
    user_id, verifier = account.id, account.verifier
    if user_id is None or password is None or verifier is None:
        return Decision(Reject(Reason.NO_PASSWORD))
    if checked is None or checked.verifier != verifier:
        return AskFirstFactor(user_id, password, verifier, request.client.id)
    match checked.finding:
        case Finding.PASSED:
            if match is not None:
                return _accepted(match, request, account, policy)
            return _password_held(request, account, policy)
        case Finding.FAILED:
            return _failed(Reason.WRONG_PASSWORD, request, account, policy)
        case Finding.SEAL_BROKEN:
            return Decision(Reject(Reason.SEAL_BROKEN))
        case Finding.CANNOT_TELL:
            return Decision(Unavailable(Inability.FIRST_FACTOR_UNAVAILABLE))
        case Finding.OVERLOADED:
            return Decision(Unavailable(Inability.OVERLOADED))


def _password_held(request: AccessRequest, account: Account, policy: Policy) -> Decision:
    """A right password without a code: the prompt follows, or nothing more is asked at this client."""
    if InputMode.PASSWORD_ONLY in request.client.rules.modes_at(request.received):
        tally = NO_FAILURES if account.tally.failures else None
        return Decision(
            Accept(account.groups),
            tally=tally,
            without_spend=WithoutSpend.PASSWORD_ONLY,
            mode=InputMode.PASSWORD_ONLY,
        )
    opening = _opening(request, policy, password_held=True, mark=verifier_mark(account.verifier))
    return Decision(Challenge(Prompt.CODE, opening), mode=InputMode.CHALLENGE)


def _decide_answer(
    conversation: Conversation, match: Match | None, request: AccessRequest, account: Account, policy: Policy
) -> Decision:
    """Judge the answer to a challenge: its field holds the code and nothing else."""
    opening = conversation.opening
    if match is not None and not match.is_fresh and is_repeat(match, request):
        refusal = _standing_refusal(request, account, needs_token=True)
        return Decision(Reject(refusal)) if refusal else _decide_spent(match, request, account)
    if opening.expires <= request.received:
        return Decision(Reject(Reason.CHALLENGE_EXPIRED))
    decided = _judge_answer(match, opening, request, account, policy)
    is_accept = isinstance(decided.verdict, Accept)
    counted = Answer(conversation.id, policy.max_answers, is_accept, opening.expires)
    decided = replace(decided, answer=counted, mode=InputMode.CHALLENGE)
    if isinstance(decided.verdict, Reject) and account.answers + 1 < policy.max_answers:
        reason = decided.verdict.reason
        if request.client.rules.uniform_challenge or reason in _ASK_AGAIN:
            return replace(decided, verdict=Challenge(Prompt.CODE_AGAIN, None, reason))
    return decided


_ASK_AGAIN = (Reason.WRONG_CODE, Reason.CODE_REPLAYED)
"""What a user who knows the password may correct at the prompt."""


def _judge_answer(
    match: Match | None, opening: Opening, request: AccessRequest, account: Account, policy: Policy
) -> Decision:
    refusal = _standing_refusal(request, account, needs_token=True)
    if refusal is not None:
        return Decision(Reject(refusal))
    if match is None:
        return _failed(Reason.WRONG_CODE, request, account, policy)
    if not match.is_fresh:
        return Decision(Reject(Reason.CODE_REPLAYED))
    if not opening.password_held:
        return Decision(Reject(Reason.WRONG_PASSWORD))  # counted when it was typed
    if not hmac.compare_digest(opening.verifier_mark, verifier_mark(account.verifier)):
        return Decision(Reject(Reason.PASSWORD_CHANGED))
    return _accepted(match, request, account, policy)


def _uniform(decided: Decision, request: AccessRequest, policy: Policy) -> Decision:
    """Ask for a code whatever the password was: every refusal becomes a challenge that cannot be passed."""
    if not isinstance(decided.verdict, Reject):
        return decided
    opening = _opening(request, policy, password_held=False, mark=verifier_mark(None))
    return replace(decided, verdict=Challenge(Prompt.CODE, opening, decided.verdict.reason))


def _opening(request: AccessRequest, policy: Policy, *, password_held: bool, mark: bytes) -> Opening:
    return Opening(UnixSeconds(request.received + policy.challenge_lifetime_s), password_held, mark)


def _standing_refusal(request: AccessRequest, account: Account, *, needs_token: bool) -> Reason | None:
    """Why this user is refused whatever was typed, or None."""
    if account.id is None:
        return Reason.UNKNOWN_USER
    if not account.enabled:
        return Reason.USER_DISABLED
    if account.tally.is_delayed(request.received):
        return Reason.LOCKED
    if not account.tokens and needs_token:
        return Reason.SEAL_BROKEN if account.broken_seals else Reason.NO_TOKEN
    return None


def _accepted(match: Match, request: AccessRequest, account: Account, policy: Policy) -> Decision:
    token = match.token
    by = LastSpend(fingerprint(match, request), request.received)
    spend = Spend(token.id, match.step, learned_drift(match, policy), by)
    tally = NO_FAILURES if account.tally.failures else None
    return Decision(_accept(match, request, account), spend, tally, mode=match.credentials.mode)


def _accept(match: Match, request: AccessRequest, account: Account) -> Accept:
    code = None if request.code_proof is None else Password(match.credentials.code.encode("ascii"))
    return Accept(account.groups, code)


def _decide_spent(match: Match, request: AccessRequest, account: Account) -> Decision:
    """A spent code: the first verdict again for the attempt that spent it, a replay for everybody else."""
    if is_repeat(match, request):
        accept = _accept(match, request, account)
        return Decision(accept, without_spend=WithoutSpend.REPEAT, mode=match.credentials.mode)
    return Decision(Reject(Reason.CODE_REPLAYED), mode=match.credentials.mode)


def _failed(reason: Reason, request: AccessRequest, account: Account, policy: Policy) -> Decision:
    return Decision(Reject(reason), tally=after_failure(account.tally, policy.lockout, request.received))
