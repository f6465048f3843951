"""Salt encryption: how a Tunnel-Password and the MPPE keys travel in a reply (RFC 2868 §3.5, RFC 2548 §2.4.2).

The chain of `md5_chain.py`, begun with the Request Authenticator and a salt, so
that one packet may carry several values. Each salt stands once in a packet: the
caller chooses them.
"""

from radius_wire import md5_chain
from radius_wire.attributes import MAX_VALUE_OCTETS
from radius_wire.errors import InvalidAttributeError

SALT_OCTETS = 2
_SALT_MARK = 0x80


def max_plain_octets(room: int) -> int:
    """The longest plain value whose salt, length octet and padding fill at most `room` octets."""
    return (room - SALT_OCTETS) // md5_chain.BLOCK_OCTETS * md5_chain.BLOCK_OCTETS - 1


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
    padded = md5_chain.padded(bytes((len(plain),)) + plain)
    return salt + md5_chain.hide(padded, shared_secret, request_authenticator + salt)


def decrypt(value: bytes, shared_secret: bytes, request_authenticator: bytes) -> bytes:
    """The plain value behind a salt and its blocks; a tag octet is cut off before.

    Raises InvalidAttributeError for a salt without its top bit, blocks that are
    not whole, and a length octet that says more than there is: the usual sign of
    another shared secret.
    """
    salt, hidden = value[:SALT_OCTETS], value[SALT_OCTETS:]
    if not hidden or len(hidden) % md5_chain.BLOCK_OCTETS:
        raise InvalidAttributeError(f"a salt-encrypted value cannot have {len(value)} octets")
    if not salt[0] & _SALT_MARK:
        raise InvalidAttributeError("a salt lacks its first bit")
    padded = md5_chain.reveal(hidden, shared_secret, request_authenticator + salt)
    length = padded[0]
    if length >= len(padded):
        raise InvalidAttributeError("a salt-encrypted value is shorter than it says")
    return padded[1 : 1 + length]
