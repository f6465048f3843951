"""One login as a door hands it over, whatever the door.

Parsed once, at the door: from here on a name is canonical, a password is a
hidden value, and a field that could not be used is a `Reason`, not an exception.
"""

import unicodedata
from dataclasses import dataclass
from typing import NewType

from authn.client import NasClient
from authn.instants import UnixSeconds
from authn.secret import Password
from authn.verdict import Reason

Username = NewType("Username", str)
"""A user's name in canonical form: one person, one name, one counter."""

NOBODY = Username("")
"""Stands for every name that cannot be a user's. No account bears it."""

MAX_USERNAME_OCTETS = 253
"""What a User-Name attribute can carry (RFC 2865 §5.1)."""


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One attempt to log in.

    `unusable` is set when the door could not read credentials out of what the
    peer sent; such an attempt walks the whole path and is refused at its end.
    """

    username: Username
    password: Password
    client: NasClient
    received: UnixSeconds
    station: str | None = None  # where the user sits, as the NAS tells it (Calling-Station-Id)
    unusable: Reason | None = None


def canonical_username(octets: bytes) -> Username:
    """Fold a typed name to its canonical form, or to `NOBODY`.

    Case and compatibility forms are folded (NFKC, then case folding, then NFKC
    again so that the result is stable). Names that are empty, too long, not
    UTF-8, or that hold control, format or line-breaking characters fold to `NOBODY`.
    """
    if not 0 < len(octets) <= MAX_USERNAME_OCTETS:
        return NOBODY
    if octets.isascii():
        name = octets.decode("ascii").lower()
        return Username(name) if name.isprintable() and name == name.strip() else NOBODY
    try:
        folded = unicodedata.normalize("NFKC", octets.decode("utf-8"))
    except UnicodeDecodeError:
        return NOBODY
    folded = unicodedata.normalize("NFKC", folded.casefold())
    return Username(folded) if folded.isprintable() and folded == folded.strip() else NOBODY
