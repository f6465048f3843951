"""NAS at several addresses of loopback, known to one server as several clients; and what may differ in refusals."""

import socket
from concurrent.futures import ThreadPoolExecutor

from radius_wire.authenticators import verify_reply
from radius_wire.packet import parse
from support.installations import SHARED_SECRET
from support.nas import Nas

_SIGNATURE = slice(22, 38)  # the value of a Message-Authenticator that is the first attribute


class NasAt(Nas):
    """A NAS that asks from an address of its own."""

    def __init__(self, port: int, address: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.connect(("127.0.0.1", port))


def ask_at_once(port: int, requests: list[bytes], address: str = "127.0.0.1", timeout_s: float = 5.0) -> list[bytes]:
    """The replies to these requests, in order, as they came. All are on their way at once, and each is proven."""

    def ask(request: bytes) -> bytes:
        with NasAt(port, address) as nas:
            nas.send(request)
            octets = nas.receive(timeout_s)
        assert octets is not None, "no reply"
        verify_reply(parse(octets), request[4:20], SHARED_SECRET)
        return octets

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(ask, requests))


def form_of(reply: bytes) -> bytes:
    """A reply with its Identifier and both authenticators blanked: all that may differ between two refusals."""
    assert parse(reply).message_authenticator_at == _SIGNATURE.start
    form = bytearray(reply)
    form[1] = 0
    form[4:20] = bytes(16)
    form[_SIGNATURE] = bytes(16)
    return bytes(form)
