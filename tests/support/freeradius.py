"""FreeRADIUS as a proxy: twinward behind a RADIUS server that was there before it.

`Proxy`, its base class, is what any proxy of the tests is: a port, a log, an end by process id.
"""

import re
import socket
import subprocess
import time
from pathlib import Path

from support.debian import require_program
from support.installations import SHARED_SECRET

OUTER_SECRET = b"secret between NAS and proxy"  # the leg before a proxy; SHARED_SECRET guards the one behind it

_CONFIG = """
name = "proxy"
logdir = "{folder}"
run_dir = "{folder}"
pidfile = "{folder}/freeradius.pid"
proxy_requests = yes
max_request_time = 15
cleanup_delay = 0
hostname_lookups = no
security {{
    reject_delay = 0
    status_server = no
}}
log {{
    colourise = no
}}
client nas {{
    ipaddr = 127.0.0.1
    secret = "{outer_secret}"
    require_message_authenticator = {nas_must_sign}
}}
home_server twinward {{
    type = auth
    ipaddr = 127.0.0.1
    port = {upstream}
    secret = "{inner_secret}"
    # 3.2.1 passes over this line; later versions demand a signed reply because of it.
    require_message_authenticator = yes
    status_check = none
    response_window = 10
}}
home_server_pool twinward {{
    type = fail-over
    home_server = twinward
}}
realm twinward {{
    auth_pool = twinward
    nostrip
}}
modules {{
}}
server default {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = {port}
    }}
    authorize {{
        update control {{
            &Proxy-To-Realm := "twinward"
        }}
    }}
    pre-proxy {{
        {sign}
    }}
}}
"""
_SIGN = """update proxy-request {
            &Message-Authenticator := 0x00
        }"""


def free_udp_port() -> int:
    """A UDP port of loopback that nobody serves now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return udp.getsockname()[1]


class Proxy:
    """A proxy in the foreground, on a port of loopback."""

    def __init__(self, command: list[str], port: int, log_path: Path, ready: str) -> None:
        self.port = port
        self._log_path = log_path
        with log_path.open("w") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._wait_for(ready)
        except BaseException:
            self.stop()
            raise

    @property
    def log(self) -> str:
        """What it has written."""
        return self._log_path.read_text(errors="replace")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not help."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def _wait_for(self, text: str, timeout_s: float = 20.0) -> None:
        until = time.monotonic() + timeout_s
        while text not in self.log:
            assert self._process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.02)


class FreeradiusProxy(Proxy):
    """Hands every Access-Request to the server at a port of loopback, and logs the packets of both legs.

    It drops what a NAS did not sign; with `signs_for_nas` it takes that too, and signs every request it hands on.
    """

    def __init__(self, folder: Path, upstream: int, *, signs_for_nas: bool = False) -> None:
        program = require_program("freeradius", "freeradius")
        port = free_udp_port()
        settings = folder / "freeradius"
        settings.mkdir(mode=0o700)
        config = _CONFIG.format(
            folder=settings,
            port=port,
            upstream=upstream,
            outer_secret=OUTER_SECRET.decode(),
            inner_secret=SHARED_SECRET.decode(),
            nas_must_sign="no" if signs_for_nas else "yes",
            sign=_SIGN if signs_for_nas else "",
        )
        (settings / "radiusd.conf").write_text(config)
        log_path = settings / "freeradius.log"
        command = [program, "-f", "-xx", "-d", str(settings), "-l", str(log_path)]
        super().__init__(command, port, log_path, "Ready to process requests")

    def proxy_states(self, packet: str) -> list[str]:
        """The Proxy-State values of the first logged packet of a name, as `Sent Access-Request`."""
        lines = iter(self.log.split(f") {packet} Id", 1)[1].splitlines()[1:])
        attributes = (re.fullmatch(r"\(\d+\)   ([\w-]+) :?= (.*)", line) for line in lines)
        states = []
        for attribute in attributes:
            if attribute is None:  # the end of the packet
                break
            if attribute[1] == "Proxy-State":
                states.append(attribute[2])
        return states
