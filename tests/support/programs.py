"""Partners from outside: find their programs, or skip loudly by name."""

import os
import shutil

import pytest

_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def require_program(name: str, package: str) -> str:
    """The path of a program. Skips the test, naming the Debian package, where it is missing."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_PATH}")
    if found is None:
        pytest.skip(f"{name} is missing: install Debian's package {package} (make test does so as root)")
    return found
