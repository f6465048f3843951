"""The clock of this machine: codes go by it, so an absurd one must not serve, and a step is worth an alarm."""

import time

from authn.errors import ConfigError

RELEASED = 1_793_491_200.0
"""2026-11-01. This version did not exist before."""
LATEST = RELEASED + 20 * 365 * 86400
STEP_S = 10.0


def refuse_absurd_clock(now: float) -> None:
    """Raises ConfigError for a time at which this version cannot be running."""
    if not RELEASED <= now < LATEST:
        said = time.strftime("%Y-%m-%d %H:%M", time.gmtime(now))
        raise ConfigError(
            f"the clock of this machine says {said} UTC, which cannot be: codes go by it, so nothing is served."
            " Set it, best by NTP (chrony or systemd-timesyncd)"
        )


class WallClock:
    """Compares the wall clock with one that only goes forward."""

    def __init__(self) -> None:
        self._difference: float | None = None

    def step_s(self, wall: float, monotonic: float) -> float | None:
        """By how much the wall clock was set since the last look, if by more than STEP_S seconds."""
        difference, before = wall - monotonic, self._difference
        self._difference = difference
        if before is None or abs(difference - before) < STEP_S:
            return None
        return difference - before
