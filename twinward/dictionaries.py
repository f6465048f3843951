"""An operator's dictionary file in FreeRADIUS's format, read into attribute definitions.

pyrad reads the file; this module keeps what `radius_wire` can put on the wire.
Left out are attributes of other data types (structures, extended attributes,
MAC addresses), of other vendor formats, encrypted in Ascend's way, and those
numbered above 255, which FreeRADIUS keeps for itself.
"""

from collections.abc import Mapping
from pathlib import Path

from pyrad import dictionary as freeradius  # type: ignore[import-untyped]  # pyrad ships no types

from authn.errors import ConfigError
from radius_wire.dictionary import NUMBER_OCTETS, AttributeDefinition, DataType, Encryption

_DATA_TYPES: Mapping[str, DataType] = {
    "string": DataType.TEXT,
    "octets": DataType.STRING,
    "integer": DataType.INTEGER,
    "integer64": DataType.INTEGER64,
    "short": DataType.SHORT,
    "byte": DataType.BYTE,
    "date": DataType.TIME,
    "ipaddr": DataType.IPV4ADDR,
    "ipv6addr": DataType.IPV6ADDR,
    "ipv6prefix": DataType.IPV6PREFIX,
    "ifid": DataType.IFID,
}
_ENCRYPTIONS: Mapping[int, Encryption] = {0: Encryption.NONE, 1: Encryption.USER_PASSWORD, 2: Encryption.SALTED}


def read_dictionary(path: Path) -> list[AttributeDefinition]:
    """The definitions of a dictionary file and the files it includes, in their order.

    Raises ConfigError, with file and line where pyrad tells them.
    """
    try:
        read = freeradius.Dictionary(str(path))
        return [_definition(one, read) for one in read.attributes.values() if _can_be_sent(one)]
    except freeradius.ParseError as error:
        place = str(path) if error.file == path.name else f"{path}, in {error.file}"
        raise ConfigError(f"{place}, line {error.line}: {error.msg}") from error
    except OSError as error:
        included = error.filename is not None and Path(error.filename) != path.absolute()
        what = f"{error.filename}, which it includes" if included else "the dictionary"
        raise ConfigError(f"{path}: cannot read {what}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the dictionary is not UTF-8 text") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _can_be_sent(attribute: freeradius.Attribute) -> bool:
    return (
        attribute.type in _DATA_TYPES
        and attribute.encrypt in _ENCRYPTIONS
        and not attribute.is_sub_attribute
        and 0 < attribute.code < 256
    )


def _definition(attribute: freeradius.Attribute, read: freeradius.Dictionary) -> AttributeDefinition:
    """Raises ValueError for a combination of type, tag and encryption that has no form on the wire."""
    data_type = _DATA_TYPES[attribute.type]
    values: dict[str, int] = {}
    if data_type in NUMBER_OCTETS:
        values = {name: int.from_bytes(octets, "big") for name, octets in attribute.values.forward.items()}
    return AttributeDefinition(
        name=attribute.name,
        number=attribute.code,
        data_type=data_type,
        vendor=read.vendors.GetForward(attribute.vendor) if attribute.vendor else None,
        has_tag=attribute.has_tag,
        encryption=_ENCRYPTIONS[attribute.encrypt],
        values=values,
    )
