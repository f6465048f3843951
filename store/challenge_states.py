"""The State of an Access-Challenge: sealed, so that it can travel through the NAS and come back to any node.

    State  = base 64 (URL alphabet) of a sealed value, see `keyring.py`
    inside = version (1 octet) | expires, Unix seconds (8) | password held (1) | verifier mark (8)

The random nonce of the sealing is the conversation's id. A State holds no NUL
and no octet that a NAS might change, and has about 60 octets of the 253.
"""

import base64
import binascii
import struct

from authn.challenge import Conversation, Opening
from authn.client import NasClient
from authn.errors import KeyRingError
from authn.instants import UnixSeconds
from authn.ports import StateSeal
from authn.request import Username
from authn.secret import Secret
from store.contexts import state_context
from store.keyring import KeyRing, nonce_of

_INSIDE = struct.Struct("!BQ?8s")
_VERSION = 1
MAX_STATE_OCTETS = 253


class _StateContent(Secret):
    __slots__ = ()


class ChallengeStates(StateSeal):
    """The `authn.ports.StateSeal` under the installation's data keys."""

    def __init__(self, keyring: KeyRing) -> None:
        self.keyring = keyring  # replaced whole when keys are rotated

    def seal(self, opening: Opening, username: Username, client: NasClient) -> bytes:
        """A new State. Expiry is kept in whole seconds."""
        inside = _INSIDE.pack(_VERSION, int(opening.expires), opening.password_held, opening.verifier_mark)
        sealed = self.keyring.seal(_StateContent(inside), state_context(username, client.id))
        return base64.urlsafe_b64encode(sealed).rstrip(b"=")

    def open(self, state: bytes, username: Username, client: NasClient) -> Conversation | None:
        """What a State holds, or None for octets that are no State of this user at this client."""
        if len(state) > MAX_STATE_OCTETS:
            return None
        try:
            sealed = base64.b64decode(state + b"=" * (-len(state) % 4), altchars=b"-_", validate=True)
            inside = self.keyring.open(sealed, state_context(username, client.id))
            version, expires, password_held, mark = _INSIDE.unpack(inside)
        except (binascii.Error, KeyRingError, struct.error):
            return None
        if version != _VERSION:
            return None
        return Conversation(nonce_of(sealed), Opening(UnixSeconds(expires), password_held, mark))
