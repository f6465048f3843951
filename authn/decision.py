"""What the login rules say: a verdict with the writes it needs, and what is worth telling of it."""

from dataclasses import dataclass
from enum import Enum

from authn.account import LastSpend, TokenId
from authn.client import InputMode
from authn.exemption import ExemptionId, ExemptionKind
from authn.first_factor import Finding
from authn.instants import UnixSeconds
from authn.lockout import Bucket, Tally
from authn.otp import TimeStep
from authn.secret import Verifier
from authn.verdict import Verdict


@dataclass(frozen=True, slots=True)
class SpendStep:
    """Take `step`, and every step before it, out of use; remember the clock's drift and whose attempt it was.

    `mark` seals step and drift to the token. `clock_off_s` is how far the device
    seems to be ahead of this server.
    """

    token_id: TokenId
    step: TimeStep
    drift: int
    by: LastSpend
    mark: bytes
    clock_off_s: float | None = None


@dataclass(frozen=True, slots=True)
class SpendRecoveryCode:
    """Take a recovery code out of use."""

    serial: str


@dataclass(frozen=True, slots=True)
class SpendExemption:
    """Count one login of an exemption."""

    exemption_id: ExemptionId
    kind: ExemptionKind
    at: UnixSeconds


Spend = SpendStep | SpendRecoveryCode | SpendExemption
"""What an Accept takes out of use, by a conditional write that has the last word."""


class WithoutSpend(Enum):
    """Why an Accept may leave without spending anything. There is no other reason."""

    REPEAT = "repeat"  # the attempt that spent the code asks again
    PASSWORD_ONLY = "password-only"
    SHADOW = "shadow"  # the client does not enforce codes yet
    UPSTREAM = "upstream"  # another server alone lets in who has no token here yet


@dataclass(frozen=True, slots=True)
class Answer:
    """Count one answer of a conversation, if it has had fewer than `limit`; close it for good if `closing`."""

    conversation_id: bytes
    limit: int
    closing: bool
    expires: UnixSeconds


@dataclass(frozen=True, slots=True)
class Trace:
    """How a login was judged, for who explains it. Nothing of it was typed but lengths."""

    rule: str = ""  # the rule of the policy that held
    keeper: str = ""  # the first factor that was asked
    finding: Finding | None = None
    split: tuple[int, int] | None = None  # octets read as password, and as code
    offset: int | None = None  # steps between the code and the present
    period_s: int | None = None  # of the token; with WRONG_PERIOD that of the app
    wait_s: int | None = None  # until the device shows its next code
    bucket: str | None = None  # whose bucket of strangers' failures is full: "user" or "network"
    would_be: str | None = None  # at a client in shadow mode: what enforcement would have come to
    alerts: bool = False


NO_TRACE = Trace()


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and the writes it needs. What is None stays as it is.

    `mode` is how the field was read, where that is known. `place_strangers` is
    the size of the bucket that one more failure goes into at the place of the
    request; others of the batch may share it, so the store counts. `renewed`
    takes the place of the verifier that the password was checked against.
    """

    verdict: Verdict
    spend: Spend | None = None
    tally: Tally | None = None
    without_spend: WithoutSpend | None = None
    answer: Answer | None = None
    mode: InputMode | None = None
    strangers: Bucket | None = None
    place_strangers: int | None = None
    renewed: Verifier | None = None
    trace: Trace = NO_TRACE
