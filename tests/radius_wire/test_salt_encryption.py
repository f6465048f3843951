"""What is encrypted under a salt comes back whole, trailing zeros too (RFC 2868 §3.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import vectors

from radius_wire.errors import InvalidAttributeError
from radius_wire.salt_encryption import MAX_PLAIN_OCTETS, decrypt, encrypt

SECRET = b"xyzzy5461"
SALT = b"\x80\x01"
AUTHENTICATOR = bytes(range(16))

salts = st.binary(min_size=2, max_size=2).filter(lambda salt: salt[0] >= 0x80)


@pytest.mark.parametrize("case", vectors.load("derived_salt_encryption")["cases"])
def test_the_derived_vectors(case):
    secret, authenticator = case["secret_ascii"].encode(), bytes.fromhex(case["request_authenticator"])
    plain, value = bytes.fromhex(case["plaintext"]), bytes.fromhex(case["value"])
    assert encrypt(plain, bytes.fromhex(case["salt"]), secret, authenticator) == value
    assert decrypt(value, secret, authenticator) == plain


@given(
    st.binary(max_size=MAX_PLAIN_OCTETS), salts, st.binary(min_size=1, max_size=64), st.binary(min_size=16, max_size=16)
)
def test_what_is_encrypted_is_decrypted(plain, salt, secret, authenticator):
    value = encrypt(plain, salt, secret, authenticator)
    assert value.startswith(salt)
    assert len(value) <= 253
    assert decrypt(value, secret, authenticator) == plain


@given(st.binary(max_size=253))
def test_any_octets_are_decrypted_or_an_invalid_attribute(value):
    try:
        plain = decrypt(value, SECRET, AUTHENTICATOR)
    except InvalidAttributeError:
        return
    assert len(plain) <= len(value) - 3


@pytest.mark.parametrize("salt", [b"", b"\x80", b"\x00\x01", b"\x7f\xff", b"\x80\x00\x01"])
def test_a_salt_has_two_octets_and_its_top_bit(salt):
    with pytest.raises(ValueError, match="salt"):
        encrypt(b"key", salt, SECRET, AUTHENTICATOR)


def test_more_than_an_attribute_holds_is_not_encrypted():
    with pytest.raises(ValueError, match="at most 239 octets"):
        encrypt(bytes(240), SALT, SECRET, AUTHENTICATOR)


@pytest.mark.parametrize("octets", [0, 1, 2, 3, 17, 19, 33])
def test_a_value_of_impossible_length_is_an_invalid_attribute(octets):
    with pytest.raises(InvalidAttributeError, match="octets"):
        decrypt(b"\x80".ljust(octets, b"\0")[:octets], SECRET, AUTHENTICATOR)


def test_a_salt_without_its_top_bit_is_an_invalid_attribute():
    with pytest.raises(InvalidAttributeError, match="salt"):
        decrypt(b"\x00\x01" + bytes(16), SECRET, AUTHENTICATOR)


@pytest.mark.parametrize(("length", "fits"), [(0, True), (15, True), (16, False), (255, False)])
def test_the_length_octet_is_held_against_what_is_there(length, fits):
    """The first octet of the cipher text is changed so that the length octet reads `length`."""
    value = bytearray(encrypt(b"", SALT, SECRET, AUTHENTICATOR))
    value[2] ^= length
    if fits:
        assert decrypt(bytes(value), SECRET, AUTHENTICATOR) == bytes(length)
    else:
        with pytest.raises(InvalidAttributeError, match="shorter than it says"):
            decrypt(bytes(value), SECRET, AUTHENTICATOR)
