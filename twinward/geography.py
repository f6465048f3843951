"""Which country an address is in, by a file of the operator's: any database in MaxMind's format."""

import ipaddress
from collections.abc import Callable
from pathlib import Path

import maxminddb

from authn.errors import ConfigError
from authn.places import Address


def read_countries(path: Path) -> Callable[[Address], str | None]:
    """A function from address to two capital letters, None where the file tells none. Raises ConfigError."""
    try:
        reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
        reader.get(ipaddress.ip_address("192.0.2.1"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the country file: {error.strerror}") from error
    except (maxminddb.InvalidDatabaseError, ValueError) as error:
        raise ConfigError(f"{path}: this is not a country file in MaxMind's format") from error

    def country_of(address: Address) -> str | None:
        try:
            found = reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):  # an IPv6 address in an IPv4 file; a damaged file
            return None
        country = found.get("country") if isinstance(found, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else country  # some makers write the code itself
        return code if isinstance(code, str) and len(code) == 2 else None

    return country_of
