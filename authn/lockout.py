"""Soft lockout: what failed logins do to the next ones.

At one place (a user, a client, a network there) a tally counts:

    OPEN --failure--> OPEN                     while failures <= free_failures
    OPEN --failure--> DELAYED(until)           afterwards; each failure doubles the delay, up to max_delay_s
    DELAYED --login--> refused                 neither judged nor counted
    DELAYED --right code--> DELAYED(unlock)    the first of two in a row; nothing tells it from a refusal
    DELAYED(unlock) --the very next code, and all else right--> OPEN    its owner was there
    DELAYED(unlock) --the very next code, something else wrong--> DELAYED    anew, and not to be opened so again
    DELAYED --until passed--> OPEN             failures are kept, so the next failure delays longer
    any --accept, or unlock--> OPEN            failures in a row forgotten

An Accept forgets the failures in a row and not those of the day: who guesses
where the owner logs in often gets no more of them for that. They go into a
bucket that empties evenly over a day, and a full one refuses as a delay does.

There is no permanent lock. A stranger who knows a name slows its owner down at
the place he guesses from, and nowhere else. Guesses spread over many places run
into a bucket as well: what strangers fail at one name (or from one network, at
all names) in a day is bounded, and a full bucket refuses strangers alone. A
stranger is who logs in from a network that this user has never come from with a
code. The two codes in a row open the door there, too.

The same wrong guess twice is one guess: a NAS repeats itself, a mail program has
an old password. It is refused without asking anybody, and not counted again.
"""

from dataclasses import dataclass, replace

from authn.instants import UnixSeconds
from authn.otp import TimeStep

