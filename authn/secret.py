"""Values that must not be seen.

A secret hides itself in `repr`, in f-strings, in tracebacks and from pickle,
and compares in constant time. `reveal()` is the only way to its octets, so the
places that touch clear text can be found by searching for that one word.
"""

import hmac
from typing import NoReturn, Self


class Secret:
    """Octets that hide themselves. Use a subclass that says what they are."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def reveal(self) -> bytes:
        """The octets in clear. The caller must not log, store or send them unsealed."""
        return self._octets

    def __len__(self) -> int:
        return len(self._octets)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return hmac.compare_digest(self._octets, other._octets)

    def __hash__(self) -> NoReturn:
        raise TypeError("a secret is no dictionary key: its hash would tell it apart")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: seal it instead")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class Seed(Secret):
    """The shared key of a TOTP token (RFC 4226 §4 calls it K)."""

    __slots__ = ()


class Password(Secret):
    """What a user typed into the password field: a password, perhaps with a code."""

    __slots__ = ()


class SharedSecret(Secret):
    """The RADIUS shared secret of one NAS client."""

    __slots__ = ()


class Verifier(Secret):
    """What a first factor checks a user's password against, in its own form: a sealed hash, opaque to the rules."""

    __slots__ = ()
