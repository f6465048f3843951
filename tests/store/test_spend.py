"""The spending statement and the lock, each alone: what holds when everything else fails."""

import sqlite3

import pytest
from support import installations

from authn.account import LastSpend, TokenId
from authn.decision import Decision, Spend
from authn.ports import Settlement
from authn.request import AccessRequest, canonical_username
from authn.secret import Password
from authn.totp import TimeStep
from authn.verdict import Accept, Reason, Reject
from store.attempts import SqliteAttempts
from store.nas_clients import NasClients


@pytest.fixture
def attempts(installation):
    made = SqliteAttempts(installation.database, installation.keyring, installation.audit)
    yield made
    made.close()


@pytest.fixture
def request_of(installation):
    installations.add_client(installation, "lab", "192.0.2.0/24")
    installations.add_person(installation, "alice")
    client = NasClients(installation, "test").show("lab")
    return AccessRequest(canonical_username(b"alice"), Password(b"x"), client, installations.now())


def settle(attempts, request, step):
    """Settle an Accept that was decided without looking at the last step."""
    with attempts.transaction() as transaction:
        [account] = transaction.load([request])
        decision = Decision(Accept(), Spend(TokenId(1), TimeStep(step), 0, LastSpend(bytes(16), request.received)))
        [verdict] = transaction.settle([Settlement(request, account, decision)])
    return verdict


def test_an_accept_over_a_spent_step_turns_into_a_replay(attempts, request_of):
    assert settle(attempts, request_of, 100) == Accept()
    assert settle(attempts, request_of, 100) == Reject(Reason.CODE_REPLAYED)
    assert settle(attempts, request_of, 99) == Reject(Reason.CODE_REPLAYED)
    assert settle(attempts, request_of, 101) == Accept()


def test_a_token_revoked_meanwhile_lets_nobody_in(attempts, request_of, tmp_path):
    with sqlite3.connect(tmp_path / "twinward.db") as connection:
        connection.execute("UPDATE tokens SET phase = 'revoked'")
    connection.close()
    assert settle(attempts, request_of, 100) == Reject(Reason.CODE_REPLAYED)


def test_nobody_writes_between_reading_and_settling(attempts, request_of, tmp_path):
    other = sqlite3.connect(tmp_path / "twinward.db", timeout=0.05)
    with attempts.transaction() as transaction:
        transaction.load([request_of])
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("UPDATE tokens SET last_step = 5")
    other.execute("UPDATE tokens SET last_step = 5")
    other.close()


def test_leaving_without_settling_writes_nothing(attempts, request_of):
    with attempts.transaction() as transaction:
        transaction.load([request_of])
        attempts.execute("UPDATE tokens SET last_step = 5")
    with attempts.transaction() as transaction:
        [account] = transaction.load([request_of])
        assert account.tokens[0].last_step == 0
