"""Recovery codes, as an operator hands them out: made together, shown once, each good once."""

import secrets

from sqlalchemy import Connection, delete, func, insert, select

from authn import recovery
from authn.account import UserId
from authn.errors import OperationError
from authn.instants import UnixSeconds
from authn.secret import Password, Secret
from store import schema
from store.contexts import recovery_code_context
from store.user_operations import UserOperations, new_serial

NEW_CODES = 10
MAX_CODES = 50


class _Digest(Secret):
    __slots__ = ()


class RecoveryCodes(UserOperations):
    """The operations on recovery codes."""

    def renew(self, name: str, now: UnixSeconds, count: int = NEW_CODES) -> list[str]:
        """Make new codes in the place of all old ones. They are returned this once and kept as hashes."""
        if not 1 <= count <= MAX_CODES:
            raise OperationError(f"there are 1 to {MAX_CODES} recovery codes, not {count}")
        codes = ["".join(secrets.choice(recovery.LETTERS) for _ in range(recovery.LENGTH)) for _ in range(count)]
        rows = schema.recovery_codes
        with self._database.write() as connection:
            user = self._get(connection, name)
            user_id = UserId(user.id)
            connection.execute(delete(rows).where(rows.c.user_id == user_id))
            for code in codes:
                digest = _Digest(recovery.digest(user_id, Password(code.encode("ascii"))))
                serial = new_serial()
                sealed = self._keyring.seal(digest, recovery_code_context(user_id, user.username, serial))
                values = {"serial": serial, "user_id": user_id, "sealed_digest": sealed, "created_at": now}
                connection.execute(insert(rows).values(values))
            self._audit(connection, now, "recovery_codes.renewed", user.username, count=count)
        return [recovery.written(code) for code in codes]

    def remove(self, name: str, now: UnixSeconds) -> int:
        """Destroy a user's recovery codes; returns how many there were."""
        rows = schema.recovery_codes
        with self._database.write() as connection:
            user = self._get(connection, name)
            left = connection.execute(delete(rows).where(rows.c.user_id == user.id)).rowcount
            self._audit(connection, now, "recovery_codes.removed", user.username, count=left)
            return left

    def left(self, name: str) -> int:
        """How many are unused."""
        with self._database.read() as connection:
            return codes_left(connection, UserId(self._get(connection, name).id))


def codes_left(connection: Connection, user_id: UserId) -> int:
    """How many recovery codes of a user are unused."""
    rows = schema.recovery_codes
    query = select(func.count()).select_from(rows).where(rows.c.user_id == user_id)
    return int(connection.execute(query).scalar_one())
