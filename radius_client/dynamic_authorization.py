"""Telling a NAS to end a session, or to change it (RFC 5176).

The request names the session by the attributes that the NAS itself used for it,
carries the time it was made (§6.3), and goes out again with the same octets and
identifier. A reply is believed only when it proves the shared secret.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from radius_client.errors import NoReplyError
from radius_client.exchange import Server, exchange
from radius_wire import attributes
from radius_wire.errors import InvalidAttributeError
from radius_wire.packet import Attribute, Packet, PacketCode, build_signed_by_authenticator

SESSION_CONTEXT_NOT_FOUND = 503  # RFC 5176 §3.5
_CAUSES = {
    201: "residual session context removed",
    401: "unsupported attribute",
    402: "missing attribute",
    403: "NAS identification mismatch: the address or identifier in the request is not the NAS's own",
    404: "invalid request",
    405: "unsupported service",
    406: "unsupported extension: the NAS does not do this",
    407: "invalid attribute value",
    501: "administratively prohibited: allow it at the NAS",
    502: "a proxy cannot route the request",
    503: "session context not found: it is over already",
    504: "session context not removable",
    506: "resources unavailable",
    508: "several sessions were selected",
}


@dataclass(frozen=True, slots=True)
class Done:
    """The NAS has done it (Disconnect-ACK, CoA-ACK)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The NAS has not (Disconnect-NAK, CoA-NAK). `error_cause` is the number of RFC 5176 §3.5, if it gave one."""

    error_cause: int | None

    def __str__(self) -> str:
        return _CAUSES.get(self.error_cause or 0, f"error cause {self.error_cause or 'not told'}")


def disconnect(
    server: Server,
    identification: Sequence[Attribute],
    *,
    now: Callable[[], float] = time.time,
    random_octets: Callable[[int], bytes] = os.urandom,
) -> Done | Refused:
    """Ask a NAS to end a session. Raises NoReplyError."""
    return _ask(server, PacketCode.DISCONNECT_REQUEST, identification, now, random_octets)


def change(
    server: Server,
    identification: Sequence[Attribute],
    changes: Sequence[Attribute],
    *,
    now: Callable[[], float] = time.time,
    random_octets: Callable[[int], bytes] = os.urandom,
) -> Done | Refused:
    """Ask a NAS to change the authorisation of a session. Raises NoReplyError."""
    return _ask(server, PacketCode.COA_REQUEST, [*identification, *changes], now, random_octets)


def _ask(
    server: Server,
    packet_code: PacketCode,
    asked: Sequence[Attribute],
    now: Callable[[], float],
    random_octets: Callable[[int], bytes],
) -> Done | Refused:
    made_at = (attributes.EVENT_TIMESTAMP, attributes.encode_integer(int(now())))
    request = build_signed_by_authenticator(packet_code, random_octets(1)[0], [*asked, made_at], server.shared_secret)
    reply = exchange(server, request, deadline=time.monotonic() + server.timeout_s * server.tries)
    match reply.packet_code:
        case PacketCode.DISCONNECT_ACK | PacketCode.COA_ACK:
            return Done()
        case PacketCode.DISCONNECT_NAK | PacketCode.COA_NAK:
            return Refused(_error_cause(reply))
        case code:
            raise NoReplyError(f"{server}: answered with code {code}")


def _error_cause(reply: Packet) -> int | None:
    value = reply.first(attributes.ERROR_CAUSE)
    if value is None:
        return None
    try:
        return attributes.decode_integer(value)
    except InvalidAttributeError:
        return None
