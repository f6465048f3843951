"""argon2id for our own passwords, and when a hash is to be renewed."""

import pytest
from support.installations import CHEAP

from authn.errors import OperationError
from authn.first_factor import Finding
from authn.secret import Password
from store.passwords import HashingSettings, PasswordHash, Passwords, read_foreign_hash

SSHA = "{SSHA}gffVGcxLEflQeWZ2pXWg/6wQxDiP8NBU"  # by slappasswd, of the password "x"


def test_the_default_is_argon2id_of_19_mib_and_two_passes():
    hashed = Passwords(HashingSettings()).hash(Password(b"x")).reveal()
    assert hashed.startswith(b"$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_password_is_known_again_and_another_is_not():
    passwords = Passwords(CHEAP)
    hashed = passwords.hash(Password("grün€".encode()))
    assert passwords.check(Password("grün€".encode()), hashed) is Finding.PASSED
    assert passwords.check(Password("grun€".encode()), hashed) is Finding.FAILED
    assert passwords.check(Password(b""), hashed) is Finding.FAILED
    for broken in (b"", b"x", b"\xff", b"$argon2id$v=19$m=1", b"$argon2id$\xff", b"$1$md5"):
        assert passwords.check(Password(b"x"), PasswordHash(broken)) is Finding.CANNOT_TELL
        assert passwords.needs_renewal(PasswordHash(broken))


def test_an_umlaut_is_one_letter_however_it_was_typed():
    """A keyboard may send ü as one code point or as u with a mark."""
    passwords = Passwords(CHEAP)
    made = passwords.hash(Password("fünf".encode()))
    assert passwords.check(Password("fu\u0308nf".encode()), made) is Finding.PASSED
    assert passwords.check(Password(b"f\xfcnf"), made) is Finding.FAILED
    assert passwords.check(Password(b"f\xfcnf"), passwords.hash(Password(b"f\xfcnf"))) is Finding.PASSED


def test_argon2id_of_other_parameters_is_checked_and_needs_renewal():
    """A changed configuration shuts nobody out, whichever way the umlaut is typed."""
    before, after = Passwords(CHEAP), Passwords(HashingSettings(memory_kib=16, time_cost=2, parallelism=1))
    made = before.hash(Password("fünf".encode()))
    assert not before.needs_renewal(made)
    assert after.needs_renewal(made)
    for typed in ("fünf", "fu\u0308nf"):
        assert after.check(Password(typed.encode()), made) is Finding.PASSED
    renewed = after.renew(Password("fünf".encode()), made)
    assert not after.needs_renewal(renewed)
    assert after.renew(Password("fünf".encode()), renewed) is None


def test_djangos_prefix_makes_a_hash_foreign_also_at_our_parameters():
    passwords = Passwords(CHEAP)
    made = passwords.hash(Password(b"x")).reveal().decode()
    foreign = read_foreign_hash(f"argon2{made}")
    assert passwords.check(Password(b"x"), foreign) is Finding.PASSED
    assert passwords.needs_renewal(foreign)


def test_a_foreign_hash_needs_renewal():
    passwords = Passwords(CHEAP)
    foreign = read_foreign_hash(f" {SSHA}\n")
    assert passwords.check(Password(b"x"), foreign) is Finding.PASSED
    assert passwords.check(Password(b"y"), foreign) is Finding.FAILED
    assert passwords.needs_renewal(foreign)
    assert not passwords.needs_renewal(passwords.renew(Password(b"x"), foreign))


class Counting:
    """A foreign hash that counts what is computed, and that belongs to one row of octets."""

    def __init__(self, octets):
        self.octets, self.computed = octets, 0

    def check(self, octets):
        self.computed += 1
        return Finding.PASSED if octets == self.octets else Finding.FAILED


@pytest.mark.parametrize(
    ("hashed", "typed", "finding", "computed"),
    [
        (b"x", b"x", Finding.PASSED, 1),
        (b"x", b"y", Finding.FAILED, 1),
        ("ü".encode(), "ü".encode(), Finding.PASSED, 1),
        ("ü".encode(), "ö".encode(), Finding.FAILED, 1),
        ("ü".encode(), "u\u0308".encode(), Finding.PASSED, 1),
        ("u\u0308".encode(), "u\u0308".encode(), Finding.PASSED, 2),
        (b"\xfc", b"\xfc", Finding.PASSED, 1),
    ],
)
def test_one_hash_decides_unless_an_odd_form_was_typed(monkeypatch, hashed, typed, finding, computed):
    foreign = Counting(hashed)
    monkeypatch.setattr("store.foreign_hashes.parse", lambda _: foreign)
    assert Passwords(CHEAP).check(Password(typed), PasswordHash(b"any")) is finding
    assert foreign.computed == computed


def test_reading_a_hash_that_cannot_be_kept_says_why():
    with pytest.raises(OperationError, match="MD5-crypt is not imported"):
        read_foreign_hash("$1$mxWV7Lmr$Fxiclg680P4/DZ7TQ87mV/")
