"""The way of a login through the server, whatever the transport.

    octets -> who sent it? -> seen before? -> login -> verdict -> reply

Everything before the login is decided by the peer's octets alone and met with
silence when wrong. An Accept leaves at once, and so does the prompt after a
right password; every refusal, and every prompt that stands for one, leaves when
its floor and a little chance have passed since the request came in, so its time
tells nothing. A login without a verdict gets silence, or a refusal where the
client asks for one, and its repeat is judged anew.
"""

import heapq
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from authn.client import OnFailure
from authn.desk import Desk
from authn.ports import StateSeal
from authn.request import NO_REALMS, AccessRequest
from authn.verdict import Accept, Challenge, Reject, Unavailable, Verdict
from radius_server.admission import Admitted, Gate
from radius_server.datagrams import Datagram, Moment
from radius_server.drops import Cause
from radius_server.duplicates import Answered, Duplicates, InFlight, Key, key_of
from radius_server.rates import Rates
from radius_server.replies import Replies
from radius_server.reply_rules import ReplyRules
from radius_server.translate import to_request
from radius_wire.packet import PacketCode

_log = logging.getLogger(__name__)

MIN_ROOM_OCTETS = 512
"""Room that a reply must have for what it says itself, beside what the reply rules add."""

_CODES = frozenset((PacketCode.ACCESS_REQUEST, PacketCode.STATUS_SERVER))


@dataclass(frozen=True, slots=True)
class HandlerSettings:
    """Times in seconds. `max_held` bounds the refusals that wait for their floor."""

    reject_delay_s: float = 1.0
    reject_jitter_s: float = 0.1
    max_held: int = 65536
    max_logins_per_s_per_source: int = 20_000
    realms: frozenset[str] = NO_REALMS
    reply_rules: ReplyRules = field(default_factory=ReplyRules)


@dataclass(frozen=True, slots=True)
class Pending:
    """A login on its way to a verdict."""

    admitted: Admitted
    request: AccessRequest
    key: Key


