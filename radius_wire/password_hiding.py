"""Hiding a User-Password between NAS and server (RFC 2865 §5.2). Passwords are octets here; nothing is decoded."""

from radius_wire import md5_chain
from radius_wire.errors import InvalidAttributeError

MAX_PASSWORD_OCTETS = 128


def hide(password: bytes, shared_secret: bytes, request_authenticator: bytes) -> bytes:
    """The value of a User-Password attribute. Raises ValueError for over 128 octets."""
    if len(password) > MAX_PASSWORD_OCTETS:
        raise ValueError(f"a password has at most {MAX_PASSWORD_OCTETS} octets")
    return md5_chain.hide(md5_chain.padded(password), shared_secret, request_authenticator)


def reveal(hidden: bytes, shared_secret: bytes, request_authenticator: bytes) -> bytes:
    """The password behind a User-Password attribute, without the NULs at its end.

    Raises InvalidAttributeError unless there are 16 to 128 octets in whole blocks.
    """
    if not md5_chain.BLOCK_OCTETS <= len(hidden) <= MAX_PASSWORD_OCTETS or len(hidden) % md5_chain.BLOCK_OCTETS:
        raise InvalidAttributeError(f"a User-Password cannot have {len(hidden)} octets")
    return md5_chain.reveal(hidden, shared_secret, request_authenticator).rstrip(b"\0")
