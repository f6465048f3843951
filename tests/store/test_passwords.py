"""argon2id, and the pool that hashes beside the login path."""

import selectors
import threading

import pytest
from support import installations
from support.installations import CHEAP

from authn.account import UserId
from authn.client import ClientId
from authn.decision import AskFirstFactor, Finding
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


def question(user_id=1, sealed_for=1, client_id=1):
    sealed = RING.seal(PasswordHash(b"hash"), verifier_context(sealed_for))
    return AskFirstFactor(UserId(user_id), Password(b"pw"), Verifier(sealed), ClientId(client_id))


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
    pool.ask("first", question(), 99.0)
    assert pool._passwords.started.wait(10)
    for ticket in ("second", "third", "over the bound"):
        pool.ask(ticket, question(), 99.0)
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
    pool.ask("moved", question(user_id=1, sealed_for=2), 99.0)
    assert all_answers(pool, 1) == {"moved": Finding.SEAL_BROKEN}


def test_clients_are_served_in_turn(pool):
    pool._max_waiting = 9
    pool.ask("first", question(), 99.0)
    assert pool._passwords.started.wait(10)
    for number in range(5):
        pool.ask(f"crowd {number}", question(client_id=1), 99.0)
    pool.ask("alone", question(client_id=2), 99.0)
    pool._passwords.go.set()
    order = list(all_answers(pool, 7))
    assert order.index("alone") <= 2


def test_nobody_is_hashed_for_after_the_login_was_given_up(pool):
    pool.ask("first", question(), 99.0)
    assert pool._passwords.started.wait(10)
    pool.ask("late", question(), 0.5)
    pool.time[0] = 0.6
    pool._passwords.go.set()
    assert all_answers(pool, 2)["late"] is Finding.OVERLOADED


def test_an_umlaut_is_one_letter_however_it_was_typed():
    """A keyboard may send ü as one code point or as u with a mark."""
    passwords = Passwords(installations.CHEAP)
    made = passwords.hash(Password("fünf".encode()))
    assert passwords.check(Password("fu\u0308nf".encode()), made) is Finding.PASSED
    assert passwords.check(Password(b"f\xfcnf"), made) is Finding.FAILED
    assert passwords.check(Password(b"f\xfcnf"), passwords.hash(Password(b"f\xfcnf"))) is Finding.PASSED
