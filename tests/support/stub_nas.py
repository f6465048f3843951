"""A NAS that takes Disconnect- and CoA-Requests, made of pyrad: it knows nothing of our codec."""

import socket
import threading
from collections.abc import Sequence

from pyrad import dictionary, packet

from radius_client.exchange import Server

SECRET = b"a shared secret of the nas"


class StubNas:
    """Answers Dynamic Authorization requests that prove the secret and are fresh (RFC 5176 §2.3, §6.3)."""

    def __init__(
        self, code: int, attributes: Sequence[tuple[int, bytes]] = (), lost: int = 0, secret: bytes = SECRET
    ) -> None:
        self._code, self._attributes, self._lost, self._secret = code, attributes, lost, secret
        self.seen = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(5)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return self._socket.getsockname()[1]

    @property
    def server(self) -> Server:
        """How to reach it."""
        host, port = self._socket.getsockname()
        return Server(host, port, SECRET, timeout_s=0.3, tries=2, require_message_authenticator=False)

    def close(self) -> None:
        """Stop."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                octets, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if not octets:
                return
            request = packet.CoAPacket(packet=octets, secret=self._secret, dict=dictionary.Dictionary())
            self.seen.append((octets, request.VerifyCoARequest(), request))
            if len(self.seen) <= self._lost:
                continue
            reply = request.CreateReply()
            reply.code = self._code
            for kind, value in self._attributes:
                reply[kind] = [value]
            self._socket.sendto(reply.ReplyPacket(), peer)
