"""Attributes by name and number, and the built-in ones as FreeRADIUS spells them."""

import io
from pathlib import Path

import pytest
from pyrad.dictionary import Dictionary as FreeRadiusDictionary
from support.debian import require_program

from radius_wire import attributes, built_in_dictionary, built_in_vendors
from radius_wire.built_in_dictionary import BUILT_IN
from radius_wire.dictionary import (
    AttributeDefinition,
    DataType,
    Dictionary,
    Encryption,
    UnknownAttributeError,
)

FREERADIUS_FOLDER = Path("/usr/share/freeradius")
FREERADIUS_FILES = (
    *("rfc2865", "rfc2866", "rfc2868", "rfc2869", "rfc3162", "rfc3576", "rfc3580", "rfc4818", "rfc5176", "rfc6911"),
    *("aruba", "checkpoint", "cisco", "cisco.asa", "citrix", "f5", "fortinet", "juniper", "microsoft", "mikrotik"),
    *("netscreen", "paloalto", "pfsense"),
)
FREERADIUS_TYPES = {
    DataType.TEXT: "string",
    DataType.STRING: "octets",
    DataType.INTEGER: "integer",
    DataType.IPV4ADDR: "ipaddr",
    DataType.IPV6ADDR: "ipv6addr",
    DataType.IPV6PREFIX: "ipv6prefix",
    DataType.TIME: "date",
    DataType.IFID: "ifid",
}
FREERADIUS_ENCRYPTIONS = {Encryption.NONE: 0, Encryption.USER_PASSWORD: 1, Encryption.SALTED: 2}


@pytest.fixture(scope="module")
def freeradius():
    """FreeRADIUS's own definitions of what is built in, as pyrad reads them."""
    require_program("freeradius", "freeradius")
    texts = [(FREERADIUS_FOLDER / f"dictionary.{name}").read_text(encoding="utf-8") for name in FREERADIUS_FILES]
    # Juniper's file writes a type with a capital, which FreeRADIUS overlooks and pyrad does not.
    return FreeRadiusDictionary(*(io.StringIO(text.replace("\tString", "\tstring")) for text in texts))


@pytest.mark.parametrize("definition", list(BUILT_IN), ids=lambda definition: definition.name)
def test_a_built_in_attribute_is_the_one_freeradius_knows(definition, freeradius):
    theirs = freeradius[definition.name]
    vendor = freeradius.vendors[theirs.vendor] if theirs.vendor else None
    assert (definition.number, definition.vendor) == (theirs.code, vendor)
    assert FREERADIUS_TYPES[definition.data_type] == theirs.type
    assert definition.has_tag == theirs.has_tag
    assert FREERADIUS_ENCRYPTIONS[definition.encryption] == theirs.encrypt
    values = {name: int.from_bytes(octets, "big") for name, octets in theirs.values.forward.items()}
    assert definition.values.items() <= values.items()


def test_every_named_value_belongs_to_a_built_in_attribute():
    """A misspelt name in the tables of values would be overlooked otherwise."""
    named = {definition.name for definition in BUILT_IN if definition.values}
    assert named == {*built_in_dictionary._VALUES, *built_in_vendors._VALUES}


def test_no_built_in_attribute_hides_another():
    by_number = {(definition.vendor, definition.number) for definition in BUILT_IN}
    assert len(by_number) == len(list(BUILT_IN))


def test_the_types_named_in_attributes_are_built_in_under_the_same_names():
    for number, name in attributes.NAMES.items():
        if number != attributes.VENDOR_SPECIFIC:
            assert BUILT_IN.name_of(None, number) == name


def test_names_are_found_in_any_case():
    assert BUILT_IN.find("reply-MESSAGE") is BUILT_IN.find("Reply-Message")
    assert BUILT_IN.find("Reply-Message").number == attributes.REPLY_MESSAGE


def test_an_unknown_name_is_refused_with_those_like_it():
    with pytest.raises(UnknownAttributeError, match=r"no attribute Framed-Adress; did you mean .*Framed-IP-Address"):
        BUILT_IN.find("Framed-Adress")
    with pytest.raises(UnknownAttributeError) as raised:
        BUILT_IN.find("zzzzzz")
    assert str(raised.value) == "there is no attribute zzzzzz"


def test_a_number_has_a_name_within_its_vendor():
    assert BUILT_IN.name_of(None, 1) == "User-Name"
    assert BUILT_IN.name_of(9, 1) == "Cisco-AVPair"
    assert BUILT_IN.name_of(9, 255) is None
    assert BUILT_IN.name_of(None, attributes.VENDOR_SPECIFIC) is None


def test_later_definitions_win_by_name_and_by_number():
    moved = AttributeDefinition("FILTER-ID", 200, DataType.STRING)
    renamed = AttributeDefinition("Our-Class", 25, DataType.TEXT)
    dictionary = BUILT_IN.extended([moved, renamed])
    assert dictionary.find("Filter-Id") is moved
    assert dictionary.name_of(None, 200) == "FILTER-ID"
    assert dictionary.name_of(None, 11) is None
    assert dictionary.name_of(None, 25) == "Our-Class"
    assert dictionary.find("Class").number == 25
    assert BUILT_IN.find("Filter-Id").number == 11


def test_a_name_given_anew_counts_as_later_by_its_number_too():
    first, second = AttributeDefinition("A", 200, DataType.TEXT), AttributeDefinition("B", 200, DataType.TEXT)
    assert Dictionary([first, second, first]).name_of(None, 200) == "A"


@pytest.mark.parametrize("number", [0, 256, -1])
def test_attributes_are_numbered_from_1_to_255(number):
    with pytest.raises(ValueError, match="numbered from 1 to 255"):
        AttributeDefinition("Wrong", number, DataType.TEXT)


@pytest.mark.parametrize("vendor", [0, 1 << 24])
def test_vendors_are_numbered_in_three_octets(vendor):
    with pytest.raises(ValueError, match="vendors are numbered"):
        AttributeDefinition("Wrong", 1, DataType.TEXT, vendor)


@pytest.mark.parametrize(
    ("data_type", "encryption"),
    [
        (DataType.IPV4ADDR, Encryption.NONE),
        (DataType.SHORT, Encryption.NONE),
        (DataType.INTEGER, Encryption.SALTED),
        (DataType.TEXT, Encryption.USER_PASSWORD),
    ],
)
def test_a_tag_stands_only_where_the_wire_has_a_form_for_it(data_type, encryption):
    with pytest.raises(ValueError, match="cannot have a tag"):
        AttributeDefinition("Wrong", 1, data_type, has_tag=True, encryption=encryption)


def test_definitions_can_be_members_of_a_set():
    assert len({*BUILT_IN, *BUILT_IN}) == len(list(BUILT_IN))
