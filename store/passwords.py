"""Password hashing (argon2id, RFC 9106)."""

import unicodedata
from dataclasses import dataclass

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError, VerifyMismatchError

from authn.decision import Finding
from authn.secret import Password, Secret


class PasswordHash(Secret):
    """A hash in its printable form (`$argon2id$…`). Hidden, since passwords can be tried against it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class HashingSettings:
    """The cost of one argon2id hash. The defaults are the first set that OWASP recommends: about 20 ms of a core."""

    memory_kib: int = 19456
    time_cost: int = 2
    parallelism: int = 1


class Passwords:
    """Hashes and checks passwords. Safe to use from several threads."""

    def __init__(self, settings: HashingSettings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.time_cost,
            memory_cost=settings.memory_kib,
            parallelism=settings.parallelism,
            type=Type.ID,
        )

    def hash(self, password: Password) -> PasswordHash:
        """The hash of a new password."""
        return PasswordHash(self._hasher.hash(_normal(password)).encode("ascii"))

    def check(self, password: Password, password_hash: PasswordHash) -> Finding:
        """Whether the password belongs to the hash.

        CANNOT_TELL for a hash of no known form, and when memory runs out.
        """
        try:
            self._hasher.verify(password_hash.reveal().decode("ascii"), _normal(password))
        except VerifyMismatchError:
            return Finding.FAILED
        except (Argon2Error, InvalidHashError, UnicodeDecodeError, MemoryError):
            return Finding.CANNOT_TELL
        return Finding.PASSED


def _normal(password: Password) -> bytes:
    """The password in one Unicode form (NFC, RFC 8265 §4.2.2): a keyboard may send an umlaut as one letter or two.

    Octets that are not UTF-8 stay as they are.
    """
    octets = password.reveal()
    if octets.isascii():
        return octets
    try:
        return unicodedata.normalize("NFC", octets.decode("utf-8")).encode("utf-8")
    except UnicodeDecodeError:
        return octets
