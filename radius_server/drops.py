"""Counting what was met with silence.

Each cause has a counter. The log gets at most one line per cause and interval,
which names the last peer and how many there were, so that a flood fills no disk.
"""

import logging
from collections import Counter
from enum import StrEnum

_log = logging.getLogger(__name__)


class Cause(StrEnum):
    """Why a datagram got no reply."""

    MALFORMED = "malformed packet"
    UNKNOWN_CLIENT = "no client at this address; `twinward client add` makes one"
    BAD_AUTHENTICATOR = "wrong Message-Authenticator: the shared secrets differ, or the packet was altered"
    UNSIGNED = "no Message-Authenticator; let the NAS send it, or relax the client by name"
    UNSIGNED_PROXY_STATE = "Proxy-State without Message-Authenticator (CVE-2024-3596)"
    UNSIGNED_EAP = "EAP-Message without Message-Authenticator"
    UNEXPECTED_CODE = "not an Access-Request"
    UNANSWERABLE = "so much Proxy-State that no reply could hold it"
    SHED = "shed: too many logins wait"
    TOO_MANY = "more logins a second than this client or address may send"
    STATUS_OFF = "Status-Server, which is switched off for this client"
    UNWELL = "Status-Server, while store or keys do not work"
    UNSTORED = "accounting that could not be stored"
    NO_VERDICT = "no verdict could be reached"
    BUG = "an error in twinward; the log above has its trace"


class Drops:
    """Counts drops and writes about them now and then."""

    def __init__(self, *, interval_s: float = 10.0) -> None:
        self.counts: Counter[Cause] = Counter()
        self._interval_s = interval_s
        self._unreported: Counter[Cause] = Counter()
        self._quiet_until: dict[Cause, float] = {}

    def count(self, cause: Cause, host: str, now: float, detail: str = "") -> None:
        """Count one drop of a peer. `now` is monotonic."""
        self.counts[cause] += 1
        self._unreported[cause] += 1
        if now < self._quiet_until.get(cause, 0.0):
            return
        self._quiet_until[cause] = now + self._interval_s
        more = self._unreported.pop(cause) - 1
        _log.warning(
            "dropped a datagram from %s: %s%s%s",
            host,
            cause.value,
            f" ({detail})" if detail else "",
            f"; {more} more like it since the last report" if more else "",
        )
