"""Logins on stable storage. The port tests run against SQLite and the simulator alike."""

import sqlite3
import threading

import pytest
from support import installations
from support.simulator import World

from authn.authenticate import Login, authenticate
from authn.client import NasClient
from authn.errors import StoreUnavailableError
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding
from authn.policy import Policy
from authn.request import AccessRequest, canonical_username
from authn.secret import Password
from authn.verdict import Accept, Reason, Reject
from store import audit
from store.attempts import SqliteAttempts
from store.nas_clients import NasClients


class RealWorld:
    """The simulator's face over a real database."""

    def __init__(self, installation):
        installations.add_client(installation, "lab", "192.0.2.0/24")
        self.installation = installation
        self.client: NasClient = NasClients(installation, "test").show("lab")
        self.attempts = SqliteAttempts(installation.database, installation.keyring, installation.audit)
        self.policy = Policy()
        self.now = installations.now()

    def enrol(self, name):
        return installations.add_person(self.installation, name)

    def login(self, name, typed, offset_s=0.0):
        typed = typed if isinstance(typed, bytes) else typed.encode()
        request = AccessRequest(canonical_username(name.encode()), Password(typed), self.client, self.now + offset_s)
        return settle(request, self.attempts)


def settle(request, attempts, right=True):
    """A login whose password the first factor finds right."""
    [outcome] = authenticate([Login(request)], attempts, Policy())
    if isinstance(outcome, AskFirstFactor):
        finding = Finding.PASSED if right else Finding.FAILED
        [outcome] = authenticate([Login(request, CheckedPassword(finding, outcome.keeper))], attempts, Policy())
    return outcome


@pytest.fixture
def real(installation):
    world = RealWorld(installation)
    yield world
    world.attempts.close()


@pytest.fixture(params=["simulator", "sqlite"])
def world(request):
    return World() if request.param == "simulator" else request.getfixturevalue("real")


def typed_by(person, offset_s=0.0):
    if hasattr(person, "world"):
        return person.password + person.code_at(offset_s)
    return person.typed(offset_s).encode()


def test_a_step_is_spent_once(world):
    alice = world.enrol("alice")
    typed = typed_by(alice)
    assert world.login("alice", typed) == Accept()
    assert world.login("alice", typed) == Reject(Reason.CODE_REPLAYED)


def test_unknown_names_get_the_decoy(world):
    world.enrol("alice")
    assert world.login("mallory", b"password123456") == Reject(Reason.UNKNOWN_USER)


def test_failures_are_kept_until_an_accept(world):
    alice = world.enrol("alice")
    for guess in range(6):
        assert world.login("alice", typed_by(alice, 5000 + 30 * guess)) == Reject(Reason.WRONG_CODE)
    assert world.login("alice", typed_by(alice)) == Reject(Reason.LOCKED)


def test_a_spend_survives_reopening(real, tmp_path):
    alice = real.enrol("alice")
    typed = alice.typed()
    assert real.login("alice", typed) == Accept()
    again = installations.reopen(tmp_path)
    attempts = SqliteAttempts(again.database, again.keyring, again.audit)
    request = AccessRequest(canonical_username(b"alice"), Password(typed.encode()), real.client, real.now)
    assert settle(request, attempts) == Reject(Reason.CODE_REPLAYED)
    attempts.close()
    again.close()


def test_two_connections_and_many_threads_let_one_code_in_once(real, tmp_path):
    """Each thread has a connection of its own, as processes would."""
    people = [real.enrol(f"user{number}") for number in range(5)]
    typed_of = {person.name: person.typed() for person in people}
    verdicts, barrier = [], threading.Barrier(8)

    def compete():
        own = installations.reopen(tmp_path)
        attempts = SqliteAttempts(own.database, own.keyring, own.audit)
        barrier.wait(10)
        for person in people:
            request = AccessRequest(
                canonical_username(person.name.encode()),
                Password(typed_of[person.name].encode()),
                real.client,
                real.now,
            )
            verdicts.append((person.name, settle(request, attempts)))
        attempts.close()
        own.close()

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for person in people:
        assert [verdict for name, verdict in verdicts if name == person.name].count(Accept()) == 1
    with real.installation.database.read() as connection:
        assert list(real.installation.audit.verify(connection)) == []


