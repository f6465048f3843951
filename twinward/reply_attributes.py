"""The reply rules of the configuration, checked against the dictionary when they are loaded."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from authn.request import NOBODY, canonical_username
from radius_server.reply_rules import ReplyRule, ReplyRules
from radius_wire.dictionary import AttributeDefinition, Dictionary
from radius_wire.prepared_attribute import PreparedAttribute, prepare

_NOT_IN_AN_ACCEPT = ("User-Password", "CHAP-Password", "CHAP-Challenge", "Error-Cause")


class ReplyText(Protocol):
    """A reply rule as it is written."""

    @property
    def user(self) -> str | None: ...
    @property
    def group(self) -> str | None: ...
    @property
    def client(self) -> str | None: ...
    @property
    def attributes(self) -> Mapping[str, str | int | list[str | int]]: ...


class FaultyReplyError(Exception):
    """A reply rule that cannot be used; `number` counts the rules from 0."""

    def __init__(self, number: int, fault: str) -> None:
        super().__init__(fault)
        self.number = number


def make_reply_rules(texts: Sequence[ReplyText], dictionary: Dictionary) -> ReplyRules:
    """The rules in their order. Raises FaultyReplyError with a sentence that names the attribute."""
    rules = []
    for number, text in enumerate(texts):
        try:
            prepared = tuple(
                one for name, values in text.attributes.items() for one in prepare_all(dictionary, name, values)
            )
            rules.append(ReplyRule(prepared, _user(text.user), text.group, text.client))
            ReplyRules(tuple(rules))  # so that the rule which makes them too long is named
        except ValueError as fault:
            raise FaultyReplyError(number, f"reply: {fault}") from fault
    return ReplyRules(tuple(rules))


def prepare_all(dictionary: Dictionary, name: str, values: str | int | list[str | int]) -> list[PreparedAttribute]:
    """An attribute once for each of its values. `2:text` gives the value of a tagged attribute the tag 2."""
    definition = dictionary.find(name)
    if definition.vendor is None and definition.name in _NOT_IN_AN_ACCEPT:
        raise ValueError(f"{definition.name} has no place in an Access-Accept")
    return [_prepare(definition, value) for value in (values if isinstance(values, list) else [values])]


def _prepare(definition: AttributeDefinition, value: str | int) -> PreparedAttribute:
    if definition.has_tag and isinstance(value, str):
        tag, colon, rest = value.partition(":")
        if colon and tag.isdecimal():
            return prepare(definition, rest, int(tag))
    return prepare(definition, value)


def _user(name: str | None) -> str | None:
    if name is None:
        return None
    canonical = canonical_username(name.encode())
    if canonical == NOBODY:
        raise ValueError(f"{name!r} cannot be a user name")
    return canonical
