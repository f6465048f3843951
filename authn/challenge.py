"""What an Access-Challenge remembers between its rounds.

    password right --> OPENED --wrong code, answers left--> OPENED (asked again, with the same State)
                       OPENED --right code--> CLOSED (accepted)
                       OPENED --answers used up, expired, password changed--> CLOSED (refused)

Nothing is stored for a prompt that nobody answers: the opening travels in the
State attribute, sealed, and bound to user and client, so any node can go on
with it. The store counts the answers under the conversation's id; that count is
what makes a State work once.
"""

import hashlib
from dataclasses import dataclass

from authn.account import TokenId
from authn.instants import UnixSeconds
from authn.otp import TimeStep
from authn.secret import Verifier

_MARK_OCTETS = 8
MAX_RELAYED_STATE_OCTETS = 120
"""What another server's State may have, so that it fits into ours (RFC 2865 §5.24: 253 octets at most)."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Where a conversation with another RADIUS server stands: which of its servers asked, and its State."""

    server: int
    state: bytes


@dataclass(frozen=True, slots=True)
class FoundCode:
    """A code that was right in an earlier round. It is spent when the login is accepted."""

    token_id: TokenId
    step: TimeStep


@dataclass(frozen=True, slots=True)
class Opening:
    """What the rounds so far have found.

    `password_held` is False where everybody gets a challenge, whatever the
    password, and while another server asks on (`relay`). `verifier_mark` tells
    whether the password was changed since.
    """

    expires: UnixSeconds
    password_held: bool
    verifier_mark: bytes
    relay: Relay | None = None
    found: FoundCode | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """An opening that came back in an answer. `id` tells it from all others."""

    id: bytes
    opening: Opening


def verifier_mark(verifier: Verifier | None) -> bytes:
    """Eight octets that change when a user's password is set anew."""
    if verifier is None:
        return bytes(_MARK_OCTETS)
    return hashlib.sha256(b"twinward verifier mark" + verifier.reveal()).digest()[:_MARK_OCTETS]
