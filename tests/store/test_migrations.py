"""Databases of older versions, with data in them, brought up to this one."""

import sqlite3
from contextlib import closing

import pytest
from alembic import command
from support import installations

from authn.authenticate import Login, authenticate
from authn.errors import BrokenSealError, ConfigError
from authn.first_factor import CheckedPassword, Finding
from authn.otp import TotpParameters
from authn.policy import Policy
from authn.request import AccessRequest, canonical_username
from authn.secret import Password, Seed, Verifier
from authn.verdict import Accept
from store.attempts import SqliteAttempts
from store.contexts import seed_context, verifier_context
from store.engine import Database, alembic_config
from store.keyring import context
from store.nas_clients import NasClients
from store.upgrading import upgrade

KEPT = ("meta", "data_keys", "users", "user_groups", "tokens", "nas_clients", "nas_client_secrets", "audit_chains")


def seal_as_then(installation):
    """Seal what the rows hold to the numbers of their users alone, as the first version did."""
    ring = installation.keyring
    with installation.database.write() as connection:
        for row in connection.exec_driver_sql("SELECT id, username, sealed_verifier FROM users").all():
            opened = Verifier(ring.open(row.sealed_verifier, verifier_context(row.id, row.username)))
            sealed = ring.seal(opened, context("users", "sealed_verifier", row.id))
            connection.exec_driver_sql("UPDATE users SET sealed_verifier = ? WHERE id = ?", (sealed, row.id))
        for row in connection.exec_driver_sql("SELECT id, user_id, serial, sealed_seed FROM tokens").all():
            place = seed_context(row.user_id, "alice", row.serial, "active", TotpParameters())
            old = context("tokens", "sealed_seed", row.user_id, row.serial, "active", "30/6/sha1")
            sealed = ring.seal(Seed(ring.open(row.sealed_seed, place)), old)
            connection.exec_driver_sql("UPDATE tokens SET sealed_seed = ? WHERE id = ?", (sealed, row.id))


def make_old(folder, revision):
    """Turn the installation of a folder into one of an older revision, with the same rows."""
    new, old = folder / "twinward.db", folder / "old.db"
    old.touch(0o600)
    database = Database(old)
    with database.write() as connection:
        command.upgrade(alembic_config(connection), revision)
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
    seal_as_then(installation)
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
    upgrade(path, tmp_path / "twinward.key", tmp_path / "copy")
    assert Database.revisions(tmp_path / "copy")[0] == "0001"
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
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
        upgrade(path, tmp_path / "twinward.key", tmp_path / "copy")
    assert Database.revisions(path)[0] == "0001"
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(users)")]
    assert "strangers_level" not in columns


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ("UPDATE tokens SET digits = 8", "of user alice was altered"),
        ("UPDATE tokens SET digits = 5", r"the parameters of token \w+ of user alice were altered"),
        ("UPDATE tokens SET user_id = 99", r"token \w+ in the database belongs to no user"),
    ],
)
def test_a_row_that_was_altered_stops_the_upgrade_by_name(alice, tmp_path, edit, told):
    with closing(sqlite3.connect(tmp_path / "twinward.db")) as connection:
        connection.execute(edit)
        connection.commit()
    with pytest.raises(BrokenSealError, match=told):
        upgrade(tmp_path / "twinward.db", tmp_path / "twinward.key", tmp_path / "copy")
    assert Database.revisions(tmp_path / "twinward.db")[0] == "0001"


def test_a_key_that_does_not_fit_makes_no_copy(alice, tmp_path):
    """A copy holds everything that the database does; tries with wrong keys must not leave one each."""
    (tmp_path / "other.key").write_bytes(bytes(32))
    (tmp_path / "other.key").chmod(0o600)
    with pytest.raises(ConfigError):
        upgrade(tmp_path / "twinward.db", tmp_path / "other.key", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
