"""Signals as a thing a selector can wait for: SIGTERM and SIGINT stop, SIGHUP reloads."""

import os
import signal
from types import FrameType


class Signals:
    """Catches the signals of a service while entered. `fileno()` is readable after one came in."""

    def __init__(self) -> None:
        self.stop = False
        self.reload = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def __enter__(self) -> "Signals":
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        return self._reader

    def is_stopping(self) -> bool:
        """Whether a stop was asked for. Also takes the wake-ups out of the pipe."""
        try:
            os.read(self._reader, 4096)
        except BlockingIOError:
            pass
        return self.stop

    def take_reload(self) -> bool:
        """Whether a reload was asked for since the last call."""
        asked, self.reload = self.reload, False
        return asked

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop = True

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self.reload = True
