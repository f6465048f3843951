"""What a login comes to.

Four types that do not mix: refused (`Reject`), let in (`Accept`), asked for more
(`Challenge`), and not able to say (`Unavailable`). None has a truth value, so no `if verdict:` can
let somebody in by accident; callers match on the type.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn

from authn.challenge import Opening
from authn.exemption import ExemptionKind
from authn.instants import UnixSeconds
from authn.secret import Password


class Reason(StrEnum):
    """Why a login was refused. For audit and metrics; the peer gets one general text."""

    UNKNOWN_USER = "unknown_user"
    USER_DISABLED = "user_disabled"
    LOCKED = "locked"
    STRANGERS = "strangers"  # too many failures from networks that this user has never come from
    POLICY = "policy"  # a rule of the configuration refuses it
    NO_TOKEN = "no_token"  # the user has no active token
    NO_PASSWORD = "no_password"  # the user has no password to check
    UNREADABLE_FIELD = "unreadable_field"  # shorter than a code, or no digits where the code should be
    WRONG_CODE = "wrong_code"
    CLOCK_OFF = "clock_off"  # the code of another time
    WRONG_PERIOD = "wrong_period"  # the code of an app that did not heed the token's period
    OLD_CODE = "old_code"  # the code of the last login, long over: a client that kept it sends it again
    CODE_REPLAYED = "code_replayed"
    WRONG_PASSWORD = "wrong_password"
    SEAL_BROKEN = "seal_broken"  # a row was altered in the database
    NO_CREDENTIALS = "no_credentials"  # neither password nor anything else to judge
    UNSUPPORTED_METHOD = "unsupported_method"  # CHAP, EAP, …: not offered to this client
    CHALLENGE_EXPIRED = "challenge_expired"  # the answer to a prompt came too late
    CHALLENGE_USED = "challenge_used"  # the State of a prompt was used up
    PASSWORD_CHANGED = "password_changed"  # between the prompt and its answer
    SAME_GUESS = "same_guess"  # the wrong guess of just now, sent again
    DUMMY_PASSWORD = "dummy_password"  # what sshd sends for a user that its host does not know


class Inability(StrEnum):
    """Why no verdict could be reached. Never counts against the user."""

    STORE_UNAVAILABLE = "store_unavailable"
    KEYS_UNAVAILABLE = "keys_unavailable"
    FIRST_FACTOR_UNAVAILABLE = "first_factor_unavailable"
    OVERLOADED = "overloaded"
    BUG = "bug"


class _Verdict:
    __slots__ = ()

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict has no truth value; match on it")


@dataclass(frozen=True, slots=True)
class RecoveryCodeUsed:
    """Tell the user how many recovery codes are left."""

    left: int


@dataclass(frozen=True, slots=True)
class Exempted:
    """Tell the user that this went without a code, until when it does, and for how many more logins."""

    kind: ExemptionKind
    until: UnixSeconds
    logins_left: int | None


Notice = RecoveryCodeUsed | Exempted


@dataclass(frozen=True, slots=True)
class Accept(_Verdict):
    """What the client asks for held, and the code is spent on stable storage.

    `groups` are the user's, for what the reply tells the NAS. `code` is the code
    that a CHAP or MS-CHAPv2 response proved, as keys are derived from it. The
    `notice` is for the user.
    """

    groups: tuple[str, ...] = ()
    code: Password | None = field(default=None, repr=False)
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Reject(_Verdict):
    """The login is refused."""

    reason: Reason


class Prompt(StrEnum):
    """What a challenge asks for. The client's rules hold the words."""

    CODE = "code"
    CODE_AGAIN = "code_again"  # the one just given did not do
    NEXT_CODE = "next_code"  # the one just given is of another time; two in a row set the clock right
    RELAYED = "relayed"  # what another server asks, in its words


@dataclass(frozen=True, slots=True)
class Challenge(_Verdict):
    """The user is asked for more.

    `opening` is None when the conversation goes on under the State that was
    answered. `because` tells the audit trail what a refusal would have been for.
    `text` is the question of another server.
    """

    prompt: Prompt
    opening: Opening | None = None
    because: Reason | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Unavailable(_Verdict):
    """No verdict could be reached: the door stays silent and the NAS asks elsewhere."""

    inability: Inability


Verdict = Accept | Reject | Challenge | Unavailable
