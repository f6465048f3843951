"""Where a login comes from, as far as its NAS tells: the network that counters and known places go by.

A station (Calling-Station-Id, RFC 2865 §5.31) is an address, perhaps with a
port, or a telephone number, a MAC address, a name. Addresses count by their
network, since a provider gives a household another one every night.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from authn.client import NasClient
from authn.instants import UnixSeconds

Address = IPv4Address | IPv6Address

MAX_PLACE_OCTETS = 64
_IPV4_PREFIX, _IPV6_PREFIX = 24, 48
_WITH_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)|([0-9A-Fa-f:.]+))(?::\d{1,5}|\[\d{1,5}\])?")


@lru_cache(maxsize=8192)
def address_of(station: str | None) -> Address | None:
    """The address in a station, or None. `192.0.2.1`, `192.0.2.1:500`, `192.0.2.1[500]`, `[2001:db8::1]:500`."""
    parsed = _WITH_PORT.fullmatch(station or "")
    if parsed is None:
        return None
    try:
        address = ip_address(parsed[1] or parsed[2] or parsed[3])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=8192)
def place_of(station: str | None) -> str:
    """The place of a station: its /24 or /48 network, or what else it is; empty where the NAS tells none."""
    if station is None:
        return ""
    address = address_of(station)
    if address is None:
        return station.casefold()[:MAX_PLACE_OCTETS]
    prefix = _IPV4_PREFIX if address.version == 4 else _IPV6_PREFIX
    return str(ip_network((address, prefix), strict=False))


def known_place_of(client: NasClient, station: str | None, now: UnixSeconds) -> str:
    """What a place is known by: its network, or the client where the NAS tells none.

    Where a password alone lets in, a place becomes known for less, so it counts
    there and nowhere else.
    """
    place = place_of(station)
    if client.rules.enforces_codes_at(now):
        return place or f"client {client.id}"
    return f"open client {client.id} {place}".rstrip()
