"""Who needs what, where and when, and the settings that a decision depends on.

Rules stand in order; the first whose conditions hold is the one that counts, and
where none does, nothing is added. A rule only adds friction: it refuses, narrows
the window, forbids recovery codes, or insists on a code where an exemption would
do without. It is asked before a code is spent or a password checked.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from authn.conditions import Circumstances, Conditions
from authn.first_factor import OWN_STORE
from authn.instants import UnixSeconds
from authn.lockout import LockoutPolicy
from authn.places import Address, address_of


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `window` is in steps and narrows the general one; `requires_code` turns every exemption off."""

    name: str
    conditions: Conditions
    refuses: bool = False
    requires_code: bool = False
    allows_recovery_codes: bool = True
    window: int | None = None
    alerts: bool = False


NO_RULE = Rule("", Conditions())


@dataclass(frozen=True, slots=True)
class KeeperRule:
    """Whose passwords another first factor keeps.

    Until `alone_until` it alone lets in who has no token here: the way of a
    migration from an older second-factor server.
    """

    keeper: str
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()
    alone_until: UnixSeconds | None = None

    def holds(self, username: str, groups: tuple[str, ...], client: str) -> bool:
        """Whether it is about a user at a client."""
        return (
            (not self.users or username in self.users)
            and (not self.groups or not self.groups.isdisjoint(groups))
            and (not self.clients or client in self.clients)
        )


OWN = KeeperRule(OWN_STORE)


def _utc(now: UnixSeconds) -> tuple[int, int]:
    """Weekday and minute of the day at Greenwich; the epoch was a Thursday."""
    return (int(now // 86400) + 3) % 7, int(now % 86400 // 60)


def _nowhere(_address: Address) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Policy:
    """How wide the window is, how far a clock may wander, what failures cost, and all rules.

    `window` is in steps to each side; a 30-second token with window 1 accepts
    codes up to 60 s old (RFC 6238 §5.2 advises at most one step). `look_ahead` is
    how many codes of a counted token may have been thrown away (RFC 4226 §7.4).
    `reach` is how far, in steps, a code is looked for to name what is wrong and to
    learn a clock from two codes in a row. `max_drift` bounds the learned offset,
    in steps. A challenge may be answered `max_answers` times within
    `challenge_lifetime_s`. `local_time` gives weekday and minute of the day where
    the rules' hours count, `country_of` the country of an address.
    """

    window: int = 1
    look_ahead: int = 10
    reach: int = 60
    max_drift: int = 10
    lockout: LockoutPolicy = field(default_factory=LockoutPolicy)
    max_answers: int = 3
    challenge_lifetime_s: int = 120
    rules: tuple[Rule, ...] = ()
    keepers: tuple[KeeperRule, ...] = ()
    local_time: Callable[[UnixSeconds], tuple[int, int]] = _utc
    country_of: Callable[[Address], str | None] = _nowhere

    def rule_for(
        self,
        username: str,
        groups: tuple[str, ...],
        client: str,
        station: str | None,
        now: UnixSeconds,
        *,
        is_known_place: bool,
    ) -> Rule:
        """The first rule that holds for a login, or `NO_RULE`."""
        if not self.rules:
            return NO_RULE
        address = address_of(station)
        country = None if address is None else self.country_of(address)
        weekday, minute = self.local_time(now)
        seen = Circumstances(username, groups, client, address, country, weekday, minute, is_known_place)
        return self.rule_that_holds(seen)

    def rule_that_holds(self, seen: Circumstances) -> Rule:
        """The first rule that holds, or `NO_RULE`."""
        return next((rule for rule in self.rules if rule.conditions.hold(seen)), NO_RULE)

    def keeper_for(self, username: str, groups: tuple[str, ...], client: str) -> KeeperRule:
        """Who keeps the password of a user at a client."""
        if not self.keepers:
            return OWN
        return next((rule for rule in self.keepers if rule.holds(username, groups, client)), OWN)
