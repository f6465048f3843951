"""The chain shows what was done to it."""

import shutil
import sqlite3

import pytest
from support import installations

from authn.errors import OperationError
from store import audit


@pytest.fixture
def chained(tmp_path):
    installation = installations.create(tmp_path)
    for number in range(5):
        installations.add_client(installation, f"client{number}", f"192.0.2.{number}")
    yield installation
    installation.close()


def findings(installation):
    with installation.database.read() as connection:
        return list(installation.audit.verify(connection))


def test_an_untouched_chain_has_no_findings(chained):
    assert findings(chained) == []


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE audit SET body = replace(body, 'client2', 'client9') WHERE seq = 4",
        "UPDATE audit SET at_ms = at_ms + 1 WHERE seq = 3",
        "UPDATE audit SET event = 'client.removed' WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 1",
        "UPDATE audit SET seq = 9 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4;"
        "UPDATE audit SET seq = 4 WHERE seq = 9",
        "INSERT INTO audit SELECT chain, 7, at_ms, event, body, mac FROM audit WHERE seq = 6",
    ],
)
def test_editing_removing_reordering_and_adding_are_found(chained, tmp_path, edit):
    with sqlite3.connect(tmp_path / "twinward.db") as connection:
        connection.executescript(edit)
    connection.close()
    assert findings(chained)


def test_a_row_of_another_history_is_found(tmp_path):
    """A restored backup went on under the same key: its rows do not fit into what happened here."""
    installation = installations.create(tmp_path)
    installation.close()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("twinward.db", "twinward.key"):
        shutil.copy(tmp_path / name, elsewhere / name)
    for folder, first in ((tmp_path, "here"), (elsewhere, "there")):
        one = installations.reopen(folder)
        installations.add_client(one, first, "192.0.2.1")
        installations.add_client(one, "second", "192.0.2.2")
        one.close()
    with sqlite3.connect(tmp_path / "twinward.db") as connection:
        connection.execute("ATTACH ? AS other", (str(elsewhere / "twinward.db"),))
        connection.execute("DELETE FROM audit WHERE seq = 2")
        connection.execute("INSERT INTO audit SELECT * FROM other.audit WHERE seq = 2")
    connection.close()
    installation = installations.reopen(tmp_path)
    assert findings(installation) == ["row 1-3 was altered"]
    installation.close()


def test_references_come_back_forgivingly():
    for chain, seq in ((1, 0), (1, 31), (12, 32), (3, 10**12)):
        assert audit.parse_reference(audit.reference_of(chain, seq)) == (chain, seq)
    assert audit.parse_reference(" 1-o1il ") == audit.parse_reference("1-0111")
    for text in ("", "x", "1", "1-", "-1", "1-U", "1-" + "Z" * 99):
        with pytest.raises(OperationError):
            audit.parse_reference(text)


def test_the_newest_come_first_and_by_user(chained):
    installations.add_person(chained, "alice")
    with chained.database.read() as connection:
        entries = audit.newest(connection, 3)
        assert [entry.event for entry in entries][-1] == "client.added"
        assert {entry.event for entry in audit.newest(connection, 9, "alice")} == {"user.added", "token.active"}
        with pytest.raises(OperationError):
            audit.entry(connection, "1-ZZ")
