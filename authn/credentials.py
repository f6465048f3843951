"""Splitting one password field into password and code.

The split is decided from the client's input mode and the token's digits alone,
before anything is checked, so one field is read in one way only and a back end
is never asked twice.
"""

from dataclasses import dataclass

from authn.client import InputMode
from authn.secret import Password

_ASCII_DIGITS = frozenset(b"0123456789")


@dataclass(frozen=True, slots=True)
class Credentials:
    """A password and a code. `password` is None where the client checked it itself."""

    password: Password | None
    code: str


def split(field: Password, mode: InputMode, digits: int) -> Credentials | None:
    """Split a password field, or None when it cannot hold what the mode asks for.

    `digits` is the code's length. In suffix mode the password is whatever stands
    before the last `digits` octets, and must not be empty: a directory would take
    an empty password for an anonymous bind.
    """
    octets = field.reveal()
    code = octets[-digits:]
    if len(code) != digits or not _ASCII_DIGITS.issuperset(code):
        return None
    match mode:
        case InputMode.SUFFIX:
            if len(octets) == digits:
                return None
            return Credentials(Password(octets[:-digits]), code.decode("ascii"))
        case InputMode.CODE_ONLY:
            return Credentials(None, code.decode("ascii")) if len(octets) == digits else None
