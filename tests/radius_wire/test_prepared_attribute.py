"""A configured value is right before the first reply, or refused with a sentence."""

from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius_wire import attributes
from radius_wire.built_in_dictionary import BUILT_IN
from radius_wire.dictionary import NUMBER_OCTETS, AttributeDefinition, DataType, Encryption
from radius_wire.password_hiding import reveal
from radius_wire.prepared_attribute import prepare
from radius_wire.salt_encryption import decrypt
from radius_wire.vendor_attributes import vendor_attributes

SECRET = b"xyzzy5461"
AUTHENTICATOR = bytes(range(16))
SALT = b"\x80\x01"


def of_type(data_type, **more):
    return AttributeDefinition("Example", 200, data_type, **more)


def sent(prepared):
    return prepared.attribute(SECRET, AUTHENTICATOR, SALT)


@pytest.mark.parametrize(
    ("name", "value", "tag", "kind", "octets"),
    [
        ("Reply-Message", "Grüße", None, 18, "4772c3bcc39f65"),
        ("Class", "OU=vpn", None, 25, "4f553d76706e"),
        ("Class", "0x00Ff", None, 25, "00ff"),
        ("Class", "0XFF", None, 25, "30584646"),
        ("Session-Timeout", 3600, None, 27, "00000e10"),
        ("Session-Timeout", "3600", None, 27, "00000e10"),
        ("Service-Type", "Administrative-User", None, 6, "00000006"),
        ("Service-Type", "nas-prompt-user", None, 6, "00000007"),
        ("Event-Timestamp", 1700000000, None, 55, "6553f100"),
        ("Framed-IP-Address", "192.0.2.7", None, 8, "c0000207"),
        ("Framed-IPv6-Address", "2001:db8::7", None, 168, "20010db8000000000000000000000007"),
        ("Framed-IPv6-Prefix", "2001:db8:0:1200::/56", None, 97, "003820010db8000012"),
        ("Framed-IPv6-Prefix", "::/0", None, 97, "0000"),
        ("Delegated-IPv6-Prefix", "2001:db8::1/128", None, 123, "008020010db8000000000000000000000001"),
        ("Framed-Interface-Id", "0:1:ab:ffff", None, 96, "0000000100abffff"),
        ("Tunnel-Type", "VLAN", 1, 64, "0100000d"),
        ("Tunnel-Type", "VLAN", None, 64, "0000000d"),
        ("Tunnel-Private-Group-Id", "20", 1, 81, "013230"),
        ("Tunnel-Private-Group-Id", "20", 0, 81, "003230"),
        ("Tunnel-Private-Group-Id", "20", None, 81, "3230"),
        ("Cisco-AVPair", "shell:priv-lvl=15", None, 26, "0000000901137368656c6c3a707269762d6c766c3d3135"),
        ("Fortinet-Client-IP-Address", "192.0.2.7", None, 26, "000030440206c0000207"),
    ],
)
def test_a_value_has_these_octets(name, value, tag, kind, octets):
    prepared = prepare(BUILT_IN.find(name), value, tag)
    assert not prepared.is_encrypted
    assert sent(prepared) == (kind, bytes.fromhex(octets))
    assert sent(prepared) is sent(prepared)


