"""The way of a request through the server, whatever the transport.

    octets -> client -> frame -> authentic? -> seen before? -> login -> verdict -> reply

Everything before the login is decided by the peer's octets alone and met with
silence when wrong. An Accept leaves at once; every Reject leaves when its floor
and a little chance have passed since the request came in, so its time tells
nothing. A login without a verdict gets silence, and its repeat is judged anew.
"""

import heapq
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

from authn.client import MessageAuthenticatorRule, NasClient
from authn.desk import Desk
from authn.verdict import Accept, Reject, Unavailable, Verdict
from radius_server.clients import Clients
from radius_server.datagrams import Datagram, Moment
from radius_server.drops import Cause, Drops
from radius_server.duplicates import Answered, Duplicates, InFlight, Key, key_of
from radius_server.translate import to_reply, to_request
from radius_wire import attributes
from radius_wire.authenticators import verify_message_authenticator
from radius_wire.errors import BadAuthenticatorError, ProtocolError
from radius_wire.packet import Packet, PacketCode, parse

_log = logging.getLogger(__name__)

MIN_ROOM_OCTETS = 255
"""Room that a reply must have for what it says itself: one attribute of full length."""


@dataclass(frozen=True, slots=True)
class HandlerSettings:
    """Times in seconds. `max_held` bounds the refusals that wait for their floor."""

    reject_delay_s: float = 1.0
    reject_jitter_s: float = 0.1
    max_held: int = 65536


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request on its way to a verdict."""

    datagram: Datagram
    packet: Packet
    client: NasClient
    key: Key
    came_in: float  # monotonic


class Handler:
    """Datagrams in, datagrams out. One thread uses a handler."""

    def __init__(
        self,
        clients: Clients,
        desk: Desk[Conversation],
        duplicates: Duplicates,
        drops: Drops,
        settings: HandlerSettings,
        jitter: Callable[[], float],
    ) -> None:
        self.clients = clients  # replaced whole at a reload
        self.settings = settings  # likewise
        self.drops = drops
        self._desk = desk
        self._duplicates = duplicates
        self._jitter = jitter  # uniform in 0..1
        self._held: list[tuple[float, int, Conversation, bytes]] = []
        self._order = itertools.count()

    def handle(self, datagrams: Sequence[Datagram], now: Moment) -> list[Datagram]:
        """Take what came in, judge a batch, and return the replies that are due."""
        replies: list[Datagram] = []
        for datagram in datagrams:
            try:
                repeated = self._admit(datagram, now)
            except ProtocolError as fault:
                cause = Cause.BAD_AUTHENTICATOR if isinstance(fault, BadAuthenticatorError) else Cause.MALFORMED
                self._drop(cause, datagram, now, str(fault))
            except Exception:  # noqa: BLE001 - one datagram must not stop the server; it is dropped, never answered
                _log.exception("a datagram was dropped for an error in twinward")
                self._drop(Cause.BUG, datagram, now)
            else:
                if repeated is not None:
                    replies.append(repeated)
        for conversation, verdict in self._desk.work():
            try:
                reply = self._answer(conversation, verdict, now)
            except Exception:  # noqa: BLE001 - likewise: this login gets silence, the others their replies
                _log.exception("a reply was dropped for an error in twinward")
                self._drop(Cause.BUG, conversation.datagram, now)
            else:
                if reply is not None:
                    replies.append(reply)
        return replies + self._release(now)

    def wait_s(self, now: Moment) -> float | None:
        """How long `handle` need not be called if nothing comes in; None for ever."""
        if self._desk.has_work():
            return 0.0
        return max(0.0, self._held[0][0] - now.monotonic) if self._held else None

    def is_idle(self) -> bool:
        """Whether every request has had its reply, or its silence."""
        return self._desk.is_idle() and not self._held

    def _admit(self, datagram: Datagram, now: Moment) -> Datagram | None:
        """Hand a login to the desk; returns the old reply for a repeat."""
        client = self.clients.lookup(datagram.peer[0])
        if client is None:
            self._drop(Cause.UNKNOWN_CLIENT, datagram, now)
            return None
        packet = parse(datagram.octets)
        if packet.packet_code != PacketCode.ACCESS_REQUEST:
            self._drop(Cause.UNEXPECTED_CODE, datagram, now, f"code {packet.packet_code}")
            return None
        if packet.message_authenticator_at is not None:
            verify_message_authenticator(packet, client.shared_secret.reveal())
        elif (cause := _objection_to_unsigned(packet, client)) is not None:
            self._drop(cause, datagram, now)
            return None
        if packet.room_in_reply() < MIN_ROOM_OCTETS:  # before a code is spent on a login that cannot be told
            self._drop(Cause.UNANSWERABLE, datagram, now)
            return None
        key = key_of(datagram)
        seen = self._duplicates.admit(key, packet.authenticator, now.monotonic)
        if isinstance(seen, Answered):
            return Datagram(seen.octets, datagram.listener, datagram.peer, datagram.local)
        if isinstance(seen, InFlight):
            return None
        request = to_request(packet, client, now.unix)
        if self._desk.is_full_for(request.username) or len(self._held) >= self.settings.max_held:
            self._duplicates.forget(key, packet.authenticator)
            self._drop(Cause.SHED, datagram, now)
            return None
        self._desk.hand_in(Conversation(datagram, packet, client, key, now.monotonic), request)
        return None

    def _answer(self, conversation: Conversation, verdict: Verdict, now: Moment) -> Datagram | None:
        """The reply to a verdict, unless it is held back or there is none."""
        match verdict:
            case Accept():
                return self._reply(conversation, to_reply(verdict, conversation.packet, conversation.client))
            case Reject():
                octets = to_reply(verdict, conversation.packet, conversation.client)
                settings = self.settings
                due = conversation.came_in + settings.reject_delay_s + settings.reject_jitter_s * self._jitter()
                heapq.heappush(self._held, (due, next(self._order), conversation, octets))
                return None
            case Unavailable(inability):
                self._duplicates.forget(conversation.key, conversation.packet.authenticator)
                self._drop(Cause.NO_VERDICT, conversation.datagram, now, inability.value)
                return None
            case _:
                assert_never(verdict)

    def _release(self, now: Moment) -> list[Datagram]:
        """The refusals whose time has come."""
        due = []
        while self._held and self._held[0][0] <= now.monotonic:
            _, _, conversation, octets = heapq.heappop(self._held)
            due.append(self._reply(conversation, octets))
        return due

    def _reply(self, conversation: Conversation, octets: bytes) -> Datagram:
        self._duplicates.answer(conversation.key, conversation.packet.authenticator, octets)
        datagram = conversation.datagram
        return Datagram(octets, datagram.listener, datagram.peer, datagram.local)

    def _drop(self, cause: Cause, datagram: Datagram, now: Moment, detail: str = "") -> None:
        self.drops.count(cause, datagram.peer[0], now.monotonic, detail)


def _objection_to_unsigned(packet: Packet, client: NasClient) -> Cause | None:
    """Why a request without Message-Authenticator is dropped, or None if this client may send it.

    Proxy-State is the carrier of the Blast-RADIUS attack, so a relaxed client
    may not use it unsigned; EAP never goes unsigned (RFC 3579 §3.1).
    """
    if client.message_authenticator is not MessageAuthenticatorRule.ALLOW:
        return Cause.UNSIGNED
    if packet.first(attributes.PROXY_STATE) is not None:
        return Cause.UNSIGNED_PROXY_STATE
    if packet.first(attributes.EAP_MESSAGE) is not None:
        return Cause.UNSIGNED_EAP
    return None
