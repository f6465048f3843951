"""What clients in shadow mode have noted: who would get in if codes were enforced, and who would not."""

from dataclasses import dataclass

from sqlalchemy import select

from authn.client import ClientId
from authn.instants import UnixSeconds
from authn.outcomes import WOULD_BE_ASKED, WOULD_BE_LET_IN
from authn.request import Username
from store import schema
from store.engine import Database


@dataclass(frozen=True, slots=True)
class ShadowOutcome:
    """The last login of a user at a client: what enforcement would have come to."""

    username: Username
    outcome: str
    times: int
    last_at: UnixSeconds

    @property
    def is_ready(self) -> bool:
        """Whether this user would have got in, or been asked for a code by a client that asks."""
        return self.outcome in (WOULD_BE_LET_IN, WOULD_BE_ASKED)


def shadow_outcomes(database: Database, client_id: ClientId) -> list[ShadowOutcome]:
    """By user, who is not ready first."""
    rows = schema.shadow_outcomes
    with database.read() as connection:
        found = [
            ShadowOutcome(Username(row.username), row.outcome, row.times, UnixSeconds(row.last_at))
            for row in connection.execute(select(rows).where(rows.c.client_id == client_id).order_by(rows.c.username))
        ]
    return sorted(found, key=lambda one: one.is_ready)
