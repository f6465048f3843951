"""Sealing: nothing secret lies in the database in clear.

Data keys seal the values; they lie in the database themselves, wrapped by a
key-encryption key (KEK) that never does. Everything is AES-256-GCM. The
associated data names the place of a value and what belongs to it (table,
column, row, user, token parameters), so a value that was altered, or copied to
another row, does not open.

    sealed value = version (1 octet) | data key id (4) | nonce (12) | ciphertext and tag
"""

import hmac
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from authn.errors import BrokenSealError, ConfigError, UnknownKeyError
from authn.secret import Secret
from store.private_files import read_private_file

Sealed = NewType("Sealed", bytes)
KeyId = NewType("KeyId", int)

KEY_OCTETS = 32
_VERSION = b"\x01"
_NONCE_OCTETS = 12
_HEADER_OCTETS = 1 + 4 + _NONCE_OCTETS
_KEY_FILE_PREFIX = "twinward-kek-1 "


class KeyEncryptionKey(Secret):
    """The key that wraps the data keys. Lives in a file of its own, never in the database or its backup."""

    __slots__ = ()

    def check_value(self) -> str:
        """Tells a wrong key from a damaged database, and tells nothing about the key."""
        return hmac.digest(self.reveal(), b"twinward key check value", "sha256")[:8].hex()


class DataKey(Secret):
    """A key that seals values, or that chains audit rows."""

    __slots__ = ()


def context(table: str, column: str, *parts: str | int) -> bytes:
    """The associated data of one value: where it stands and what belongs to it.

    Parts are joined by U+001F; one that holds it is refused, so that no two
    places have the same context. Raises ValueError.
    """
    text = "\x1f".join(["twinward/1", table, column, *map(str, parts)])
    if text.count("\x1f") != 2 + len(parts):
        raise ValueError("a context part holds the separator")
    return text.encode()


def _seal(cipher: AESGCM, key_id: KeyId, octets: bytes, associated_data: bytes) -> Sealed:
    nonce = os.urandom(_NONCE_OCTETS)
    return Sealed(_VERSION + key_id.to_bytes(4, "big") + nonce + cipher.encrypt(nonce, octets, associated_data))


def _open(cipher: AESGCM, sealed: bytes, associated_data: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[5:_HEADER_OCTETS], sealed[_HEADER_OCTETS:], associated_data)
    except (InvalidTag, ValueError) as error:
        raise BrokenSealError("a sealed value does not open: it was altered or moved") from error


class KeyRing:
    """Seals under the current data key, opens under any it holds."""

    def __init__(self, current: KeyId, keys: Mapping[KeyId, DataKey]) -> None:
        self._ciphers = {key_id: AESGCM(key.reveal()) for key_id, key in keys.items()}
        self._current = current
        if current not in self._ciphers:
            raise UnknownKeyError(f"data key {current} is not in the ring")
        self._key_of_derivation = keys[current].reveal()

    def derive(self, purpose: bytes) -> bytes:
        """A key of 32 octets for something else than sealing; another one after a rotation."""
        return hmac.digest(self._key_of_derivation, b"twinward derived key: " + purpose, "sha256")

    def seal(self, secret: Secret, associated_data: bytes) -> Sealed:
        """Seal a secret for the place that `context` names."""
        return _seal(self._ciphers[self._current], self._current, secret.reveal(), associated_data)

    def open(self, sealed: bytes, associated_data: bytes) -> bytes:
        """The octets of a sealed value. Raises UnknownKeyError or BrokenSealError."""
        if len(sealed) <= _HEADER_OCTETS or sealed[:1] != _VERSION:
            raise BrokenSealError("a sealed value has no form that this version knows")
        cipher = self._ciphers.get(KeyId(int.from_bytes(sealed[1:5], "big")))
        if cipher is None:
            raise UnknownKeyError("a value is sealed under a data key that is not in the ring")
        return _open(cipher, sealed, associated_data)


def nonce_of(sealed: bytes) -> bytes:
    """The random nonce of a sealed value: 12 octets that tell it from every other."""
    return sealed[5:_HEADER_OCTETS]


def new_data_key() -> DataKey:
    """A fresh random data key."""
    return DataKey(secrets.token_bytes(KEY_OCTETS))


def wrap(kek: KeyEncryptionKey, key_id: KeyId, purpose: str, key: DataKey) -> Sealed:
    """Seal a data key under the KEK, bound to its id and purpose."""
    return _seal(AESGCM(kek.reveal()), key_id, key.reveal(), context("data_keys", "wrapped", key_id, purpose))


def unwrap(kek: KeyEncryptionKey, key_id: KeyId, purpose: str, wrapped: bytes) -> DataKey:
    """Open a wrapped data key. Raises BrokenSealError."""
    return DataKey(_open(AESGCM(kek.reveal()), wrapped, context("data_keys", "wrapped", key_id, purpose)))


def create_key_file(path: Path) -> KeyEncryptionKey:
    """Write a new KEK to `path` with mode 0600. Raises ConfigError if the file exists or cannot be made."""
    kek = KeyEncryptionKey(secrets.token_bytes(KEY_OCTETS))
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(f"{path}: a key file is there already; it is never overwritten") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot write the key file: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(_KEY_FILE_PREFIX + b64encode(kek.reveal()).decode("ascii") + "\n")
        file.flush()
        os.fsync(file.fileno())
    return kek


def read_key_file(path: Path) -> KeyEncryptionKey:
    """Read the KEK. Raises ConfigError: unreadable, readable for others, or not a key file."""
    cure = "; restore it from its backup"
    try:
        text = read_private_file(path, "the key file", 256, cure=cure).decode("ascii")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: this is not a twinward key file{cure}") from error
    try:
        octets = b64decode(text.removeprefix(_KEY_FILE_PREFIX).strip(), validate=True)
    except ValueError:
        octets = b""
    if not text.startswith(_KEY_FILE_PREFIX) or len(octets) != KEY_OCTETS:
        raise ConfigError(f"{path}: this is not a twinward key file{cure}")
    return KeyEncryptionKey(octets)
