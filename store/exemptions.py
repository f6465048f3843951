"""Grace and bypasses, as an operator grants and ends them. Each has an end, an owner and a reason.

A row is sealed to all that it grants, so nobody can grant or stretch one by
writing to the database. `used` is not bound: who can write there can turn it back.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from authn.errors import OperationError
from authn.exemption import ExemptionKind
from authn.instants import UnixSeconds
from authn.request import Username
from authn.secret import Secret
from store import schema
from store.contexts import exemption_context
from store.nas_clients import get_client
from store.user_operations import UserOperations, new_serial, open_standing

MAX_BYPASS_S = 7 * 86400
MAX_GRACE_S = 180 * 86400
MAX_REASON_LENGTH = 400


class _Mark(Secret):
    __slots__ = ()


_MARK = _Mark(b"granted")


@dataclass(frozen=True, slots=True)
class GrantedExemption:
    """An exemption as it stands. `client` is None where it holds everywhere."""

    serial: str
    username: Username
    kind: ExemptionKind
    client: str | None
    until: UnixSeconds
    logins: int | None
    used: int
    owner: str
    reason: str
    created_at: UnixSeconds


class Exemptions(UserOperations):
    """The operations on exemptions."""

    def grant(
        self,
        name: str,
        kind: ExemptionKind,
        until: UnixSeconds,
        reason: str,
        now: UnixSeconds,
        *,
        logins: int | None = None,
        client: str | None = None,
    ) -> str:
        """Let a user in without a code until a moment, or for so many logins; returns the serial."""
        longest = MAX_BYPASS_S if kind is ExemptionKind.BYPASS else MAX_GRACE_S
        if not now < until <= now + longest:
            raise OperationError(f"a {kind} ends in the future, {longest // 86400} days from now at the latest")
        if not reason.strip() or len(reason) > MAX_REASON_LENGTH or not reason.isprintable():
            raise OperationError(f"a {kind} needs a reason of 1 to {MAX_REASON_LENGTH} printable characters")
        if logins is not None and logins < 1:
            raise OperationError("at least one login is granted")
        serial = new_serial()
        with self._database.write() as connection:
            user = self._get(connection, name)
            if kind is ExemptionKind.GRACE and open_standing(self._keyring, user).enrolled:
                raise OperationError(f"{user.username} has had a token; grace is for who never had, see `bypass grant`")
            client_id = None if client is None else get_client(connection, client).id
            end = int(until)
            place = exemption_context(user.id, user.username, serial, kind.value, client_id, end, logins)
            connection.execute(
                insert(schema.exemptions).values(
                    serial=serial,
                    user_id=user.id,
                    kind=kind.value,
                    client_id=client_id,
                    until=end,
                    logins=logins,
                    used=0,
                    sealed_mark=self._keyring.seal(_MARK, place),
                    owner=self._by,
                    reason=reason.strip(),
                    created_at=now,
                )
            )
            _note_latest_end(connection, user.id)
            facts = {"exemption": serial, "until": end, "logins": logins, "client": client, "why": reason.strip()}
            self._audit(connection, now, f"{kind}.granted", user.username, **facts)
        return serial

    def end(self, serial: str, now: UnixSeconds) -> Username:
        """End an exemption at once; returns whose it was."""
        rows = schema.exemptions
        with self._database.write() as connection:
            row = connection.execute(_granted().where(rows.c.serial == serial.strip().upper())).one_or_none()
            if row is None:
                raise OperationError(f"there is no exemption {serial}; `twinward bypass list` shows them")
            connection.execute(delete(rows).where(rows.c.id == row.id))
            _note_latest_end(connection, row.user_id)
            self._audit(connection, now, f"{row.kind}.ended", row.username, exemption=row.serial, used=row.used)
            return Username(row.username)

    def all(self, now: UnixSeconds, kind: ExemptionKind | None = None) -> list[GrantedExemption]:
        """Every exemption that goes on, the first to end first."""
        rows = schema.exemptions
        query = _granted().where(rows.c.until > now).order_by(rows.c.until)
        if kind is not None:
            query = query.where(rows.c.kind == kind.value)
        with self._database.read() as connection:
            return [_exemption(row) for row in connection.execute(query)]

    def prune(self, now: UnixSeconds) -> None:
        """Forget what is over; the audit trail keeps it."""
        with self._database.write() as connection:
            connection.execute(delete(schema.exemptions).where(schema.exemptions.c.until < now))


def _note_latest_end(connection: Connection, user_id: int) -> None:
    """Keep with the user until when it is worth looking for exemptions."""
    rows = schema.exemptions
    latest = select(func.max(rows.c.until)).where(rows.c.user_id == user_id).scalar_subquery()
    connection.execute(update(schema.users).where(schema.users.c.id == user_id).values(exempt_until=latest))


def _granted() -> Select[Any]:
    return (
        select(schema.exemptions, schema.users.c.username, schema.nas_clients.c.name.label("client"))
        .join(schema.users, schema.users.c.id == schema.exemptions.c.user_id)
        .join(schema.nas_clients, schema.nas_clients.c.id == schema.exemptions.c.client_id, isouter=True)
    )


def _exemption(row: Row[tuple[object, ...]]) -> GrantedExemption:
    return GrantedExemption(
        row.serial,
        Username(row.username),
        ExemptionKind(row.kind),
        row.client,
        UnixSeconds(row.until),
        row.logins,
        row.used,
        row.owner,
        row.reason,
        UnixSeconds(row.created_at),
    )
