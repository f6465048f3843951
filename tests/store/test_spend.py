"""The spending statement and the lock, each alone: what holds when everything else fails."""

import sqlite3

import pytest
from support import installations

from authn.account import LastSpend, TokenId
from authn.decision import Answer, Decision, SpendStep, WithoutSpend
from authn.errors import StoreError
from authn.instants import UnixSeconds
from authn.otp import TimeStep
from authn.ports import Settlement
from authn.request import AccessRequest, canonical_username
from authn.secret import Password
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
        decision = Decision(
            Accept(), SpendStep(TokenId(1), TimeStep(step), 0, LastSpend(bytes(16), request.received), bytes(16))
        )
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


def answer(attempts, request, *, closing=False, number=1):
    """Settle the answer to a challenge that was decided without looking at the count."""
    with attempts.transaction() as transaction:
        [account] = transaction.load([request])
        counted = Answer(b"conversation", 3, closing, request.received)
        by = LastSpend(bytes(16), request.received)
        spend = SpendStep(TokenId(1), TimeStep(number), 0, by, bytes(16)) if closing else None
        verdict = Accept() if closing else Reject(Reason.WRONG_CODE)
        [settled] = transaction.settle([Settlement(request, account, Decision(verdict, spend, answer=counted))])
    return settled


def test_a_conversation_has_so_many_answers_and_no_more(attempts, request_of):
    assert [answer(attempts, request_of) for _ in range(3)] == [Reject(Reason.WRONG_CODE)] * 3
    assert answer(attempts, request_of, closing=True) == Reject(Reason.CHALLENGE_USED)
    assert answer(attempts, request_of) == Reject(Reason.CHALLENGE_USED)


def test_an_accepted_conversation_is_closed_and_a_refused_answer_spends_nothing(attempts, request_of):
    assert answer(attempts, request_of, closing=True, number=100) == Accept()
    assert answer(attempts, request_of, closing=True, number=101) == Reject(Reason.CHALLENGE_USED)
    assert settle(attempts, request_of, 101) == Accept()


def test_answered_conversations_are_forgotten_once_expired(attempts, request_of):
    answer(attempts, request_of)
    attempts.prune(UnixSeconds(request_of.received))
    assert attempts.execute("SELECT count(*) FROM conversations").fetchone() == (1,)
    attempts.prune(UnixSeconds(request_of.received + 1))
    assert attempts.execute("SELECT count(*) FROM conversations").fetchone() == (0,)


def test_an_accept_that_spends_nothing_needs_a_reason(attempts, request_of):
    with attempts.transaction() as transaction:
        [account] = transaction.load([request_of])
        with pytest.raises(StoreError, match="spends nothing"):
            transaction.settle([Settlement(request_of, account, Decision(Accept()))])
        allowed = Decision(Accept(), without_spend=WithoutSpend.PASSWORD_ONLY)
        assert transaction.settle([Settlement(request_of, account, allowed)]) == [Accept()]


def test_a_store_that_works_is_well_and_one_that_is_locked_is_not(attempts, tmp_path):
    assert attempts.is_well()
    attempts.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / "twinward.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert not attempts.is_well()
    other.execute("ROLLBACK")
    other.close()
    assert attempts.is_well()
