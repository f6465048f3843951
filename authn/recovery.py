"""Recovery codes: sixteen characters on paper for the day the phone is gone, each good once.

80 random bits in Crockford's base 32, written `K7QM-2F8D-9XWB-3TRN`. Case does
not matter, nor O for 0 or I and L for 1. Kept as a hash, sealed to its user; a
plain hash does, as nobody searches 80 bits.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from authn.account import RecoveryCode, UserId
from authn.client import InputMode
from authn.secret import Password

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 16
GROUP = 4
WRITTEN_LENGTH = LENGTH + LENGTH // GROUP - 1
LOW_STOCK = 3
_LOOK_ALIKES = str.maketrans("OIL", "011")


@dataclass(frozen=True, slots=True)
class TypedRecoveryCode:
    """What may be a recovery code, and the password beside it. `password` is None where none belongs there."""

    mode: InputMode
    password: Password | None
    code: Password


def written(letters: str) -> str:
    """A code as people see it."""
    return "-".join(letters[at : at + GROUP] for at in range(0, LENGTH, GROUP))


def read(text: bytes, *, grouped: bool) -> Password | None:
    """A code as somebody typed it, in its one true form; None if it cannot be one.

    `grouped` asks for its hyphens, by which it is found in a field that holds a password too.
    """
    if not text.isascii():
        return None
    typed = text.decode("ascii").upper()
    if grouped:
        pieces = typed.split("-")
        if len(pieces) != LENGTH // GROUP or any(len(piece) != GROUP for piece in pieces):
            return None
    letters = typed.replace("-", "").replace(" ", "").translate(_LOOK_ALIKES)
    if len(letters) != LENGTH or not set(letters) <= set(LETTERS):
        return None
    return Password(letters.encode("ascii"))


def readings(field: Password, modes: Sequence[InputMode], separator: str) -> list[TypedRecoveryCode]:
    """The ways to read a field as a password and a recovery code in the place of the code."""
    octets, found = field.reveal(), []
    if len(octets) < LENGTH:
        return []
    for mode in modes:
        match mode:
            case InputMode.SUFFIX:
                password, typed = octets[:-WRITTEN_LENGTH], octets[-WRITTEN_LENGTH:]
            case InputMode.PREFIX:
                password, typed = octets[WRITTEN_LENGTH:], octets[:WRITTEN_LENGTH]
            case InputMode.SEPARATOR:
                typed = octets[-WRITTEN_LENGTH:]
                password, mark = octets[:-WRITTEN_LENGTH][:-1], octets[:-WRITTEN_LENGTH][-1:]
                if mark != separator.encode("ascii"):
                    continue
            case InputMode.CODE_ONLY:
                code = read(octets, grouped=False)
                if code is not None:
                    found.append(TypedRecoveryCode(mode, None, code))
                continue
            case _:
                continue
        code = read(typed, grouped=True) if password else None
        if code is not None:
            found.append(TypedRecoveryCode(mode, Password(password), code))
    return found


def digest(user_id: UserId, code: Password) -> bytes:
    """What is kept of a code: 32 octets."""
    return hashlib.sha256(b"twinward recovery code %d " % user_id + code.reveal()).digest()


def find(codes: Sequence[RecoveryCode], user_id: UserId, typed: Password) -> RecoveryCode | None:
    """The unused code that was typed, or None. All are compared."""
    expected, found = digest(user_id, typed), None
    for code in codes:
        if hmac.compare_digest(code.digest, expected):
            found = code
    return found
