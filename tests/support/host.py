"""The host's own users and PAM services, made for a test and taken away after it. Root only."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

UNIX = "auth required pam_unix.so\naccount required pam_unix.so\n"


@contextmanager
def host_user(password: str) -> Iterator[str]:
    """A user of the host: the name."""
    _require_root("useradd", "chpasswd", "usermod", "userdel")
    name = f"twt{secrets.token_hex(6)}"
    run("useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", name)
    try:
        run("chpasswd", told=f"{name}:{password}\n")
        yield name
    finally:
        run("userdel", name)


@contextmanager
def pam_service(lines: str = UNIX) -> Iterator[str]:
    """A PAM service of these lines: the name."""
    _require_root()
    path = Path("/etc/pam.d") / f"twinward-test-{secrets.token_hex(8)}"
    path.write_text(lines)
    try:
        yield path.name
    finally:
        path.unlink()


def run(*command: str, told: str = "") -> None:
    """Run a program that changes the host; `told` is what it reads."""
    subprocess.run(command, input=told, text=True, check=True, timeout=30)


def _require_root(*programs: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("PAM services and users can be made by root only: run the tests as root")
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: install Debian's package passwd")
