"""The inside of a Vendor-Specific attribute is read in full or refused (RFC 2865 §5.26)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius_wire.errors import InvalidAttributeError
from radius_wire.vendor_attributes import MAX_VENDOR, encode_vendor, vendor_attributes

CISCO = bytes.fromhex("00000009")


@given(st.integers(1, MAX_VENDOR), st.integers(1, 255), st.binary(max_size=247))
def test_what_is_encoded_is_read(vendor, kind, value):
    encoded = encode_vendor(vendor, kind, value)
    assert len(encoded) <= 253
    assert vendor_attributes(encoded) == [(vendor, kind, value)]


@given(st.binary(max_size=253))
def test_any_octets_are_read_in_full_or_an_invalid_attribute(octets):
    try:
        found = vendor_attributes(octets)
    except InvalidAttributeError:
        return
    assert octets == octets[:4] + b"".join(bytes((kind, len(value) + 2)) + value for _, kind, value in found)


def test_several_sub_attributes_come_in_order():
    octets = CISCO + b"\x01\x05one" + b"\x25\x02" + b"\x01\x05two"
    assert vendor_attributes(octets) == [(9, 1, b"one"), (9, 37, b""), (9, 1, b"two")]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        CISCO[:3],
        CISCO,
        CISCO + b"\x01",
        CISCO + b"\x01\x00",
        CISCO + b"\x01\x01",
        CISCO + b"\x01\x06one",
        CISCO + b"\x01\x04one",
        CISCO + b"\x01\x05one\x01",
        CISCO + b"\x01\x05one\x01\x00",
    ],
)
def test_lengths_that_do_not_add_up_are_an_invalid_attribute(octets):
    with pytest.raises(InvalidAttributeError):
        vendor_attributes(octets)


@pytest.mark.parametrize(
    ("vendor", "kind", "value"),
    [(0, 1, b""), (MAX_VENDOR + 1, 1, b""), (9, 0, b""), (9, 256, b""), (9, 1, bytes(248))],
)
def test_what_cannot_be_sent_is_a_value_error(vendor, kind, value):
    with pytest.raises(ValueError, match="cannot be sent"):
        encode_vendor(vendor, kind, value)
