"""Delays and buckets: a machine of guesses, waits and owners, beside a model that foretells every verdict.

The model keeps lists of failures with their times and works out from them, anew at each login, who must wait. It
foretells the reason of each refusal, so nothing is counted that should not be, and nothing is forgotten too early.
"""

import hashlib
from base64 import b32encode
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise

import pyotp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from support.simulator import START, World, make_client

from authn.lockout import NO_FAILURES, Bucket, LockoutPolicy
from authn.otp import TotpParameters
from authn.policy import Policy
from authn.secret import Seed
from authn.verdict import Accept, Challenge, Reason, Reject

WINDOW, MOMENT_S, DAY_S, UNLOCK_TRIES, UNLOCK_S = 1, 30, 86400, 50, 150
ONE = make_client(41, "one", accept_repeats=False)
TWO = make_client(42, "two", accept_repeats=False, inputs=["prefix"])
ASKS = make_client(43, "asks", accept_repeats=False, inputs=["challenge"])
UNIFORM = make_client(44, "uniform", accept_repeats=False, inputs=["challenge"], uniform_challenge=True)
CLIENTS = (ONE, TWO)
HOME = "10.0.0.7"
STATIONS = {"10.0.0.7": "10.0.0", "10.0.0.99": "10.0.0", "10.0.1.7": "10.0.1", "Desk 5": "desk", None: ""}
"""Stations, and the place that each is at."""
RIGHT, WRONG = b"correct horse", b"wrong"
COUNTED = (Reason.WRONG_CODE, Reason.CLOCK_OFF, Reason.WRONG_PASSWORD, Reason.WRONG_PERIOD)

seen: Counter[str] = Counter()


@cache
def digits_of(step: int) -> str:
    """What the one device shows at a step; its seed is that of the world's first user."""
    return pyotp.HOTP(b32encode((1).to_bytes(20, "big")).decode(), digits=6, digest=hashlib.sha1).at(step)


def typed_at(client, password: bytes, digits: str) -> bytes:
    return digits.encode() + password if client is TWO else password + digits.encode()


@dataclass
class Place:
    """What failed at one client and place since somebody was let in there, and the unlocking of its newest delay."""

    failures: list[float] = field(default_factory=list)
    day: list[float] = field(default_factory=list)  # those too that an Accept has made forgotten
    newest_guess: tuple[bytes, int] | None = None
    first_code: tuple[int, float] | None = None
    unlock_tries: int = 0
    closed_until: float = 0.0  # once all of them were used up
    by_unlock: bool = False

    def waits_until(self, policy: LockoutPolicy) -> float:
        """The end of the newest delay."""
        over = max(len(self.failures) - policy.free_failures, int(self.by_unlock))
        if over <= 0:
            return self.closed_until
        delay_s = policy.first_delay_s
        for _ in range(over - 1):
            delay_s = min(2 * delay_s, policy.max_delay_s)
        return max(self.closed_until, self.failures[-1] + min(delay_s, policy.max_delay_s))

    def is_closed(self, now: float, policy: LockoutPolicy) -> bool:
        """Whether no code is looked at for this delay."""
        return self.unlock_tries >= UNLOCK_TRIES and now < self.waits_until(policy)


def level(times: list[float], size: int, now: float, heaped: frozenset[int] = frozenset()) -> float:
    """What is in a bucket that each failure went into and that empties evenly within a day.

    Those with the numbers of `heaped` may lie upon it, as much as goes in.
    """
    filled, at = 0.0, 0.0
    for number, one in enumerate(times):
        most = 2 * size if number in heaped else size
        filled, at = min(most, max(0.0, filled - max(0.0, one - at) * size / DAY_S) + 1), max(at, one)
    return max(0.0, filled - max(0.0, now - at) * size / DAY_S)


