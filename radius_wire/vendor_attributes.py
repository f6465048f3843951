"""What stands inside a Vendor-Specific attribute (RFC 2865 §5.26).

The vendor's number in 4 octets, then sub-attributes of a type octet, a length
octet and a value: the format the RFC recommends and nearly every vendor uses.
"""

from radius_wire.attributes import MAX_VALUE_OCTETS
from radius_wire.errors import InvalidAttributeError

_VENDOR_OCTETS = 4
_HEADER_OCTETS = 2
MAX_VENDOR_VALUE_OCTETS = MAX_VALUE_OCTETS - _VENDOR_OCTETS - _HEADER_OCTETS
MAX_VENDOR = 0xFFFFFF
"""An enterprise number has three octets; the one before them is zero."""


def encode_vendor(vendor: int, kind: int, value: bytes) -> bytes:
    """The value of an attribute 26 with one sub-attribute. Raises ValueError for what cannot be sent."""
    if not 0 < vendor <= MAX_VENDOR or not 0 < kind < 256 or len(value) > MAX_VENDOR_VALUE_OCTETS:
        raise ValueError(f"an attribute of vendor {vendor} and type {kind} with {len(value)} octets cannot be sent")
    return vendor.to_bytes(_VENDOR_OCTETS, "big") + bytes((kind, len(value) + _HEADER_OCTETS)) + value


def vendor_attributes(value: bytes) -> list[tuple[int, int, bytes]]:
    """Vendor, type and value of every sub-attribute in the value of an attribute 26, in order.

    Raises InvalidAttributeError unless there is at least one and they fill the
    value exactly. A vendor with a format of its own is refused too, as a rule.
    """
    at = _VENDOR_OCTETS
    if len(value) <= at:
        raise InvalidAttributeError(f"a Vendor-Specific attribute cannot have {len(value)} octets")
    vendor = int.from_bytes(value[:at], "big")
    found = []
    while at < len(value):
        # A length of 0 or 1 would end before its own header: it fails the test below, so every turn moves on.
        end = at + value[at + 1] if at + 1 < len(value) else 0
        if end < at + _HEADER_OCTETS or end > len(value):
            raise InvalidAttributeError(f"a sub-attribute of vendor {vendor} at octet {at} does not fit")
        found.append((vendor, value[at], value[at + _HEADER_OCTETS : end]))
        at = end
    return found
