"""Partners from outside: find their programs, install them where that is allowed, or skip loudly by name."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_INSTALL = Path(__file__).with_name("install_debian.sh")
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def require_program(name: str, package: str) -> str:
    """The path of a program from a Debian package. Root installs a missing one; otherwise the test is skipped."""
    found = _find(name)
    if found is None and os.geteuid() == 0:
        _install_once(package)
        found = _find(name)
    if found is None:
        pytest.skip(
            f"{name} is missing: install Debian's package {package} (`make test` does so as root)",
            allow_module_level=True,
        )
    return found


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")


@functools.cache  # one attempt a run: a package that cannot be had stays away
def _install_once(package: str) -> None:
    subprocess.run([_INSTALL, package], check=False)
