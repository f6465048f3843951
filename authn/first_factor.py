"""The first factor: who checks a password, what is asked, and what is said.

A user's password is kept by our own store or by somebody else: a directory, the
host, another RADIUS server. Whoever it is gets one question per login, and only
for a code that is right or comes later.
"""

from dataclasses import dataclass
from enum import Enum

from authn.account import UserId
from authn.challenge import Relay
from authn.client import ClientId
from authn.request import Username
from authn.secret import Password, Verifier

OWN_STORE = "store"


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who keeps a user's password: a first factor by its name, and for our own store the verifier on record."""

    name: str = OWN_STORE
    verifier: Verifier | None = None


class Finding(Enum):
    """What a first factor said of a password."""

    PASSED = "passed"
    FAILED = "failed"
    ASKS_MORE = "asks more"  # another server answered with a challenge of its own
    CANNOT_TELL = "cannot tell"
    SEAL_BROKEN = "seal broken"  # the verifier was altered in the database
    OVERLOADED = "overloaded"


@dataclass(frozen=True, slots=True)
class AskFirstFactor:
    """No decision yet: the code is right or comes later, now the password must be checked.

    `user_id` is None for a name that only the keeper knows. With a `relay` the
    password is an answer to what another server has asked.
    """

    username: Username
    password: Password
    keeper: Keeper
    client_id: ClientId  # whose turn it takes: clients are served in turn
    user_id: UserId | None = None
    relay: Relay | None = None
    at_once: int = 1  # how many passwords of this user may be checked at a time


@dataclass(frozen=True, slots=True)
class FurtherQuestion:
    """What another server asks next, and where its conversation stands."""

    prompt: str
    relay: Relay


@dataclass(frozen=True, slots=True)
class CheckedPassword:
    """A finding, and the keeper it is of: a password changed meanwhile is checked anew.

    `renewed` is a better verifier of the same password, to be kept in the place
    of the old one. `further` stands beside ASKS_MORE.
    """

    finding: Finding
    keeper: Keeper
    renewed: Verifier | None = None
    further: FurtherQuestion | None = None
