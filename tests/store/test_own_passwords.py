"""Our own store as a first factor: what is opened, checked and renewed."""

import pytest
from support.installations import CHEAP

from authn.account import UserId
from authn.client import ClientId
from authn.errors import BrokenSealError
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding, Keeper
from authn.request import canonical_username
from authn.secret import Password, Verifier
from store.contexts import verifier_context
from store.keyring import KeyId, KeyRing, new_data_key
from store.own_passwords import OwnPasswords
from store.passwords import HashingSettings, PasswordHash, Passwords, read_foreign_hash

FIRST_KEY, SECOND_KEY = new_data_key(), new_data_key()
RING = KeyRing(KeyId(1), {KeyId(1): FIRST_KEY})
PASSWORDS = Passwords(CHEAP)
OWN = OwnPasswords(PASSWORDS, RING)

SSHA = "{SSHA}gffVGcxLEflQeWZ2pXWg/6wQxDiP8NBU"  # by slappasswd, of the password "x"
BCRYPT_OF_72 = "$2y$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe"  # of 72 times "a"


def question(password, password_hash, *, user_id=1, sealed_for=1, ring=RING):
    sealed = Verifier(ring.seal(password_hash, verifier_context(sealed_for, "alice")))
    return AskFirstFactor(
        canonical_username(b"alice"),
        Password(password),
        Keeper(verifier=sealed),
        ClientId(1),
        None if user_id is None else UserId(user_id),
    )


def test_a_password_of_our_own_is_checked_and_stays():
    password_hash = PASSWORDS.hash(Password(b"x"))
    asked = question(b"x", password_hash)
    assert OWN.check(asked, 1.0) == CheckedPassword(Finding.PASSED, asked.keeper)
    asked = question(b"y", password_hash)
    assert OWN.check(asked, 1.0) == CheckedPassword(Finding.FAILED, asked.keeper)


def test_an_imported_hash_is_renewed_at_a_good_login_for_the_same_user():
    asked = question(b"x", read_foreign_hash(SSHA))
    checked = OWN.check(asked, 1.0)
    assert checked.finding is Finding.PASSED
    assert checked.keeper == asked.keeper
    renewed = RING.open(checked.renewed.reveal(), verifier_context(1, "alice"))
    assert renewed.startswith(b"$argon2id$")
    assert not PASSWORDS.needs_renewal(PasswordHash(renewed))
    assert PASSWORDS.check(Password(b"x"), PasswordHash(renewed)) is Finding.PASSED
    with pytest.raises(BrokenSealError):
        RING.open(checked.renewed.reveal(), verifier_context(2, "alice"))


def test_a_wrong_password_renews_nothing():
    assert OWN.check(question(b"y", read_foreign_hash(SSHA)), 1.0).renewed is None


def test_argon2id_of_other_parameters_is_renewed():
    dearer = Passwords(HashingSettings(memory_kib=16, time_cost=1, parallelism=1))
    asked = question("fünf".encode(), dearer.hash(Password("fünf".encode())))
    assert OWN.check(asked, 1.0).renewed is not None
    assert OwnPasswords(dearer, RING).check(asked, 1.0) == CheckedPassword(Finding.PASSED, asked.keeper)


def test_a_password_of_which_bcrypt_read_a_part_is_not_renewed():
    """Its end was never checked: a new hash of a mistyped one would shut its owner out."""
    asked = question(b"a" * 72, read_foreign_hash(BCRYPT_OF_72))
    assert OWN.check(asked, 1.0).renewed is not None
    asked = question(b"a" * 72 + b"mistyped", read_foreign_hash(BCRYPT_OF_72))
    assert OWN.check(asked, 1.0) == CheckedPassword(Finding.PASSED, asked.keeper)


def test_without_memory_for_a_new_hash_the_login_is_good_and_the_old_one_stays(monkeypatch):
    passwords = Passwords(CHEAP)
    monkeypatch.setattr(passwords, "hash", lambda _: (_ for _ in ()).throw(MemoryError))
    asked = question(b"x", read_foreign_hash(SSHA))
    assert OwnPasswords(passwords, RING).check(asked, 1.0) == CheckedPassword(Finding.PASSED, asked.keeper)


def test_a_hash_that_belongs_to_another_user_is_a_broken_seal():
    asked = question(b"x", PASSWORDS.hash(Password(b"x")), user_id=1, sealed_for=2)
    assert OWN.check(asked, 1.0) == CheckedPassword(Finding.SEAL_BROKEN, asked.keeper)


def test_a_hash_that_was_altered_is_a_broken_seal():
    asked = question(b"x", PASSWORDS.hash(Password(b"x")))
    sealed = asked.keeper.verifier.reveal()
    altered = Keeper(verifier=Verifier(sealed[:-1] + bytes([sealed[-1] ^ 1])))
    asked = AskFirstFactor(asked.username, asked.password, altered, asked.client_id, asked.user_id)
    assert OWN.check(asked, 1.0) == CheckedPassword(Finding.SEAL_BROKEN, altered)


def test_without_the_data_key_it_cannot_tell():
    other = KeyRing(KeyId(2), {KeyId(2): SECOND_KEY})
    asked = question(b"x", PASSWORDS.hash(Password(b"x")), ring=other)
    assert OWN.check(asked, 1.0) == CheckedPassword(Finding.CANNOT_TELL, asked.keeper)


def test_without_a_user_or_a_hash_it_cannot_tell():
    asked = question(b"x", PASSWORDS.hash(Password(b"x")), user_id=None)
    assert OWN.check(asked, 1.0).finding is Finding.CANNOT_TELL
    without = AskFirstFactor(asked.username, asked.password, Keeper(), asked.client_id, UserId(1))
    assert OWN.check(without, 1.0) == CheckedPassword(Finding.CANNOT_TELL, Keeper())


def test_after_a_key_rotation_a_renewed_hash_is_sealed_under_the_new_key():
    own = OwnPasswords(PASSWORDS, RING)
    own.keyring = KeyRing(KeyId(2), {KeyId(1): FIRST_KEY, KeyId(2): SECOND_KEY})
    renewed = own.check(question(b"x", read_foreign_hash(SSHA)), 1.0).renewed
    assert KeyRing(KeyId(2), {KeyId(2): SECOND_KEY}).open(renewed.reveal(), verifier_context(1, "alice"))
    own.close()
