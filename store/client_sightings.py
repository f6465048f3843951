"""What was seen of each client, over all nodes and restarts, and who still types in an old way."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from authn.client import ClientId, InputMode
from authn.instants import UnixSeconds
from authn.request import Username
from store import schema
from store.engine import Database


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something that was seen of a client: what, how often, and when last."""

    client_id: ClientId
    what: str
    times: int
    last_at: UnixSeconds


@dataclass(frozen=True, slots=True)
class ModeUse:
    """A user's last login in one input mode of a client that accepts several."""

    username: Username
    mode: InputMode
    last_at: UnixSeconds


class ClientSightings:
    """The tables behind `client audit`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, sightings: Iterable[Sighting]) -> None:
        """Add to the counts. Sightings of a client that is gone are passed over."""
        rows = schema.client_sightings
        with self._database.write() as connection:
            known = set(connection.execute(select(schema.nas_clients.c.id)).scalars())
            for one in sightings:
                if one.client_id not in known:
                    continue
                statement = insert(rows).values(
                    client_id=one.client_id, sighting=one.what, times=one.times, last_at=one.last_at
                )
                connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=["client_id", "sighting"],
                        set_={"times": rows.c.times + statement.excluded.times, "last_at": statement.excluded.last_at},
                    )
                )

    def of(self, client_id: ClientId) -> dict[str, Sighting]:
        """Everything seen of a client, by what it was."""
        rows = schema.client_sightings
        with self._database.read() as connection:
            found = connection.execute(select(rows).where(rows.c.client_id == client_id))
            return {
                row.sighting: Sighting(client_id, row.sighting, row.times, UnixSeconds(row.last_at)) for row in found
            }

    def mode_uses(self, client_id: ClientId) -> list[ModeUse]:
        """Who used which input mode, and when last; the latest first."""
        uses, users = schema.input_mode_uses, schema.users
        query = (
            select(users.c.username, uses.c.mode, uses.c.last_at)
            .join(users, users.c.id == uses.c.user_id)
            .where(uses.c.client_id == client_id)
            .order_by(uses.c.last_at.desc())
        )
        with self._database.read() as connection:
            return [
                ModeUse(Username(row.username), InputMode(row.mode), UnixSeconds(row.last_at))
                for row in connection.execute(query)
            ]
