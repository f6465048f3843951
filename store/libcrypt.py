"""The system's libcrypt, crypt(3): sha256-crypt, sha512-crypt and yescrypt, by the library behind /etc/shadow.

Called by ctypes, which lets go of the interpreter meanwhile; `crypt_r` keeps its
state in memory of the caller's, so threads do not meet. (Python's own `crypt`
does neither, and is gone from 3.13.) What a system's libcrypt knows differs:
`knows` finds out by an answer that must come.
"""

import ctypes
import functools
import hmac

_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")  # libxcrypt with and without the names of glibc's old libcrypt
MAX_PASSWORD_OCTETS = 511  # CRYPT_MAX_PASSPHRASE_SIZE of libxcrypt, less the NUL
_STATE_OCTETS = 256 * 1024  # more than any `struct crypt_data`: 32 KiB in libxcrypt, 128 KiB in glibc

# The cheapest hash of each method, of the password "x".
_KNOWN_ANSWERS = {
    "$5$": "$5$rounds=1000$ab$lMxgB9r4O0h7N8Fc22csLTwDjQhj47dburbojE4s.sD",
    "$6$": "$6$rounds=1000$ab$PjG1Vkf5LHNL84dByLtuSYjVz6Hy575FC7tz8wX4DtJ2WMsZQu0/miZCNEiAa8uwa8QG5xPQJgcyUioQ0Ac/G/",
    "$y$": "$y$j75$abcdefgh$wPWF6ZngZZxi0TBX8BqPcYXMIarFww.baLy6hMEGMb9",
}


def crypt(octets: bytes, setting: str) -> str | None:
    """The hash of a password under the method, parameters and salt at the front of `setting`.

    The password must hold no NUL: it would end there. None where there is no
    libcrypt, where it does not know the method, when memory runs out, and for
    more than MAX_PASSWORD_OCTETS.
    """
    library = _library()
    if library is None:
        return None
    state = ctypes.create_string_buffer(_STATE_OCTETS)  # zeroed, as crypt_r(3) asks for
    made: bytes | None = library.crypt_r(octets, setting.encode("ascii"), state)
    if made is None or made.startswith(b"*"):  # a failure token
        return None
    return made.decode("ascii")


@functools.cache
def knows(prefix: str) -> bool:
    """Whether this system can compute the method of a prefix: `$5$`, `$6$` or `$y$`."""
    answer = _KNOWN_ANSWERS[prefix]
    return hmac.compare_digest(crypt(b"x", answer) or "", answer)


@functools.cache
def _library() -> ctypes.CDLL | None:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            library.crypt_r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p)
            library.crypt_r.restype = ctypes.c_char_p
        except (OSError, AttributeError):
            continue
        return library
    return None
