"""The audit chain: what happened, in order, so that a later edit shows.

Each row carries an HMAC over itself and the row before it, under a key that is
not in the database in clear. Editing, removing or reordering rows breaks the
chain for everyone who does not hold the key file. A row is written in the
transaction of what it tells of, so neither exists without the other.

A row's reference, as `explain` takes it, is its chain and its number in
Crockford's base 32: `1-3K7`.
"""

import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from authn.errors import OperationError
from authn.instants import UnixSeconds
from store import schema
from store.keyring import DataKey

MAC_OCTETS = 32
_FIRST_LINK = bytes(MAC_OCTETS)
_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that happened. `body` holds plain values and nothing secret."""

    reference: str
    at: UnixSeconds
    event: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last link of a chain: where the next row joins."""

    chain: int
    seq: int
    mac: bytes


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row ready to be written."""

    chain: int
    seq: int
    at_ms: int
    event: str
    body: str
    mac: bytes

    @property
    def reference(self) -> str:
        return reference_of(self.chain, self.seq)


class AuditChain:
    """Writes and checks rows under the audit key. `name` is the chain this process appends to."""

    def __init__(self, key: DataKey, name: str) -> None:
        self._key = key.reveal()
        self.name = name

    def link(self, head: ChainHead, at: UnixSeconds, event: str, body: Mapping[str, Any]) -> AuditRow:
        """The row that follows `head`."""
        at_ms, text, seq = int(at * 1000), _encode(body), head.seq + 1
        return AuditRow(head.chain, seq, at_ms, event, text, self._mac(head.chain, seq, at_ms, event, text, head.mac))

    def append(self, connection: Connection, at: UnixSeconds, event: str, body: Mapping[str, Any]) -> str:
        """Write one row in the caller's transaction; returns its reference."""
        row = self.link(self.head(connection), at, event, body)
        connection.execute(
            insert(schema.audit).values(
                chain=row.chain, seq=row.seq, at_ms=row.at_ms, event=row.event, body=row.body, mac=row.mac
            )
        )
        return row.reference

    def head(self, connection: Connection) -> ChainHead:
        """The end of this process's chain. The chain is begun if there is none."""
        chains, rows = schema.audit_chains, schema.audit
        chain = connection.execute(select(chains.c.id).where(chains.c.name == self.name)).scalar_one_or_none()
        if chain is None:
            chain = connection.execute(insert(chains).values(name=self.name).returning(chains.c.id)).scalar_one()
        last = connection.execute(
            select(rows.c.seq, rows.c.mac).where(rows.c.chain == chain).order_by(rows.c.seq.desc()).limit(1)
        ).one_or_none()
        return ChainHead(chain, last.seq, last.mac) if last else ChainHead(chain, 0, _FIRST_LINK)

    def verify(self, connection: Connection) -> Iterator[str]:
        """The findings of a check of every chain, as sentences; none if all is well.

        Finds edited, removed, inserted and reordered rows. A cut at a chain's
        very end leaves no trace in the chain itself.
        """
        rows = schema.audit
        query = select(rows).order_by(rows.c.chain, rows.c.seq)
        head = ChainHead(0, 0, _FIRST_LINK)
        for row in connection.execution_options(yield_per=1000).execute(query):
            if row.chain != head.chain:
                head = ChainHead(row.chain, 0, _FIRST_LINK)
            reference = reference_of(row.chain, row.seq)
            if row.seq != head.seq + 1:
                yield f"rows are missing before {reference}"
            elif row.mac != self._mac(row.chain, row.seq, row.at_ms, row.event, row.body, head.mac):
                yield f"row {reference} was altered"
            head = ChainHead(row.chain, row.seq, row.mac)

    def _mac(self, chain: int, seq: int, at_ms: int, event: str, body: str, previous: bytes) -> bytes:
        octets = f"{chain}\x1f{seq}\x1f{at_ms}\x1f{event}\x1f{body}".encode() + previous
        return hmac.digest(self._key, octets, "sha256")


def entry(connection: Connection, reference: str) -> AuditEntry:
    """The entry of a reference. Raises OperationError: no such form, or no such row."""
    chain, seq = parse_reference(reference)
    rows = schema.audit
    row = connection.execute(select(rows).where(rows.c.chain == chain, rows.c.seq == seq)).one_or_none()
    if row is None:
        raise OperationError(f"there is no audit entry {reference}")
    return _entry(row)


def newest(connection: Connection, limit: int, user: str | None = None) -> list[AuditEntry]:
    """The newest entries over all chains, newest first; of one user if a name is given."""
    rows = schema.audit
    found: list[Row[tuple[Any, ...]]] = []
    for chain in connection.execute(select(schema.audit_chains.c.id)).scalars().all():
        query = select(rows).where(rows.c.chain == chain).order_by(rows.c.seq.desc()).limit(limit)
        if user is not None:
            query = query.where(func.json_extract(rows.c.body, "$.user") == user)
        found += connection.execute(query).all()
    found.sort(key=lambda row: row.at_ms, reverse=True)
    return [_entry(row) for row in found[:limit]]


def _entry(row: Row[tuple[Any, ...]]) -> AuditEntry:
    reference = reference_of(row.chain, row.seq)
    return AuditEntry(reference, UnixSeconds(row.at_ms / 1000), row.event, json.loads(row.body))


def count(connection: Connection) -> int:
    """How many rows there are in all chains."""
    return int(connection.execute(select(func.count()).select_from(schema.audit)).scalar_one())


def reference_of(chain: int, seq: int) -> str:
    """How a row is named to people: `1-3K7`."""
    digits = ""
    while True:
        seq, digit = divmod(seq, 32)
        digits = _BASE32[digit] + digits
        if not seq:
            return f"{chain}-{digits}"


def parse_reference(reference: str) -> tuple[int, int]:
    """Chain and number of a reference, forgiving case and the look-alikes O, I, L. Raises OperationError."""
    chain, _, digits = reference.strip().upper().replace("O", "0").replace("I", "1").replace("L", "1").partition("-")
    if not chain.isdecimal() or not 0 < len(digits) <= 13 or any(digit not in _BASE32 for digit in digits):
        raise OperationError(f"{reference!r} is not a reference; it looks like 1-3K7")
    seq = 0
    for digit in digits:
        seq = seq * 32 + _BASE32.index(digit)
    return int(chain), seq
