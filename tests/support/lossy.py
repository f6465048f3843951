"""A path over UDP on which packets are lost when a test wants it."""

import contextlib
import socket
import threading


class LossyPath:
    """Carries packets between a port of its own on loopback and a server. While `is_cut` the server gets none."""

    def __init__(self, server_port: int) -> None:
        self.is_cut = False
        self.lost = 0
        self._near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._near.bind(("127.0.0.1", 0))
        self._near.settimeout(0.1)
        self._server = ("127.0.0.1", server_port)
        self._is_closing = False
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """Where its near end is."""
        return int(self._near.getsockname()[1])

    def __enter__(self) -> "LossyPath":
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing = True
        self._thread.join(5)
        self._near.close()

    def _carry(self) -> None:
        while not self._is_closing:
            with contextlib.suppress(TimeoutError):
                octets, peer = self._near.recvfrom(4096)
                if self.is_cut:
                    self.lost += 1
                    continue
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
                    far.settimeout(2)
                    far.sendto(octets, self._server)
                    self._near.sendto(far.recv(4096), peer)
