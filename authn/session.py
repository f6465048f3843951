"""A session at a NAS, as accounting tells of it (RFC 2866)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from authn.client import NasClient
from authn.instants import UnixSeconds
from authn.request import NOBODY, Username


class SessionEvent(Enum):
    """What a NAS tells of."""

    START = "start"
    UPDATE = "update"
    STOP = "stop"
    RESTART = "restart"  # the NAS came up or goes down: all its sessions are over


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One Accounting-Request.

    `nas` is the address that it came from. `identification` holds the attributes,
    type and raw value, by which the NAS knows the session again (RFC 5176 §3).
    """

    event: SessionEvent
    client: NasClient
    nas: str
    at: UnixSeconds
    acct_session_id: bytes = b""
    username: Username = NOBODY
    user_name: bytes = b""  # as the NAS wrote it
    station: str | None = None
    framed_address: str | None = None
    input_octets: int = 0
    output_octets: int = 0
    identification: tuple[tuple[int, bytes], ...] = ()


class SessionStore(Protocol):
    """Where sessions are kept."""

    def record(self, records: Sequence[SessionRecord]) -> None:
        """Store what NAS have told, durably and together. Raises StoreError; then nothing is stored."""
        ...
