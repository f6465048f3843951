"""One installation: a database, the keys that open it, and the chain this process writes to.

`create` makes a new one and never overwrites; `open` refuses a key that is not
this database's, before anything is read with it.
"""

from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from authn.errors import BrokenSealError, ConfigError
from authn.instants import UnixSeconds
from store import schema
from store.audit import AuditChain
from store.engine import Database
from store.keyring import (
    DataKey,
    KeyEncryptionKey,
    KeyId,
    KeyRing,
    create_key_file,
    new_data_key,
    read_key_file,
    unwrap,
    wrap,
)

_CHECK_VALUE = "key_check_value"
_CURRENT_KEY = "current_data_key"
_CLIENTS_GENERATION = "clients_generation"
_SEAL, _AUDIT = "seal", "audit"
_FIRST_SEAL_KEY, _FIRST_AUDIT_KEY = KeyId(1), KeyId(2)


class Installation:
    """An opened installation. `close` it when done."""

    def __init__(self, database: Database, keyring: KeyRing, audit: AuditChain) -> None:
        self.database = database
        self.keyring = keyring
        self.audit = audit

    @classmethod
    def create(cls, database_path: Path, key_path: Path, chain: str, now: UnixSeconds) -> "Installation":
        """Make key file and database. Raises ConfigError if either exists; then nothing is left behind."""
        for path, what in ((key_path, "key file"), (database_path, "database")):
            if path.exists():
                raise ConfigError(f"{path}: a {what} is there already; an installation is never overwritten")
        kek = create_key_file(key_path)
        try:
            return cls._fill(Database.create(database_path), kek, chain, now)
        except BaseException:
            for path in (key_path, database_path):  # neither was there before, so both are ours
                path.unlink(missing_ok=True)
            raise

    @classmethod
    def _fill(cls, database: Database, kek: KeyEncryptionKey, chain: str, now: UnixSeconds) -> "Installation":
        """Put keys and the first audit row into an empty database."""
        keys = {_FIRST_SEAL_KEY: (_SEAL, new_data_key()), _FIRST_AUDIT_KEY: (_AUDIT, new_data_key())}
        with database.write() as connection:
            for key_id, (purpose, key) in keys.items():
                wrapped = wrap(kek, key_id, purpose, key)
                row = {"id": key_id, "purpose": purpose, "wrapped": wrapped, "created_at": now}
                connection.execute(insert(schema.data_keys).values(row))
            for name, value in (
                (_CHECK_VALUE, kek.check_value()),
                (_CURRENT_KEY, str(_FIRST_SEAL_KEY)),
                (_CLIENTS_GENERATION, "1"),
            ):
                connection.execute(insert(schema.meta).values(name=name, value=value))
        keyring = KeyRing(_FIRST_SEAL_KEY, {_FIRST_SEAL_KEY: keys[_FIRST_SEAL_KEY][1]})
        audit = AuditChain(keys[_FIRST_AUDIT_KEY][1], chain)
        with database.write() as connection:
            audit.append(connection, now, "installation.created", {})
        return cls(database, keyring, audit)

    @classmethod
    def open(cls, database_path: Path, key_path: Path, chain: str) -> "Installation":
        """Open an installation. Raises ConfigError naming file and cure."""
        kek = read_key_file(key_path)
        database = Database.open(database_path)
        try:
            return cls(database, *open_keys(database, kek, key_path, chain))
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def open_keys(database: Database, kek: KeyEncryptionKey, key_path: Path, chain: str) -> tuple[KeyRing, AuditChain]:
    """The data keys of a database, opened by the key-encryption key. Raises ConfigError."""
    with database.read() as connection:
        if _meta(connection, _CHECK_VALUE) != kek.check_value():
            raise ConfigError(f"{key_path}: this is not the key of {database.path}; use the key file made with it")
        keys: dict[str, dict[KeyId, DataKey]] = {_SEAL: {}, _AUDIT: {}}
        for row in connection.execute(select(schema.data_keys).order_by(schema.data_keys.c.id)):
            try:
                keys[row.purpose][KeyId(row.id)] = unwrap(kek, KeyId(row.id), row.purpose, row.wrapped)
            except (BrokenSealError, KeyError) as error:
                raise ConfigError(
                    f"{database.path}: data key {row.id} was altered; restore the database from a backup"
                ) from error
        current = _meta(connection, _CURRENT_KEY)
    if current is None or not keys[_AUDIT]:
        raise ConfigError(f"{database.path}: its keys are missing; restore the database from a backup")
    return KeyRing(KeyId(int(current)), keys[_SEAL]), AuditChain(keys[_AUDIT][max(keys[_AUDIT])], chain)


def clients_generation(connection: Connection) -> int:
    """Grows with every change to the NAS clients, so that servers know when to read them again."""
    return int(_meta(connection, _CLIENTS_GENERATION) or 0)


def next_clients_generation(connection: Connection) -> None:
    """Tell every server on this database that the NAS clients have changed."""
    value = str(clients_generation(connection) + 1)
    connection.execute(update(schema.meta).where(schema.meta.c.name == _CLIENTS_GENERATION).values(value=value))


def _meta(connection: Connection, name: str) -> str | None:
    return connection.execute(select(schema.meta.c.value).where(schema.meta.c.name == name)).scalar_one_or_none()
