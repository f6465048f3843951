"""A NAS made of raw sockets, for what radclient cannot do: the same octets twice, thousands of requests at once."""

import os
import selectors
import socket
import time

from radius_wire import attributes
from radius_wire.authenticators import verify_reply
from radius_wire.packet import Attribute, Packet, PacketCode, build_request, parse
from radius_wire.password_hiding import hide
from support.installations import SHARED_SECRET


def access_request(
    username: str,
    typed: str,
    *,
    identifier: int = 1,
    shared_secret: bytes = SHARED_SECRET,
    extra: tuple[Attribute, ...] = (),
) -> bytes:
    """A signed Access-Request."""
    authenticator = os.urandom(16)
    hidden = hide(typed.encode(), shared_secret, authenticator)
    asked = [(attributes.USER_NAME, username.encode()), (attributes.USER_PASSWORD, hidden), *extra]
    return build_request(PacketCode.ACCESS_REQUEST, identifier, authenticator, asked, shared_secret)


class Nas:
    """One UDP socket towards a server."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((host, port))

    def __enter__(self) -> "Nas":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self._socket.send(octets)

    def receive(self, timeout_s: float = 5.0) -> bytes | None:
        """The next datagram, or None for silence."""
        self._socket.settimeout(timeout_s)
        try:
            return self._socket.recv(4096)
        except TimeoutError:
            return None

    def ask(self, request: bytes, timeout_s: float = 5.0) -> Packet | None:
        """Send a request; the proven reply, or None for silence."""
        self.send(request)
        octets = self.receive(timeout_s)
        if octets is None:
            return None
        reply = parse(octets)
        verify_reply(reply, request[4:20], SHARED_SECRET)
        return reply


def ask_all(requests: list[tuple[int, bytes]], *, at_once: int = 200, timeout_s: float = 60.0) -> list[int | None]:
    """Send (port, request) pairs, each from a socket of its own, so many at once; the reply codes in order.

    A request without a reply is repeated every second with the same octets, as a NAS does.
    """
    codes: list[int | None] = [None] * len(requests)
    todo = list(enumerate(requests))[::-1]
    until = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        sent_at: dict[int, float] = {}
        sockets: dict[int, socket.socket] = {}
        while (todo or sockets) and time.monotonic() < until:
            while todo and len(sockets) < at_once:
                number, (port, octets) = todo.pop()
                udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                udp.connect(("127.0.0.1", port))
                udp.send(octets)
                sockets[number], sent_at[number] = udp, time.monotonic()
                selector.register(udp, selectors.EVENT_READ, number)
            for key, _ in selector.select(0.2):
                number = key.data
                reply = parse(sockets[number].recv(4096))
                verify_reply(reply, requests[number][1][4:20], SHARED_SECRET)
                codes[number] = reply.packet_code
                selector.unregister(sockets[number])
                sockets.pop(number).close()
            for number, udp in sockets.items():
                if time.monotonic() - sent_at[number] > 1.0:
                    udp.send(requests[number][1])
                    sent_at[number] = time.monotonic()
        for udp in sockets.values():
            udp.close()
    return codes
