"""Whose clock is wrong: the median over all devices tells a wrong server from a wrong phone.

Every login notes how far its device seemed ahead, to the middle of the code's
period. One code says little (it is typed at any moment of its period, and a
while after it was read), the median over many users a lot.
"""

import statistics
from dataclasses import dataclass

from sqlalchemy import select

from authn.instants import UnixSeconds
from authn.verdict import Reason
from store import schema
from store.audit import newest
from store.engine import Database

FRESH_S = 7 * 86400
ENOUGH_USERS = 5
MAX_DEVICES = 50_000
MAX_ENTRIES = 5000
LATELY_S = 3600
TOLERATED_S = 30.0
"""Codes are typed some seconds after they were read, so that devices look 5 to 15 s late."""


@dataclass(frozen=True, slots=True)
class OddDevice:
    """A device that is off by more than the others."""

    username: str
    serial: str
    off_s: float


@dataclass(frozen=True, slots=True)
class FleetClock:
    """The median offset of the devices that logged in lately, ahead of this server; None for too few.

    A clock that has jumped lets nobody in, so refusals for codes of another time
    tell as well: `refused_median_s`, if enough users had about the same.
    """

    devices: int
    median_s: float | None
    odd: tuple[OddDevice, ...]
    refused: int = 0
    refused_median_s: float | None = None

    @property
    def server_is_off(self) -> bool:
        """Whether it is rather this server's clock that is wrong."""
        if self.refused_median_s is not None:
            return True
        return self.median_s is not None and abs(self.median_s) > TOLERATED_S

    @property
    def sentence(self) -> str:
        """What it comes to, for people."""
        if self.refused_median_s is not None:
            side = "behind" if self.refused_median_s > 0 else "ahead of"
            return (
                f"{self.refused} users were refused within the hour for codes of another time, all by about the same:"
                f" the clock of this server seems {abs(self.refused_median_s):.0f} s {side} theirs; set it by NTP"
            )
        if self.median_s is None:
            return f"too few devices logged in lately to tell a wrong clock of this server: {self.devices}"
        side = "behind" if self.median_s > 0 else "ahead of"
        found = f"the clock of this server is {abs(self.median_s):.0f} s {side} the median of {self.devices} devices"
        return f"{found}; set it by NTP" if self.server_is_off else f"{found}, which is as it should be"


def fleet_clock(database: Database, now: UnixSeconds) -> FleetClock:
    """Compare the devices of all users; of a user with several, the one used last."""
    tokens, users = schema.tokens, schema.users
    query = (
        select(users.c.username, tokens.c.serial, tokens.c.clock_off_s, tokens.c.period_s)
        .join(users, users.c.id == tokens.c.user_id)
        .where(tokens.c.phase == "active", tokens.c.clock_off_s.is_not(None), tokens.c.spent_at > now - FRESH_S)
        .order_by(tokens.c.spent_at.desc())
        .limit(MAX_DEVICES)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    by_user = {row.username: row.clock_off_s for row in reversed(rows)}
    refused, refused_median_s = _refused(database, now)
    if len(by_user) < ENOUGH_USERS:
        return FleetClock(len(by_user), None, (), refused, refused_median_s)
    median_s = statistics.median(by_user.values())
    odd = [
        OddDevice(row.username, row.serial, row.clock_off_s - median_s)
        for row in rows
        if abs(row.clock_off_s - median_s) > max(2 * row.period_s, TOLERATED_S)
    ]
    odd.sort(key=lambda one: -abs(one.off_s))
    return FleetClock(len(by_user), median_s, tuple(odd), refused, refused_median_s)


def _refused(database: Database, now: UnixSeconds) -> tuple[int, float | None]:
    """How many users typed codes of another time within the hour, and the median if most had about the same."""
    with database.read() as connection:
        entries = newest(connection, MAX_ENTRIES)
    off_s: dict[str, float] = {}
    for entry in entries:
        told = entry.body
        if entry.at > now - LATELY_S and told.get("reason") == Reason.CLOCK_OFF and told.get("period"):
            off_s.setdefault(told["user"], told["offset"] * told["period"])
    if len(off_s) < ENOUGH_USERS:
        return len(off_s), None
    median_s = statistics.median(off_s.values())
    alike = sum(abs(one - median_s) <= 2 * TOLERATED_S for one in off_s.values())
    return len(off_s), median_s if 2 * alike > len(off_s) else None
