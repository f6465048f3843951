"""Password hashes that other programs made, as they lie in a shadow file, an LDAP directory or a Django database.

- What is imported is read once in full, so that no login meets a surprise. A
  hash too weak to keep, or so dear that one login would take seconds or
  gigabytes, is refused with the reason. No message repeats the hash.
- The limits are near one second of a core, and 256 MiB.
- A password is octets here, as the other program got them; bcrypt reads 72 of
  them. One that holds NUL belongs to no hash: bcrypt and crypt(3) would end there,
  and HMAC, so PBKDF2 and scrypt, takes one with NULs behind for one without.
- Hashes are compared in constant time. Nothing that was typed makes a check raise.
"""

import binascii
import hashlib
import hmac
import re
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass

import bcrypt
from argon2 import Type
from argon2.exceptions import Argon2Error, VerifyMismatchError
from argon2.low_level import verify_secret

from authn.errors import OperationError
from authn.first_factor import Finding
from store import libcrypt

_MAX_CHARACTERS = 512
_MAX_MEMORY_KIB = 256 * 1024
_MAX_ARGON2_WORK_KIB = 1024 * 1024  # memory filled over all passes
_MAX_ARGON2_LANES = 16
_MAX_BCRYPT_COST = 14
_MAX_PBKDF2_ITERATIONS = 3_000_000
_MAX_SCRYPT_WORK = 2**21  # N·r·p; 128 octets each
_MAX_CRYPT_ROUNDS = 2_000_000
_BCRYPT_OCTETS = 72
_CRYPT_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_ACCEPTED = (
    "accepted are argon2id, argon2i, argon2d, bcrypt ($2a$, $2b$, $2y$), sha256-crypt ($5$), sha512-crypt ($6$),"
    " yescrypt ($y$), LDAP's {SSHA}, {SSHA256}, {SSHA512}, {CRYPT}, {ARGON2},"
    " and Django's pbkdf2_sha256, pbkdf2_sha1, scrypt, argon2, bcrypt, bcrypt_sha256"
)


class ForeignHash(ABC):
    """One password's hash. Its `repr` hides it, since passwords can be tried against it."""

    __slots__ = ()

    def check(self, octets: bytes) -> Finding:
        """Whether the password belongs to the hash: PASSED, FAILED, or CANNOT_TELL when memory or the method lacks."""
        return Finding.FAILED if b"\0" in octets else self._compute(octets)

    @abstractmethod
    def _compute(self, octets: bytes) -> Finding: ...

    def reads_all(self, octets: bytes) -> bool:
        """Whether every octet of the password has a part in the hash."""
        return True

    def missing(self) -> str | None:
        """What this machine lacks to check such a hash, or None."""
        return None


def parse(text: str) -> ForeignHash:
    """Read a hash in its printable form.

    Raises OperationError with the reason: no form that is known, too weak to
    keep, or too dear to check at each login.
    """
    if not text.isascii() or len(text) > _MAX_CHARACTERS:
        raise OperationError(f"this is no password hash of a form that is known here; {_ACCEPTED}")
    bare = _WRAPPER.sub("", text, count=1)
    for pattern, read in _FORMS:
        if found := pattern.fullmatch(bare):
            return read(found)
    for pattern, reason in _REFUSED:
        if pattern.fullmatch(bare):
            raise OperationError(f"{reason}; {_ACCEPTED}")
    raise OperationError(f"this is no password hash of a form that is known here; {_ACCEPTED}")


