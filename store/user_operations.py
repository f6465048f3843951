"""What every operation on users shares: finding one by name, and writing down who did what.

`by` names who did it: an operating-system user at the command line.
"""

import secrets

from sqlalchemy import Connection, Row, select, update

from authn.account import UserId
from authn.errors import OperationError
from authn.instants import UnixSeconds
from authn.request import NO_REALMS, Username, canonical_username
from store import schema
from store.installation import Installation
from store.keyring import KeyRing
from store.standing import Standing

_SERIAL_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SERIAL_LENGTH = 12


class UserOperations:
    """Base of the operations on users and what is theirs. Every refusal is an OperationError.

    `realms` are those that fall away from a name, here as at a login.
    """

    def __init__(self, installation: Installation, by: str, *, realms: frozenset[str] = NO_REALMS) -> None:
        self._installation = installation
        self._realms = realms
        self._database = installation.database
        self._keyring = installation.keyring
        self._by = by

    def canonical(self, name: str) -> Username:
        """A name as it is kept."""
        return canonical_username(name.encode(), realms=self._realms)

    def _get(self, connection: Connection, name: str) -> Row[tuple[object, ...]]:
        user = find_user(connection, self.canonical(name))
        if user is None:
            raise OperationError(f"there is no user {name}")
        return user

    def _audit(self, connection: Connection, now: UnixSeconds, event: str, username: str, **facts: object) -> None:
        self._installation.audit.append(connection, now, event, {"user": username, "by": self._by, **facts})


def new_serial() -> str:
    """A name for a token or the like that people can read out: 60 random bits."""
    return "".join(secrets.choice(_SERIAL_LETTERS) for _ in range(_SERIAL_LENGTH))


def find_user(connection: Connection, username: Username) -> Row[tuple[object, ...]] | None:
    """The row of a user, or None."""
    return connection.execute(select(schema.users).where(schema.users.c.username == username)).one_or_none()


def open_standing(keyring: KeyRing, user: Row[tuple[object, ...]]) -> Standing:
    """The standing in a user's row. Raises BrokenSealError."""
    return Standing.open(keyring, user.sealed_standing, user.id, Username(user.username))


def write_standing(connection: Connection, keyring: KeyRing, user: Row[tuple[object, ...]], standing: Standing) -> None:
    """Give a user another standing."""
    sealed = standing.seal(keyring, user.id, Username(user.username))
    connection.execute(update(schema.users).where(schema.users.c.id == user.id).values(sealed_standing=sealed))


def forget_guesses(connection: Connection, user_id: UserId) -> None:
    """What was wrong a moment ago may be right now: a password or a token has changed."""
    rows = schema.tallies
    connection.execute(update(rows).where(rows.c.user_id == user_id).values(last_guess=None))
