"""What counts of a user beside tokens and password: enabled, groups, and whether there was ever a token.

    inside = flags (1 octet: 1 enabled, 2 enrolled) | groups, joined by U+001F

The columns beside it are for reports. Who can write to the database cannot
enable somebody, put them into a group that another first factor or another rule
is for, or make them look like somebody who never had a token; unless by an older
value of this very row, which opens as it did then.
"""

from dataclasses import dataclass

from authn.errors import BrokenSealError, OperationError
from authn.request import Username
from authn.secret import Secret
from store.contexts import standing_context
from store.keyring import KeyRing, Sealed

_ENABLED, _ENROLLED = 1, 2
_SEPARATOR = "\x1f"
MAX_GROUP_LENGTH = 64


class _Inside(Secret):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """See the module."""

    enabled: bool
    groups: tuple[str, ...] = ()
    enrolled: bool = False

    def seal(self, keyring: KeyRing, user_id: int, username: Username) -> Sealed:
        """For the row of its user."""
        flags = (_ENABLED if self.enabled else 0) | (_ENROLLED if self.enrolled else 0)
        inside = bytes((flags,)) + _SEPARATOR.join(self.groups).encode()
        return keyring.seal(_Inside(inside), standing_context(user_id, username))

    @classmethod
    def open(cls, keyring: KeyRing, sealed: bytes | None, user_id: int, username: Username) -> "Standing":
        """From the row of its user. Raises BrokenSealError, also where there is none."""
        if sealed is None:
            raise BrokenSealError("a user has lost their standing in the database")
        inside = keyring.open(sealed, standing_context(user_id, username))
        groups = inside[1:].decode()
        return cls(
            bool(inside[0] & _ENABLED),
            tuple(groups.split(_SEPARATOR)) if groups else (),
            bool(inside[0] & _ENROLLED),
        )


def checked_group(name: str) -> str:
    """A name that a group can have. Raises OperationError."""
    if not 0 < len(name) <= MAX_GROUP_LENGTH or not name.isprintable():
        raise OperationError(f"{name!r} cannot be a group: use 1 to {MAX_GROUP_LENGTH} printable characters")
    return name
