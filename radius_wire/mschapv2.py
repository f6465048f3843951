"""MS-CHAPv2 and the MPPE keys that follow from it (RFC 2759 §8, RFC 3079 §3).

Everything is a pure function of octets. The standard library has no DES, so the
caller passes one in. The NT hash is as good as the password: handle it as one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from radius_wire.md4 import md4

Des = Callable[[bytes, bytes], bytes]
"""`des(key, block)`: one block of 8 octets, encrypted under a key of 8 octets with odd parity."""

CHALLENGE_OCTETS = 16
NT_HASH_OCTETS = 16
NT_RESPONSE_OCTETS = 24
MPPE_KEY_OCTETS = 16  # 128 bit; the 40 and 56 bit keys are cut from shorter ones and not made here

# RFC 2759 §8.7
_RESPONSE_MAGIC_1 = b"Magic server to client signing constant"
_RESPONSE_MAGIC_2 = b"Pad to make it do more than one iteration"

# RFC 3079 §3.4. The client's way out is the server's way in.
_MASTER_MAGIC = b"This is the MPPE Master Key"
_CLIENT_SENDS = b"On the client side, this is the send key; on the server side, it is the receive key."
_SERVER_SENDS = b"On the client side, this is the receive key; on the server side, it is the send key."
_PAD_1 = bytes(40)
_PAD_2 = b"\xf2" * 40


@dataclass(frozen=True, slots=True)
class MppeKeys:
    """The 16-octet session keys as the server names them: `send` for MS-MPPE-Send-Key, `recv` for MS-MPPE-Recv-Key."""

    send: bytes = field(repr=False)
    recv: bytes = field(repr=False)


def nt_password_hash(password: bytes) -> bytes:
    """The NT hash of a UTF-8 password: MD4 over its UTF-16 (RFC 2759 §8.3). Raises ValueError if it is not UTF-8."""
    try:
        text = password.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("the password is not UTF-8") from None  # that error would repeat the password
    return md4(text.encode("utf-16-le"))


def challenge_hash(peer_challenge: bytes, authenticator_challenge: bytes, username: bytes) -> bytes:
    """The 8 octets that both sides take as the challenge (RFC 2759 §8.2).

    A domain in front of the user name, `DOMAIN\\user`, is not part of it (§4).
    """
    bare = username.split(b"\\", 1)[-1]
    return hashlib.sha1(peer_challenge + authenticator_challenge + bare, usedforsecurity=False).digest()[:8]


def nt_response(
    authenticator_challenge: bytes, peer_challenge: bytes, username: bytes, nt_hash: bytes, des: Des
) -> bytes:
    """The 24 octets a peer with this NT hash answers (RFC 2759 §8.1, §8.5). Compare them in constant time."""
    challenge = challenge_hash(peer_challenge, authenticator_challenge, username)
    keys = nt_hash.ljust(21, b"\0")
    return b"".join(des(_with_parity(keys[at : at + 7]), challenge) for at in (0, 7, 14))


def authenticator_response(
    authenticator_challenge: bytes, peer_challenge: bytes, username: bytes, nt_hash: bytes, response: bytes
) -> bytes:
    """The server's proof that it knows the NT hash: `S=` and 40 hexadecimal digits (RFC 2759 §8.7).

    `response` is the peer's NT-Response, already found right.
    """
    digest = hashlib.sha1(md4(nt_hash) + response + _RESPONSE_MAGIC_1, usedforsecurity=False).digest()
    challenge = challenge_hash(peer_challenge, authenticator_challenge, username)
    digest = hashlib.sha1(digest + challenge + _RESPONSE_MAGIC_2, usedforsecurity=False).digest()
    return b"S=" + digest.hex().upper().encode("ascii")


def mppe_keys(nt_hash: bytes, response: bytes) -> MppeKeys:
    """The 128-bit keys that a server returns for a right NT-Response (RFC 3079 §3.3, §3.4)."""
    master = hashlib.sha1(md4(nt_hash) + response + _MASTER_MAGIC, usedforsecurity=False).digest()[:16]
    return MppeKeys(send=_start_key(master, _SERVER_SENDS), recv=_start_key(master, _CLIENT_SENDS))


def _start_key(master: bytes, direction: bytes) -> bytes:
    digest = hashlib.sha1(master + _PAD_1 + direction + _PAD_2, usedforsecurity=False).digest()
    return digest[:MPPE_KEY_OCTETS]


def _with_parity(key: bytes) -> bytes:
    """A DES key of 8 octets from 56 bits: each octet takes seven of them and odd parity (RFC 2759 §8.6)."""
    bits = int.from_bytes(key, "big")
    sevens = (bits >> shift & 0x7F for shift in range(49, -1, -7))
    return bytes(seven << 1 | (seven.bit_count() + 1 & 1) for seven in sevens)
