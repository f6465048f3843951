"""Salt encryption: how a Tunnel-Password and the MPPE keys travel in a reply (RFC 2868 §3.5, RFC 2548 §2.4.2).

A chain of MD5 over the shared secret like that of `password_hiding.py`, but
begun with the Request Authenticator and a salt, so that one packet may carry
several values. It detects no change. Each salt stands once in a packet: the
caller chooses them.
"""

import hashlib

from radius_wire.attributes import MAX_VALUE_OCTETS
from radius_wire.errors import InvalidAttributeError

SALT_OCTETS = 2
_BLOCK = 16
_SALT_MARK = 0x80


def max_plain_octets(room: int) -> int:
    """The longest plain value whose salt, length octet and padding fill at most `room` octets."""
    return (room - SALT_OCTETS) // _BLOCK * _BLOCK - 1


MAX_PLAIN_OCTETS = max_plain_octets(MAX_VALUE_OCTETS)


def encrypt(plain: bytes, salt: bytes, shared_secret: bytes, request_authenticator: bytes) -> bytes:
    """The salt and what follows it: length octet, `plain` and zero padding, encrypted.

    Raises ValueError for more than an attribute holds, and for a salt that is
    not two octets with the top bit set.
    """
    if len(plain) > MAX_PLAIN_OCTETS:
        raise ValueError(f"at most {MAX_PLAIN_OCTETS} octets can be encrypted, not {len(plain)}")
    if len(salt) != SALT_OCTETS or not salt[0] & _SALT_MARK:
        raise ValueError("a salt is two octets, the first bit set")
    padded = bytes((len(plain),)) + plain
    padded = padded.ljust(-(-len(padded) // _BLOCK) * _BLOCK, b"\0")
    value, last = salt, request_authenticator + salt
    for at in range(0, len(padded), _BLOCK):
        last = _xor(padded[at : at + _BLOCK], shared_secret + last)
        value += last
    return value


def decrypt(value: bytes, shared_secret: bytes, request_authenticator: bytes) -> bytes:
    """The plain value behind a salt and its blocks; a tag octet is cut off before.

    Raises InvalidAttributeError for a salt without its top bit, blocks that are
    not whole, and a length octet that says more than there is: the usual sign of
    another shared secret.
    """
    salt, hidden = value[:SALT_OCTETS], value[SALT_OCTETS:]
    if not hidden or len(hidden) % _BLOCK:
        raise InvalidAttributeError(f"a salt-encrypted value cannot have {len(value)} octets")
    if not salt[0] & _SALT_MARK:
        raise InvalidAttributeError("a salt lacks its first bit")
    padded, last = b"", request_authenticator + salt
    for at in range(0, len(hidden), _BLOCK):
        block = hidden[at : at + _BLOCK]
        padded += _xor(block, shared_secret + last)
        last = block
    length = padded[0]
    if length >= len(padded):
        raise InvalidAttributeError("a salt-encrypted value is shorter than it says")
    return padded[1 : 1 + length]


def _xor(block: bytes, keyed: bytes) -> bytes:
    digest = hashlib.md5(keyed, usedforsecurity=False).digest()
    return (int.from_bytes(block, "big") ^ int.from_bytes(digest, "big")).to_bytes(_BLOCK, "big")
