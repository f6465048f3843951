"""RADIUS packets: read strictly, built with the Message-Authenticator first (RFC 2865 §3, §5; RFC 3579 §3.2).

`parse` looks at lengths only and keeps every value raw, in its order; whether a
packet is authentic is asked in `authenticators.py`. What `build_reply` makes is
signed in a way that no caller can leave out.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from radius_wire.attributes import MAX_VALUE_OCTETS, MESSAGE_AUTHENTICATOR, PROXY_STATE
from radius_wire.errors import MalformedPacketError

Attribute = tuple[int, bytes]
"""An attribute's type and its raw value."""

HEADER_OCTETS = 20
MAX_PACKET_OCTETS = 4096
MAX_ATTRIBUTES = 200
"""More than any honest packet has; FreeRADIUS draws the line here too."""
MAC_OCTETS = 16


class PacketCode(IntEnum):
    """The Code field (RFC 2865 §4, RFC 2866 §4, RFC 5997 §3, RFC 5176 §3)."""

    ACCESS_REQUEST = 1
    ACCESS_ACCEPT = 2
    ACCESS_REJECT = 3
    ACCOUNTING_REQUEST = 4
    ACCOUNTING_RESPONSE = 5
    ACCESS_CHALLENGE = 11
    STATUS_SERVER = 12
    DISCONNECT_REQUEST = 40
    DISCONNECT_ACK = 41
    DISCONNECT_NAK = 42
    COA_REQUEST = 43
    COA_ACK = 44
    COA_NAK = 45


@dataclass(frozen=True, slots=True, repr=False)
class Packet:
    """A packet whose lengths add up. Nothing is known yet of who sent it.

    `octets` is the packet cut to its Length. `message_authenticator_at` is the
    offset of that attribute's 16-octet value, None if the packet has none.
    `firsts` has the value of the first attribute of each type.
    """

    packet_code: int
    identifier: int
    authenticator: bytes
    attributes: tuple[Attribute, ...]
    octets: bytes
    message_authenticator_at: int | None
    firsts: Mapping[int, bytes]

    def first(self, attribute_type: int) -> bytes | None:
        """The value of the first attribute of a type, or None."""
        return self.firsts.get(attribute_type)

    def all(self, attribute_type: int) -> list[bytes]:
        """The values of every attribute of a type, in order."""
        return [value for kind, value in self.attributes if kind == attribute_type]

    def room_in_reply(self) -> int:
        """How many octets of attributes a reply can hold beside its signature and the Proxy-States to echo."""
        echoed = sum(len(value) + 2 for kind, value in self.attributes if kind == PROXY_STATE)
        return MAX_PACKET_OCTETS - HEADER_OCTETS - 2 - MAC_OCTETS - echoed

    def __repr__(self) -> str:
        # Values stay out: a hidden password is only as secret as the shared secret.
        types = [kind for kind, _ in self.attributes]
        return f"Packet(packet_code={self.packet_code}, identifier={self.identifier}, types={types})"


def parse(octets: bytes) -> Packet:
    """Read one packet. Raises MalformedPacketError for whatever a strict receiver drops.

    Octets beyond Length are padding and ignored (RFC 2865 §3). Attributes must
    fill the packet exactly, and there is at most one Message-Authenticator, of
    16 octets (RFC 3579 §3.2).
    """
    if len(octets) < HEADER_OCTETS:
        raise MalformedPacketError("shorter than a header")
    length = octets[2] << 8 | octets[3]
    if not HEADER_OCTETS <= length <= MAX_PACKET_OCTETS:
        raise MalformedPacketError("Length is outside 20..4096")
    if length > len(octets):
        raise MalformedPacketError("Length is more than was received")
    octets = octets[:length]
    attributes: list[Attribute] = []
    firsts: dict[int, bytes] = {}
    message_authenticator_at = None
    at = HEADER_OCTETS
    while at < length:
        kind = octets[at]
        end = at + octets[at + 1] if at + 1 < length else 0
        if end < at + 2 or end > length or kind == 0:
            raise MalformedPacketError(f"attribute of type {kind} at octet {at} does not fit")
        if kind == MESSAGE_AUTHENTICATOR:
            if message_authenticator_at is not None or end - at != 2 + MAC_OCTETS:
                raise MalformedPacketError(f"Message-Authenticator at octet {at} is doubled or not 16 octets")
            message_authenticator_at = at + 2
        value = octets[at + 2 : end]
        attributes.append((kind, value))
        firsts.setdefault(kind, value)
        at = end
    if len(attributes) > MAX_ATTRIBUTES:
        raise MalformedPacketError(f"more than {MAX_ATTRIBUTES} attributes")
    return Packet(octets[0], octets[1], octets[4:20], tuple(attributes), octets, message_authenticator_at, firsts)


