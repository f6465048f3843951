"""Sessions as accounting told of them, and what an operator asks of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from authn.errors import OperationError
from authn.instants import UnixSeconds
from authn.request import Username
from authn.session import SessionEvent, SessionRecord, SessionStore
from store import schema
from store.engine import Database

KEPT_AFTER_STOP_S = 30 * 86400
MAX_SESSIONS_PER_CLIENT = 100_000
SILENT_FOR_S = 7 * 86400
"""An open session that was not heard of for so long has ended without a word."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session. `identification` names it to its NAS: attribute types and raw values."""

    id: int
    client: str
    nas: str
    username: Username
    acct_session_id: bytes
    identification: tuple[tuple[int, bytes], ...]
    station: str | None
    framed_address: str | None
    started_at: UnixSeconds
    updated_at: UnixSeconds
    stopped_at: UnixSeconds | None
    input_octets: int
    output_octets: int


class Sessions(SessionStore):
    """The table of sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, records: Sequence[SessionRecord]) -> None:
        """Store what NAS have told, durably and together."""
        with self._database.write() as connection:
            for record in records:
                if record.event is SessionEvent.RESTART:
                    _stop_all(connection, record)
                else:
                    _write(connection, record)

    def open(self, username: Username | None = None) -> list[Session]:
        """The sessions that go on, the newest first; of one user if a name is given."""
        rows = schema.sessions
        query = _sessions().where(rows.c.stopped_at.is_(None)).order_by(rows.c.started_at.desc())
        if username is not None:
            query = query.where(rows.c.username == username)
        with self._database.read() as connection:
            return [_session(row) for row in connection.execute(query)]

    def show(self, session_id: int) -> Session:
        """One session. Raises OperationError."""
        with self._database.read() as connection:
            row = connection.execute(_sessions().where(schema.sessions.c.id == session_id)).one_or_none()
        if row is None:
            raise OperationError(f"there is no session {session_id}; `twinward session list` shows them")
        return _session(row)

    def close(self, session_id: int, now: UnixSeconds) -> None:
        """Mark a session as over: its NAS says so, or does not know it."""
        rows = schema.sessions
        with self._database.write() as connection:
            connection.execute(
                update(rows).where(rows.c.id == session_id, rows.c.stopped_at.is_(None)).values(stopped_at=now)
            )

    def prune(self, now: UnixSeconds) -> None:
        """Forget sessions that ended long ago, and end those that nobody has spoken of for a week.

        Of a client that tells of more than MAX_SESSIONS_PER_CLIENT the oldest go, whatever their state.
        """
        rows = schema.sessions
        by_age = func.row_number().over(partition_by=rows.c.client_id, order_by=rows.c.updated_at.desc())
        ranked = select(rows.c.id, by_age.label("age")).subquery()
        with self._database.write() as connection:
            too_many = select(ranked.c.id).where(ranked.c.age > MAX_SESSIONS_PER_CLIENT)
            connection.execute(delete(rows).where(rows.c.id.in_(too_many)))
            connection.execute(delete(rows).where(rows.c.stopped_at < now - KEPT_AFTER_STOP_S))
            connection.execute(
                update(rows)
                .where(rows.c.stopped_at.is_(None), rows.c.updated_at < now - SILENT_FOR_S)
                .values(stopped_at=rows.c.updated_at)
            )


def _write(connection: Connection, record: SessionRecord) -> None:
    """Insert a session or bring it up to date. Records may come late, twice and out of order."""
    rows = schema.sessions
    stopped_at = record.at if record.event is SessionEvent.STOP else None
    values = {
        "client_id": record.client.id,
        "acct_session_id": record.acct_session_id,
        "nas": record.nas,
        "username": record.username,
        "user_name": record.user_name,
        "identification": json.dumps([[kind, value.hex()] for kind, value in record.identification]),
        "station": record.station,
        "framed_address": record.framed_address,
        "started_at": record.at,
        "updated_at": record.at,
        "stopped_at": stopped_at,
        "input_octets": record.input_octets,
        "output_octets": record.output_octets,
    }
    statement = insert(rows).values(values)
    told = {name: statement.excluded[name] for name in ("identification", "username", "user_name", "updated_at")}
    told |= {name: statement.excluded[name] for name in ("input_octets", "output_octets")}
    for name, value in (("station", record.station), ("framed_address", record.framed_address)):
        if value is not None:
            told[name] = statement.excluded[name]
    if record.event is SessionEvent.START:  # a NAS may use an id again
        told |= {name: statement.excluded[name] for name in ("started_at", "stopped_at")}
    elif record.event is SessionEvent.STOP:
        told["stopped_at"] = statement.excluded["stopped_at"]
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["client_id", "nas", "acct_session_id"],
            set_=told,
            where=rows.c.updated_at <= statement.excluded["updated_at"],
        )
    )


def _stop_all(connection: Connection, record: SessionRecord) -> None:
    rows = schema.sessions
    connection.execute(
        update(rows)
        .where(
            rows.c.client_id == record.client.id,
            rows.c.nas == record.nas,
            rows.c.stopped_at.is_(None),
            rows.c.started_at <= record.at,
        )
        .values(stopped_at=record.at)
    )


def _sessions() -> Select[Any]:
    return select(schema.sessions, schema.nas_clients.c.name.label("client")).join(
        schema.nas_clients, schema.nas_clients.c.id == schema.sessions.c.client_id
    )


def _session(row: Row[tuple[object, ...]]) -> Session:
    return Session(
        row.id,
        row.client,
        row.nas,
        Username(row.username),
        row.acct_session_id,
        tuple((kind, bytes.fromhex(value)) for kind, value in json.loads(row.identification)),
        row.station,
        row.framed_address,
        UnixSeconds(row.started_at),
        UnixSeconds(row.updated_at),
        None if row.stopped_at is None else UnixSeconds(row.stopped_at),
        row.input_octets,
        row.output_octets,
    )