@pytest.mark.parametrize(
    ("name", "value", "tag", "sentence"),
    [
        ("Reply-Message", 5, None, "Reply-Message takes UTF-8 text without NUL, not 5"),
        ("Reply-Message", True, None, "Reply-Message takes UTF-8 text without NUL, not the truth value true"),
        ("Reply-Message", "", None, "Reply-Message takes 1 to 253 octets, not 0"),
        ("Reply-Message", "ä" * 127, None, "Reply-Message takes 1 to 253 octets, not 254"),
        ("Reply-Message", "a\0b", None, "Reply-Message takes UTF-8 text without NUL, not 'a\\x00b'"),
        ("Reply-Message", "\ud800", None, "Reply-Message takes UTF-8 text without NUL, not '\\ud800'"),
        ("Reply-Message", "hello", 1, "Reply-Message takes no tag"),
        ("Cisco-AVPair", "a" * 248, None, "Cisco-AVPair takes 1 to 247 octets, not 248"),
        ("Class", "0x", None, "Class takes 1 to 253 octets, not 0"),
        ("Class", "0xfff", None, "Class takes text, or 0x and hexadecimal digits in pairs, not '0xfff'"),
        ("Class", "0xff ff", None, "Class takes text, or 0x and hexadecimal digits in pairs, not '0xff ff'"),
        (
            "Session-Timeout",
            True,
            None,
            "Session-Timeout takes a number from 0 to 4294967295, not the truth value true",
        ),
        ("Session-Timeout", -1, None, "Session-Timeout takes a number from 0 to 4294967295, not -1"),
        ("Session-Timeout", 1 << 32, None, "Session-Timeout takes a number from 0 to 4294967295, not 4294967296"),
        ("Session-Timeout", "1h", None, "Session-Timeout takes a number from 0 to 4294967295, not '1h'"),
        ("Session-Timeout", "\u0663", None, "Session-Timeout takes a number from 0 to 4294967295, not '\u0663'"),
        (
            "Service-Type",
            "Administrator",
            None,
            "Service-Type takes a number from 0 to 4294967295 or a name such as Administrative-User or "
            "Callback-Administrative, not 'Administrator'",
        ),
        (
            "Termination-Action",
            "xyz",
            None,
            "Termination-Action takes a number from 0 to 4294967295 or a name such as Default or RADIUS-Request, "
            "not 'xyz'",
        ),
        ("Framed-IP-Address", "192.0.2.256", None, "Framed-IP-Address takes an IPv4 address, not '192.0.2.256'"),
        ("Framed-IP-Address", 3221225991, None, "Framed-IP-Address takes an IPv4 address, not 3221225991"),
        (
            "Framed-IPv6-Address",
            "192.0.2.7",
            None,
            "Framed-IPv6-Address takes an IPv6 address without a zone, not '192.0.2.7'",
        ),
        (
            "Framed-IPv6-Address",
            "fe80::1%a",
            None,
            "Framed-IPv6-Address takes an IPv6 address without a zone, not 'fe80::1%a'",
        ),
        (
            "Framed-IPv6-Prefix",
            "2001:db8::1/64",
            None,
            "Framed-IPv6-Prefix takes an IPv6 prefix, address/length with no bits set behind the length, "
            "not '2001:db8::1/64'",
        ),
        (
            "Framed-IPv6-Prefix",
            "2001:db8::",
            None,
            "Framed-IPv6-Prefix takes an IPv6 prefix, address/length with no bits set behind the length, "
            "not '2001:db8::'",
        ),
        (
            "Framed-Interface-Id",
            "1:2:3",
            None,
            "Framed-Interface-Id takes four groups of hexadecimal digits with colons between them, not '1:2:3'",
        ),
        ("Tunnel-Type", "VLAN", 32, "Tunnel-Type takes a tag from 0 to 31, not 32"),
        ("Tunnel-Preference", 1 << 24, 1, "Tunnel-Preference takes a number from 0 to 16777215, not 16777216"),
        ("Tunnel-Private-Group-Id", "a" * 253, 1, "Tunnel-Private-Group-Id takes 1 to 252 octets, not 253"),
        (
            "Tunnel-Private-Group-Id",
            "\t20",
            None,
            "Tunnel-Private-Group-Id needs a tag before a value that begins with a control character",
        ),
        (
            "Message-Authenticator",
            "0x00",
            None,
            "Message-Authenticator is made by the server itself and cannot be configured",
        ),
        ("Proxy-State", "a", None, "Proxy-State is made by the server itself and cannot be configured"),
    ],
)
def test_a_refusal_names_the_attribute_what_it_takes_and_what_it_got(name, value, tag, sentence):
    with pytest.raises(ValueError) as raised:
        prepare(BUILT_IN.find(name), value, tag)
    assert str(raised.value) == sentence


@pytest.mark.parametrize("data_type", NUMBER_OCTETS)
def test_a_number_is_as_wide_as_its_type(data_type):
    largest = (1 << 8 * NUMBER_OCTETS[data_type]) - 1
    assert sent(prepare(of_type(data_type), largest)) == (200, b"\xff" * NUMBER_OCTETS[data_type])
    assert sent(prepare(of_type(data_type), str(largest))) == (200, b"\xff" * NUMBER_OCTETS[data_type])
    with pytest.raises(ValueError, match=f"a number from 0 to {largest}, not"):
        prepare(of_type(data_type), largest + 1)


@given(st.integers(0, 2**32 - 1))
def test_a_number_is_read_back(number):
    _, octets = sent(prepare(of_type(DataType.INTEGER), number))
    assert attributes.decode_integer(octets) == number


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=63))
def test_a_text_is_read_back(text):
    _, octets = sent(prepare(of_type(DataType.TEXT), text))
    assert attributes.decode_text(octets) == text


@given(st.binary(min_size=1, max_size=247))
def test_octets_are_read_back_from_a_vendor_attribute(octets):
    kind, value = sent(prepare(of_type(DataType.STRING, vendor=4711), f"0x{octets.hex()}"))
    assert kind == attributes.VENDOR_SPECIFIC
    assert vendor_attributes(value) == [(4711, 200, octets)]