def test_verdict_and_audit_row_are_written_together(real):
    alice = real.enrol("alice")
    with real.installation.database.read() as connection:
        before = audit.count(connection)
    typed = alice.typed()
    assert real.login("alice", typed) == Accept()
    assert real.login("alice", typed) == Reject(Reason.CODE_REPLAYED)
    with real.installation.database.read() as connection:
        assert audit.count(connection) == before + 2
        entry = audit.entry(connection, audit.reference_of(1, before + 2))
    assert entry.body["reason"] == "code_replayed"
    assert entry.body["user"] == "alice"
    assert typed not in str(entry)
    assert typed[-6:] not in entry.body.values()


def test_without_its_audit_row_nothing_is_written(real):
    """A spend whose audit row fails is rolled back: the store is Unavailable and the code unspent."""
    alice = real.enrol("alice")
    link = real.attempts.chain.link
    real.attempts.chain.link = lambda *_: type(
        "Row", (), dict.fromkeys(("chain", "seq", "at_ms", "event", "body", "mac"))
    )()
    with pytest.raises(Exception, match="NOT NULL"):
        real.login("alice", alice.typed())
    real.attempts.chain.link = link
    assert real.login("alice", alice.typed()) == Accept()


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE tokens SET sealed_seed = (SELECT sealed_seed FROM tokens WHERE id = 2) WHERE id = 1",
        "UPDATE tokens SET user_id = 1 WHERE id = 2; DELETE FROM tokens WHERE id = 1",
        "UPDATE tokens SET digits = 7 WHERE id = 1",
        "UPDATE tokens SET period_s = 60 WHERE id = 1",
        "UPDATE tokens SET period_s = 7 WHERE id = 1",
        "UPDATE tokens SET algorithm = 'sha256' WHERE id = 1",
        "UPDATE tokens SET serial = 'AAAAAAAAAAAA' WHERE id = 1",
        "UPDATE users SET sealed_verifier = (SELECT sealed_verifier FROM users WHERE id = 2) WHERE id = 1",
    ],
)
def test_a_row_altered_in_the_database_does_not_log_in(real, tmp_path, edit):
    """Neither its owner nor the one whose values were copied gets in."""
    alice, mallory = real.enrol("alice"), real.enrol("mallory")
    with sqlite3.connect(tmp_path / "twinward.db") as connection:
        connection.executescript(edit)
    connection.close()
    from store.own_passwords import OwnPasswords
    from store.passwords import Passwords

    own = OwnPasswords(Passwords(installations.CHEAP), real.installation.keyring)
    for typed in (alice.typed(), mallory.typed(), "another horse" + mallory.code()):
        request = AccessRequest(canonical_username(b"alice"), Password(typed.encode()), real.client, real.now)
        login, verdict = Login(request), None
        while verdict is None:
            [outcome] = authenticate([login], real.attempts, Policy())
            if isinstance(outcome, AskFirstFactor):
                login = Login(request, own.check(outcome, 9.0))
            else:
                verdict = outcome
        assert verdict in (Reject(Reason.SEAL_BROKEN), Reject(Reason.WRONG_CODE))


def test_a_pending_token_made_active_in_the_database_does_not_log_in(real, tmp_path):
    from store.tokens import NewToken, new_seed
    from store.users import NewUser, Users

    seed = new_seed()
    Users(real.installation, "test").add(NewUser("eve", token=NewToken(seed)), real.now)
    with sqlite3.connect(tmp_path / "twinward.db") as connection:
        connection.execute("UPDATE tokens SET phase = 'active'")
    connection.close()
    assert real.login("eve", b"password123456") == Reject(Reason.SEAL_BROKEN)


def test_a_locked_database_is_unavailable(real, tmp_path, monkeypatch):
    alice = real.enrol("alice")
    real.attempts.execute("PRAGMA busy_timeout = 50")
    blocker = sqlite3.connect(tmp_path / "twinward.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError):
        real.login("alice", alice.typed())
    blocker.execute("ROLLBACK")
    blocker.close()
    assert real.login("alice", alice.typed()) == Accept()
