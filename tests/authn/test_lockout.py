"""Failures delay; they never shut out for good."""

from hypothesis import given
from hypothesis import strategies as st

from authn.instants import UnixSeconds
from authn.lockout import NO_FAILURES, LockoutPolicy, after_failure

POLICY = LockoutPolicy(free_failures=3, first_delay_s=10, max_delay_s=60)
NOW = UnixSeconds(1000.0)


def delays(count):
    """The delay after each of so many failures at one moment."""
    tally, found = NO_FAILURES, []
    for _ in range(count):
        tally = after_failure(tally, POLICY, NOW)
        found.append(tally.locked_until - NOW if tally.locked_until else 0)
    return found


def test_the_first_failures_are_free_and_then_each_doubles_the_delay_up_to_a_bound():
    assert delays(8) == [0, 0, 0, 10, 20, 40, 60, 60]


@given(st.integers(0, 10**9))
def test_no_delay_is_longer_than_the_bound(failures):
    tally = after_failure(type(NO_FAILURES)(failures, UnixSeconds(0)), POLICY, NOW)
    assert tally.locked_until <= NOW + POLICY.max_delay_s
    assert not tally.is_delayed(UnixSeconds(NOW + POLICY.max_delay_s), POLICY)


def test_guesses_per_day_stay_under_the_stated_bound():
    """With the defaults, somebody who guesses without pause gets at most 110 tries a day at one client."""
    policy, tally, now, tries = LockoutPolicy(), NO_FAILURES, 0.0, 0
    while now < 86400:
        if tally.is_delayed(UnixSeconds(now), policy):
            now = tally.waits_until(policy)
            continue
        tally = after_failure(tally, policy, UnixSeconds(now))
        tries += 1
    assert tries <= 110
