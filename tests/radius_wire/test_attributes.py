"""Values of the simple types, and names."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius_wire import attributes
from radius_wire.errors import InvalidAttributeError


@given(st.integers(0, 2**32 - 1))
def test_integers_come_back(number):
    assert attributes.decode_integer(attributes.encode_integer(number)) == number


@given(st.ip_addresses())
def test_addresses_come_back(address):
    assert attributes.decode_address(attributes.encode_address(address)) == address


@pytest.mark.parametrize("value", [b"", b"123", b"12345"])
def test_values_of_wrong_length_are_invalid(value):
    with pytest.raises(InvalidAttributeError):
        attributes.decode_integer(value)
    with pytest.raises(InvalidAttributeError):
        attributes.decode_address(value)


@pytest.mark.parametrize("value", [b"\xff", b"a\0b"])
def test_text_is_utf_8_without_nul(value):
    with pytest.raises(InvalidAttributeError):
        attributes.decode_text(value)
    assert attributes.decode_text("grün".encode()) == "grün"


def test_numbers_outside_32_bits_are_a_value_error():
    with pytest.raises(ValueError):
        attributes.encode_integer(2**32)


def test_names_are_spelled_as_in_the_rfcs():
    assert attributes.name_of(attributes.NAS_IPV6_ADDRESS) == "NAS-IPv6-Address"
    assert attributes.name_of(attributes.MESSAGE_AUTHENTICATOR) == "Message-Authenticator"
    assert attributes.name_of(200) == "Attribute-200"
    assert attributes.encode_address(ip_address("192.0.2.1")) == bytes((192, 0, 2, 1))
