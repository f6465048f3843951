"""What the login rules say: a verdict with the writes it needs, or a question to a first factor."""

from dataclasses import dataclass
from enum import Enum

from authn.account import LastSpend, TokenId, UserId
from authn.client import ClientId, InputMode
from authn.instants import UnixSeconds
from authn.lockout import Tally
from authn.secret import Password, Verifier
from authn.totp import TimeStep
from authn.verdict import Verdict


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
    """No decision yet: the code is right or comes later, now the password must be checked."""

    user_id: UserId
    password: Password
    verifier: Verifier
    client_id: ClientId  # whose turn it takes: clients are served in turn


@dataclass(frozen=True, slots=True)
class Spend:
    """Take `step`, and every step before it, out of use; remember the clock's drift and whose attempt it was."""

    token_id: TokenId
    step: TimeStep
    drift: int
    by: LastSpend


class WithoutSpend(Enum):
    """Why an Accept may leave without spending a code. There is no other reason."""

    REPEAT = "repeat"  # the attempt that spent the code asks again
    PASSWORD_ONLY = "password-only"


@dataclass(frozen=True, slots=True)
class Answer:
    """Count one answer of a conversation, if it has had fewer than `limit`; close it for good if `closing`."""

    conversation_id: bytes
    limit: int
    closing: bool
    expires: UnixSeconds


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and the writes it needs. `tally` is None when the tally stays as it is.

    `mode` is how the field was read, where that is known.
    """

    verdict: Verdict
    spend: Spend | None = None
    tally: Tally | None = None
    without_spend: WithoutSpend | None = None
    answer: Answer | None = None
    mode: InputMode | None = None
