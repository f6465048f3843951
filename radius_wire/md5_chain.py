"""The chain of MD5 that hides a User-Password (RFC 2865 §5.2) and, begun with a salt, a Tunnel-Password and the MPPE
keys (RFC 2868 §3.5, RFC 2548 §2.4.2).

Each block of 16 octets is combined with a hash over the shared secret and the
block before it. It keeps out who does not know the secret, and detects no change.
"""

import hashlib

BLOCK_OCTETS = 16


def hide(padded: bytes, shared_secret: bytes, start: bytes) -> bytes:
    """The hidden form of whole blocks. `start` stands for the block before the first."""
    hidden, last = b"", start
    for at in range(0, len(padded), BLOCK_OCTETS):
        last = _combined(padded[at : at + BLOCK_OCTETS], shared_secret + last)
        hidden += last
    return hidden


def reveal(hidden: bytes, shared_secret: bytes, start: bytes) -> bytes:
    """The padded form of whole hidden blocks."""
    padded, last = b"", start
    for at in range(0, len(hidden), BLOCK_OCTETS):
        block = hidden[at : at + BLOCK_OCTETS]
        padded += _combined(block, shared_secret + last)
        last = block
    return padded


def padded(octets: bytes) -> bytes:
    """Octets with NULs behind them, in whole blocks, one at least."""
    return octets.ljust(max(BLOCK_OCTETS, -(-len(octets) // BLOCK_OCTETS) * BLOCK_OCTETS), b"\0")


def _combined(block: bytes, keyed: bytes) -> bytes:
    digest = hashlib.md5(keyed, usedforsecurity=False).digest()
    return (int.from_bytes(block, "big") ^ int.from_bytes(digest, "big")).to_bytes(BLOCK_OCTETS, "big")
