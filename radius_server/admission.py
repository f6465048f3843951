"""Who sent a datagram, and whether it may be looked at: everything that is settled before a login is read.

    octets -> clients of the address -> frame -> code -> authentic, and with whose secret?

Whatever fails here meets silence and is counted. Forgeries touch nothing else:
neither the reply cache nor a tally.
"""

from dataclasses import dataclass

from authn.client import AcceptedSecret, MessageAuthenticatorRule, NasClient
from radius_server.clients import Clients
from radius_server.datagrams import Datagram, Moment
from radius_server.drops import Cause, Drops
from radius_server.sightings import Sightings
from radius_wire import attributes
from radius_wire.authenticators import verify_message_authenticator, verify_request_authenticator
from radius_wire.errors import BadAuthenticatorError, ProtocolError
from radius_wire.packet import Packet, PacketCode, parse


@dataclass(frozen=True, slots=True)
class Admitted:
    """A packet of a known client, and the shared secret it was made with."""

    datagram: Datagram
    packet: Packet
    client: NasClient
    shared_secret: bytes
    came_in: float  # monotonic


class _Refused(Exception):
    def __init__(self, cause: Cause, detail: str = "") -> None:
        self.cause, self.detail = cause, detail


class Gate:
    """Lets the requests of known clients in. Shared by every port."""

    def __init__(self, clients: Clients, drops: Drops, sightings: Sightings) -> None:
        self.clients = clients  # replaced whole at a reload
        self.drops = drops
        self.sightings = sightings

    def admit(self, datagram: Datagram, now: Moment, codes: frozenset[PacketCode]) -> Admitted | None:
        """The packet in a datagram if it may be looked at; else it is counted and None comes back."""
        try:
            return self._admit(datagram, now, codes)
        except _Refused as refused:
            self.drop(refused.cause, datagram, now, refused.detail)
        except BadAuthenticatorError as fault:
            self.drop(Cause.BAD_AUTHENTICATOR, datagram, now, str(fault))
        except ProtocolError as fault:
            self.drop(Cause.MALFORMED, datagram, now, str(fault))
        return None

    def drop(self, cause: Cause, datagram: Datagram, now: Moment, detail: str = "") -> None:
        """Count a datagram that gets no reply."""
        self.drops.count(cause, datagram.peer[0], now.monotonic, detail)

    def _admit(self, datagram: Datagram, now: Moment, codes: frozenset[PacketCode]) -> Admitted:
        candidates = self.clients.lookup(datagram.peer[0])
        if not candidates:
            raise _Refused(Cause.UNKNOWN_CLIENT)
        packet = parse(datagram.octets)
        if packet.packet_code not in codes:
            raise _Refused(Cause.UNEXPECTED_CODE, f"code {packet.packet_code}")
        if packet.message_authenticator_at is None and packet.packet_code != PacketCode.ACCOUNTING_REQUEST:
            client, accepted = self._unsigned(packet, candidates, datagram, now)
        else:
            client, accepted = _signer(packet, candidates, now)
            if packet.packet_code == PacketCode.ACCESS_REQUEST:
                self.sightings.signed(client, accepted.number, now.unix)
        return Admitted(datagram, packet, client, accepted.secret.reveal(), now.monotonic)

    def _unsigned(
        self, packet: Packet, candidates: tuple[NasClient, ...], datagram: Datagram, now: Moment
    ) -> tuple[NasClient, AcceptedSecret]:
        """The client of a request without Message-Authenticator, if it may send one. Raises _Refused."""
        client = candidates[0]
        objection = self._objection_to_unsigned(packet, client) if len(candidates) == 1 else Cause.UNSIGNED
        if packet.packet_code == PacketCode.ACCESS_REQUEST:
            proxy_state = packet.first(attributes.PROXY_STATE) is not None
            host, dropped = datagram.peer[0], objection is not None
            self.sightings.unsigned(client, host, now.unix, proxy_state=proxy_state, dropped=dropped)
        if objection is not None:
            raise _Refused(objection)
        return client, client.shared_secrets[0]

    def _objection_to_unsigned(self, packet: Packet, client: NasClient) -> Cause | None:
        """Why a request without Message-Authenticator is dropped, or None if this client may send it.

        Proxy-State is the carrier of the Blast-RADIUS attack, so a relaxed client
        may not use it unsigned; EAP never goes unsigned (RFC 3579 §3.1), nor does
        Status-Server (RFC 5997 §3).
        """
        if packet.packet_code != PacketCode.ACCESS_REQUEST:
            return Cause.UNSIGNED
        rule = client.rules.message_authenticator
        if rule is MessageAuthenticatorRule.REQUIRE:
            return Cause.UNSIGNED
        if rule is MessageAuthenticatorRule.LEARN and self.sightings.is_promoted(client):
            return Cause.UNSIGNED
        if packet.first(attributes.PROXY_STATE) is not None:
            return Cause.UNSIGNED_PROXY_STATE
        if packet.first(attributes.EAP_MESSAGE) is not None:
            return Cause.UNSIGNED_EAP
        return None


def _signer(packet: Packet, candidates: tuple[NasClient, ...], now: Moment) -> tuple[NasClient, AcceptedSecret]:
    """Whose signature a packet carries. Raises BadAuthenticatorError if it is nobody's."""
    is_accounting = packet.packet_code == PacketCode.ACCOUNTING_REQUEST
    verify = verify_request_authenticator if is_accounting else verify_message_authenticator
    fault = BadAuthenticatorError("no shared secret is accepted any more")
    for client in candidates:
        for accepted in client.secrets_at(now.unix):
            try:
                verify(packet, accepted.secret.reveal())
            except BadAuthenticatorError as wrong:
                fault = wrong
            else:
                return client, accepted
    raise fault
