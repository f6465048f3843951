"""FreeRADIUS's radclient as the NAS."""

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
        for name in ("Access-Accept", "Access-Reject", "Access-Challenge"):
            if f"Received {name}" in self.text:
                return name
        return None


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
    program = require_program("radclient", "freeradius-utils")
    lines = [f'User-Name = "{username}"', f'User-Password = "{typed}"', 'NAS-Identifier = "radclient"']
    if signed:
        lines.insert(0, "Message-Authenticator = 0x00")
    if extra:
        lines.append(extra)
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    command = [program, "-x", "-r", "1", "-t", str(timeout_s), target, "auth", shared_secret.decode()]
    if ":" in host:
        command.insert(1, "-6")
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, timeout=30)
    return RadclientResult(done.stdout + done.stderr, done.returncode)
