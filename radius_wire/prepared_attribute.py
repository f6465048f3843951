"""Attributes an operator configured: checked once, at load, and put into every reply.

`prepare` takes a value as a configuration file or a command line has it. What
it refuses would be refused, or worse, misread by a NAS in the middle of the
night. Its messages name the attribute, what it takes and what it got, but never
a value that travels encrypted.
"""

import difflib
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from radius_wire.attributes import (
    EAP_MESSAGE,
    MAX_VALUE_OCTETS,
    MESSAGE_AUTHENTICATOR,
    PROXY_STATE,
    STATE,
    VENDOR_SPECIFIC,
    encode_address,
)
from radius_wire.dictionary import NUMBER_OCTETS, AttributeDefinition, DataType, Encryption
from radius_wire.packet import Attribute
from radius_wire.password_hiding import MAX_PASSWORD_OCTETS, hide
from radius_wire.salt_encryption import encrypt, max_plain_octets
from radius_wire.vendor_attributes import MAX_VENDOR_VALUE_OCTETS, encode_vendor

MAX_TAG = 0x1F
_TAGGED_NUMBER_OCTETS = 3  # the tag takes the first of the four (RFC 2868 §3.1)
_MADE_BY_THE_SERVER = frozenset((STATE, PROXY_STATE, EAP_MESSAGE, MESSAGE_AUTHENTICATOR))

_NUMBER = re.compile(r"[0-9]{1,20}")
_PREFIX = re.compile(r"[0-9A-Fa-f.:]+/[0-9]{1,3}")
_IFID = re.compile(r"([0-9A-Fa-f]{1,4}):([0-9A-Fa-f]{1,4}):([0-9A-Fa-f]{1,4}):([0-9A-Fa-f]{1,4})")

_WANTED = {
    DataType.TEXT: "UTF-8 text without NUL",
    DataType.STRING: "text, or 0x and hexadecimal digits in pairs",
    DataType.IPV4ADDR: "an IPv4 address",
    DataType.IPV6ADDR: "an IPv6 address without a zone",
    DataType.IPV4PREFIX: "an IPv4 prefix, address/length with no bits set behind the length",
    DataType.IPV6PREFIX: "an IPv6 prefix, address/length with no bits set behind the length",
    DataType.IFID: "four groups of hexadecimal digits with colons between them",
}


@dataclass(frozen=True, slots=True, repr=False)
class PreparedAttribute:
    """A checked value. `octets` are in clear, without the `tag_octet`; `in_clear` is the finished attribute.

    `in_clear` is None for a value that travels encrypted, anew in each reply.
    """

    definition: AttributeDefinition
    tag_octet: bytes
    octets: bytes
    in_clear: Attribute | None

    @property
    def is_encrypted(self) -> bool:
        """Whether `attribute` needs a secret, and if salted a salt."""
        return self.in_clear is None

    def attribute(self, shared_secret: bytes, request_authenticator: bytes, salt: bytes) -> Attribute:
        """The type and value to put into a reply to the request with this Request Authenticator.

        `salt` is two octets with the top bit set, another for each attribute of a packet.
        """
        if self.in_clear is not None:
            return self.in_clear
        if self.definition.encryption is Encryption.SALTED:
            hidden = encrypt(self.octets, salt, shared_secret, request_authenticator)
        else:
            hidden = hide(self.octets, shared_secret, request_authenticator)
        return _as_attribute(self.definition, self.tag_octet + hidden)

    def __repr__(self) -> str:
        shown = "encrypted" if self.is_encrypted else repr(self.tag_octet + self.octets)
        return f"PreparedAttribute({self.definition.name}, {shown})"


def prepare(definition: AttributeDefinition, value: str | int | bool, tag: int | None = None) -> PreparedAttribute:
    """Check a value against its definition and encode it. Raises ValueError.

    A number may be written in digits or by its name, in any case. A truth value
    is never taken for a number. Tag 0 means that the tag is unused
    (RFC 2868 §3.1); where the wire cannot do without one, it is the default.
    """
    if definition.vendor is None and definition.number in _MADE_BY_THE_SERVER:
        raise ValueError(f"{definition.name} is made by the server itself and cannot be configured")
    octets = _encode(definition, value)
    tag_octet = _tag_octet(definition, tag)
    if definition.data_type in (DataType.TEXT, DataType.STRING):
        room = _room(definition, len(tag_octet))
        if not 0 < len(octets) <= room:
            raise ValueError(f"{definition.name} takes 1 to {room} octets, not {len(octets)}")
        if definition.has_tag and not tag_octet and octets[0] <= MAX_TAG:
            # A receiver would take the first octet for the tag (RFC 2868 §3.3).
            raise ValueError(f"{definition.name} needs a tag before a value that begins with a control character")
    clear = _as_attribute(definition, tag_octet + octets) if definition.encryption is Encryption.NONE else None
    return PreparedAttribute(definition, tag_octet, octets, clear)


