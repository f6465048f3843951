"""Soft lockout: what failed logins do to the next ones.

At one place (a user, a client, a network there) a tally counts:

    OPEN --failure--> OPEN                     while failures <= free_failures
    OPEN --failure--> DELAYED(until)           afterwards; each failure doubles the delay, up to max_delay_s
    DELAYED --login--> refused                 neither judged nor counted
    DELAYED --right code--> DELAYED(step)      the first of two in a row; nothing tells it from a refusal
    DELAYED(step) --code of step + 1, and all else right--> OPEN    its owner was there
    DELAYED --until passed--> OPEN             failures are kept, so the next failure delays longer
    any --accept, or unlock--> OPEN            failures forgotten

There is no permanent lock. A stranger who knows a name slows its owner down at
the place he guesses from, and nowhere else. Guesses spread over many places run
into a bucket: what strangers fail at one name (or from one network, at all
names) in a day is bounded, and a full bucket refuses strangers alone. A stranger
is who logs in from a network that this user has never come from. The two codes
in a row open the door there, too.

The same wrong guess twice is one guess: a NAS repeats itself, a mail program has
an old password. It is refused without asking anybody, and not counted again.
"""

from dataclasses import dataclass, replace

from authn.instants import UnixSeconds
from authn.otp import TimeStep

DAY_S = 86400
_EPOCH = UnixSeconds(0.0)
MAX_UNLOCK_TRIES = 6
"""Codes looked at while a delay goes on. Two must be right in a row, so these are no guesses that let in."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Failures in a row of one user at one place, and until when the next try must wait.

    `last_guess` is the keyed fingerprint of the newest wrong guess.
    """

    failures: int
    locked_until: UnixSeconds
    last_guess: bytes = b""
    unlock_step: TimeStep | None = None
    unlock_tries: int = 0

    def is_delayed(self, now: UnixSeconds) -> bool:
        """Whether logins are refused at `now`."""
        return now < self.locked_until


NO_FAILURES = Tally(0, _EPOCH)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Failures of strangers. It empties evenly, a whole bucket in a day."""

    level: float = 0.0
    at: UnixSeconds = _EPOCH

    def level_at(self, now: UnixSeconds, size: int) -> float:
        """What is in it at `now`. A clock that goes back empties nothing."""
        return max(0.0, self.level - max(0.0, now - self.at) * size / DAY_S)

    def is_full(self, now: UnixSeconds, size: int) -> bool:
        """Whether one more does not go in."""
        return self.level_at(now, size) > size - 1

    def with_one_more(self, now: UnixSeconds, size: int) -> "Bucket":
        """The bucket after one more failure."""
        return Bucket(min(self.level_at(now, size) + 1, size), max(now, self.at))


@dataclass(frozen=True, slots=True)
class LockoutPolicy:
    """How failures turn into delays, in seconds, and how many failures of strangers go into a bucket.

    Over any day at most twice a bucket is let through: a full one, and what runs out meanwhile.
    """

    free_failures: int = 5
    first_delay_s: int = 30
    max_delay_s: int = 900
    strangers_per_user: int = 50
    strangers_per_network: int = 200


def after_failure(tally: Tally, policy: LockoutPolicy, now: UnixSeconds, guess: bytes = b"") -> Tally:
    """The tally once one more failure is counted."""
    failures = tally.failures + 1
    over = failures - policy.free_failures
    if over <= 0:
        return Tally(failures, tally.locked_until, guess)
    # The exponent is capped before the power: a tally of a million must not build a million-bit number.
    delay_s = min(policy.first_delay_s * 2 ** min(over - 1, 30), policy.max_delay_s)
    return Tally(failures, UnixSeconds(now + delay_s), guess)


def after_unlock_try(tally: Tally, step: TimeStep | None) -> Tally:
    """The tally after a code was looked at during a delay; `step` is that of a right one."""
    return replace(tally, unlock_step=step, unlock_tries=tally.unlock_tries + 1)


def unlocks(tally: Tally, step: TimeStep) -> bool:
    """Whether a right code is the second of two in a row."""
    return tally.unlock_step is not None and step == tally.unlock_step + 1
