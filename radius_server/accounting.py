"""Accounting: which sessions there are (RFC 2866). A response leaves only after the record is stored.

A record that cannot be stored meets silence, so that the NAS sends it again. The
sessions are what `twinward session` shows and what a Disconnect-Request names.
"""

import logging
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address

from authn.errors import TwinwardError
from authn.instants import UnixSeconds
from authn.request import canonical_username
from authn.session import SessionEvent, SessionRecord, SessionStore
from radius_server.admission import Admitted, Gate
from radius_server.datagrams import Datagram, Moment
from radius_server.drops import Cause
from radius_server.duplicates import Answered, Duplicates, InFlight, Key, key_of
from radius_server.translate import station_of
from radius_wire import attributes
from radius_wire.attributes import decode_address, decode_integer
from radius_wire.errors import InvalidAttributeError, MalformedPacketError
from radius_wire.packet import Packet, PacketCode, build_reply

_log = logging.getLogger(__name__)

IDENTIFICATION = (  # RFC 5176 §3
    attributes.USER_NAME,
    attributes.NAS_IP_ADDRESS,
    attributes.NAS_PORT,
    attributes.FRAMED_IP_ADDRESS,
    attributes.CALLED_STATION_ID,
    attributes.CALLING_STATION_ID,
    attributes.NAS_IDENTIFIER,
    attributes.ACCT_SESSION_ID,
    attributes.ACCT_MULTI_SESSION_ID,
    attributes.NAS_PORT_ID,
    attributes.NAS_IPV6_ADDRESS,
)
_EVENTS = {
    1: SessionEvent.START,
    2: SessionEvent.STOP,
    7: SessionEvent.RESTART,  # Accounting-On
    8: SessionEvent.RESTART,  # Accounting-Off
}
_CODES = frozenset((PacketCode.ACCOUNTING_REQUEST, PacketCode.STATUS_SERVER))
MAX_DELAY_S = 7 * 86400
MAX_OCTETS = (1 << 63) - 1
"""What a database holds in one number. Gigawords can tell of more, and no session has carried it."""


class AccountingHandler:
    """Datagrams in, datagrams out. One thread uses a handler."""

    def __init__(
        self,
        gate: Gate,
        duplicates: Duplicates,
        sessions: SessionStore,
        *,
        realms: frozenset[str],
        is_well: Callable[[], bool],
    ) -> None:
        self.realms = realms  # replaced at a reload
        self._gate = gate
        self._duplicates = duplicates
        self._sessions = sessions
        self._is_well = is_well

    def handle(self, datagrams: Sequence[Datagram], now: Moment) -> list[Datagram]:
        """Store what came in, all in one transaction, and return the responses."""
        replies: list[Datagram] = []
        records: list[tuple[Admitted, Key, SessionRecord]] = []
        for datagram in datagrams:
            try:
                self._take(datagram, now, replies, records)
            except Exception:  # noqa: BLE001 - one datagram must not stop the server; it is dropped, never answered
                _log.exception("a datagram was dropped for an error in twinward")
                self._gate.drop(Cause.BUG, datagram, now)
        return replies + self._store_or_drop(records, now)

    def wait_s(self, now: Moment) -> float | None:
        """Nothing is ever due here but what comes in."""
        return None

    def is_idle(self) -> bool:
        """Whether nothing is under way: `handle` leaves nothing over."""
        return True

    def _take(
        self,
        datagram: Datagram,
        now: Moment,
        replies: list[Datagram],
        records: list[tuple[Admitted, Key, SessionRecord]],
    ) -> None:
        admitted = self._gate.admit(datagram, now, _CODES)
        if admitted is None:
            return
        if admitted.packet.packet_code == PacketCode.STATUS_SERVER:
            if not admitted.client.rules.status_server:
                self._gate.drop(Cause.STATUS_OFF, datagram, now)
            elif not self._is_well():
                self._gate.drop(Cause.UNWELL, datagram, now)
            else:
                replies.append(_response(admitted))
            return
        try:
            record = read_record(admitted, now.unix, self.realms)
        except MalformedPacketError as fault:
            self._gate.drop(Cause.MALFORMED, datagram, now, str(fault))
            return
        key = key_of(datagram)
        seen = self._duplicates.admit(key, admitted.packet.authenticator, now.monotonic)
        if isinstance(seen, Answered):
            replies.append(Datagram(seen.octets, datagram.listener, datagram.peer, datagram.local))
        elif not isinstance(seen, InFlight):
            records.append((admitted, key, record))

    def _store_or_drop(self, records: list[tuple[Admitted, Key, SessionRecord]], now: Moment) -> list[Datagram]:
        """Store all together; after an error in twinward each alone, so that one takes no other with it."""
        try:
            return self._store(records, now)
        except Exception:  # noqa: BLE001 - likewise: what cannot be stored meets silence, and comes again
            if len(records) > 1:
                return [reply for one in records for reply in self._store_or_drop([one], now)]
            _log.exception("accounting was dropped for an error in twinward")
            [(admitted, key, _)] = records
            self._duplicates.forget(key, admitted.packet.authenticator)
            self._gate.drop(Cause.BUG, admitted.datagram, now)
            return []

    def _store(self, records: list[tuple[Admitted, Key, SessionRecord]], now: Moment) -> list[Datagram]:
        if not records:
            return []
        try:
            self._sessions.record([record for _, _, record in records])
        except TwinwardError as fault:
            _log.error("accounting cannot be stored: %s", fault)
            for admitted, key, _ in records:
                self._duplicates.forget(key, admitted.packet.authenticator)
                self._gate.drop(Cause.UNSTORED, admitted.datagram, now)
            return []
        replies = []
        for admitted, key, _ in records:
            reply = _response(admitted)
            self._duplicates.answer(key, admitted.packet.authenticator, reply.octets)
            replies.append(reply)
        return replies


