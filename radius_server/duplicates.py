"""The same datagram again gets the same octets again (RFC 5080 §2.2.2).

    unknown --admit--> IN FLIGHT --answer--> ANSWERED --lifetime over--> unknown
                       IN FLIGHT --forget--> unknown      (no verdict: a repeat is judged anew)

A request is known by its peer's address and port, the socket it came to, and
its Identifier; another Request Authenticator under the same key is a new
request and takes the place. The cache is bounded: when it is full the oldest
entry goes, and its repeat would be refused as a replay, never accepted twice.
"""

from collections import deque
from dataclasses import dataclass, field

from radius_server.datagrams import Datagram

Key = tuple[int, str, int, int]


@dataclass(frozen=True, slots=True)
class Fresh:
    """Not seen before: judge it."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """Being judged, or its refusal is being held back: say nothing."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Answered before, with these octets."""

    octets: bytes


FRESH, IN_FLIGHT = Fresh(), InFlight()


@dataclass(slots=True)
class _Entry:
    request_authenticator: bytes
    expires: float
    reply: bytes | None = field(default=None, repr=False)


class Duplicates:
    """Remembers requests for `lifetime_s` after they came in, `max_entries` at most."""

    def __init__(self, *, lifetime_s: float, max_entries: int) -> None:
        self._lifetime_s = lifetime_s
        self._max_entries = max_entries
        self._entries: dict[Key, _Entry] = {}
        self._by_age: deque[tuple[Key, _Entry]] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def admit(self, key: Key, request_authenticator: bytes, now: float) -> Fresh | InFlight | Answered:
        """What is known of a request; a fresh one is remembered as in flight. `now` is monotonic."""
        self._expire(now)
        entry = self._entries.get(key)
        if entry is not None and entry.request_authenticator == request_authenticator:
            return IN_FLIGHT if entry.reply is None else Answered(entry.reply)
        entry = _Entry(request_authenticator, now + self._lifetime_s)
        self._entries[key] = entry
        self._by_age.append((key, entry))
        return FRESH

    def answer(self, key: Key, request_authenticator: bytes, reply: bytes) -> None:
        """Keep the reply for repeats, if the request is still remembered."""
        entry = self._entries.get(key)
        if entry is not None and entry.request_authenticator == request_authenticator:
            entry.reply = reply

    def forget(self, key: Key, request_authenticator: bytes) -> None:
        """Forget a request that got no verdict."""
        entry = self._entries.get(key)
        if entry is not None and entry.request_authenticator == request_authenticator:
            del self._entries[key]

    def _expire(self, now: float) -> None:
        while self._by_age and (self._by_age[0][1].expires <= now or len(self._by_age) >= self._max_entries):
            key, entry = self._by_age.popleft()
            if self._entries.get(key) is entry:
                del self._entries[key]


def key_of(datagram: Datagram) -> Key:
    """What tells a request from others of the same moment. The frame must have been checked."""
    return (datagram.listener, datagram.peer[0], datagram.peer[1], datagram.octets[1])
