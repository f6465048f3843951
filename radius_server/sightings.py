"""What was seen of each client: signed requests, unsigned ones, which shared secret.

The report of `client audit` is made of it, and the promotion of a client that is
learning: once enough signed requests in a row have come, unsigned ones are
dropped like those of any client that must sign. Counts gather here and are
taken away now and then to be stored.
"""

from collections import deque
from dataclasses import dataclass

from authn.client import ClientId, MessageAuthenticatorRule, NasClient
from authn.instants import UnixSeconds

SIGNED = "signed"
UNSIGNED = "unsigned"
UNSIGNED_PROXY_STATE = "unsigned, Proxy-State"
PROMOTE_AFTER = 20
ALARM_INTERVAL_S = 600.0
MAX_ALARMS = 100


@dataclass(slots=True)
class Seen:
    """How often, and when last."""

    times: int
    last_at: UnixSeconds


@dataclass(frozen=True, slots=True)
class Alarm:
    """A client that signs its requests has sent an unsigned one, or somebody has in its name."""

    client: NasClient
    host: str
    at: UnixSeconds


class Sightings:
    """Counts for one process."""

    def __init__(self) -> None:
        self._seen: dict[tuple[ClientId, str], Seen] = {}
        self._signed_in_a_row: dict[ClientId, int] = {}
        self._promoted: set[ClientId] = set()
        self._to_promote: dict[ClientId, NasClient] = {}
        self._alarms: deque[Alarm] = deque(maxlen=MAX_ALARMS)
        self._quiet_until: dict[ClientId, UnixSeconds] = {}

    def is_promoted(self, client: NasClient) -> bool:
        """Whether a learning client has shown that it signs."""
        return client.id in self._promoted

    def signed(self, client: NasClient, secret_number: int, now: UnixSeconds) -> None:
        """A signed request came in."""
        self._count(client.id, SIGNED, now)
        if len(client.shared_secrets) > 1:
            self._count(client.id, secret_sighting(secret_number), now)
        in_a_row = self._signed_in_a_row[client.id] = self._signed_in_a_row.get(client.id, 0) + 1
        is_learning = client.rules.message_authenticator is MessageAuthenticatorRule.LEARN
        if is_learning and in_a_row >= PROMOTE_AFTER and client.id not in self._promoted:
            self._promoted.add(client.id)
            self._to_promote[client.id] = client

    def unsigned(self, client: NasClient, host: str, now: UnixSeconds, *, proxy_state: bool, dropped: bool) -> None:
        """An unsigned request came in; one that was dropped though the client signs is worth an alarm."""
        self._count(client.id, UNSIGNED_PROXY_STATE if proxy_state else UNSIGNED, now)
        has_signed = self._signed_in_a_row.get(client.id, 0) >= PROMOTE_AFTER
        if not dropped:
            self._signed_in_a_row[client.id] = 0
        elif has_signed and now >= self._quiet_until.get(client.id, 0.0):
            self._quiet_until[client.id] = UnixSeconds(now + ALARM_INTERVAL_S)
            self._alarms.append(Alarm(client, host, now))

    def take(self) -> dict[tuple[ClientId, str], Seen]:
        """The counts since the last call."""
        seen, self._seen = self._seen, {}
        return seen

    def take_alarms(self) -> list[Alarm]:
        """The alarms since the last call."""
        alarms = list(self._alarms)
        self._alarms.clear()
        return alarms

    def to_promote(self) -> list[NasClient]:
        """The clients whose promotion is still to be stored."""
        return list(self._to_promote.values())

    def was_promoted(self, client: NasClient) -> None:
        """The promotion of a client is stored."""
        self._to_promote.pop(client.id, None)

    def forget_promotions(self, learning: set[ClientId]) -> None:
        """The clients were read anew, and only these are learning."""
        self._promoted &= learning

    def _count(self, client_id: ClientId, sighting: str, now: UnixSeconds) -> None:
        seen = self._seen.get((client_id, sighting))
        if seen is None:
            self._seen[client_id, sighting] = Seen(1, now)
        else:
            seen.times += 1
            seen.last_at = now


def secret_sighting(number: int) -> str:
    """The name of a sighting of a client's shared secret."""
    return f"secret {number}"
