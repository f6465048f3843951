"""A RADIUS server that says what a test tells it to, true or false."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from radius_wire.packet import Packet, parse

Script = Callable[[Packet, int], Iterable[bytes]]


@contextmanager
def scripted_server(script: Script, host: str = "127.0.0.1", delay_s: float = 0.0) -> Iterator[tuple[int, list[bytes]]]:
    """Answers each datagram with the octets that `script(request, count)` yields. Gives its port, and what came in."""
    udp = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((host, 0))
    udp.settimeout(0.05)
    seen: list[bytes] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                octets, peer = udp.recvfrom(4096)
            except TimeoutError:
                continue
            seen.append(octets)
            if delay_s:
                stop.wait(delay_s)
            for reply in script(parse(octets), len(seen)):
                udp.sendto(reply, peer)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield udp.getsockname()[1], seen
    finally:
        stop.set()
        thread.join(5)
        udp.close()