class Handler:
    """Datagrams in, datagrams out. One thread uses a handler."""

    def __init__(
        self,
        gate: Gate,
        desk: Desk[Pending],
        duplicates: Duplicates,
        settings: HandlerSettings,
        states: StateSeal,
        *,
        jitter: Callable[[], float],
        random_octets: Callable[[int], bytes],
        is_well: Callable[[], bool],
    ) -> None:
        self._gate = gate
        self._desk = desk
        self._duplicates = duplicates
        self._states = states
        self._replies = Replies(settings.reply_rules, states, random_octets)
        self._rates = Rates()
        self._jitter = jitter  # uniform in 0..1
        self._is_well = is_well
        self._held: list[tuple[float, int, Pending, bytes]] = []
        self._order = itertools.count()
        self._settings = settings

    @property
    def settings(self) -> HandlerSettings:
        """Replaced whole at a reload."""
        return self._settings

    @settings.setter
    def settings(self, settings: HandlerSettings) -> None:
        self._settings = settings
        self._replies.rules = settings.reply_rules

    def handle(self, datagrams: Sequence[Datagram], now: Moment) -> list[Datagram]:
        """Take what came in, judge a batch, and return the replies that are due."""
        replies: list[Datagram] = []
        for datagram in datagrams:
            try:
                reply = self._take(datagram, now)
            except Exception:  # noqa: BLE001 - one datagram must not stop the server; it is dropped, never answered
                _log.exception("a datagram was dropped for an error in twinward")
                self._gate.drop(Cause.BUG, datagram, now)
            else:
                if reply is not None:
                    replies.append(reply)
        for pending, verdict in self._desk.work(now.monotonic):
            try:
                reply = self._answer(pending, verdict, now)
            except Exception:  # noqa: BLE001 - likewise: this login gets silence, the others their replies
                _log.exception("a reply was dropped for an error in twinward")
                self._gate.drop(Cause.BUG, pending.admitted.datagram, now)
            else:
                if reply is not None:
                    replies.append(reply)
        return replies + self._release(now)

    def wait_s(self, now: Moment) -> float | None:
        """How long `handle` need not be called if nothing comes in; None for ever."""
        due = [at for at in (self._desk.next_due(), self._held[0][0] if self._held else None) if at is not None]
        return max(0.0, min(due) - now.monotonic) if due else None

    def is_idle(self) -> bool:
        """Whether every request has had its reply, or its silence."""
        return self._desk.is_idle() and not self._held

    def _take(self, datagram: Datagram, now: Moment) -> Datagram | None:
        """Hand a login to the desk; returns the old reply for a repeat, and the answer to Status-Server."""
        admitted = self._gate.admit(datagram, now, _CODES)
        if admitted is None:
            return None
        if admitted.packet.packet_code == PacketCode.STATUS_SERVER:
            return self._status(admitted, now)
        room = MIN_ROOM_OCTETS + self._settings.reply_rules.max_octets
        if admitted.packet.room_in_reply() < room:  # before a code is spent on a login that cannot be told
            self._gate.drop(Cause.UNANSWERABLE, datagram, now)
            return None
        key, authenticator = key_of(datagram), admitted.packet.authenticator
        seen = self._duplicates.admit(key, authenticator, now.monotonic)
        if isinstance(seen, Answered):
            return Datagram(seen.octets, datagram.listener, datagram.peer, datagram.local)
        if isinstance(seen, InFlight):
            return None
        request = to_request(admitted, now.unix, realms=self._settings.realms, states=self._states)
        cause = self._objection_to_load(request, datagram, now)
        if cause is not None:
            self._duplicates.forget(key, authenticator)
            self._gate.drop(cause, datagram, now)
            return None
        until = now.monotonic + admitted.client.rules.deadline_s
        self._desk.hand_in(Pending(admitted, request, key), request, until=until)
        return None

    def _status(self, admitted: Admitted, now: Moment) -> Datagram | None:
        """Status-Server (RFC 5997): answered only while a login could be judged."""
        if not admitted.client.rules.status_server:
            self._gate.drop(Cause.STATUS_OFF, admitted.datagram, now)
            return None
        if not self._is_well():
            self._gate.drop(Cause.UNWELL, admitted.datagram, now)
            return None
        return _to_peer(admitted, self._replies.status(admitted, PacketCode.ACCESS_ACCEPT))

    def _objection_to_load(self, request: AccessRequest, datagram: Datagram, now: Moment) -> Cause | None:
        """Why this login is not taken on now, or None."""
        rate = request.client.rules.max_logins_per_s
        if rate is not None and not self._rates.admits(request.client.id, rate, now.monotonic):
            return Cause.TOO_MANY
        if not self._rates.admits(datagram.peer[0], self._settings.max_logins_per_s_per_source, now.monotonic):
            return Cause.TOO_MANY
        if self._desk.is_full_for(request) or len(self._held) >= self._settings.max_held:
            return Cause.SHED
        return None

    def _answer(self, pending: Pending, verdict: Verdict, now: Moment) -> Datagram | None:
        """The reply to send at once, or None: it is held back, or there is none."""
        admitted, request = pending.admitted, pending.request
        match verdict:
            case Accept():
                return self._reply(pending, self._replies.accept(verdict, admitted, request))
            case Challenge(because=because):
                octets = self._replies.challenge(verdict, admitted, request)
                if because is None and not admitted.client.rules.uniform_challenge:
                    return self._reply(pending, octets)
                self._hold(pending, octets)
                return None
            case Reject():
                self._hold(pending, self._replies.reject(admitted, request))
                return None
            case Unavailable(inability):
                self._gate.drop(Cause.NO_VERDICT, admitted.datagram, now, inability.value)
                if admitted.client.rules.on_failure is OnFailure.REJECT:
                    self._hold(pending, self._replies.reject(admitted, request))
                else:
                    self._duplicates.forget(pending.key, admitted.packet.authenticator)
                return None
            case _:
                assert_never(verdict)

    def _hold(self, pending: Pending, octets: bytes) -> None:
        """Keep a refusal back until its floor and jitter have passed."""
        settings = self._settings
        due = pending.admitted.came_in + settings.reject_delay_s + settings.reject_jitter_s * self._jitter()
        heapq.heappush(self._held, (due, next(self._order), pending, octets))

    def _release(self, now: Moment) -> list[Datagram]:
        """The refusals whose time has come."""
        due = []
        while self._held and self._held[0][0] <= now.monotonic:
            _, _, pending, octets = heapq.heappop(self._held)
            due.append(self._reply(pending, octets))
        return due

    def _reply(self, pending: Pending, octets: bytes) -> Datagram:
        self._duplicates.answer(pending.key, pending.admitted.packet.authenticator, octets)
        return _to_peer(pending.admitted, octets)


def _to_peer(admitted: Admitted, octets: bytes) -> Datagram:
    """Back to where the request came from, from where it came to."""
    datagram = admitted.datagram
    return Datagram(octets, datagram.listener, datagram.peer, datagram.local)
