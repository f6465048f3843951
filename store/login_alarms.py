"""What of a login is worth waking somebody for: an altered row, a rule that says so, a new place, a crowd of failures.

An alarm is a line in the log that names the audit row. The same one comes at
most once in ten minutes, so that nobody fills a disk with it.
"""

import logging
from collections.abc import Mapping
from typing import Any

from authn.instants import UnixSeconds
from authn.verdict import Reason

_log = logging.getLogger(__name__)

QUIET_S = 600.0
MAX_REMEMBERED = 4096
CROWD = 100
CROWD_WITHIN_S = 60.0


class LoginAlarms:
    """Looks at the stories of logins once they are on disk."""

    def __init__(self) -> None:
        self._quiet_until: dict[tuple[str, str], UnixSeconds] = {}
        self._failures: dict[str, tuple[int, UnixSeconds]] = {}  # by client: how many since when

    def look_at(self, reference: str, at: UnixSeconds, told: Mapping[str, Any], *, rule_alerts: bool) -> None:
        """Raise the alarms that a login calls for."""
        user, client = str(told["user"]), str(told["client"])
        if told.get("reason") == Reason.SEAL_BROKEN and self._is_due("seal", user, at):
            _log.error("ALARM: a row of user %s was altered in the database (%s)", user, reference)
        if told.get("new_place") and self._is_due("place", user, at):
            _log.warning("user %s has come from a new place, %s (%s)", user, told.get("station", client), reference)
        if rule_alerts and self._is_due(f"rule {told.get('rule')}", user, at):
            _log.warning("rule %r: %s at %s, %s (%s)", told.get("rule"), user, client, told["verdict"], reference)
        if told["verdict"] == "reject" and self._is_crowd(client, at) and self._is_due("crowd", client, at):
            _log.error("ALARM: more than %d logins failed at client %s within a minute (%s)", CROWD, client, reference)

    def _is_crowd(self, client: str, at: UnixSeconds) -> bool:
        """Count a failure at a client; whether there were too many lately."""
        times, since = self._failures.get(client, (0, at))
        if at - since >= CROWD_WITHIN_S:
            times, since = 0, at
        self._failures[client] = (times + 1, since)
        return times + 1 > CROWD

    def _is_due(self, what: str, whom: str, at: UnixSeconds) -> bool:
        if at < self._quiet_until.get((what, whom), 0.0):
            return False
        if len(self._quiet_until) >= MAX_REMEMBERED:
            self._quiet_until.clear()
        self._quiet_until[what, whom] = UnixSeconds(at + QUIET_S)
        return True
