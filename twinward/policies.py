"""The policy of the configuration: rules in their order, who keeps whose password, and the cases that test both.

A case tells a login and what the rules must say of it. One that they say
otherwise of is a fault of the configuration, so that a reload with it changes
nothing.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from ipaddress import ip_network
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from authn.client import Network
from authn.conditions import MINUTES_OF_A_DAY, Circumstances, Conditions, Hours
from authn.first_factor import OWN_STORE
from authn.instants import UnixSeconds
from authn.places import address_of
from authn.policy import KeeperRule, Policy, Rule
from authn.request import NO_REALMS, NOBODY, canonical_username
from twinward.dates import end_of_day
from twinward.sections import Many, PasswordSection, PolicyCaseSection, PolicySection

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AN_HOUR = re.compile(r"(\d{1,2}):(\d{2})")
NO_RULE_NAME = "none"


class FaultyPolicyError(Exception):
    """A part of the policy that cannot be used: which table, and its number from 0."""

    def __init__(self, table: str, number: int, fault: str) -> None:
        super().__init__(fault)
        self.table, self.number = table, number


def make_rules(sections: Sequence[PolicySection], *, has_countries: bool, realms: frozenset[str]) -> tuple[Rule, ...]:
    """The rules in their order. Raises FaultyPolicyError."""
    rules: list[Rule] = []
    for number, section in enumerate(sections):
        try:
            rules.append(_rule(section, has_countries, realms))
            if [rule.name for rule in rules].count(section.name) > 1:
                raise ValueError(f"there are two rules {section.name!r}")
        except ValueError as fault:
            raise FaultyPolicyError("policy", number, f"policy: {fault}") from fault
    return tuple(rules)


def make_keepers(
    sections: Sequence[PasswordSection], first_factors: Mapping[str, object], realms: frozenset[str]
) -> tuple[KeeperRule, ...]:
    """Who keeps whose password. Raises FaultyPolicyError."""
    rules = []
    for number, section in enumerate(sections):
        try:
            if section.by != OWN_STORE and section.by not in first_factors:
                known = ", ".join([OWN_STORE, *first_factors])
                raise ValueError(f"by: there is no first factor {section.by!r}; there are {known}")
            alone_until = None if section.alone_until is None else end_of_day(section.alone_until)
            if alone_until is not None and section.by == OWN_STORE:
                raise ValueError("alone_until is for another first factor than our own store")
            rules.append(
                KeeperRule(
                    section.by,
                    _users(section.user, realms),
                    frozenset(_many(section.group)),
                    frozenset(_many(section.client)),
                    alone_until,
                )
            )
        except ValueError as fault:
            raise FaultyPolicyError("password", number, f"password: {fault}") from fault
    return tuple(rules)


def make_local_time(zone: str) -> Callable[[UnixSeconds], tuple[int, int]]:
    """Weekday and minute of the day in a time zone, or in that of the machine. Raises ValueError."""
    if not zone:

        def local(now: UnixSeconds) -> tuple[int, int]:
            at = time.localtime(now)
            return at.tm_wday, at.tm_hour * 60 + at.tm_min

        return local
    try:
        info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{zone!r} is not a time zone, or tzdata is not installed; write Europe/Berlin") from error

    def zoned(now: UnixSeconds) -> tuple[int, int]:
        at = datetime.fromtimestamp(now, info)
        return at.weekday(), at.hour * 60 + at.minute

    return zoned


def check_cases(cases: Sequence[PolicyCaseSection], policy: Policy, realms: frozenset[str]) -> None:
    """See that the rules say of every case what it tells. Raises FaultyPolicyError."""
    for number, case in enumerate(cases):
        try:
            found = rule_of_case(case, policy, realms)
        except ValueError as fault:
            raise FaultyPolicyError("policy_case", number, f"policy_case: {fault}") from fault
        name = found.name or NO_RULE_NAME
        if name != case.expect:
            raise FaultyPolicyError(
                "policy_case",
                number,
                f"policy_case: {case.expect!r} was expected to hold for {case.user}, not {name!r}",
            )


def rule_of_case(case: PolicyCaseSection, policy: Policy, realms: frozenset[str] = NO_REALMS) -> Rule:
    """The rule that holds for a case. Raises ValueError for a case that is none."""
    weekday, minute = _weekday(case.day), _minute(case.at)
    address = None if case.station is None else address_of(case.station)
    country = case.country or (None if address is None else policy.country_of(address))
    [username] = _users(case.user, realms)
    seen = Circumstances(username, tuple(case.groups), case.client, address, country, weekday, minute, case.known_place)
    return policy.rule_that_holds(seen)


def _rule(section: PolicySection, has_countries: bool, realms: frozenset[str]) -> Rule:
    if section.name == NO_RULE_NAME or not section.name.isprintable():
        raise ValueError(f"{section.name!r} is no name for a rule")
    conditions = Conditions(
        _users(section.user, realms),
        frozenset(_many(section.group)),
        frozenset(_many(section.client)),
        _networks(section.network),
        _networks(section.outside_network),
        _countries(section.country),
        _countries(section.outside_country),
        None if section.hours is None else _hours(section.hours),
        frozenset() if section.days is None else _days(section.days),
        section.known_place,
    )
    if conditions.need_country and not has_countries:
        raise ValueError(f"{section.name}: countries need login.country_file")
    return Rule(
        section.name,
        conditions,
        section.refuse,
        section.require_code,
        section.recovery_codes,
        section.window,
        section.alert,
    )


def _many(one: Many) -> list[str]:
    if one is None:
        return []
    return [one] if isinstance(one, str) else one


def _users(names: Many, realms: frozenset[str]) -> frozenset[str]:
    found = set()
    for name in _many(names):
        canonical = canonical_username(name.encode(), realms=realms)
        if canonical == NOBODY:
            raise ValueError(f"{name!r} cannot be a user name")
        found.add(canonical)
    return frozenset(found)


def _networks(texts: Many) -> tuple[Network, ...]:
    found = []
    for text in _many(texts):
        try:
            found.append(ip_network(text))
        except ValueError as error:
            raise ValueError(f"{text} is not a network: {error}") from error
    return tuple(found)


def _countries(texts: Many) -> frozenset[str]:
    for text in _many(texts):
        if not re.fullmatch(r"[A-Z]{2}", text):
            raise ValueError(f"{text!r} is not a country; write two capital letters, as DE")
    return frozenset(_many(texts))


def _hours(text: str) -> Hours:
    begin, dash, end = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} are no hours; write 07:00-19:00")
    return Hours(_minute(begin), _minute(end, last=MINUTES_OF_A_DAY))


def _minute(text: str, last: int = MINUTES_OF_A_DAY - 1) -> int:
    parsed = _AN_HOUR.fullmatch(text.strip())
    minute = last + 1 if parsed is None else int(parsed[1]) * 60 + int(parsed[2])
    if parsed is None or minute > last or int(parsed[2]) > 59:
        raise ValueError(f"{text!r} is no time of day; write 07:00")
    return minute


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for piece in text.split(","):
        first, dash, last = piece.strip().partition("-")
        begin, end = _weekday(first), _weekday(last if dash else first)
        days.update((begin + n) % 7 for n in range((end - begin) % 7 + 1))
    return frozenset(days)


def _weekday(text: str) -> int:
    try:
        return _DAYS.index(text.strip().lower())
    except ValueError:
        raise ValueError(f"{text!r} is no day; there are {', '.join(_DAYS)}") from None
