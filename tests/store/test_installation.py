"""An installation is made once, and opens with its own key only."""

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from support import installations

from authn.errors import ConfigError
from store.installation import Installation
from store.keyring import create_key_file
from store.schema import metadata


def test_it_opens_again(tmp_path):
    installations.create(tmp_path).close()
    installations.reopen(tmp_path).close()


@pytest.mark.parametrize("name", ["twinward.db", "twinward.key"])
def test_nothing_is_overwritten(tmp_path, name):
    (tmp_path / name).write_text("precious")
    with pytest.raises(ConfigError, match="never overwritten"):
        installations.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_nothing_is_left_behind_when_the_database_cannot_be_made(tmp_path):
    with pytest.raises(ConfigError, match="cannot create the database"):
        Installation.create(tmp_path / "missing" / "twinward.db", tmp_path / "key", "test/0", installations.now())
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_key_is_refused_by_name(tmp_path):
    installations.create(tmp_path).close()
    (tmp_path / "twinward.key").unlink()
    create_key_file(tmp_path / "twinward.key")
    with pytest.raises(ConfigError, match="not the key of"):
        installations.reopen(tmp_path)


def test_a_swapped_or_altered_data_key_is_refused(tmp_path):
    installations.create(tmp_path).close()
    with sqlite3.connect(tmp_path / "twinward.db") as connection:
        connection.execute("UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE id = 2)")
    connection.close()
    with pytest.raises(ConfigError, match="altered"):
        installations.reopen(tmp_path)


@pytest.mark.parametrize("octets", [b"", b"not a database at all, but text", b"SQLite format 3\0" + bytes(4000)])
def test_a_damaged_database_is_refused_by_name_and_left_alone(tmp_path, octets):
    installations.create(tmp_path).close()
    for path in tmp_path.glob("twinward.db-*"):
        path.unlink()
    (tmp_path / "twinward.db").write_bytes(octets)
    with pytest.raises(ConfigError, match=r"twinward\.db: "):
        installations.reopen(tmp_path)
    assert (tmp_path / "twinward.db").read_bytes()[: len(octets)] == octets


def test_a_missing_database_is_not_made_by_opening(tmp_path):
    installations.create(tmp_path).close()
    (tmp_path / "twinward.db").unlink()
    with pytest.raises(ConfigError, match="there is no database"):
        installations.reopen(tmp_path)
    assert not (tmp_path / "twinward.db").exists()


def test_a_schema_of_another_version_is_refused(tmp_path):
    installations.create(tmp_path).close()
    with sqlite3.connect(tmp_path / "twinward.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConfigError, match="9999"):
        installations.reopen(tmp_path)


def test_the_migrations_make_the_schema(tmp_path):
    installation = installations.create(tmp_path)
    with installation.database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    installation.close()
