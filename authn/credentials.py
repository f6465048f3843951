"""Reading one password field as password and code.

The ways a field may be read follow from the client's input modes and the
token's digits alone. Which of them it is, the code decides: it is looked at in
each reading before any back end is asked, and only one reading goes on, so a
password is checked once however many modes a client accepts.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from authn.client import InputMode
from authn.secret import Password

CodeProof = Callable[[str], bool]
"""Tells whether a code is the one that a CHAP or MS-CHAPv2 response was made with. Compares in constant time."""

_ASCII_DIGITS = frozenset(b"0123456789")
_STATIC_CHALLENGE = b"SCRV1:"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A password and a code, and how they were typed. `password` is None where only a code was asked for."""

    mode: InputMode
    password: Password | None
    code: str


def readings(field: Password, modes: Sequence[InputMode], separator: str, digits: int) -> list[Credentials]:
    """Every way to read a field as password and code, in the order of the modes; none if there is no way.

    `digits` is the code's length. Where a password belongs to a reading it is
    never empty: a directory would take an empty password for an anonymous bind.
    """
    octets = field.reveal()
    if octets.startswith(_STATIC_CHALLENGE) and InputMode.CODE_ONLY not in modes:
        static = _static_challenge(octets, digits)
        if static is not None:
            return [static]
    found = []
    for mode in modes:
        match mode:
            case InputMode.SUFFIX:
                password, code = octets[:-digits], octets[-digits:]
            case InputMode.PREFIX:
                password, code = octets[digits:], octets[:digits]
            case InputMode.SEPARATOR:
                password, _, code = octets.rpartition(separator.encode("ascii"))
            case InputMode.CODE_ONLY:
                if len(octets) == digits and _ASCII_DIGITS.issuperset(octets):
                    found.append(Credentials(mode, None, octets.decode("ascii")))
                continue
            case _:  # no code in the field: it is the password alone
                continue
        if password and len(code) == digits and _ASCII_DIGITS.issuperset(code):
            found.append(Credentials(mode, Password(password), code.decode("ascii")))
    return found


def answer(field: Password, digits: int) -> Credentials | None:
    """The code in the answer to a challenge, or None if there is none. A blank in the middle is forgiven."""
    octets = field.reveal().replace(b" ", b"")
    if len(octets) != digits or not _ASCII_DIGITS.issuperset(octets):
        return None
    return Credentials(InputMode.CHALLENGE, None, octets.decode("ascii"))


def _static_challenge(octets: bytes, digits: int) -> Credentials | None:
    """OpenVPN's `static-challenge`: SCRV1, the password and the response in base64, joined by colons."""
    pieces = octets.split(b":")
    if len(pieces) != 3:
        return None
    try:
        password, code = (base64.b64decode(piece, validate=True) for piece in pieces[1:])
    except binascii.Error:
        return None
    if not password or b"\0" in password or len(code) != digits or not _ASCII_DIGITS.issuperset(code):
        return None
    return Credentials(InputMode.STATIC_CHALLENGE, Password(password), code.decode("ascii"))
