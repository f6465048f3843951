"""The State of an Access-Challenge: sealed, so that it can travel through the NAS and come back to any node.

    State  = base 64 (URL alphabet) of a sealed value, see `keyring.py`
    inside = version (1 octet) | expires, Unix seconds (8) | what follows and holds (1) | verifier mark (8)
             | token id (8), step (8)         if a code was found in an earlier round
             | server (1), its State (rest)   if another server asks

The random nonce of the sealing is the conversation's id. A State holds no NUL
and no octet that a NAS might change, and has about 60 octets of the 253, or 80
and four thirds of the other server's.
"""

import base64
import binascii
import struct

from authn.account import TokenId
from authn.challenge import MAX_RELAYED_STATE_OCTETS, Conversation, FoundCode, Opening, Relay
from authn.client import NasClient
from authn.errors import KeyRingError
from authn.instants import UnixSeconds
from authn.otp import TimeStep
from authn.ports import StateSeal
from authn.request import Username
from authn.secret import Secret
from store.contexts import state_context
from store.keyring import KeyRing, nonce_of

_INSIDE = struct.Struct("!BQB8s")
_FOUND = struct.Struct("!qq")
_VERSION = 2
_PASSWORD_HELD, _HAS_FOUND, _HAS_RELAY = 1, 2, 4
MAX_STATE_OCTETS = 253


class _StateContent(Secret):
    __slots__ = ()


class ChallengeStates(StateSeal):
    """The `authn.ports.StateSeal` under the installation's data keys."""

    def __init__(self, keyring: KeyRing) -> None:
        self.keyring = keyring  # replaced whole when keys are rotated

    def seal(self, opening: Opening, username: Username, client: NasClient) -> bytes:
        """A new State. Expiry is kept in whole seconds. Raises ValueError for a relayed State that does not fit."""
        holds = _PASSWORD_HELD if opening.password_held else 0
        rest = b""
        if opening.found is not None:
            holds |= _HAS_FOUND
            rest += _FOUND.pack(opening.found.token_id, opening.found.step)
        if opening.relay is not None:
            if len(opening.relay.state) > MAX_RELAYED_STATE_OCTETS:
                raise ValueError("the State of the other server is too long to be carried in ours")
            holds |= _HAS_RELAY
            rest += bytes((opening.relay.server,)) + opening.relay.state
        inside = _INSIDE.pack(_VERSION, int(opening.expires), holds, opening.verifier_mark) + rest
        sealed = self.keyring.seal(_StateContent(inside), state_context(username, client.id))
        return base64.urlsafe_b64encode(sealed).rstrip(b"=")

    def open(self, state: bytes, username: Username, client: NasClient) -> Conversation | None:
        """What a State holds, or None for octets that are no State of this user at this client."""
        if len(state) > MAX_STATE_OCTETS:
            return None
        try:
            sealed = base64.b64decode(state + b"=" * (-len(state) % 4), altchars=b"-_", validate=True)
            inside = self.keyring.open(sealed, state_context(username, client.id))
            version, expires, holds, mark = _INSIDE.unpack_from(inside)
        except (binascii.Error, KeyRingError, struct.error):
            return None
        if version != _VERSION:
            return None
        rest, found, relay = inside[_INSIDE.size :], None, None
        if holds & _HAS_FOUND:
            token_id, step = _FOUND.unpack_from(rest)
            found, rest = FoundCode(TokenId(token_id), TimeStep(step)), rest[_FOUND.size :]
        if holds & _HAS_RELAY:
            relay = Relay(rest[0], rest[1:])
        opening = Opening(UnixSeconds(expires), bool(holds & _PASSWORD_HELD), mark, relay, found)
        return Conversation(nonce_of(sealed), opening)