DAY_S = 86400
MAX_UNLOCK_TRIES = 50
"""Codes looked at while a delay goes on. Two must be right in a row, so these are no guesses that let in."""
UNLOCK_WITHIN_S = 150
"""How long after the first of two codes in a row the second may come: one of 60 seconds is waited for."""
_EPOCH = UnixSeconds(0.0)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Failures that run out evenly: a whole bucket in a day."""

    level: float = 0.0
    at: UnixSeconds = _EPOCH

    def level_at(self, now: UnixSeconds, size: int) -> float:
        """What is in it at `now`. A clock put back empties nothing; one that was ahead by more than a day was wrong."""
        if self.at - now > DAY_S:
            return 0.0
        return max(0.0, self.level - max(0.0, now - self.at) * size / DAY_S)

    def is_full(self, now: UnixSeconds, size: int) -> bool:
        """Whether one more does not go in."""
        return self.room_at(now, size) == 0

    def room_at(self, now: UnixSeconds, size: int) -> int:
        """How many more go in at `now`."""
        return max(0, int(size - self.level_at(now, size)))

    def has_room_at(self, size: int) -> UnixSeconds:
        """From when on one more goes in."""
        return UnixSeconds(self.at + max(0.0, self.level - (size - 1)) * DAY_S / size)

    def with_one_more(self, now: UnixSeconds, size: int, most: int | None = None) -> "Bucket":
        """The bucket after one more failure. What does not go in is not kept, but up to `most` heaped upon it."""
        return Bucket(min(self.level_at(now, size) + 1, most or size), now)

    def is_heaped(self, now: UnixSeconds, size: int) -> bool:
        """Whether as much lies upon it as goes in."""
        return self.level_at(now, size) > 2 * size - 1


NO_BUCKET = Bucket()


@dataclass(frozen=True, slots=True)
class FirstCode:
    """The first of two codes in a row, shown while a delay goes on: whose token it is of, which step, and when."""

    token_id: int
    step: TimeStep
    at: UnixSeconds

    def is_fresh(self, now: UnixSeconds) -> bool:
        """Whether the second one may still come."""
        return 0 <= now - self.at < UNLOCK_WITHIN_S


@dataclass(frozen=True, slots=True)
class Tally:
    """Failures of one user at one place: in a row, over the day, and until when the next try must wait.

    `last_guess` is the keyed fingerprint of the newest wrong guess.
    """

    failures: int
    locked_until: UnixSeconds
    last_guess: bytes = b""
    first_code: FirstCode | None = None
    unlock_tries: int = 0
    day: Bucket = NO_BUCKET

    def is_waiting(self, now: UnixSeconds, policy: "LockoutPolicy") -> bool:
        """Whether a delay goes on at `now`. A clock that was put back makes none longer than it can be."""
        return 0 < self.locked_until - now < policy.max_delay_s + 1

    def is_delayed(self, now: UnixSeconds, policy: "LockoutPolicy") -> bool:
        """Whether logins are refused at `now`: by a delay, or because the day has had its failures."""
        return self.is_waiting(now, policy) or self.day.is_full(now, policy.failures_per_day)

    def waits_until(self, policy: "LockoutPolicy") -> UnixSeconds:
        """When the delay is over, unless its owner ends it."""
        return max(self.locked_until, self.day.has_room_at(policy.failures_per_day))

    def has_unlock_tries(self, now: UnixSeconds, policy: "LockoutPolicy") -> bool:
        """Whether codes are looked at while logins are refused. All used up, they come back when the delay is over."""
        return self.unlock_tries < MAX_UNLOCK_TRIES or not self.is_waiting(now, policy)

    def may_unlock(self, now: UnixSeconds) -> bool:
        """Whether a first code was shown just now, so that the owner seems to be there."""
        return self.first_code is not None and self.first_code.is_fresh(now)


NO_FAILURES = Tally(0, _EPOCH)


@dataclass(frozen=True, slots=True)
class LockoutPolicy:
    """How failures turn into delays, in seconds, and how many failures go into a bucket.

    Over any day at most twice a bucket is let through: a full one, and what runs out meanwhile.
    """

    free_failures: int = 5
    first_delay_s: int = 30
    max_delay_s: int = 900
    failures_per_day: int = 100
    strangers_per_user: int = 50
    strangers_per_network: int = 200


def after_failure(
    tally: Tally, policy: LockoutPolicy, now: UnixSeconds, guess: bytes = b"", *, by_unlock: bool = False
) -> Tally:
    """The tally once one more failure is counted; one that two codes in a row have brought ends that way for now."""
    failures = tally.failures + 1
    over = failures - policy.free_failures
    day = tally.day.with_one_more(now, policy.failures_per_day)
    if by_unlock:
        over = max(over, 1)
    if over <= 0:
        return Tally(failures, _EPOCH, guess, day=day)
    # The exponent is capped before the power: a tally of a million must not build a million-bit number.
    delay_s = min(policy.first_delay_s * 2 ** min(over - 1, 30), policy.max_delay_s)
    tries = MAX_UNLOCK_TRIES if by_unlock else 0
    return Tally(failures, UnixSeconds(now + delay_s), guess, unlock_tries=tries, day=day)


def after_accept(tally: Tally) -> Tally | None:
    """The tally once somebody was let in; None if it stays as it is."""
    if tally == NO_FAILURES or tally == Tally(0, _EPOCH, day=tally.day):
        return None
    return Tally(0, _EPOCH, day=tally.day)


def after_unlock_try(tally: Tally, policy: LockoutPolicy, now: UnixSeconds, first_code: FirstCode | None) -> Tally:
    """The tally after a code was looked at during a delay; a wrong one takes nothing from a right one before it.

    They come back when the delay is over. Where a full bucket refuses and no delay
    goes on, the last of them starts the longest one, so that they do at a bounded rate.
    """
    tries = tally.unlock_tries % MAX_UNLOCK_TRIES + 1
    locked_until = tally.locked_until
    if tries == MAX_UNLOCK_TRIES and not tally.is_waiting(now, policy):
        locked_until = UnixSeconds(now + policy.max_delay_s)
    return replace(tally, first_code=first_code or tally.first_code, unlock_tries=tries, locked_until=locked_until)


def unlocks(tally: Tally, token_id: int, step: TimeStep, now: UnixSeconds) -> bool:
    """Whether a right code is the second of two in a row."""
    first = tally.first_code
    return first is not None and first.is_fresh(now) and (token_id, step) == (first.token_id, first.step + 1)
