"""What is wrong with a wrong code: named for the administrator, never for who typed it.

None of it lets anybody in. Tokens and readings are all looked at.
"""

from dataclasses import dataclass, replace

from authn.account import Account, Token
from authn.client import InputMode
from authn.credentials import Credentials
from authn.instants import UnixSeconds
from authn.matching import is_readable, typed_codes
from authn.otp import HotpParameters, TimeStep, TotpParameters, match_step, steps_around
from authn.policy import Policy
from authn.request import AccessRequest
from authn.verdict import Reason

COMMON_PERIODS_S = (30, 60)


@dataclass(frozen=True, slots=True)
class FarCode:
    """An unspent code outside the window, but within reach."""

    token: Token
    step: TimeStep
    offset: int  # steps between the code and the present
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A reason, and by how much: `offset` in steps of `period_s` seconds.

    `credentials` are the field read so that it holds a code of this user, though
    none that is good now. `far` is the unspent code of another time that was typed,
    whatever the reason.
    """

    reason: Reason
    offset: int | None = None
    period_s: int | None = None
    credentials: Credentials | None = None
    far: FarCode | None = None


def diagnose(request: AccessRequest, account: Account, modes: tuple[InputMode, ...], policy: Policy) -> Diagnosis:
    """Why a field without a right code has none."""
    if not is_readable(request, account, modes):
        return Diagnosis(Reason.UNREADABLE_FIELD)
    if request.code_proof is not None:
        return Diagnosis(Reason.WRONG_CODE)
    found = Diagnosis(Reason.WRONG_CODE)
    for token, credentials in typed_codes(request, account, modes):
        if isinstance(token.parameters, TotpParameters):
            found = _of_other_period(token, token.parameters, credentials, request.received, policy) or found
    far = _find_far_code(request, account, modes, policy)
    if found.reason is Reason.WRONG_CODE and far is not None:
        found = Diagnosis(Reason.CLOCK_OFF, far.offset, far.token.parameters.period_s, far.credentials)
    return replace(found, far=far)


def _find_far_code(
    request: AccessRequest, account: Account, modes: tuple[InputMode, ...], policy: Policy
) -> FarCode | None:
    found = None
    for token, credentials in typed_codes(request, account, modes):
        if isinstance(token.parameters, HotpParameters):
            here = TimeStep(token.last_step + 1)
            steps = range(here, here + policy.reach + 1)
        else:
            here = token.parameters.step_at(request.received)
            steps = steps_around(here, policy.reach)
        step = match_step(token.seed, credentials.code, token.parameters, steps)
        if step is not None and step > token.last_step:
            found = FarCode(token, step, step - here, credentials)
    return found


def _of_other_period(
    token: Token, parameters: TotpParameters, credentials: Credentials, now: UnixSeconds, policy: Policy
) -> Diagnosis | None:
    """The code of an app that ignored the token's period: it knows 30 seconds only, or 60."""
    for period_s in COMMON_PERIODS_S:
        if period_s == parameters.period_s:
            continue
        other = TotpParameters(period_s, parameters.digits, parameters.algorithm)
        steps = steps_around(other.step_at(now), policy.window)
        if match_step(token.seed, credentials.code, other, steps) is not None:
            return Diagnosis(Reason.WRONG_PERIOD, None, period_s, credentials)
    return None