class Lockout(RuleBasedStateMachine):
    """One user, guesses from everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[tuple[int, str], Place] = {}
        self.known: set[str] = set()
        self.strangers: list[float] = []
        self.heaped: set[int] = set()
        self.of_place: dict[tuple[int, str], list[float]] = {}
        self.last_step = 0
        self.wrong = 0
        self.untouched_since_accept = True

    @initialize(
        lockout=st.builds(
            LockoutPolicy,
            free_failures=st.integers(0, 5),
            first_delay_s=st.sampled_from([10, 30]),
            max_delay_s=st.sampled_from([60, 240, 900]),
            strangers_per_user=st.sampled_from([2, 5, 50]),
            strangers_per_network=st.sampled_from([3, 8, 200]),
            failures_per_day=st.sampled_from([8, 30, 100]),
        ),
        knows_home=st.booleans(),
    )
    def begin(self, lockout, knows_home):
        self.lockout = lockout
        self.world = World(Policy(lockout=lockout))
        self.alice = self.world.enrol("alice", RIGHT)
        if knows_home:
            self.login(ONE, HOME, RIGHT, digits_of(self.step))
            self.world.pass_time(30)

    # The model

    @property
    def now(self) -> float:
        return self.world.now

    @property
    def step(self) -> int:
        return int(self.now // 30)

    def place(self, client, station) -> Place:
        return self.places.setdefault((client.id, STATIONS[station]), Place())

    def is_stranger(self, client, station) -> bool:
        return (STATIONS[station] or f"client {client.id}") not in self.known

    def code_step(self, digits: str) -> int | None:
        """The step of the window that digits are of."""
        drift = self.world.attempts.accounts["alice"].tokens[0].drift
        window = range(self.step + drift - WINDOW, self.step + drift + WINDOW + 1)
        return max((one for one in window if digits_of(one) == digits), default=None)

    def foretell(self, client, station, password, digits) -> Reason | None:
        """The reason of the refusal, or None for an Accept; and the books as they are afterwards."""
        here, now, key = self.place(client, station), self.now, (client.id, STATIONS[station])
        step, stranger = self.code_step(digits), self.is_stranger(client, station)
        fresh = step is not None and step > self.last_step and digits != digits_of(self.last_step)
        waiting, size, most = None, self.lockout.strangers_per_user, self.lockout.failures_per_day
        filled = level(self.strangers, size, now, frozenset(self.heaped))
        if now < here.waits_until(self.lockout) or level(here.day, most, now) > most - 1:
            waiting = Reason.LOCKED
        elif stranger and (
            filled > size - 1
            or (
                key[1]
                and level(self.of_place.get(key, []), self.lockout.strangers_per_network, now)
                > self.lockout.strangers_per_network - 1
            )
        ):
            waiting = Reason.STRANGERS
        if waiting is not None:
            first, for_good = here.first_code, stranger and filled > 2 * size - 1
            in_a_row = fresh and first is not None and step == first[0] + 1 and now - first[1] < UNLOCK_S
            closed = here.is_closed(now, self.lockout)
            if closed or for_good or not in_a_row:
                if not closed and not for_good:
                    here.first_code = (step, now) if fresh else first
                    here.unlock_tries = here.unlock_tries % UNLOCK_TRIES + 1
                    if here.unlock_tries == UNLOCK_TRIES and now >= here.waits_until(self.lockout):
                        here.closed_until = now + self.lockout.max_delay_s
                        seen["tries used up"] += 1
                self.counts_at_its_place(stranger, key)
                return waiting
            seen["two in a row"] += 1
        if step is not None and not fresh:
            return Reason.CODE_REPLAYED
        if not fresh and digits == digits_of(self.last_step):
            return Reason.OLD_CODE
        guess = (typed_at(client, password, digits), int(now // MOMENT_S))
        if here.newest_guess == guess:
            self.counts_at_its_place(stranger, key)
            return Reason.SAME_GUESS
        if fresh and password == RIGHT:
            self.places[key] = Place(day=here.day)
            self.known.add(key[1] or f"client {client.id}")
            self.last_step = step
            return None
        here.failures.append(now)
        here.day.append(now)
        here.by_unlock, here.closed_until = waiting is not None, 0.0
        here.newest_guess, here.first_code, here.unlock_tries = guess, None, UNLOCK_TRIES if here.by_unlock else 0
        if stranger:
            if here.by_unlock:
                self.heaped.add(len(self.strangers))
            self.strangers.append(now)
        self.counts_at_its_place(stranger, key)
        return Reason.WRONG_PASSWORD if fresh else Reason.WRONG_CODE

    def counts_at_its_place(self, stranger, key):
        """What tells of the user counts where a stranger did it, that a name be not told from none."""
        if stranger and key[1]:
            self.of_place.setdefault(key, []).append(self.now)

    def login(self, client, station, password, digits):
        """One login, judged and foretold."""
        foretold = self.foretell(client, station, password, digits)
        verdict = self.world.login("alice", typed_at(client, password, digits), client, station=station)
        if foretold is None:
            assert isinstance(verdict, Accept), f"expected to get in, got {verdict}"
            seen["accept"] += 1
            return verdict
        assert isinstance(verdict, Reject), f"expected {foretold}, got {verdict}"
        judged_code = (Reason.WRONG_CODE, Reason.CLOCK_OFF, Reason.WRONG_PERIOD)
        assert verdict.reason is foretold or (foretold is Reason.WRONG_CODE and verdict.reason in judged_code)
        seen[str(foretold)] += 1
        return verdict

    def tally(self, client, station):
        return self.world.attempts.tallies.get((1, client.id, self.world_place(station)), NO_FAILURES)

    def world_place(self, station):
        place = STATIONS[station]
        return f"{place}.0/24" if place.startswith("10.") else ("desk 5" if place == "desk" else place)

    def wrong_digits(self) -> str:
        near = {digits_of(one) for one in range(self.step - 70, self.step + 71)} | {digits_of(self.last_step)}
        while True:
            self.wrong += 1
            if f"{self.wrong:06d}" not in near:
                return f"{self.wrong:06d}"

    # What may happen

    @rule(client=st.sampled_from(CLIENTS), station=st.sampled_from(list(STATIONS)), times=st.integers(1, 8))
    def guess_codes(self, client, station, times):
        for _ in range(times):
            self.login(client, station, RIGHT, self.wrong_digits())

    @rule(client=st.sampled_from(CLIENTS), station=st.sampled_from(list(STATIONS)), times=st.integers(1, 3))
    def guess_one_code_again_and_again(self, client, station, times):
        digits = self.wrong_digits()
        for _ in range(times + 1):
            self.login(client, station, RIGHT, digits)
            self.world.pass_time(7)

    @rule(client=st.sampled_from(CLIENTS), station=st.sampled_from(list(STATIONS)), offset=st.integers(-2, 2))
    def guess_a_password(self, client, station, offset):
        self.login(client, station, WRONG + b"%d" % self.wrong, digits_of(self.step + offset))

    @rule(client=st.sampled_from(CLIENTS), station=st.sampled_from(list(STATIONS)), offset=st.integers(-1, 1))
    def owner_logs_in(self, client, station, offset):
        self.login(client, station, RIGHT, digits_of(self.step + offset))

    @rule(
        client=st.sampled_from(CLIENTS),
        station=st.sampled_from(list(STATIONS)),
        steps=st.lists(st.integers(-1, 1), min_size=2, max_size=7),
        wrong_last=st.booleans(),
        seconds=st.sampled_from([0, 1, 30]),
    )
    def codes_while_waiting(self, client, station, steps, wrong_last, seconds):
        """Right codes in any order, once in a while a wrong password; two in a row among them or not."""
        for number, offset in enumerate(steps):
            last = number == len(steps) - 1
            self.login(client, station, WRONG if last and wrong_last else RIGHT, digits_of(self.step + offset))
            self.world.pass_time(seconds)

    @rule(client=st.sampled_from(CLIENTS), station=st.sampled_from(list(STATIONS)))
    def owner_unlocks(self, client, station):
        """Two codes in a row open any door, if not too many were tried at it."""
        self.world.pass_time(60)
        here = self.place(client, station)
        had_tries = not here.is_closed(self.now, self.lockout)
        first = self.login(client, station, RIGHT, digits_of(self.step))
        if not isinstance(first, Accept):
            second = self.login(client, station, RIGHT, digits_of(self.step + 1))
            if (
                had_tries
                and first.reason in (Reason.LOCKED, Reason.STRANGERS)
                and not here.is_closed(self.now, self.lockout)
            ):
                assert isinstance(second, Accept)

    @rule(station=st.sampled_from(list(STATIONS)), client=st.sampled_from(CLIENTS))
    def owner_at_a_known_place_where_nothing_failed_gets_in(self, station, client):
        """Whatever strangers did from anywhere else, and at other clients."""
        self.world.pass_time(60)
        if not self.is_stranger(client, station) and not self.place(client, station).failures:
            assert isinstance(self.login(client, station, RIGHT, digits_of(self.step)), Accept)
            seen["at home"] += 1

    @rule(seconds=st.one_of(st.integers(0, 70), st.sampled_from([120, 300, 900, 3600, 20000, DAY_S])))
    def pass_time(self, seconds):
        self.world.pass_time(seconds)

    @invariant()
    def the_books_agree(self):
        """Failures are counted at one place each, the newest delay stands, no delay is longer than its bound."""
        if not hasattr(self, "world"):
            return
        for client in CLIENTS:
            for station in STATIONS:
                here, tally = self.place(client, station), self.tally(client, station)
                assert tally.failures == len(here.failures)
                assert tally.locked_until == here.waits_until(self.lockout)
                assert tally.locked_until - self.now <= self.lockout.max_delay_s
        account = self.world.attempts.accounts["alice"]
        size = self.lockout.strangers_per_user
        filled = level(self.strangers, size, self.now, frozenset(self.heaped))
        assert account.strangers.level_at(self.now, size) == pytest.approx(filled)
        assert account.tokens[0].last_step == self.last_step


def test_every_verdict_is_as_foretold():
    seen.clear()
    run = settings(max_examples=250, stateful_step_count=30, derandomize=True)
    run_state_machine_as_test(Lockout, settings=run)
    print("\n" + ", ".join(f"{number} {name}" for name, number in sorted(seen.items())))
    reasons = {"locked", "strangers", "same_guess", "wrong_code", "wrong_password", "code_replayed", "old_code"}
    assert reasons | {"accept", "two in a row", "at home"} <= set(seen)


# Two codes in a row, one thing at a time


@pytest.fixture
def world():
    """A user who has to wait at HOME, at client ONE, for half a minute or more."""
    return delayed_world()


def delayed_world(client=ONE, policy=None, failures=6):
    world = World(policy)
    alice = world.enrol("alice", RIGHT)
    for number in range(failures):
        world.login("alice", typed_at(client, WRONG + b"%d" % number, alice.code_at().decode()), client, station=HOME)
    return world


def code(offset: int) -> str:
    return digits_of(int(START // 30) + offset)


def try_all(world, *codes, password=RIGHT, client=ONE):
    return [world.login("alice", typed_at(client, password, one), client, station=HOME) for one in codes]


LOCKED = Reject(Reason.LOCKED)


def test_two_codes_in_a_row_let_in_and_clear(world):
    assert try_all(world, code(0), code(1)) == [LOCKED, Accept()]
    assert world.attempts.tallies[1, ONE.id, "10.0.0.0/24"] == replace(
        NO_FAILURES, day=world.attempts.tallies[1, ONE.id, "10.0.0.0/24"].day
    )


def test_one_code_twice_does_not(world):
    assert try_all(world, code(0), code(0)) == [LOCKED] * 2


def test_two_codes_apart_do_not(world):
    assert try_all(world, code(-1), code(1), code(-1), code(1)) == [LOCKED] * 4


def test_two_codes_backwards_do_not(world):
    assert try_all(world, code(1), code(0), code(-1)) == [LOCKED] * 3


def test_a_wrong_code_in_between_takes_nothing_away(world):
    """Else who guesses at the same place would break every row."""
    assert try_all(world, code(0), "000000", code(1)) == [LOCKED, LOCKED, Accept()]


def test_a_wrong_password_at_the_second_code_lets_nobody_in_and_counts(world):
    [first] = try_all(world, code(0))
    [second] = try_all(world, code(1), password=b"other")
    assert (first, second) == (LOCKED, Reject(Reason.WRONG_PASSWORD))
    assert world.attempts.tallies[1, ONE.id, "10.0.0.0/24"].failures == 7
    assert world.attempts.accounts["alice"].tokens[0].last_step == 0


@pytest.mark.parametrize(("tried", "lets_in"), [(48, True), (49, False), (50, False), (51, False)])
def test_fifty_codes_are_looked_at_in_one_delay(world, tried, lets_in):
    try_all(world, *[f"{number:06d}" for number in range(tried)])
    assert isinstance(try_all(world, code(0), code(1))[1], Accept) is lets_in


def test_the_next_delay_has_as_many_again(world):
    try_all(world, *[f"{number:06d}" for number in range(60)])
    world.pass_time(30)
    [counted] = try_all(world, "000099")
    assert counted == Reject(Reason.WRONG_CODE)
    assert try_all(world, code(1), code(2)) == [LOCKED, Accept()]


@given(st.lists(st.sampled_from([-1, 0, 1, None]), min_size=1, max_size=9))
@settings(max_examples=200, derandomize=True)
def test_only_two_in_a_row_open(offsets):
    """Any row of right and wrong codes during one delay."""
    world = delayed_world()
    row = ["000000" if one is None else code(one) for one in offsets]
    rights = [(at, one) for at, one in enumerate(offsets) if one is not None]
    opens_at = next((at for (_, one), (at, two) in pairwise(rights) if two == one + 1), None)
    verdicts = try_all(world, *row)
    assert [at for at, one in enumerate(verdicts) if isinstance(one, Accept)][:1] == (
        [] if opens_at is None else [opens_at]
    )


def test_a_stolen_device_does_not_get_around_the_delay():
    """Who holds the device can show two codes in a row; the password is guessed no faster for it.

    With the same two codes over and over, as a wrong password spends none.
    """
    world = delayed_world()
    checked = len(world.checks)
    for number in range(100):
        try_all(world, code(-1))
        try_all(world, code(0), password=b"guess %d" % number)
    assert len(world.checks) - checked <= 1, "passwords were checked during a delay, as many as anybody likes"


def test_codes_of_two_devices_are_not_two_in_a_row():
    """Step n of one device and step n + 1 of another are not what one owner reads off one display."""
    world = delayed_world()
    first = world.attempts.accounts["alice"].tokens[0]
    other = replace(first, id=99, seed=Seed(b"another seed, 20 oct"), parameters=TotpParameters())
    world.attempts.accounts["alice"] = replace(world.attempts.accounts["alice"], tokens=(first, other))
    foreign = pyotp.HOTP(b32encode(b"another seed, 20 oct").decode(), digits=6, digest=hashlib.sha1)
    assert try_all(world, code(0), foreign.at(int(START // 30) + 1)) == [LOCKED] * 2


def test_two_codes_in_a_row_open_the_door_where_a_code_is_asked_for_at_a_prompt():
    """Its owner has no other way to show a code there than the prompt, or password and code in the one field."""
    assert let_in_by_two_in_a_row(ASKS)


def test_two_codes_in_a_row_open_the_door_at_a_uniform_challenge():
    assert let_in_by_two_in_a_row(UNIFORM)


def let_in_by_two_in_a_row(client) -> bool:
    """Whether three codes in a row let the owner in during a long delay: at the prompt, or behind the password."""
    for at_prompt in (True, False):
        world = World(Policy(lockout=LockoutPolicy(first_delay_s=900)))
        alice = world.enrol("alice", RIGHT)
        for number in range(6):
            world.login("alice", WRONG + b"%d" % number, client, station=HOME)
        for _ in range(3):
            typed = RIGHT if at_prompt else RIGHT + alice.code_at()
            verdict = world.login("alice", typed, client, station=HOME)
            if at_prompt and isinstance(verdict, Challenge):
                verdict = world.answer("alice", alice.code_at(), verdict, client, station=HOME)
            if isinstance(verdict, Accept):
                return True
            world.pass_time(30)
    return False


def test_a_stranger_whose_owner_travels_opens_the_door_too():
    """The bucket is full; two codes in a row let the owner in from a place never seen before, which is known then."""
    world = World(Policy(lockout=LockoutPolicy(strangers_per_user=5)))
    alice = world.enrol("alice", RIGHT)
    for number in range(5):
        world.login("alice", typed_at(ONE, RIGHT, f"{number:06d}"), ONE, station=f"10.7.{number}.1")
    assert try_all(world, code(0), code(1)) == [Reject(Reason.STRANGERS), Accept()]
    world.pass_time(60)
    assert world.login("alice", alice.password + alice.code_at(), ONE, station=HOME) == Accept()


def fill_the_bucket_of_strangers(world):
    for guess in range(2 * world.policy.lockout.strangers_per_user):
        world.login("alice", b"wrong" + f"{guess:06d}".encode(), ONE, station=f"203.0.{guess}.7")


def two_in_a_row(world, password=RIGHT):
    """The verdict of the second."""
    step = int(world.now // 30)
    world.login("alice", typed_at(ONE, RIGHT, digits_of(step)), ONE, station=HOME)
    return world.login("alice", typed_at(ONE, password, digits_of(step + 1)), ONE, station=HOME)


@pytest.mark.parametrize("spoil", ["a typo", "junk"])
def test_behind_a_full_bucket_the_owner_may_try_again_after_a_delay(world, spoil):
    """Nothing is counted there that would begin a delay anew, so the tries come back by themselves."""
    world.pass_time(60)
    fill_the_bucket_of_strangers(world)
    if spoil == "a typo":
        assert two_in_a_row(world, password=WRONG) == Reject(Reason.WRONG_PASSWORD)
    else:
        for guess in range(UNLOCK_TRIES):
            world.login("alice", b"wrong" + f"{guess:06d}".encode(), ONE, station=HOME)
    assert two_in_a_row(world) == LOCKED
    world.pass_time(world.policy.lockout.max_delay_s)
    assert two_in_a_row(world) == Accept()


def test_behind_a_full_bucket_codes_are_looked_at_at_a_bounded_rate(world):
    world.pass_time(60)
    fill_the_bucket_of_strangers(world)
    key, looked_at = (1, ONE.id, "10.0.0.0/24"), 0
    for _ in range(2):
        for guess in range(3 * UNLOCK_TRIES):
            before = world.attempts.tallies[key]
            world.login("alice", b"wrong" + f"{guess:06d}".encode(), ONE, station=HOME)
            looked_at += world.attempts.tallies[key] != before
        world.pass_time(world.policy.lockout.max_delay_s)
    assert looked_at == 2 * UNLOCK_TRIES


def test_where_codes_are_asked_for_at_a_prompt_as_few_are_looked_at(world):
    for guess in range(6):
        world.login("alice", b"wrong %d" % guess, ASKS, station=HOME)
    for guess in range(UNLOCK_TRIES):
        world.login("alice", b"wrong" + f"{guess:06d}".encode(), ASKS, station=HOME)
    assert world.attempts.tallies[1, ASKS.id, "10.0.0.0/24"].unlock_tries == UNLOCK_TRIES


def test_failures_while_the_clock_was_years_ahead_fill_no_bucket_for_years(world):
    known, policy = world.now, world.policy.lockout
    bucket = Bucket()
    for _ in range(policy.failures_per_day):
        bucket = bucket.with_one_more(known + 10 * 365 * DAY_S, policy.failures_per_day)
    assert bucket.is_full(known + 10 * 365 * DAY_S, policy.failures_per_day)
    assert bucket.level_at(known, policy.failures_per_day) == 0


def test_a_slip_after_the_clock_was_put_back_runs_out_within_a_day():
    ahead = Bucket().with_one_more(START + 3600, 10)
    slip = ahead.with_one_more(START, 10)
    assert slip.level_at(START, 10) == 2
    assert slip.level_at(START + DAY_S, 10) == 0


def test_a_clock_set_back_does_not_make_a_delay_longer_than_its_bound():
    """The clock ran two hours ahead and was put right: nobody waits two hours for that."""
    world = delayed_world()
    world.pass_time(-7200)
    world.pass_time(LockoutPolicy().max_delay_s)
    assert try_all(world, digits_of(int(world.now // 30))) == [Accept()]
