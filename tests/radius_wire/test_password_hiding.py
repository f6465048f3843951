"""What is hidden comes back, octet for octet, but for NULs at the end (RFC 2865 §5.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import vectors

from radius_wire import attributes
from radius_wire.errors import InvalidAttributeError
from radius_wire.packet import parse
from radius_wire.password_hiding import hide, reveal

SECRET = b"xyzzy5461"


@given(st.binary(max_size=128), st.binary(min_size=1, max_size=64), st.binary(min_size=16, max_size=16))
def test_what_is_hidden_is_revealed(password, secret, authenticator):
    hidden = hide(password, secret, authenticator)
    assert len(hidden) % 16 == 0
    assert 16 <= len(hidden) <= 128
    assert reveal(hidden, secret, authenticator) == password.rstrip(b"\0")


@pytest.mark.parametrize("case", [one for one in vectors.load("rfc2865_7")["cases"] if "password_ascii" in one])
def test_the_passwords_of_rfc_2865_section_7(case):
    request = parse(bytes.fromhex(case.get("request_corrected", case["request"])))
    hidden = request.first(attributes.USER_PASSWORD)
    assert reveal(hidden, SECRET, request.authenticator) == case["password_ascii"].encode()
    assert hide(case["password_ascii"].encode(), SECRET, request.authenticator) == hidden


@pytest.mark.parametrize("octets", [0, 1, 15, 17, 127, 129, 144])
def test_a_hidden_password_of_impossible_length_is_an_invalid_attribute(octets):
    with pytest.raises(InvalidAttributeError):
        reveal(bytes(octets), SECRET, bytes(16))


def test_129_octets_cannot_be_hidden():
    with pytest.raises(ValueError):
        hide(bytes(129), SECRET, bytes(16))
