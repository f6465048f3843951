"""From packet to request: the last place that knows RADIUS attributes before a login is judged."""

from authn.client import Method
from authn.instants import UnixSeconds
from authn.ports import StateSeal
from authn.request import AccessRequest, canonical_username, decode_text
from authn.secret import Password
from authn.verdict import Reason
from radius_server.admission import Admitted
from radius_server.proofs import methods_of, read_proof
from radius_wire import attributes
from radius_wire.errors import InvalidAttributeError
from radius_wire.packet import Packet
from radius_wire.password_hiding import reveal

AUTHORIZE_ONLY = attributes.encode_integer(17)
_NO_PASSWORD = Password(b"")
_MAX_STATION_OCTETS = 64


def to_request(
    admitted: Admitted, received: UnixSeconds, *, realms: frozenset[str], states: StateSeal
) -> AccessRequest:
    """The login that an authentic Access-Request asks for.

    What cannot be judged (no password, an unsupported method, a password field
    of impossible length) is marked and refused later on the common path, as
    every request of a known client must get some reply (RFC 2865 §4.1). A State
    that is none of ours for this user and client is ignored.
    """
    packet, client = admitted.packet, admitted.client
    rules = client.rules
    name = canonical_username(packet.first(attributes.USER_NAME) or b"", realms=realms, charset=rules.charset)
    password, unusable, proof = _NO_PASSWORD, None, None
    methods = methods_of(packet)
    if packet.first(attributes.SERVICE_TYPE) == AUTHORIZE_ONLY or not methods:
        unusable = Reason.NO_CREDENTIALS  # RFC 5080 §2.1.1
    elif len(methods) > 1 or not methods <= rules.methods:
        unusable = Reason.UNSUPPORTED_METHOD  # of a password, CHAP and the others one at a time: RFC 2865 §4.1
    elif Method.PAP in methods:
        password, unusable = _password(packet, admitted.shared_secret, rules.charset)
    else:
        proof = read_proof(packet, Method.CHAP if Method.CHAP in methods else Method.MSCHAPV2)
        unusable = Reason.UNREADABLE_FIELD if proof is None else None
    state, conversation = packet.first(attributes.STATE), None
    if state is not None:
        conversation = states.open(state, name, client)
    return AccessRequest(name, password, client, received, station_of(packet), unusable, conversation, proof)


def _password(packet: Packet, shared_secret: bytes, charset: str | None) -> tuple[Password, Reason | None]:
    hidden = packet.first(attributes.USER_PASSWORD) or b""
    try:
        octets = reveal(hidden, shared_secret, packet.authenticator)
    except InvalidAttributeError:
        return _NO_PASSWORD, Reason.UNREADABLE_FIELD
    if b"\0" in octets:  # a back end in C would read less than was typed
        return _NO_PASSWORD, Reason.UNREADABLE_FIELD
    if charset is not None and not octets.isascii():
        text = decode_text(octets, charset)
        octets = octets if text is None else text.encode("utf-8")
    return Password(octets), None


def station_of(packet: Packet) -> str | None:
    """The Calling-Station-Id in printable form; None also for an empty one, which tells no station."""
    octets = packet.first(attributes.CALLING_STATION_ID)
    if not octets:
        return None
    text = octets[:_MAX_STATION_OCTETS].decode("utf-8", "replace")
    return text if text.isprintable() else ascii(text)[1:-1]
