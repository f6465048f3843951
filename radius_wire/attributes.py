"""Attribute types by their names in the RFCs, and values of the simple data types (RFC 8044)."""

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from radius_wire.errors import InvalidAttributeError

USER_NAME: Final = 1
USER_PASSWORD: Final = 2
CHAP_PASSWORD: Final = 3
NAS_IP_ADDRESS: Final = 4
NAS_PORT: Final = 5
SERVICE_TYPE: Final = 6
FRAMED_PROTOCOL: Final = 7
FRAMED_IP_ADDRESS: Final = 8
FILTER_ID: Final = 11
FRAMED_MTU: Final = 12
REPLY_MESSAGE: Final = 18
STATE: Final = 24
CLASS: Final = 25
VENDOR_SPECIFIC: Final = 26
SESSION_TIMEOUT: Final = 27
CALLED_STATION_ID: Final = 30
CALLING_STATION_ID: Final = 31
NAS_IDENTIFIER: Final = 32
PROXY_STATE: Final = 33
ACCT_STATUS_TYPE: Final = 40
ACCT_DELAY_TIME: Final = 41
ACCT_INPUT_OCTETS: Final = 42
ACCT_OUTPUT_OCTETS: Final = 43
ACCT_SESSION_ID: Final = 44
ACCT_MULTI_SESSION_ID: Final = 50
ACCT_INPUT_GIGAWORDS: Final = 52
ACCT_OUTPUT_GIGAWORDS: Final = 53
EVENT_TIMESTAMP: Final = 55
CHAP_CHALLENGE: Final = 60
NAS_PORT_TYPE: Final = 61
CONNECT_INFO: Final = 77
EAP_MESSAGE: Final = 79
MESSAGE_AUTHENTICATOR: Final = 80
NAS_PORT_ID: Final = 87
NAS_IPV6_ADDRESS: Final = 95
ERROR_CAUSE: Final = 101

_SPELLINGS = {"IPV6": "IPv6", "ID": "Id"}
_INITIALISMS = frozenset(("NAS", "IP", "MTU", "CHAP", "EAP"))

NAMES: Final = {
    value: "-".join(
        word if word in _INITIALISMS else _SPELLINGS.get(word, word.capitalize()) for word in name.split("_")
    )
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, int)
}
"""How the types above are spelled in the RFCs and in every RADIUS dictionary."""

MAX_VALUE_OCTETS: Final = 253


def name_of(attribute_type: int) -> str:
    """The attribute's name, or `Attribute-N` for one not known here."""
    return NAMES.get(attribute_type, f"Attribute-{attribute_type}")


def encode_integer(number: int) -> bytes:
    """A 32-bit unsigned integer (RFC 8044 §3.1). Raises ValueError outside its range."""
    try:
        return number.to_bytes(4, "big")
    except OverflowError as error:
        raise ValueError(f"{number} does not fit into 32 bits") from error


def decode_integer(value: bytes) -> int:
    """The number in a 4-octet value. Raises InvalidAttributeError."""
    if len(value) != 4:
        raise InvalidAttributeError(f"an integer has 4 octets, this one {len(value)}")
    return int.from_bytes(value, "big")


def decode_text(value: bytes) -> str:
    """UTF-8 text without NUL (RFC 8044 §3.4). Raises InvalidAttributeError."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidAttributeError("a text is not UTF-8") from error
    if "\0" in text:
        raise InvalidAttributeError("a text holds NUL")
    return text


def encode_address(address: IPv4Address | IPv6Address) -> bytes:
    """An IPv4 or IPv6 address, 4 or 16 octets (RFC 8044 §3.8, §3.9)."""
    return address.packed


def decode_address(value: bytes) -> IPv4Address | IPv6Address:
    """The address in 4 or 16 octets. Raises InvalidAttributeError."""
    match len(value):
        case 4:
            return IPv4Address(value)
        case 16:
            return IPv6Address(value)
        case length:
            raise InvalidAttributeError(f"an address has 4 or 16 octets, this one {length}")
