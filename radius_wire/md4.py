"""MD4 (RFC 1320). Broken as a hash; MS-CHAP asks for it, and OpenSSL 3 hides it from `hashlib`.

Nothing but `mschapv2.py` has a use for it.
"""

import struct

_BLOCK = 64
_MASK = 0xFFFFFFFF
_START: tuple[int, ...] = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)


def _select(x: int, y: int, z: int) -> int:
    return x & y | ~x & z


def _majority(x: int, y: int, z: int) -> int:
    return x & y | x & z | y & z


def _parity(x: int, y: int, z: int) -> int:
    return x ^ y ^ z


# Function, added constant, order of the words, shifts: one row for each round (RFC 1320 §3.4).
_ROUNDS = (
    (_select, 0, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), (3, 7, 11, 19)),
    (_majority, 0x5A827999, (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), (3, 5, 9, 13)),
    (_parity, 0x6ED9EBA1, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15)),
)


def md4(octets: bytes) -> bytes:
    """The 16-octet digest of `octets`."""
    padding = b"\x80" + bytes(-(len(octets) + 9) % _BLOCK)
    padded = octets + padding + struct.pack("<Q", len(octets) * 8 & 0xFFFFFFFFFFFFFFFF)
    state = _START
    for words in struct.iter_unpack("<16I", padded):
        a, b, c, d = state
        for function, constant, order, shifts in _ROUNDS:
            for step, word in enumerate(order):
                mixed = (a + function(b, c, d) + words[word] + constant) & _MASK
                shift = shifts[step % 4]
                a, b, c, d = d, (mixed << shift | mixed >> 32 - shift) & _MASK, b, c
        state = tuple((old + new) & _MASK for old, new in zip(state, (a, b, c, d), strict=True))
    return struct.pack("<4I", *state)
