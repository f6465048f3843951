"""argon2id, and the pool that hashes beside the login path."""

import selectors
import threading

import pytest
from support.installations import CHEAP

from authn.account import UserId
from authn.decide import AskFirstFactor, Finding
from authn.secret import Password, Verifier
from store.contexts import verifier_context
from store.keyring import KeyId, KeyRing, new_data_key
from store.password_pool import PasswordPool
from store.passwords import HashingSettings, PasswordHash, Passwords

RING = KeyRing(KeyId(1), {KeyId(1): new_data_key()})


def test_the_default_is_argon2id_of_19_mib_and_two_passes():
    hashed = Passwords(HashingSettings()).hash(Password(b"x")).reveal()
    assert hashed.startswith(b"$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_password_is_known_again_and_another_is_not():
    passwords = Passwords(CHEAP)
    hashed = passwords.hash(Password("grün€".encode()))
    assert passwords.check(Password("grün€".encode()), hashed) is Finding.PASSED
    assert passwords.check(Password("grun€".encode()), hashed) is Finding.FAILED
    assert passwords.check(Password(b""), hashed) is Finding.FAILED
    for broken in (b"", b"x", b"\xff", b"$argon2id$v=19$m=1", b"$1$md5"):
        assert passwords.check(Password(b"x"), PasswordHash(broken)) is Finding.CANNOT_TELL


class Waiting:
    """Passwords that hash when the test says so."""

    def __init__(self):
        self.go, self.started = threading.Event(), threading.Event()

    def check(self, _password, _hash):
        self.started.set()
        self.go.wait(10)
        return Finding.PASSED


def question(user_id=1, sealed_for=1):
    sealed = RING.seal(PasswordHash(b"hash"), verifier_context(sealed_for))
    return AskFirstFactor(UserId(user_id), Password(b"pw"), Verifier(sealed))


def all_answers(pool, count):
    answers = []
    with selectors.DefaultSelector() as selector:
        selector.register(pool, selectors.EVENT_READ)
        while len(answers) < count:
            assert selector.select(10), "no answer came"
            answers += pool.answers()
    return {ticket: checked.finding for ticket, checked in answers}


@pytest.fixture
def pool():
    time = [0.0]
    made = PasswordPool(Waiting(), RING, threads=1, max_waiting=2, max_wait_s=1.0, clock=lambda: time[0])
    made.time = time
    yield made
    made._passwords.go.set()
    made.close()


def test_questions_over_the_bound_and_over_the_time_are_answered_overloaded(pool):
    pool.ask("first", question())
    assert pool._passwords.started.wait(10)
    for ticket in ("second", "third", "over the bound"):
        pool.ask(ticket, question())
    pool.time[0] = 1.1
    pool._passwords.go.set()
    assert all_answers(pool, 4) == {
        "first": Finding.PASSED,
        "second": Finding.OVERLOADED,
        "third": Finding.OVERLOADED,
        "over the bound": Finding.OVERLOADED,
    }


def test_a_hash_that_belongs_to_another_user_is_a_broken_seal(pool):
    pool._passwords.go.set()
    pool.ask("moved", question(user_id=1, sealed_for=2))
    assert all_answers(pool, 1) == {"moved": Finding.SEAL_BROKEN}
