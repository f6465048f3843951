"""Databases of older versions, with data in them, brought up to this one."""

import sqlite3
from contextlib import closing

import pytest
from alembic import command
from support import installations

from authn.authenticate import Login, authenticate
from authn.errors import ConfigError
from authn.first_factor import CheckedPassword, Finding
from authn.policy import Policy
from authn.request import AccessRequest, canonical_username
from authn.secret import Password
from authn.verdict import Accept
from store import engine
from store.attempts import SqliteAttempts
from store.engine import Database
from store.nas_clients import NasClients

KEPT = ("meta", "data_keys", "users", "user_groups", "tokens", "nas_clients", "nas_client_secrets", "audit_chains")


def make_old(folder, revision):
    """Turn the installation of a folder into one of an older revision, with the same rows."""
    new, old = folder / "twinward.db", folder / "old.db"
    old.touch(0o600)
    database = Database(old)
    with database.write() as connection:
        command.upgrade(engine._alembic_config(connection), revision)
    database.close()
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ATTACH ? AS new", (str(new),))
        for table in (*KEPT, "audit"):
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
            connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table}")
        connection.execute("INSERT INTO tallies (user_id, client_id, failures, locked_until) VALUES (1, 1, 9, 9e9)")
        connection.commit()
    for path in folder.glob("twinward.db*"):
        path.unlink()
    old.rename(new)


@pytest.fixture
def alice(tmp_path):
    """A user of an installation of the first version."""
    installation = installations.create(tmp_path)
    installations.add_client(installation, "lab", "192.0.2.0/24")
    person = installations.add_person(installation, "alice")
    installation.close()
    make_old(tmp_path, "0001")
    return person


def test_an_older_database_is_refused_with_the_cure_and_left_alone(alice, tmp_path):
    before = (tmp_path / "twinward.db").read_bytes()
    with pytest.raises(ConfigError, match=r"the schema is 0001, .* run `twinward upgrade`"):
        installations.reopen(tmp_path)
    assert (tmp_path / "twinward.db").read_bytes() == before


def test_an_upgraded_database_keeps_its_users_clients_and_audit_and_lets_in(alice, tmp_path):
    path = tmp_path / "twinward.db"
    assert Database.revisions(path)[0] == "0001"
    Database.upgrade(path)
    found, wanted = Database.revisions(path)
    assert found == wanted
    installation = installations.reopen(tmp_path)
    with installation.database.read() as connection:
        assert list(installation.audit.verify(connection)) == []
    client = NasClients(installation, "test").show("lab")
    attempts = SqliteAttempts(installation.database, installation.keyring, installation.audit)
    request = AccessRequest(canonical_username(b"alice"), Password(alice.typed().encode()), client, installations.now())
    [question] = authenticate([Login(request)], attempts, Policy())
    checked = CheckedPassword(Finding.PASSED, question.keeper)
    assert authenticate([Login(request, checked)], attempts, Policy()) == [Accept()]
    attempts.close()
    installation.close()


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(alice, tmp_path, monkeypatch):
    """The schema changes in one transaction, so nothing is ever half done."""
    path = tmp_path / "twinward.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE exemptions (x)")  # in the way of the new one
        connection.commit()
    with pytest.raises(Exception, match="exemptions"):
        Database.upgrade(path)
    assert Database.revisions(path)[0] == "0001"
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(users)")]
    assert "strangers_level" not in columns