def _tag_octet(definition: AttributeDefinition, tag: int | None) -> bytes:
    if tag is not None and not definition.has_tag:
        raise ValueError(f"{definition.name} takes no tag")
    if tag is not None and not 0 <= tag <= MAX_TAG:
        raise ValueError(f"{definition.name} takes a tag from 0 to {MAX_TAG}, not {tag}")
    if not definition.has_tag:
        return b""
    if tag is None and definition.data_type is not DataType.INTEGER and definition.encryption is Encryption.NONE:
        return b""  # the one place where a tag may be left out (RFC 2868 §3.3)
    return bytes((tag or 0,))


def _room(definition: AttributeDefinition, tag_octets: int) -> int:
    """How many octets a text or string may have before it is encrypted."""
    room = (MAX_VALUE_OCTETS if definition.vendor is None else MAX_VENDOR_VALUE_OCTETS) - tag_octets
    match definition.encryption:
        case Encryption.NONE:
            return room
        case Encryption.USER_PASSWORD:
            return MAX_PASSWORD_OCTETS
        case Encryption.SALTED:
            return max_plain_octets(room)


def _as_attribute(definition: AttributeDefinition, value: bytes) -> Attribute:
    if definition.vendor is None:
        return definition.number, value
    return VENDOR_SPECIFIC, encode_vendor(definition.vendor, definition.number, value)


def _encode(definition: AttributeDefinition, value: str | int | bool) -> bytes:
    if definition.data_type in NUMBER_OCTETS:
        return _encode_number(definition, value)
    if isinstance(value, str):
        try:
            return _encode_text(definition.data_type, value)
        except ValueError:
            # The library's sentences repeat what was written, which may be a secret.
            raise _refusal(definition, _WANTED[definition.data_type], value) from None
    raise _refusal(definition, _WANTED[definition.data_type], value)


def _encode_number(definition: AttributeDefinition, value: str | int | bool) -> bytes:
    octets = _TAGGED_NUMBER_OCTETS if definition.has_tag else NUMBER_OCTETS[definition.data_type]
    largest = (1 << 8 * octets) - 1
    number: int | None = None
    if isinstance(value, str):
        named = {name.lower(): number for name, number in definition.values.items()}
        number = named.get(value.lower())
        if number is None and _NUMBER.fullmatch(value):
            number = int(value)
    elif not isinstance(value, bool):
        number = value
    if number is None or not 0 <= number <= largest:
        raise _refusal(definition, f"a number from 0 to {largest}{_names(definition, value)}", value)
    return number.to_bytes(octets, "big")


def _names(definition: AttributeDefinition, value: str | int | bool) -> str:
    """A few of the names a number may be written by, those first that resemble `value`."""
    if not definition.values:
        return ""
    by_key = {name.lower(): name for name in definition.values}
    close = [by_key[key] for key in difflib.get_close_matches(str(value).lower(), by_key)]
    return f" or a name such as {' or '.join(close or list(definition.values)[:3])}"


def _encode_text(data_type: DataType, value: str) -> bytes:
    """The octets of what is written as text. Raises ValueError, with any message."""
    match data_type:
        case DataType.TEXT if "\0" not in value:
            return value.encode("utf-8")
        case DataType.STRING if value.startswith("0x"):
            if any(character.isspace() for character in value):
                raise ValueError("bytes.fromhex overlooks blanks")
            return bytes.fromhex(value[2:])
        case DataType.STRING:
            return value.encode("utf-8")
        case DataType.IPV4ADDR:
            return encode_address(IPv4Address(value))
        case DataType.IPV6ADDR if "%" not in value:
            return encode_address(IPv6Address(value))
        case DataType.IPV4PREFIX if _PREFIX.fullmatch(value):
            ipv4 = IPv4Network(value)
            return bytes((0, ipv4.prefixlen)) + ipv4.network_address.packed  # RFC 8044 §3.11
        case DataType.IPV6PREFIX if _PREFIX.fullmatch(value):
            ipv6 = IPv6Network(value)
            # No more octets than the length needs (RFC 3162 §2.3, RFC 8044 §3.10).
            return bytes((0, ipv6.prefixlen)) + ipv6.network_address.packed[: -(-ipv6.prefixlen // 8)]
        case DataType.IFID if groups := _IFID.fullmatch(value):
            return b"".join(int(group, 16).to_bytes(2, "big") for group in groups.groups())
    raise ValueError("none of these")


def _refusal(definition: AttributeDefinition, wanted: str, value: str | int | bool) -> ValueError:
    if definition.encryption is not Encryption.NONE:
        got = "what was given"
    elif isinstance(value, bool):
        got = f"the truth value {str(value).lower()}"
    else:
        got = repr(value)
    return ValueError(f"{definition.name} takes {wanted}, not {got}")
