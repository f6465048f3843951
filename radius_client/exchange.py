"""One question to one server (RFC 2865 §2.5, RFC 5080 §2.2.1).

Retransmissions are the same octets, so the server knows them again. A reply is
believed only when identifier, Response Authenticator and Message-Authenticator
prove it; anything else is passed over and the wait goes on, so that a forger
who is faster than the server gains nothing. If none is proven in the end, the
error says why the last one was passed over.
"""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from radius_client.errors import NoReplyError
from radius_wire.authenticators import verify_reply
from radius_wire.errors import ProtocolError
from radius_wire.packet import MAX_PACKET_OCTETS, Packet, parse


@dataclass(frozen=True, slots=True)
class Server:
    """A RADIUS server and how patient to be with it.

    The request is sent `tries` times at most, `timeout_s` apart.
    `require_message_authenticator` may be turned off only for servers that sign
    no replies; an attacker on the path can then forge an Access-Accept.
    """

    host: str
    port: int
    shared_secret: bytes = field(repr=False)
    timeout_s: float = 3.0
    tries: int = 3
    require_message_authenticator: bool = True

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def exchange(server: Server, request: bytes, *, deadline: float, clock: Callable[[], float] = time.monotonic) -> Packet:
    """Send a request and return the first proven reply. Raises NoReplyError.

    `deadline` is a reading of `clock`. A port that nobody listens on is noticed
    at once, as the socket is connected.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)[0]
    except OSError as error:
        raise NoReplyError(f"{server}: {error.strerror}") from error
    why = "no reply"
    with socket.socket(family, kind, protocol) as udp:
        try:
            udp.connect(address)
            for _ in range(server.tries):
                udp.send(request)
                reply, why = _await_reply(udp, server, request, min(deadline, clock() + server.timeout_s), clock, why)
                if reply is not None:
                    return reply
                if clock() >= deadline:
                    break
        except OSError as error:
            raise NoReplyError(f"{server}: {error.strerror or error}") from error
    raise NoReplyError(f"{server}: {why}")


def _await_reply(
    udp: socket.socket, server: Server, request: bytes, until: float, clock: Callable[[], float], why: str
) -> tuple[Packet | None, str]:
    """The first proven reply, or None with the reason there is none: `why`, unless more is known by now."""
    while (left := until - clock()) > 0:
        udp.settimeout(left)  # not `select`, which knows no descriptor from 1024 on
        try:
            reply = parse(udp.recv(MAX_PACKET_OCTETS))
            if reply.identifier != request[1]:
                continue
            verify_reply(
                reply,
                request[4:20],
                server.shared_secret,
                require_message_authenticator=server.require_message_authenticator,
            )
        except ProtocolError as error:
            why = f"no reply that can be believed; one was passed over: {error}"
            continue
        except TimeoutError:
            break
        return reply, why
    return None, why
