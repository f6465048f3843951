"""What is sealed opens where it was sealed for, and nowhere else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authn.errors import BrokenSealError, ConfigError, UnknownKeyError
from authn.secret import Seed
from store.keyring import (
    KeyEncryptionKey,
    KeyId,
    KeyRing,
    context,
    create_key_file,
    new_data_key,
    read_key_file,
    unwrap,
    wrap,
)

RING = KeyRing(KeyId(1), {KeyId(1): new_data_key()})


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_what_is_sealed_opens(octets, place):
    assert RING.open(RING.seal(Seed(octets), place), place) == octets


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_sealed_value_with_any_one_bit_changed_does_not_open(octets, data):
    sealed = bytearray(RING.seal(Seed(octets), b"place"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((BrokenSealError, UnknownKeyError)):
        RING.open(bytes(sealed), b"place")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(16), b"\x02" + bytes(60)])
def test_what_has_no_form_of_a_sealed_value_does_not_open(sealed):
    with pytest.raises(BrokenSealError):
        RING.open(sealed, b"place")


def test_a_value_moved_to_another_place_does_not_open():
    with pytest.raises(BrokenSealError):
        RING.open(RING.seal(Seed(b"seed"), context("tokens", "sealed_seed", 1)), context("tokens", "sealed_seed", 2))


def test_places_that_differ_have_different_contexts():
    assert context("t", "c", "ab", "c") != context("t", "c", "a", "bc")
    with pytest.raises(ValueError):
        context("t", "c", "a\x1fb")


def test_old_keys_open_and_new_values_use_the_current_one():
    old, new = new_data_key(), new_data_key()
    before = KeyRing(KeyId(1), {KeyId(1): old}).seal(Seed(b"seed"), b"place")
    ring = KeyRing(KeyId(2), {KeyId(1): old, KeyId(2): new})
    assert ring.open(before, b"place") == b"seed"
    after = ring.seal(Seed(b"seed"), b"place")
    with pytest.raises(UnknownKeyError):
        KeyRing(KeyId(1), {KeyId(1): old}).open(after, b"place")


def test_a_data_key_is_bound_to_its_id_and_purpose():
    kek = KeyEncryptionKey(os.urandom(32))
    wrapped = wrap(kek, KeyId(1), "seal", new_data_key())
    for key_id, purpose in ((KeyId(2), "seal"), (KeyId(1), "audit")):
        with pytest.raises(BrokenSealError):
            unwrap(kek, key_id, purpose, wrapped)
    with pytest.raises(BrokenSealError):
        unwrap(KeyEncryptionKey(os.urandom(32)), KeyId(1), "seal", wrapped)


def test_a_key_file_comes_back_and_is_never_overwritten(tmp_path):
    path = tmp_path / "key"
    kek = create_key_file(path)
    assert read_key_file(path) == kek
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError):
        create_key_file(path)
    assert read_key_file(path) == kek


def test_a_key_file_that_others_can_read_is_refused_with_the_cure(tmp_path):
    path = tmp_path / "key"
    create_key_file(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_key_file(path)


@pytest.mark.parametrize("text", ["", "x" * 80, "twinward-kek-1 c2hvcnQ=\n", "twinward-kek-1 !!!!\n", "\xff\xfe"])
def test_what_is_no_key_file_is_refused_by_name(tmp_path, text):
    path = tmp_path / "key"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=str(path)):
        read_key_file(path)
    with pytest.raises(ConfigError, match="cannot read"):
        read_key_file(tmp_path / "missing")
