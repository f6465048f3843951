"""Soft lockout: what failed logins do to the next ones.

    OPEN --failure--> OPEN               while failures <= free_failures
    OPEN --failure--> DELAYED(until)     afterwards; each failure doubles the delay, up to max_delay_s
    DELAYED --login--> refused unlooked  the guess is not judged, and not counted
    DELAYED --until passed--> OPEN       failures are kept, so the next failure delays longer
    any --accept, or unlock--> OPEN      failures forgotten

There is no permanent lock: a stranger who knows a name can slow its owner down
at the client he uses, never shut him out for good. Tallies are kept per user
and client, so what happens at one client does not touch another.
"""

from dataclasses import dataclass

from authn.instants import UnixSeconds


@dataclass(frozen=True, slots=True)
class Tally:
    """Failures in a row of one user at one client, and until when the next try must wait."""

    failures: int
    locked_until: UnixSeconds

    def is_delayed(self, now: UnixSeconds) -> bool:
        """Whether logins are refused unlooked at `now`."""
        return now < self.locked_until


NO_FAILURES = Tally(0, UnixSeconds(0.0))


@dataclass(frozen=True, slots=True)
class LockoutPolicy:
    """How failures turn into delays. All times in seconds."""

    free_failures: int = 5
    first_delay_s: int = 30
    max_delay_s: int = 900


def after_failure(tally: Tally, policy: LockoutPolicy, now: UnixSeconds) -> Tally:
    """The tally once one more failure is counted."""
    failures = tally.failures + 1
    over = failures - policy.free_failures
    if over <= 0:
        return Tally(failures, tally.locked_until)
    # The exponent is capped before the power: a tally of a million must not build a million-bit number.
    delay_s = min(policy.first_delay_s * 2 ** min(over - 1, 30), policy.max_delay_s)
    return Tally(failures, UnixSeconds(now + delay_s))
