"""What passes between a transport and the handler."""

from dataclasses import dataclass
from typing import Any

from authn.instants import UnixSeconds

Peer = tuple[Any, ...]
"""A peer's address as the socket gives it: host, port, and for IPv6 flow and scope."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One reading of both clocks: `unix` for codes and audit, `monotonic` for everything that waits."""

    unix: UnixSeconds
    monotonic: float


@dataclass(slots=True)
class Datagram:
    """Octets that came in, or go out: through which listener, from or to which peer.

    `local` is the address the peer wrote to, in the transport's own form; the
    reply must leave from it (RFC 2865 §3). Treated as immutable; not frozen,
    since one is made for every datagram that arrives.
    """

    octets: bytes
    listener: int
    peer: Peer
    local: bytes | None = None
