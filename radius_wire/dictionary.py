"""What is known about attributes: names, numbers, data types (RFC 8044), tags and encryption.

A `Dictionary` never changes; `extended` makes another one. The attributes that
come with twinward are in `built_in_dictionary.py`, values in
`prepared_attribute.py`.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto

from radius_wire.vendor_attributes import MAX_VENDOR


class DataType(StrEnum):
    """The data types of RFC 8044 §3; `short` and `byte` are FreeRADIUS's, for numbers of 16 and 8 bits."""

    TEXT = auto()
    STRING = auto()
    INTEGER = auto()
    INTEGER64 = auto()
    SHORT = auto()
    BYTE = auto()
    IPV4ADDR = auto()
    IPV6ADDR = auto()
    IPV4PREFIX = auto()
    IPV6PREFIX = auto()
    TIME = auto()
    IFID = auto()


NUMBER_OCTETS: Mapping[DataType, int] = {
    DataType.INTEGER: 4,
    DataType.INTEGER64: 8,
    DataType.SHORT: 2,
    DataType.BYTE: 1,
    DataType.TIME: 4,
}


class Encryption(Enum):
    """How a value is hidden on the wire."""

    NONE = auto()
    USER_PASSWORD = auto()  # RFC 2865 §5.2
    SALTED = auto()  # RFC 2868 §3.5, RFC 2548 §2.4.2


class UnknownAttributeError(ValueError):
    """No attribute has this name. The message offers those that look like it."""


@dataclass(frozen=True, slots=True)
class AttributeDefinition:
    """One attribute. `vendor` is None for the RFCs' own; `values` names some of the numbers it takes.

    Raises ValueError for what the wire has no form for: a tag stands before
    text, octets or a 32-bit number, and before a number only in clear
    (RFC 2868 §3.1).
    """

    name: str
    number: int
    data_type: DataType
    vendor: int | None = None
    has_tag: bool = False
    encryption: Encryption = Encryption.NONE
    values: Mapping[str, int] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not 0 < self.number < 256:
            raise ValueError(f"{self.name} has number {self.number}; attributes are numbered from 1 to 255")
        if self.vendor is not None and not 0 < self.vendor <= MAX_VENDOR:
            raise ValueError(f"{self.name} has vendor {self.vendor}; vendors are numbered from 1 to {MAX_VENDOR}")
        if self.has_tag and not self._can_have_tag():
            hidden = "" if self.encryption is Encryption.NONE else " that is hidden"
            raise ValueError(f"{self.name} cannot have a tag before a value of type {self.data_type}{hidden}")

    def _can_have_tag(self) -> bool:
        match self.data_type:
            case DataType.TEXT | DataType.STRING:
                return self.encryption is not Encryption.USER_PASSWORD
            case DataType.INTEGER:
                return self.encryption is Encryption.NONE
            case _:
                return False


class Dictionary:
    """Attribute definitions by name and by number. Of two with one name or number, the later counts."""

    __slots__ = ("_by_name", "_by_number")

    def __init__(self, definitions: Iterable[AttributeDefinition]) -> None:
        self._by_name: dict[str, AttributeDefinition] = {}
        for definition in definitions:
            key = definition.name.lower()
            self._by_name.pop(key, None)  # a name given anew moves to the end, so that its number counts as later too
            self._by_name[key] = definition
        self._by_number = {(one.vendor, one.number): one for one in self._by_name.values()}

    def __iter__(self) -> Iterator[AttributeDefinition]:
        return iter(self._by_name.values())

    def find(self, name: str) -> AttributeDefinition:
        """The attribute of this name, in upper or lower case. Raises UnknownAttributeError."""
        found = self._by_name.get(name.lower())
        if found is not None:
            return found
        close = difflib.get_close_matches(name.lower(), self._by_name)
        hint = f"; did you mean {' or '.join(self._by_name[key].name for key in close)}?" if close else ""
        raise UnknownAttributeError(f"there is no attribute {name}{hint}")

    def extended(self, definitions: Iterable[AttributeDefinition]) -> "Dictionary":
        """This dictionary with more definitions, which count before its own."""
        return Dictionary([*self, *definitions])

    def name_of(self, vendor: int | None, number: int) -> str | None:
        """The name of an attribute as it stands in a packet, or None."""
        found = self._by_number.get((vendor, number))
        return found.name if found is not None else None