@dataclass(frozen=True, slots=True, repr=False)
class _Argon2(ForeignHash):
    """argon2 (RFC 9106). PHP, Django and slapd write its common form, the latter two with their prefix."""

    text: str
    kind: Type

    @classmethod
    def read(cls, found: re.Match[str]) -> ForeignHash:
        memory_kib, passes, lanes = int(found["memory"]), int(found["passes"]), int(found["lanes"])
        _limit("an argon2 memory in KiB", memory_kib, _MAX_MEMORY_KIB)
        _limit("an argon2 memory times passes in KiB", memory_kib * passes, _MAX_ARGON2_WORK_KIB)
        _limit("a number of argon2 lanes", lanes, _MAX_ARGON2_LANES)
        salt, tag = _unpadded(found["salt"], "argon2"), _unpadded(found["tag"], "argon2")
        if memory_kib < 8 * lanes or len(salt) < 8:  # RFC 9106 §3.1
            raise _damaged("argon2")
        if len(tag) < 16:
            raise OperationError("the tag of this argon2 hash is too short: 16 octets and more are accepted")
        return cls(found[0], {"id": Type.ID, "i": Type.I, "d": Type.D}[found["kind"]])

    def _compute(self, octets: bytes) -> Finding:
        try:
            verify_secret(self.text.encode("ascii"), octets, self.kind)
        except VerifyMismatchError:
            return Finding.FAILED
        except (Argon2Error, MemoryError):
            return Finding.CANNOT_TELL
        return Finding.PASSED


@dataclass(frozen=True, slots=True, repr=False)
class _Bcrypt(ForeignHash):
    """bcrypt. `$2a$`, `$2b$` and PHP's `$2y$` differ by faults that their writers no longer have.

    Every program cuts the password at 72 octets, but the library raises for a
    longer one, so it is cut here. Django's bcrypt_sha256 hashes the SHA-256 in
    hexadecimal instead, which is shorter.
    """

    text: str
    of_sha256: bool

    @classmethod
    def read(cls, found: re.Match[str]) -> ForeignHash:
        _limit("a bcrypt cost", int(found["cost"]), _MAX_BCRYPT_COST)
        return cls(found["bcrypt"], found["django"] is not None)

    def _compute(self, octets: bytes) -> Finding:
        if self.of_sha256:
            octets = hashlib.sha256(octets).hexdigest().encode("ascii")
        try:
            return _finding(bcrypt.checkpw(octets[:_BCRYPT_OCTETS], self.text.encode("ascii")))
        except (ValueError, MemoryError):
            return Finding.CANNOT_TELL

    def reads_all(self, octets: bytes) -> bool:
        return self.of_sha256 or len(octets) <= _BCRYPT_OCTETS


@dataclass(frozen=True, slots=True, repr=False)
class _Pbkdf2(ForeignHash):
    """PBKDF2 (RFC 8018 §5.2) as Django writes it: the salt is the text between the dollars."""

    algorithm: str
    iterations: int
    salt: bytes
    key: bytes

    @classmethod
    def read(cls, found: re.Match[str]) -> ForeignHash:
        _limit("a PBKDF2 iteration count", int(found["iterations"]), _MAX_PBKDF2_ITERATIONS)
        key = _padded(found["key"], "PBKDF2")
        if len(key) != hashlib.new(found["algorithm"]).digest_size:
            raise _damaged("PBKDF2")
        return cls(found["algorithm"], int(found["iterations"]), found["salt"].encode("ascii"), key)

    def _compute(self, octets: bytes) -> Finding:
        made = hashlib.pbkdf2_hmac(self.algorithm, octets, self.salt, self.iterations)
        return _finding(hmac.compare_digest(made, self.key))


