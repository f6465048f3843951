"""What a login comes to.

Three types that do not mix: refused (`Reject`), let in (`Accept`), and not
able to say (`Unavailable`). None has a truth value, so no `if verdict:` can
let somebody in by accident; callers match on the type.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn


class Reason(StrEnum):
    """Why a login was refused. For audit and metrics; the peer gets one general text."""

    UNKNOWN_USER = "unknown_user"
    USER_DISABLED = "user_disabled"
    LOCKED = "locked"
    NO_TOKEN = "no_token"  # the user has no active token
    NO_PASSWORD = "no_password"  # the user has no password to check
    UNREADABLE_FIELD = "unreadable_field"  # shorter than a code, or no digits where the code should be
    WRONG_CODE = "wrong_code"
    CODE_REPLAYED = "code_replayed"
    WRONG_PASSWORD = "wrong_password"
    SEAL_BROKEN = "seal_broken"  # a row was altered in the database
    NO_CREDENTIALS = "no_credentials"  # neither password nor anything else to judge
    UNSUPPORTED_METHOD = "unsupported_method"  # CHAP, EAP, …: not offered to this client


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
class Accept(_Verdict):
    """Both factors held, and the code is spent on stable storage."""


@dataclass(frozen=True, slots=True)
class Reject(_Verdict):
    """The login is refused."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Unavailable(_Verdict):
    """No verdict could be reached: the door stays silent and the NAS asks elsewhere."""

    inability: Inability


Verdict = Accept | Reject | Unavailable
