"""What an Access-Accept tells the NAS besides yes: attributes by user, group and client.

Rules stand in order. Every rule whose conditions hold gives its attributes; of
an attribute that several rules set, the first one's values count, so the
particular stands before the general.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from radius_wire.attributes import MAX_VALUE_OCTETS
from radius_wire.prepared_attribute import PreparedAttribute

MAX_REPLY_OCTETS = 2048
"""What all rules together may add to a reply: it must leave room for the Proxy-States of a chain of proxies."""


@dataclass(frozen=True, slots=True)
class ReplyRule:
    """Attributes, and for whom. A condition that is None holds for everybody."""

    attributes: tuple[PreparedAttribute, ...]
    user: str | None = None
    group: str | None = None
    client: str | None = None

    def holds(self, username: str, groups: Sequence[str], client: str) -> bool:
        """Whether a login meets every condition."""
        return (
            self.user in (None, username)
            and (self.group is None or self.group in groups)
            and self.client in (None, client)
        )


@dataclass(frozen=True, slots=True)
class ReplyRules:
    """All rules, in their order. Raises ValueError if together they could fill a reply."""

    rules: tuple[ReplyRule, ...] = ()
    _max_octets: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        most = sum(_octets_of(one) for rule in self.rules for one in rule.attributes)
        if most > MAX_REPLY_OCTETS:
            raise ValueError(f"all reply rules together may add {MAX_REPLY_OCTETS} octets, these add {most}")
        object.__setattr__(self, "_max_octets", most)

    @property
    def max_octets(self) -> int:
        """More than the attributes of any login take in a reply."""
        return self._max_octets

    def attributes_for(self, username: str, groups: Sequence[str], client: str) -> list[PreparedAttribute]:
        """The attributes of an Access-Accept."""
        chosen: list[PreparedAttribute] = []
        set_before: set[str] = set()
        for rule in self.rules:
            if rule.holds(username, groups, client):
                chosen += [one for one in rule.attributes if one.definition.name not in set_before]
                set_before.update(one.definition.name for one in rule.attributes)
        return chosen


def _octets_of(prepared: PreparedAttribute) -> int:
    """What an attribute takes in a packet; for an encrypted one the most it can."""
    return 2 + (MAX_VALUE_OCTETS if prepared.in_clear is None else len(prepared.in_clear[1]))
