"""The CHAP response that a NAS passes on in a CHAP-Password (RFC 1994 §4.1, RFC 2865 §2.2, §5.3).

A CHAP-Password is the CHAP Identifier and this response. The challenge is the
CHAP-Challenge, or the Request Authenticator where there is none. Whoever checks
a response needs the password in clear and compares in constant time.
"""

import hashlib

RESPONSE_OCTETS = 16


def chap_response(identifier: int, password: bytes, challenge: bytes) -> bytes:
    """The 16 octets a peer with `password` answers. `identifier` is CHAP's, 0..255, not the packet's."""
    return hashlib.md5(bytes((identifier,)) + password + challenge, usedforsecurity=False).digest()