def build_request(
    packet_code: PacketCode,
    identifier: int,
    request_authenticator: bytes,
    attributes: Iterable[Attribute],
    shared_secret: bytes,
) -> bytes:
    """An Access-Request or Status-Server, Message-Authenticator first.

    `request_authenticator` is 16 octets that nobody can predict (RFC 2865 §3).
    Raises ValueError for what no packet can carry.
    """
    if packet_code not in (PacketCode.ACCESS_REQUEST, PacketCode.STATUS_SERVER):
        raise ValueError(f"{packet_code.name} is not signed in this way")
    body = _encode(attributes)
    return _sign(packet_code, identifier, request_authenticator, body, shared_secret)


def build_signed_by_authenticator(
    packet_code: PacketCode, identifier: int, attributes: Iterable[Attribute], shared_secret: bytes
) -> bytes:
    """An Accounting-, Disconnect- or CoA-Request: its Request Authenticator is the proof (RFC 2866 §3, RFC 5176 §2.3).

    The Message-Authenticator comes first all the same. Raises ValueError.
    """
    if packet_code not in _SIGNED_BY_AUTHENTICATOR:
        raise ValueError(f"{packet_code.name} is not signed in this way")
    signed = _sign(packet_code, identifier, bytes(MAC_OCTETS), _encode(attributes), shared_secret)
    authenticator = hashlib.md5(signed + shared_secret, usedforsecurity=False).digest()
    return signed[:4] + authenticator + signed[HEADER_OCTETS:]


def build_reply(
    packet_code: PacketCode,
    request: Packet,
    attributes: Iterable[Attribute],
    shared_secret: bytes,
    *,
    signed: bool = True,
) -> bytes:
    """A reply to `request`: Message-Authenticator, the attributes, then its Proxy-States in order.

    The Message-Authenticator comes first so that a forger's prefix cannot stand
    before it (CVE-2024-3596). `signed` may be False only in accounting, and for a
    client that drops replies which carry one. Raises ValueError for what no packet can carry.
    """
    body = _encode(attributes)
    for kind, value in request.attributes:
        if kind == PROXY_STATE:
            body += bytes((kind, len(value) + 2)) + value
    if signed:
        packet = _sign(packet_code, request.identifier, request.authenticator, body, shared_secret)
    else:
        packet = _head(packet_code, request.identifier, request.authenticator, len(body)) + body
    authenticator = hashlib.md5(packet + shared_secret, usedforsecurity=False).digest()
    return packet[:4] + authenticator + packet[HEADER_OCTETS:]


_SIGNED_BY_AUTHENTICATOR = (PacketCode.ACCOUNTING_REQUEST, PacketCode.DISCONNECT_REQUEST, PacketCode.COA_REQUEST)


def _encode(attributes: Iterable[Attribute]) -> bytes:
    pieces = []
    for kind, value in attributes:
        if not 0 < kind < 256 or len(value) > MAX_VALUE_OCTETS:
            raise ValueError(f"an attribute of type {kind} with {len(value)} octets cannot be sent")
        if kind == MESSAGE_AUTHENTICATOR:
            raise ValueError("the Message-Authenticator is added here, once")
        pieces.append(bytes((kind, len(value) + 2)) + value)
    return b"".join(pieces)


def _sign(packet_code: int, identifier: int, authenticator: bytes, body: bytes, shared_secret: bytes) -> bytes:
    """The packet with its Message-Authenticator in front of `body` (RFC 3579 §3.2)."""
    head = _head(packet_code, identifier, authenticator, 2 + MAC_OCTETS + len(body))
    head += bytes((MESSAGE_AUTHENTICATOR, 2 + MAC_OCTETS))
    mac = hmac.digest(shared_secret, head + bytes(MAC_OCTETS) + body, "md5")
    return head + mac + body


def _head(packet_code: int, identifier: int, authenticator: bytes, attribute_octets: int) -> bytes:
    length = HEADER_OCTETS + attribute_octets
    if length > MAX_PACKET_OCTETS:
        raise ValueError(f"a packet of {length} octets cannot be sent")
    if len(authenticator) != MAC_OCTETS:
        raise ValueError("an authenticator has 16 octets")
    return bytes((packet_code, identifier, length >> 8, length & 255)) + authenticator
