"""From packet to request, and from verdict to reply: the last place that knows RADIUS attributes."""

from authn.client import NasClient
from authn.instants import UnixSeconds
from authn.request import AccessRequest, canonical_username
from authn.secret import Password
from authn.verdict import Accept, Reason, Reject
from radius_wire import attributes
from radius_wire.errors import InvalidAttributeError
from radius_wire.packet import Attribute, Packet, PacketCode, build_reply
from radius_wire.password_hiding import reveal

REJECT_TEXT = b"Login refused."
_NO_PASSWORD = Password(b"")
_EAP_FAILURE = 4
_MAX_STATION_OCTETS = 64


def to_request(packet: Packet, client: NasClient, received: UnixSeconds) -> AccessRequest:
    """The login that an authentic Access-Request asks for.

    What cannot be judged (no password, an unsupported method, a password field
    of impossible length) is marked and refused later on the common path, as
    every request of a known client must get some reply (RFC 2865 §4.1).
    """
    name = packet.first(attributes.USER_NAME)
    hidden = packet.first(attributes.USER_PASSWORD)
    password, unusable = _NO_PASSWORD, None
    if hidden is None:
        unusable = Reason.UNSUPPORTED_METHOD if _asks_for_other_method(packet) else Reason.NO_CREDENTIALS
    elif _asks_for_other_method(packet):
        unusable = Reason.UNSUPPORTED_METHOD  # a password beside CHAP or EAP: RFC 2865 §4.1 allows one of them
    else:
        try:
            octets = reveal(hidden, client.shared_secret.reveal(), packet.authenticator)
        except InvalidAttributeError:
            unusable = Reason.UNREADABLE_FIELD
        else:
            password = Password(octets)
            if b"\0" in octets:
                unusable = Reason.UNREADABLE_FIELD  # a back end in C would read less than was typed
    return AccessRequest(canonical_username(name or b""), password, client, received, _station(packet), unusable)


def to_reply(verdict: Accept | Reject, request: Packet, client: NasClient) -> bytes:
    """The octets of a reply, Message-Authenticator first.

    Every Reject is built here and in one way, so that none tells why. A refused
    EAP conversation gets its EAP-Failure and no Reply-Message (RFC 3579 §2.6.3, §2.6.5).
    """
    shared_secret = client.shared_secret.reveal()
    if isinstance(verdict, Accept):
        return build_reply(PacketCode.ACCESS_ACCEPT, request, [], shared_secret)
    eap = request.first(attributes.EAP_MESSAGE)
    told: Attribute
    if eap is not None and len(eap) >= 2:
        told = (attributes.EAP_MESSAGE, bytes((_EAP_FAILURE, eap[1], 0, 4)))
    else:
        told = (attributes.REPLY_MESSAGE, REJECT_TEXT)
    return build_reply(PacketCode.ACCESS_REJECT, request, [told], shared_secret)


def _asks_for_other_method(packet: Packet) -> bool:
    return packet.first(attributes.EAP_MESSAGE) is not None or packet.first(attributes.CHAP_PASSWORD) is not None


def _station(packet: Packet) -> str | None:
    """The Calling-Station-Id in printable form, for the audit row."""
    octets = packet.first(attributes.CALLING_STATION_ID)
    if octets is None:
        return None
    text = octets[:_MAX_STATION_OCTETS].decode("utf-8", "replace")
    return text if text.isprintable() else ascii(text)[1:-1]
