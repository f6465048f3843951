"""pam_radius_auth, the RADIUS client of Linux logins, driven by pamtester in the place of sshd or sudo."""

import os
import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import debian
from support.installations import SHARED_SECRET

_PAM_FOLDER = Path("/etc/pam.d")
_MODULE = "lib/*/security/pam_radius_auth.so"


@dataclass
class PamResult:
    """What pamtester showed, its exit status, and how long it took."""

    text: str
    status: int
    seconds: float

    @property
    def let_in(self) -> bool:
        """Whether PAM let the user in."""
        return self.status == 0


class PamService:
    """A PAM service that asks the server at a port of loopback and nobody else. Leave it with `remove`."""

    def __init__(self, folder: Path, port: int, *, timeout_s: int = 3, options: str = "") -> None:
        self._pamtester = debian.require_program("pamtester", "pamtester")
        require_file(_MODULE, "libpam-radius-auth")
        if os.geteuid() != 0:
            pytest.skip("a PAM service can be written by root only: run the tests as root")
        servers = folder / "pam_radius.conf"
        servers.touch(0o600)
        servers.write_text(f"127.0.0.1:{port} {SHARED_SECRET.decode()} {timeout_s}\n")
        self._name = f"twinward-test-{secrets.token_hex(8)}"
        self._path = _PAM_FOLDER / self._name
        self._path.write_text(f"auth required pam_radius_auth.so conf={servers} {options}\n")

    def remove(self) -> None:
        """Take the service away again."""
        self._path.unlink()

    def log_in(self, username: str, *answers: str) -> PamResult:
        """One login, its prompts answered in order. Fails if an answer is left over that nobody asked for."""
        reader, writer = os.pipe()  # a pipe of our own: pamtester reads it by the octet, so what it leaves is there
        try:
            with os.fdopen(writer, "w") as keyboard:
                keyboard.writelines(f"{answer}\n" for answer in answers)
            started_at = time.monotonic()
            done = subprocess.run(
                [self._pamtester, self._name, username, "authenticate"],
                stdin=reader,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=30,
            )
            seconds = time.monotonic() - started_at
            assert os.read(reader, 4096) == b"", f"an answer was left over:\n{done.stdout}"
        finally:
            os.close(reader)
        return PamResult(done.stdout, done.returncode, seconds)


def require_file(pattern: str, package: str) -> None:
    """A file of a Debian package, by its pattern under the root. Root installs a missing one; otherwise skip."""
    if not _exists(pattern) and os.geteuid() == 0:
        debian._install_once(package)
    if not _exists(pattern):
        pytest.skip(f"/{pattern} is missing: install Debian's package {package} (`make test` does so as root)")


def _exists(pattern: str) -> bool:
    return any(Path("/").glob(pattern))
