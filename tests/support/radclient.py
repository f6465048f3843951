"""FreeRADIUS's radclient as the NAS."""

import re
import subprocess
from dataclasses import dataclass

from support.debian import require_program
from support.installations import SHARED_SECRET


@dataclass
class RadclientResult:
    """What radclient printed, and its exit status."""

    text: str
    status: int

    @property
    def reply(self) -> str | None:
        """The name of the reply, or None for silence."""
        for name in ("Access-Accept", "Access-Reject", "Access-Challenge", "Accounting-Response"):
            if f"Received {name}" in self.text:
                return name
        return None

    def value(self, attribute: str) -> str | None:
        """What the reply says of an attribute, as radclient prints it."""
        found = re.search(rf"^\s+{attribute} = (.*)$", self.text.split("Received ")[-1], re.MULTILINE)
        return found and found[1]


def radclient(
    port: int,
    username: str,
    typed: str,
    *,
    shared_secret: bytes = SHARED_SECRET,
    signed: bool = True,
    extra: str = "",
    host: str = "127.0.0.1",
    timeout_s: int = 3,
) -> RadclientResult:
    """One Access-Request. Debian's radclient signs only when told to."""
    lines = [f'User-Name = "{username}"', f'User-Password = "{typed}"', 'NAS-Identifier = "radclient"']
    if signed:
        lines.insert(0, "Message-Authenticator = 0x00")
    if extra:
        lines.append(extra)
    return run_radclient(port, lines, shared_secret=shared_secret, host=host, timeout_s=timeout_s)


def run_radclient(
    port: int,
    lines: list[str],
    command: str = "auth",
    *,
    shared_secret: bytes = SHARED_SECRET,
    host: str = "127.0.0.1",
    timeout_s: int = 3,
) -> RadclientResult:
    """One packet of these attributes; `command` is auth, acct or status."""
    program = require_program("radclient", "freeradius-utils")
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    arguments = [program, "-x", "-r", "1", "-t", str(timeout_s), target, command, shared_secret.decode()]
    if ":" in host:
        arguments.insert(1, "-6")
    done = subprocess.run(arguments, input="\n".join(lines), capture_output=True, text=True, timeout=30)
    return RadclientResult(done.stdout + done.stderr, done.returncode)
