"""Opening the database, and its transactions.

SQLite in write-ahead mode with full synchronisation: a committed row survives
the process and the power. Every writing transaction takes the write lock when
it begins, so what it read is still true when it writes.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection

from authn.errors import ConfigError, StoreError, StoreUnavailableError

BUSY_TIMEOUT_MS = 5000
OLDEST_SQLITE = (3, 35)  # knows RETURNING


class Database:
    """One SQLite database file. Open it with `Database.open` or make it with `Database.create`."""

    def __init__(self, path: Path) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise ConfigError(f"this Python has SQLite {sqlite3.sqlite_version}; 3.35 or later is needed")
        self.path = path
        self._engine = _engine(path)

    @classmethod
    def create(cls, path: Path) -> "Database":
        """Make a new database with the current schema. Raises ConfigError if the file exists."""
        try:
            path.touch(mode=0o600, exist_ok=False)
        except FileExistsError as error:
            raise ConfigError(f"{path}: a database is there already; it is never overwritten") from error
        except OSError as error:
            raise ConfigError(f"{path}: cannot create the database: {error.strerror}") from error
        database = cls(path)
        with database.write() as connection:
            command.upgrade(alembic_config(connection), "head")
        return database

    @classmethod
    def open(cls, path: Path) -> "Database":
        """Open an existing database. Raises ConfigError: missing, unreadable, damaged or of another version."""
        found, expected = cls.revisions(path)
        if found != expected:
            raise ConfigError(
                f"{path}: the schema is {found or 'empty'}, this version of twinward needs {expected};"
                " stop the servers and run `twinward upgrade`"
            )
        return cls(path)

    @classmethod
    def revisions(cls, path: Path) -> tuple[str | None, str | None]:
        """The schema of an existing database, and the one of this version. Raises ConfigError."""
        if not path.exists():
            raise ConfigError(f"{path}: there is no database; run `twinward init`, or restore it from a backup")
        database = cls(path)
        try:
            with database.read() as connection:
                found = MigrationContext.configure(connection).get_current_revision()
        except StoreError as error:
            raise ConfigError(f"{path}: cannot read the database ({error}); restore it from a backup") from error
        finally:
            database.close()
        return found, ScriptDirectory.from_config(alembic_config(None)).get_current_head()

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the write lock from its start. Raises StoreError."""
        with _translated(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view that blocks nobody. Raises StoreError."""
        with (
            _translated(),
            self._engine.connect().execution_options(twinward_read_only=True) as connection,
            connection.begin(),
        ):
            yield connection

    def driver_connection(self) -> PoolProxiedConnection:
        """A connection of the driver's own, for the statements of the login path."""
        with _translated():
            return self._engine.raw_connection()

    def close(self) -> None:
        """Close every idle connection."""
        self._engine.dispose()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise as_store_error(error.orig or error) from error
    except sqlite3.Error as error:
        raise as_store_error(error) from error


def as_store_error(error: BaseException) -> StoreError:
    """A driver's error as one of ours: could not be asked, or answered nonsense."""
    if isinstance(error, sqlite3.OperationalError):
        return StoreUnavailableError(str(error))
    return StoreError(str(error))


def _engine(path: Path) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"check_same_thread": False, "isolation_level": None, "cached_statements": 256},
        pool_size=4,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "trusted_schema = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("twinward_read_only", False)
        connection.execute(text("BEGIN" if read_only else "BEGIN IMMEDIATE"))

    return engine


def alembic_config(connection: Connection | None) -> Config:
    """How Alembic finds the revisions, and the connection that they run on."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
