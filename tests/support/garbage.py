"""A TCP server that answers everybody with what belongs to no protocol they speak."""

import contextlib
import os
import socket
import threading


class Garbage:
    """Serves a port of loopback that a directory has left, until it is closed."""

    def __init__(self, port: int) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen()
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Garbage":
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            babble = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" if self.connections % 2 else os.urandom(512)
            with peer, contextlib.suppress(OSError):  # whoever hangs up has seen enough
                peer.settimeout(1)
                peer.recv(4096)
                peer.sendall(babble)
