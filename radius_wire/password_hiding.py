"""Hiding a User-Password between NAS and server (RFC 2865 §5.2).

A chain of MD5 over the shared secret: it keeps out who does not know the
secret, and detects no change. Passwords are octets here; nothing is decoded.
"""

import hashlib

from radius_wire.errors import InvalidAttributeError

_BLOCK = 16
MAX_PASSWORD_OCTETS = 128


def hide(password: bytes, shared_secret: bytes, request_authenticator: bytes) -> bytes:
    """The value of a User-Password attribute. Raises ValueError for over 128 octets."""
    if len(password) > MAX_PASSWORD_OCTETS:
        raise ValueError(f"a password has at most {MAX_PASSWORD_OCTETS} octets")
    padded = password.ljust(max(_BLOCK, -(-len(password) // _BLOCK) * _BLOCK), b"\0")
    hidden, last = b"", request_authenticator
    for at in range(0, len(padded), _BLOCK):
        last = _xor(padded[at : at + _BLOCK], shared_secret + last)
        hidden += last
    return hidden


def reveal(hidden: bytes, shared_secret: bytes, request_authenticator: bytes) -> bytes:
    """The password behind a User-Password attribute, without the NULs at its end.

    Raises InvalidAttributeError unless there are 16 to 128 octets in whole blocks.
    """
    if not _BLOCK <= len(hidden) <= MAX_PASSWORD_OCTETS or len(hidden) % _BLOCK:
        raise InvalidAttributeError(f"a User-Password cannot have {len(hidden)} octets")
    padded, last = b"", request_authenticator
    for at in range(0, len(hidden), _BLOCK):
        block = hidden[at : at + _BLOCK]
        padded += _xor(block, shared_secret + last)
        last = block
    return padded.rstrip(b"\0")


def _xor(block: bytes, keyed: bytes) -> bytes:
    digest = hashlib.md5(keyed, usedforsecurity=False).digest()
    return (int.from_bytes(block, "big") ^ int.from_bytes(digest, "big")).to_bytes(_BLOCK, "big")