@dataclass(frozen=True, slots=True, repr=False)
class _Scrypt(ForeignHash):
    """scrypt (RFC 7914) as Django writes it."""

    n: int
    r: int
    p: int
    salt: bytes
    key: bytes

    @classmethod
    def read(cls, found: re.Match[str]) -> ForeignHash:
        n, r, p = int(found["n"]), int(found["r"]), int(found["p"])
        _limit("a scrypt memory in KiB", n * r // 8, _MAX_MEMORY_KIB)
        _limit("a scrypt work N·r·p", n * r * p, _MAX_SCRYPT_WORK)
        key = _padded(found["key"], "scrypt")
        if len(key) != 64 or n < 2 or n & (n - 1):
            raise _damaged("scrypt")
        return cls(n, r, p, found["salt"].encode("ascii"), key)

    def _compute(self, octets: bytes) -> Finding:
        memory_octets = 128 * self.r * (self.n + self.p + 2)  # RFC 7914 §5 and §6
        try:
            made = hashlib.scrypt(
                octets, salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=memory_octets, dklen=len(self.key)
            )
        except (ValueError, MemoryError):
            return Finding.CANNOT_TELL
        return _finding(hmac.compare_digest(made, self.key))


@dataclass(frozen=True, slots=True, repr=False)
class _Crypt(ForeignHash):
    """sha256-crypt, sha512-crypt and yescrypt, by the system's libcrypt."""

    text: str

    @classmethod
    def read_sha(cls, found: re.Match[str]) -> ForeignHash:
        rounds = int(found["rounds5"] or found["rounds6"] or 5000)
        _limit("a number of rounds", rounds, _MAX_CRYPT_ROUNDS)
        if rounds < 1000:  # libcrypt computes 1000 then, and writes so
            raise _damaged("sha-crypt")
        return cls(found[0])

    @classmethod
    def read_yescrypt(cls, found: re.Match[str]) -> ForeignHash:
        """Takes the parameters that crypt_gensalt(3) writes: flavour j, then N as a logarithm, then r."""
        n, r = 2 ** (_CRYPT_ALPHABET.index(found["n"]) + 1), _CRYPT_ALPHABET.index(found["r"]) + 1
        _limit("a yescrypt memory in KiB", n * r // 8, _MAX_MEMORY_KIB)
        return cls(found[0])

    def _compute(self, octets: bytes) -> Finding:
        if len(octets) > libcrypt.MAX_PASSWORD_OCTETS:
            return Finding.FAILED  # no hash was made of it
        made = libcrypt.crypt(octets, self.text)
        if made is None:
            return Finding.CANNOT_TELL
        return _finding(hmac.compare_digest(made, self.text))

    def missing(self) -> str | None:
        prefix = self.text[:3]
        if libcrypt.knows(prefix):
            return None
        return f"the libcrypt of this machine does not know hashes of {prefix}, or is not there (Debian: libcrypt1)"


@dataclass(frozen=True, slots=True, repr=False)
class _SaltedDigest(ForeignHash):
    """LDAP's {SSHA} and its larger sisters: digest(password | salt), then the salt. Guessed fast: renewed soonest."""

    algorithm: str
    digest: bytes
    salt: bytes

    @classmethod
    def read(cls, found: re.Match[str]) -> ForeignHash:
        algorithm = f"sha{found['bits'] or 1}"
        octets, length = _padded(found["octets"], "{SSHA}"), hashlib.new(algorithm).digest_size
        if len(octets) <= length:
            raise _damaged("{SSHA}")
        return cls(algorithm, octets[:length], octets[length:])

    def _compute(self, octets: bytes) -> Finding:
        made = hashlib.new(self.algorithm, octets + self.salt).digest()
        return _finding(hmac.compare_digest(made, self.digest))


def _finding(is_equal: bool) -> Finding:
    return Finding.PASSED if is_equal else Finding.FAILED


def _limit(what: str, value: int, most: int) -> None:
    if value > most:
        raise OperationError(f"{what} of {value} is too dear to check at each login: up to {most} is accepted")


def _damaged(method: str) -> OperationError:
    return OperationError(f"this {method} hash is damaged: a part of it has the wrong length or value; {_ACCEPTED}")


def _padded(text: str, method: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except binascii.Error as error:
        raise _damaged(method) from error


def _unpadded(text: str, method: str) -> bytes:
    """argon2 writes base64 without padding, and reads no other spelling of it."""
    octets = _padded(text + "=" * (-len(text) % 4), method)
    if b64encode(octets).rstrip(b"=") != text.encode("ascii"):
        raise _damaged(method)
    return octets


# What Django and LDAP put before a hash that is known without it.
_WRAPPER = re.compile(r"\A(?:(?i:\{CRYPT\}|\{ARGON2\})|argon2(?=\$argon2)|bcrypt\$(?=\$2))")

_NUMBER = "[1-9][0-9]{0,9}"
_SHA_CRYPT_SALT = r"[^\0-\x20\x7f$:;*!\\]{1,16}"  # crypt(5) forbids these in any hash
_FORMS: list[tuple[re.Pattern[str], Callable[[re.Match[str]], ForeignHash]]] = [
    (
        re.compile(
            rf"\$argon2(?P<kind>id|i|d)\$(?:v=(?:16|19)\$)?"
            rf"m=(?P<memory>{_NUMBER}),t=(?P<passes>{_NUMBER}),p=(?P<lanes>{_NUMBER})"
            r"\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<tag>[A-Za-z0-9+/]+)"
        ),
        _Argon2.read,
    ),
    (
        # 22 characters of salt end in four spare bits. Every writer leaves them zero, and the library insists.
        re.compile(
            r"(?P<django>bcrypt_sha256\$)?(?P<bcrypt>\$2[aby]\$(?P<cost>0[4-9]|[12][0-9]|3[01])"
            r"\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31})"
        ),
        _Bcrypt.read,
    ),
    (
        re.compile(
            rf"pbkdf2_(?P<algorithm>sha256|sha1)\$(?P<iterations>{_NUMBER})"
            r"\$(?P<salt>[!-#%-~]+)\$(?P<key>[A-Za-z0-9+/]+=*)"
        ),
        _Pbkdf2.read,
    ),
    (
        re.compile(
            rf"scrypt\$(?P<n>{_NUMBER})\$(?P<salt>[!-#%-~]+)\$(?P<r>{_NUMBER})\$(?P<p>{_NUMBER})"
            r"\$(?P<key>[A-Za-z0-9+/]+=*)"
        ),
        _Scrypt.read,
    ),
    (
        re.compile(
            rf"\$(?:5\$(?:rounds=(?P<rounds5>{_NUMBER})\$)?{_SHA_CRYPT_SALT}\$[./A-Za-z0-9]{{43}}"
            rf"|6\$(?:rounds=(?P<rounds6>{_NUMBER})\$)?{_SHA_CRYPT_SALT}\$[./A-Za-z0-9]{{86}})"
        ),
        _Crypt.read_sha,
    ),
    (
        # One character each says up to 48: more would be too dear in any case.
        re.compile(r"\$y\$j(?P<n>[./0-9A-Za-j])(?P<r>[./0-9A-Za-j])\$[./A-Za-z0-9]{1,86}\$[./A-Za-z0-9]{43}"),
        _Crypt.read_yescrypt,
    ),
    (re.compile(r"(?i:\{SSHA(?P<bits>256|512)?\})(?P<octets>[A-Za-z0-9+/]+=*)"), _SaltedDigest.read),
]

_REFUSED = [
    (re.compile(pattern, re.DOTALL), reason)
    for pattern, reason in (
        ("", "there is no hash"),
        (r"[!*].*|x", "the account is locked there, or has no password"),
        (r"\$(?:1|apr1|md5)[$,].*", "MD5-crypt is not imported: its hashes are guessed millions of times a second"),
        (
            r"[./0-9A-Za-z]{13}|_[./0-9A-Za-z]{19}",
            "DES-crypt is not imported: it reads eight characters of a password, and all of them can be tried",
        ),
        (
            r"(?i:\{S?MD5\}).*|(?:unsalted_)?md5\$.*|[0-9A-Fa-f]{32}",
            "plain MD5 is not imported: its hashes are guessed billions of times a second",
        ),
        (
            r"(?i:\{SHA(?:256|384|512)?\}).*|(?:unsalted_)?sha1\$.*|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{128}",
            "a plain SHA digest is not imported: its hashes are guessed billions of times a second",
        ),
        (r"\$2x?\$.*", "bcrypt $2$ and $2x$ are not imported: programs with known faults wrote them"),
    )
]