def read_record(admitted: Admitted, now: UnixSeconds, realms: frozenset[str]) -> SessionRecord:
    """What an Accounting-Request tells. Raises MalformedPacketError without what RFC 2866 §5.13 asks for."""
    packet, client = admitted.packet, admitted.client
    status = _integer(packet, attributes.ACCT_STATUS_TYPE)
    if status is None:
        raise MalformedPacketError("an Accounting-Request without Acct-Status-Type")
    event = _EVENTS.get(status, SessionEvent.UPDATE)
    delay_s = min(_integer(packet, attributes.ACCT_DELAY_TIME) or 0, MAX_DELAY_S)
    at, nas = UnixSeconds(now - delay_s), str(admitted.datagram.peer[0])
    if event is SessionEvent.RESTART:
        return SessionRecord(event, client, nas, at)
    acct_session_id = packet.first(attributes.ACCT_SESSION_ID)
    if not acct_session_id:
        raise MalformedPacketError("an Accounting-Request without Acct-Session-Id")
    user_name = packet.first(attributes.USER_NAME) or b""
    return SessionRecord(
        event,
        client,
        nas,
        at,
        acct_session_id,
        canonical_username(user_name, realms=realms, charset=client.rules.charset),
        user_name,
        station_of(packet),
        _address(packet),
        _octets(packet, attributes.ACCT_INPUT_OCTETS, attributes.ACCT_INPUT_GIGAWORDS),
        _octets(packet, attributes.ACCT_OUTPUT_OCTETS, attributes.ACCT_OUTPUT_GIGAWORDS),
        tuple(pair for pair in packet.attributes if pair[0] in IDENTIFICATION),
    )


def _response(admitted: Admitted) -> Datagram:
    """An Accounting-Response: bare, as RFC 2866 §5.13 knows no Message-Authenticator in one, but for Status-Server."""
    datagram, rules = admitted.datagram, admitted.client.rules
    is_status = admitted.packet.packet_code == PacketCode.STATUS_SERVER
    octets = build_reply(
        PacketCode.ACCOUNTING_RESPONSE,
        admitted.packet,
        [],
        admitted.shared_secret,
        signed=is_status and rules.sign_replies,
    )
    return Datagram(octets, datagram.listener, datagram.peer, datagram.local)


def _integer(packet: Packet, kind: int) -> int | None:
    """An integer attribute; one with an invalid value is as good as absent (RFC 6929 §2.8)."""
    value = packet.first(kind)
    if value is None:
        return None
    try:
        return decode_integer(value)
    except InvalidAttributeError:
        return None


def _octets(packet: Packet, low: int, high: int) -> int:
    """A count of octets with its overflows (RFC 2869 §5.1)."""
    return min(((_integer(packet, high) or 0) << 32) + (_integer(packet, low) or 0), MAX_OCTETS)


def _address(packet: Packet) -> str | None:
    value = packet.first(attributes.FRAMED_IP_ADDRESS)
    if value is None:
        return None
    try:
        address = decode_address(value)
    except InvalidAttributeError:
        return None
    return None if isinstance(address, IPv6Address) else str(address)
