"""Files that hold a secret: read only if nobody but their owner can."""

import os
import stat
from pathlib import Path

from authn.errors import ConfigError


def read_private_file(path: Path, what: str, most_octets: int, *, cure: str = "") -> bytes:
    """The first `most_octets` of a file. Raises ConfigError: unreadable (`cure` helps), or readable by others."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            octets = file.read(most_octets)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read {what}: {error.strerror}{cure}") from error
    if mode & 0o077:
        raise ConfigError(f"{path}: {what} can be read by others (mode {mode:04o}); run: chmod 600 {path}")
    return octets