@pytest.mark.parametrize(
    ("data_type", "addresses"), [(DataType.IPV4ADDR, st.ip_addresses(v=4)), (DataType.IPV6ADDR, st.ip_addresses(v=6))]
)
def test_an_address_is_read_back(data_type, addresses):
    @given(addresses)
    def read_back(address):
        _, octets = sent(prepare(of_type(data_type), str(address)))
        assert attributes.decode_address(octets) == address

    read_back()


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_an_ipv4_prefix_is_read_back(address, length):
    network = IPv4Network((address, length), strict=False)
    _, octets = sent(prepare(of_type(DataType.IPV4PREFIX), str(network)))
    assert octets[0] == 0
    assert IPv4Network((octets[2:], octets[1])) == network


@given(st.ip_addresses(v=6), st.integers(0, 128))
def test_an_ipv6_prefix_is_read_back(address, length):
    network = IPv6Network((address, length), strict=False)
    _, octets = sent(prepare(of_type(DataType.IPV6PREFIX), str(network)))
    assert octets[0] == 0
    assert len(octets) == 2 + (length + 7) // 8
    assert IPv6Network((octets[2:].ljust(16, b"\0"), octets[1])) == network


@pytest.mark.parametrize(("tag", "tag_octet"), [(None, 0), (0, 0), (31, 31)])
def test_a_tunnel_password_always_has_its_tag_before_the_salt(tag, tag_octet):
    prepared = prepare(BUILT_IN.find("Tunnel-Password"), "swordfish", tag)
    assert prepared.is_encrypted
    kind, value = sent(prepared)
    assert (kind, value[0], value[1:3]) == (69, tag_octet, SALT)
    assert decrypt(value[1:], SECRET, AUTHENTICATOR) == b"swordfish"


def test_a_vendors_key_is_salted_without_a_tag():
    prepared = prepare(BUILT_IN.find("MS-MPPE-Send-Key"), "0x" + "ab" * 16)
    kind, value = sent(prepared)
    assert kind == attributes.VENDOR_SPECIFIC
    [(vendor, number, salted)] = vendor_attributes(value)
    assert (vendor, number, salted[:2]) == (311, 16, SALT)
    assert decrypt(salted, SECRET, AUTHENTICATOR) == b"\xab" * 16


def test_a_password_is_hidden_as_a_user_password():
    kind, value = sent(prepare(BUILT_IN.find("User-Password"), "swordfish"))
    assert kind == attributes.USER_PASSWORD
    assert reveal(value, SECRET, AUTHENTICATOR) == b"swordfish"


@given(st.integers(1, 239))
def test_a_hidden_value_fits_at_every_length(octets):
    """The longest one allowed fits beside tag, salt and vendor; none fails first when a reply is built."""
    for definition in (
        of_type(DataType.TEXT, encryption=Encryption.SALTED),
        of_type(DataType.TEXT, encryption=Encryption.SALTED, has_tag=True),
        of_type(DataType.TEXT, encryption=Encryption.SALTED, has_tag=True, vendor=4711),
    ):
        _, value = sent(prepare(definition, "a" * octets))
        assert len(value) <= attributes.MAX_VALUE_OCTETS


@pytest.mark.parametrize(("encryption", "most"), [(Encryption.SALTED, 239), (Encryption.USER_PASSWORD, 128)])
def test_a_hidden_value_too_long_is_refused_at_load(encryption, most):
    definition = of_type(DataType.STRING, encryption=encryption)
    sent(prepare(definition, "a" * most))
    with pytest.raises(ValueError, match=f"takes 1 to {most} octets, not {most + 1}"):
        prepare(definition, "a" * (most + 1))


def test_numbers_and_addresses_can_be_encrypted():
    _, value = sent(prepare(of_type(DataType.INTEGER, encryption=Encryption.SALTED), 7))
    assert decrypt(value, SECRET, AUTHENTICATOR) == bytes((0, 0, 0, 7))
    _, value = sent(prepare(of_type(DataType.IPV4ADDR, encryption=Encryption.SALTED), "192.0.2.7"))
    assert decrypt(value, SECRET, AUTHENTICATOR) == bytes((192, 0, 2, 7))


def test_an_encrypted_value_does_not_show():
    prepared = prepare(BUILT_IN.find("Tunnel-Password"), "swordfish")
    assert repr(prepared) == "PreparedAttribute(Tunnel-Password, encrypted)"
    shown = prepare(BUILT_IN.find("Tunnel-Private-Group-Id"), "20", 1)
    assert repr(shown) == "PreparedAttribute(Tunnel-Private-Group-Id, b'\\x0120')"


@pytest.mark.parametrize("value", ["swordfish\0", "\ud800swordfish"])
def test_a_refusal_does_not_repeat_a_value_that_is_a_secret(value):
    with pytest.raises(ValueError) as raised:
        prepare(BUILT_IN.find("Tunnel-Password"), value)
    assert str(raised.value) == "Tunnel-Password takes UTF-8 text without NUL, not what was given"
    assert raised.value.__suppress_context__
