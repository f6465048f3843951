"""The real server as a process of its own, on loopback, ended by its process id."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

CONFIG = """
[node]
name = "test"
[radius]
listen = [{listen}]
reject_delay_s = {reject_delay_s}
reject_jitter_s = 0.0
{radius}
[passwords]
memory_kib = 8192
time_cost = 1
threads = 2
{more}
"""


def write_config(
    folder: Path, *hosts: str, reject_delay_s: float = 0.3, accounting: bool = False, radius: str = "", more: str = ""
) -> Path:
    """A configuration that listens on these addresses, each with a port of the system's choice.

    `radius` holds further keys of that table, `more` whatever comes after.
    """
    if accounting:
        radius += '\naccounting_listen = ["127.0.0.1:0"]'
    path = folder / "twinward.toml"
    listen = ", ".join(f'"{host}:0"' for host in hosts or ("127.0.0.1",))
    path.write_text(CONFIG.format(listen=listen, reject_delay_s=reject_delay_s, radius=radius, more=more))
    return path


class Daemon:
    """`twinward serve` over the installation of a folder."""

    def __init__(self, folder: Path, name: str = "serve") -> None:
        self.log_path = folder / f"{name}.log"
        with self.log_path.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "twinward", "--config", str(folder / "twinward.toml"), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
        self.ports = self._await_ports()

    @property
    def port(self) -> int:
        """The port of the first listener."""
        return self.ports[0]

    @property
    def accounting_port(self) -> int:
        """The port of the first accounting listener."""
        return int(re.findall(r"accounting on \S+:(\d+)/udp", self.log)[0])

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has written."""
        return self.log_path.read_text()

    def wait_for(self, text: str, timeout_s: float = 10.0) -> None:
        """Wait until the log holds a text."""
        until = time.monotonic() + timeout_s
        while text not in self.log:
            assert time.monotonic() < until, f"{text!r} did not come:\n{self.log}"
            time.sleep(0.02)

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        if self.is_running():
            self._process.terminate()
        try:
            return self._process.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def _await_ports(self) -> list[int]:
        until = time.monotonic() + 20
        while "listening" not in self.log or "ready" not in self.log:
            assert self.is_running(), self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.02)
        return [int(port) for port in re.findall(r"listening on \S+:(\d+)/udp", self.log)]
