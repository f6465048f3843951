"""What a rule asks of a login: who, where, from where, when. Every condition that is set must hold."""

from dataclasses import dataclass

from authn.client import Network
from authn.places import Address

MINUTES_OF_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of each day, in minutes from midnight. It may pass midnight; both ends alike is the whole day."""

    begin: int
    end: int

    def holds(self, minute: int) -> bool:
        """Whether a minute lies in it; the end does not."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


@dataclass(frozen=True, slots=True)
class Circumstances:
    """A login as rules see it. `weekday` is 0 for Monday; `country` is two capital letters, None if not known."""

    username: str
    groups: tuple[str, ...]
    client: str
    address: Address | None
    country: str | None
    weekday: int
    minute: int
    is_known_place: bool


@dataclass(frozen=True, slots=True)
class Conditions:
    """Empty sets and None hold for everybody.

    An address or country that is not known is in no network and in no country:
    `networks` and `countries` do not hold for it, `outside_networks` and
    `outside_countries` do.
    """

    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    outside_networks: tuple[Network, ...] = ()
    countries: frozenset[str] = frozenset()
    outside_countries: frozenset[str] = frozenset()
    hours: Hours | None = None
    weekdays: frozenset[int] = frozenset()
    known_place: bool | None = None

    @property
    def need_country(self) -> bool:
        """Whether the country of an address matters."""
        return bool(self.countries or self.outside_countries)

    def hold(self, seen: Circumstances) -> bool:
        """Whether a login meets all of them."""
        return (
            (not self.users or seen.username in self.users)
            and (not self.groups or not self.groups.isdisjoint(seen.groups))
            and (not self.clients or seen.client in self.clients)
            and (not self.networks or _is_in(seen.address, self.networks))
            and not (self.outside_networks and _is_in(seen.address, self.outside_networks))
            and (not self.countries or seen.country in self.countries)
            and not (self.outside_countries and seen.country in self.outside_countries)
            and (self.hours is None or self.hours.holds(seen.minute))
            and (not self.weekdays or seen.weekday in self.weekdays)
            and self.known_place in (None, seen.is_known_place)
        )


def _is_in(address: Address | None, networks: tuple[Network, ...]) -> bool:
    return address is not None and any(
        address.version == network.version and address in network for network in networks
    )
