"""Password hashing: argon2id (RFC 9106) for our own, and what other programs made for imported ones.

An imported hash is checked as it is, and gives way to one of ours at the next
good login: `renew`.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, HashingError, InvalidHashError, VerifyMismatchError

from authn.errors import OperationError
from authn.first_factor import Finding
from authn.secret import Password, Secret
from store import foreign_hashes

_OWN = "$argon2id$"


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
        """Whether the password belongs to the hash, our own or a foreign one.

        CANNOT_TELL for a hash of no known form, for one that this machine's
        libcrypt does not know, and when memory runs out.
        """
        text = password_hash.reveal().decode("ascii", "replace")
        try:
            foreign = None if text.startswith(_OWN) else foreign_hashes.parse(text)
        except OperationError:
            return Finding.CANNOT_TELL
        finding = Finding.FAILED
        for octets in _as_hashed(password):
            finding = self._check_own(octets, text) if foreign is None else foreign.check(octets)
            if finding is not Finding.FAILED:
                break
        return finding

    def needs_renewal(self, password_hash: PasswordHash) -> bool:
        """Whether the hash is foreign, or argon2id with other parameters than those set."""
        text = password_hash.reveal().decode("ascii", "replace")
        try:
            return not text.startswith(_OWN) or self._hasher.check_needs_rehash(text)
        except InvalidHashError:
            return True

    def renew(self, password: Password, password_hash: PasswordHash) -> PasswordHash | None:
        """A new hash of a password that has PASSED against this one, or None if this one is to stay.

        It stays where it needs no renewal, and when memory runs out. It also
        stays where bcrypt has read the first 72 octets of a longer password: the
        rest may be mistyped, and a new hash would make the mistake the password.
        """
        if not self.needs_renewal(password_hash):
            return None
        text = password_hash.reveal().decode("ascii", "replace")
        if not text.startswith(_OWN) and not foreign_hashes.parse(text).reads_all(password.reveal()):
            return None
        try:
            return self.hash(password)
        except (HashingError, MemoryError):
            return None

    def _check_own(self, octets: bytes, text: str) -> Finding:
        """Takes argon2id of any parameters: ours may have been set dearer once than what an import may bring."""
        try:
            self._hasher.verify(text, octets)
        except VerifyMismatchError:
            return Finding.FAILED
        except (Argon2Error, InvalidHashError, UnicodeEncodeError, MemoryError):
            return Finding.CANNOT_TELL
        return Finding.PASSED


def read_foreign_hash(text: str) -> PasswordHash:
    """The hash of a password that another program made, in its printable form.

    Raises OperationError, which says what is wrong and what is accepted and
    does not repeat the hash: no known form, too weak, too dear to check, or a
    method that this machine's libcrypt lacks.
    """
    text = text.strip()
    if missing := foreign_hashes.parse(text).missing():
        raise OperationError(missing)
    return PasswordHash(text.encode("ascii"))


def _as_hashed(password: Password) -> Iterator[bytes]:
    """The octets that may have been hashed, the likeliest first.

    Ours are in NFC, and so is what nearly every keyboard sends: one hash decides,
    right or wrong. Only what was typed in another form is tried as it is, too,
    for a program that took it so. (A hash of another form whose password is typed
    in NFC does not pass; that cost a second hash at every wrong umlaut.)
    """
    normal = _normal(password)
    yield normal
    if normal != password.reveal():
        yield password.reveal()


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
