"""The login decision: one function, pure, the only place that says yes.

Rules, in the order they speak:

1. A field the door could not read is refused.
2. An unknown name, a disabled user, a delayed tally and a user without a token
   are refused; their codes are looked at all the same, for the time it takes.
3. The code is looked at before the password, so a wrong code costs no password
   check. A spent code is refused as replayed, and so are the digits of the last
   spent step where a later step happens to show them again (once in a million).
4. The password is checked once, against the verifier on record at the moment of
   judging. A wrong one is refused and does not spend the code.
5. Only then is the login accepted, and the step spent with it.

A wrong code, a wrong password and an unreadable field count as failures. A
replayed code does not: it is no guess, and a NAS that repeats itself must not
delay its user.
"""

from dataclasses import dataclass
from enum import Enum

from authn.account import Account, Token, TokenId, UserId
from authn.client import InputMode
from authn.credentials import Credentials, split
from authn.lockout import NO_FAILURES, Tally, after_failure
from authn.policy import Policy
from authn.request import AccessRequest
from authn.secret import Password, Verifier
from authn.totp import TimeStep, match_step
from authn.verdict import Accept, Inability, Reason, Reject, Unavailable, Verdict


class Finding(Enum):
    """What a first factor said of a password."""

    PASSED = "passed"
    FAILED = "failed"
    CANNOT_TELL = "cannot tell"
    SEAL_BROKEN = "seal broken"  # the verifier was altered in the database
    OVERLOADED = "overloaded"


@dataclass(frozen=True, slots=True)
class CheckedPassword:
    """A finding, and the verifier it was made against: a password changed meanwhile is checked anew."""

    finding: Finding
    verifier: Verifier


@dataclass(frozen=True, slots=True)
class AskFirstFactor:
    """No decision yet: the code is right, now the password must be checked."""

    user_id: UserId
    password: Password
    verifier: Verifier


@dataclass(frozen=True, slots=True)
class Spend:
    """Take `step`, and every step before it, out of use; remember the clock's drift."""

    token_id: TokenId
    step: TimeStep
    drift: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and the writes it needs. `tally` is None when the tally stays as it is."""

    verdict: Verdict
    spend: Spend | None = None
    tally: Tally | None = None


@dataclass(frozen=True, slots=True)
class _Match:
    """A code that belongs to a token, spent or not."""

    token: Token
    credentials: Credentials
    step: TimeStep
    expected: TimeStep  # the step the token was expected to show

    @property
    def is_fresh(self) -> bool:
        """Whether the code was not used before, neither its step nor, by chance, its digits just now."""
        token = self.token
        if self.step <= token.last_step:
            return False
        code, parameters = self.credentials.code, token.parameters
        return match_step(token.seed, code, parameters, around=token.last_step, window=0) is None


def decide(
    request: AccessRequest, account: Account, checked: CheckedPassword | None, policy: Policy
) -> Decision | AskFirstFactor:
    """Judge one login. `checked` is None until a first factor has been asked.

    Time is `request.received`: a code that was good when it arrived stays good
    while its password is being checked. Never raises for what a user or peer sent.
    """
    match = _find_code(request, account, policy)
    if request.unusable is not None:
        return Decision(Reject(request.unusable))
    refusal = _standing_refusal(request, account)
    if refusal is not None:
        return Decision(Reject(refusal))
    if match is None:
        reason = Reason.WRONG_CODE if _is_readable(request, account) else Reason.UNREADABLE_FIELD
        return _failed(reason, request, account, policy)
    if not match.is_fresh:
        return Decision(Reject(Reason.CODE_REPLAYED))
    if request.client.input_mode is not InputMode.CODE_ONLY:
        return _decide_by_password(match, request, account, checked, policy)
    return _accepted(match, account, policy)


def _decide_by_password(
    match: _Match, request: AccessRequest, account: Account, checked: CheckedPassword | None, policy: Policy
) -> Decision | AskFirstFactor:
    user_id, password, verifier = account.id, match.credentials.password, account.verifier
    if user_id is None or password is None or verifier is None:
        return Decision(Reject(Reason.NO_PASSWORD))
    if checked is None or checked.verifier != verifier:
        return AskFirstFactor(user_id, password, verifier)
    match checked.finding:
        case Finding.PASSED:
            return _accepted(match, account, policy)
        case Finding.FAILED:
            return _failed(Reason.WRONG_PASSWORD, request, account, policy)
        case Finding.SEAL_BROKEN:
            return Decision(Reject(Reason.SEAL_BROKEN))
        case Finding.CANNOT_TELL:
            return Decision(Unavailable(Inability.FIRST_FACTOR_UNAVAILABLE))
        case Finding.OVERLOADED:
            return Decision(Unavailable(Inability.OVERLOADED))


def _standing_refusal(request: AccessRequest, account: Account) -> Reason | None:
    """Why this user is refused whatever was typed, or None."""
    if account.id is None:
        return Reason.UNKNOWN_USER
    if not account.enabled:
        return Reason.USER_DISABLED
    if account.tally.is_delayed(request.received):
        return Reason.LOCKED
    if not account.tokens:
        return Reason.SEAL_BROKEN if account.broken_seals else Reason.NO_TOKEN
    return None


def _find_code(request: AccessRequest, account: Account, policy: Policy) -> _Match | None:
    """The token and step the typed code belongs to; a fresh one before a spent one.

    All tokens are looked at, so the time taken does not tell which one matched.
    """
    found: _Match | None = None
    for token in account.tokens:
        credentials = split(request.password, request.client.input_mode, token.parameters.digits)
        if credentials is None:
            continue
        expected = TimeStep(token.parameters.step_at(request.received) + token.drift)
        step = match_step(token.seed, credentials.code, token.parameters, around=expected, window=policy.window)
        if step is None:
            continue
        match = _Match(token, credentials, step, expected)
        if found is None or (not found.is_fresh and match.is_fresh):
            found = match
    return found


def _is_readable(request: AccessRequest, account: Account) -> bool:
    mode = request.client.input_mode
    return any(split(request.password, mode, token.parameters.digits) for token in account.tokens)


def _accepted(match: _Match, account: Account, policy: Policy) -> Decision:
    token = match.token
    spend = Spend(token.id, match.step, _learned_drift(token, match, policy))
    return Decision(Accept(), spend, NO_FAILURES if account.tally.failures else None)


def _failed(reason: Reason, request: AccessRequest, account: Account, policy: Policy) -> Decision:
    return Decision(Reject(reason), tally=after_failure(account.tally, policy.lockout, request.received))


def _learned_drift(token: Token, match: _Match, policy: Policy) -> int:
    """The drift moves one step at most per login, only when the code lay at the window's edge."""
    offset = match.step - match.expected
    if policy.window == 0 or abs(offset) < policy.window:
        return token.drift
    drift = token.drift + (1 if offset > 0 else -1)
    return max(-policy.max_drift, min(policy.max_drift, drift))
