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

from authn.instants import UnixSeconds
from authn.secret import Verifier

_MARK_OCTETS = 8


@dataclass(frozen=True, slots=True)
class Opening:
    """What the first round found.

    `password_held` is False only where everybody gets a challenge, whatever the
    password. `verifier_mark` tells whether the password was changed since.
    """

    expires: UnixSeconds
    password_held: bool
    verifier_mark: bytes


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
