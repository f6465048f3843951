"""One login as a door hands it over, whatever the door.

Parsed once, at the door: from here on a name is canonical, a password is a
hidden value, and a field that could not be used is a `Reason`, not an exception.
"""

import unicodedata
from dataclasses import dataclass, field
from typing import NewType

from authn.challenge import Conversation
from authn.client import NasClient
from authn.credentials import CodeProof
from authn.instants import UnixSeconds
from authn.secret import Password
from authn.verdict import Reason

Username = NewType("Username", str)
"""A user's name in canonical form: one person, one name, one counter."""

NOBODY = Username("")
"""Stands for every name that cannot be a user's. No account bears it."""

MAX_USERNAME_OCTETS = 253
"""What a User-Name attribute can carry (RFC 2865 §5.1)."""

NO_REALMS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One attempt to log in.

    `unusable` is set when the door could not read credentials out of what the
    peer sent; such an attempt walks the whole path and is refused at its end.
    `conversation` is set in the answer to a challenge. `code_proof` stands in
    for the password field where a method proves a code without sending it.
    """

    username: Username
    password: Password
    client: NasClient
    received: UnixSeconds
    station: str | None = None  # where the user sits, as the NAS tells it (Calling-Station-Id)
    unusable: Reason | None = None
    conversation: Conversation | None = None
    code_proof: CodeProof | None = field(default=None, repr=False)


def canonical_username(octets: bytes, *, realms: frozenset[str] = NO_REALMS, charset: str | None = None) -> Username:
    """Fold a typed name to its canonical form, or to `NOBODY`.

    Octets that are not UTF-8 are read in `charset`, if one is given. Case and
    compatibility forms are folded (NFKC, then case folding, then NFKC again so
    that the result is stable). What stands before a backslash is a Windows
    domain and falls away; so does an `@realm` that is among `realms`. Names that
    are empty, too long, unreadable, or that hold control, format or line-breaking
    characters fold to `NOBODY`.
    """
    if not 0 < len(octets) <= MAX_USERNAME_OCTETS:
        return NOBODY
    if octets.isascii():
        name = octets.decode("ascii").lower()
    else:
        text = decode_text(octets, charset)
        if text is None:
            return NOBODY
        name = fold(text)
    if not name.isprintable() or name != name.strip():
        return NOBODY
    name = name.rpartition("\\")[2]
    if realms:
        user, at, realm = name.rpartition("@")
        if at and realm in realms:
            name = user
    return Username(name) if name == name.strip() and len(name.encode()) <= MAX_USERNAME_OCTETS else NOBODY


def fold(text: str) -> str:
    """Case and compatibility forms folded, in a form that folds to itself."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def decode_text(octets: bytes, charset: str | None) -> str | None:
    """Octets as text: UTF-8 if they are, else in `charset`, else None."""
    for name in ("utf-8", charset):
        if name is not None:
            try:
                return octets.decode(name)
            except UnicodeDecodeError:
                continue
    return None
