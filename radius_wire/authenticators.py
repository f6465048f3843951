"""Whether a packet proves knowledge of the shared secret.

These functions return nothing and raise when the proof is missing or wrong, so
that a forgotten `if` cannot let a packet through. Comparisons are constant-time.
"""

import hashlib
import hmac

from radius_wire.errors import BadAuthenticatorError
from radius_wire.packet import HEADER_OCTETS, MAC_OCTETS, Packet


def verify_message_authenticator(packet: Packet, shared_secret: bytes) -> None:
    """Check the Message-Authenticator of a request (RFC 3579 §3.2). Raises BadAuthenticatorError."""
    _verify_message_authenticator(packet, packet.octets, shared_secret)


def verify_request_authenticator(packet: Packet, shared_secret: bytes) -> None:
    """Check a request that its Request Authenticator signs: accounting, Disconnect, CoA. Raises BadAuthenticatorError.

    RFC 2866 §3, RFC 5176 §2.3: a hash over the packet with 16 zero octets in its
    place. A Message-Authenticator, if there is one, must be right as well.
    """
    octets = packet.octets[:4] + bytes(MAC_OCTETS) + packet.octets[HEADER_OCTETS:]
    expected = hashlib.md5(octets + shared_secret, usedforsecurity=False).digest()
    if not hmac.compare_digest(expected, packet.authenticator):
        raise BadAuthenticatorError("the Request Authenticator is wrong")
    if packet.message_authenticator_at is not None:
        _verify_message_authenticator(packet, octets, shared_secret)


def verify_reply(
    reply: Packet, request_authenticator: bytes, shared_secret: bytes, *, require_message_authenticator: bool = True
) -> None:
    """Check a reply against the request it answers. Raises BadAuthenticatorError.

    Both the Response Authenticator (RFC 2865 §3) and the Message-Authenticator
    must be right; without the latter the former can be forged (CVE-2024-3596).
    """
    octets = reply.octets[:4] + request_authenticator + reply.octets[HEADER_OCTETS:]
    expected = hashlib.md5(octets + shared_secret, usedforsecurity=False).digest()
    if not hmac.compare_digest(expected, reply.authenticator):
        raise BadAuthenticatorError("the Response Authenticator is wrong")
    if reply.message_authenticator_at is not None or require_message_authenticator:
        _verify_message_authenticator(reply, octets, shared_secret)


def _verify_message_authenticator(packet: Packet, octets: bytes, shared_secret: bytes) -> None:
    """`octets` is the packet with the Request Authenticator in its header."""
    at = packet.message_authenticator_at
    if at is None:
        raise BadAuthenticatorError("there is no Message-Authenticator")
    end = at + MAC_OCTETS
    expected = hmac.digest(shared_secret, octets[:at] + bytes(MAC_OCTETS) + octets[end:], "md5")
    if not hmac.compare_digest(expected, octets[at:end]):
        raise BadAuthenticatorError("the Message-Authenticator is wrong")
