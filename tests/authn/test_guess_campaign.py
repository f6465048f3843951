"""Days of guessing, played through: how many guesses at a code are judged, against the bound that the policy promises.

Who guesses here knows the password and knows, too, when the next guess will be judged, so none is wasted. A guess is
judged if the right code in its place would have let in. That is asked of the rules themselves, beside each guess.

The bounds of `LockoutPolicy`, with its defaults:

- At one place that the user comes from, at one client: 5 free failures, the one that starts the first delay, then one
  after each delay of 30, 60, 120, 240, 480 s and of 900 s from there on: 105 on the first day, 96 on each later one.
  Another client is another tally: three clients there make three times as many.
- From everywhere else together, at all clients: a bucket of 50, which empties once a day: 100 in any day, and 50 a day
  in the long run.
- A login of the owner at the very place, at that client, forgets the failures in a row there: 10 guesses more for each,
  since a run that begins anew has at most 10 more than one guess for each 900 s, whenever it ends. Not those of the
  day: never more than 200 in any day, however often the owner logs in.

A guess at a token of the time is one of 10^6, and right for 2 * window + 1 = 3 steps.
"""

import heapq
import itertools
from collections import Counter
from dataclasses import dataclass

import pytest
from support.handled import Nas
from support.simulator import LAB, START, World, make_client

from authn.authenticate import Login, authenticate
from authn.decide import decide
from authn.exemption import ExemptionKind
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding, Keeper
from authn.lockout import LockoutPolicy
from authn.otp import HotpParameters, TotpParameters
from authn.places import place_of
from authn.verdict import Accept, Challenge, Prompt, Reason, Reject
from radius_wire import attributes
from radius_wire.packet import parse

DAY_S = 86400
STEPS, CODES = 3, 10**6
PLACES = 2000
HOME, OFFICE, ELSEWHERE = "10.0.0.7", "10.0.9.7", "203.0.113.9"
SECOND = make_client(52, "second", inputs=["prefix"])
THIRD = make_client(53, "third", inputs=["separator"])
NO_STATIONS = make_client(54, "no-stations")
ASKS = make_client(55, "asks", inputs=["challenge"])
PASSWORD_ONLY = make_client(56, "password-only", inputs=["password-only"])
SHADOW = make_client(57, "shadow", shadow_until=START + 30 * DAY_S)
PREFIXED, SEPARATED = (SECOND.id,), (THIRD.id,)
NOT_JUDGED = (Reason.LOCKED, Reason.STRANGERS, Reason.POLICY, Reason.SAME_GUESS, Reason.CODE_REPLAYED, Reason.OLD_CODE)


def at_known_place(policy: LockoutPolicy, seconds: float, owner_logins: int = 0) -> int:
    """The most guesses judged at one client and place where strangers are not counted."""
    ramp, delay_s = [], policy.first_delay_s
    while delay_s < policy.max_delay_s:
        ramp.append(delay_s)
        delay_s *= 2
    free = [0] * (policy.free_failures + 1)  # the last of them starts the first delay
    quick = [sum(ramp[:at]) for at in range(1, len(ramp))]
    slow = range(sum(ramp), int(seconds), policy.max_delay_s)
    return sum(at < seconds for at in (*free, *quick, *slow)) + owner_logins * (len(free) + len(quick))


def by_strangers(policy: LockoutPolicy, seconds: float) -> int:
    """The most guesses judged from all places that the user has never come from."""
    return policy.strangers_per_user + int(policy.strangers_per_user * seconds // DAY_S)


def test_the_bounds_are_the_documented_ones():
    policy = LockoutPolicy()
    assert [at_known_place(policy, days * DAY_S) for days in (1, 2, 3)] == [105, 201, 297]
    assert [by_strangers(policy, days * DAY_S) for days in (1, 2, 3)] == [100, 150, 200]
    assert by_strangers(policy, DAY_S) == 2 * policy.strangers_per_user


def field_of(client, password: bytes, code: bytes) -> bytes:
    """A field as this client's users type it."""
    if client.id in PREFIXED:
        return code + password
    return password + (b"," if client.id in SEPARATED else b"") + code


@dataclass
class Spot:
    """Where somebody guesses: a client, the stations taken in turn, at prompts or not, one guess again and again."""

    client: object
    stations: list[str | None]
    prompts: bool = False
    always: bytes | None = None
    turn: int = 0


class Campaign:
    """One user, who logs in now and then, and guesses at every moment when one would be judged."""

    def __init__(self, spots: list[Spot], days: int, *, owner_at: tuple = (), known: tuple = ()):
        """The owner has been at `known` before and goes on to log in at `owner_at`, at each client and place."""
        self.world = World()
        self.lockout = self.world.policy.lockout
        self.alice = self.world.enrol("alice")
        self.guesses = (b"%06d" % (number * 7919 % CODES) for number in itertools.count(1))
        self.judged: list[tuple[float, Spot]] = []
        self.verdicts: Counter[str] = Counter()
        self.owner: Counter[str] = Counter()
        self.order = itertools.count()
        self.queue: list = []
        for client, station in ((LAB, OFFICE), *owner_at, *known):
            self._owner_logs_in(client, station)
            self.world.pass_time(60)
        self.begin = self.world.now
        self.end = self.begin + days * DAY_S
        for spot in spots:
            self._at(self.begin, self._guess, spot)
        for at in range(600, days * DAY_S, 3 * 3600):
            self._at(self.begin + at, self._owner_everywhere_else, None)
        for number, at in enumerate(range(7000, days * DAY_S, 6 * 3600)):
            if owner_at:
                self._at(self.begin + at, self._owner_at_that_very_place, owner_at[number % len(owner_at)])

    def _at(self, when, what, argument):
        heapq.heappush(self.queue, (when, next(self.order), what, argument))

    def run(self):
        """Play it to its end."""
        self._until(self.end)
        return self

    def _until(self, when):
        while self.queue and self.queue[0][0] < when:
            at, _, what, argument = heapq.heappop(self.queue)
            self.world.now = max(self.world.now, at)
            what(argument)
        self.world.now = max(self.world.now, when)

    # The owner

    def _owner_logs_in(self, client, station):
        verdict = self.world.login(
            "alice", field_of(client, self.alice.password, self.alice.code_at()), client, station=station
        )
        assert verdict == Accept(), (client.name, station, verdict)

    def _owner_everywhere_else(self, _):
        """At a known place where nobody guesses every login gets in, at once, in one field or at a prompt."""
        self._owner_logs_in(LAB, OFFICE)
        self.world.pass_time(30)
        prompt = self.world.login("alice", self.alice.password, ASKS, station=OFFICE)
        assert isinstance(prompt, Challenge), prompt
        assert self.world.answer("alice", self.alice.code_at(), prompt, ASKS, station=OFFICE) == Accept()
        self.owner["at once"] += 2

    def _owner_at_that_very_place(self, where):
        """Where somebody guesses without pause the owner shows two codes in a row; a counted guess may come between."""
        client, station = where
        for number in range(6):
            typed = field_of(client, self.alice.password, self.alice.code_at())
            verdict = self.world.login("alice", typed, client, station=station)
            if isinstance(verdict, Accept):
                self.owner[f"with {number + 1} codes"] += 1
                self.owner["where they guess"] += 1
                return
            assert verdict == Reject(Reason.LOCKED), verdict
            self._until(self.world.now + 30)
        raise AssertionError("six codes did not open the owner's own door")

    # Who guesses

    def _guess(self, spot):
        """As many guesses as are judged now, and the moment of the next one."""
        while True:
            station = spot.stations[spot.turn % len(spot.stations)]
            spot.turn += 1
            if spot.prompts:
                verdict = self._at_a_prompt(spot, station)
            else:
                code = spot.always or next(self.guesses)
                typed = field_of(spot.client, self.alice.password, code)
                verdict = self._try(spot, station, typed, self._right(spot.client))
            reason = verdict.reason if isinstance(verdict, Reject) else None
            if reason is Reason.LOCKED and len(spot.stations) > 1 and spot.turn % len(spot.stations):
                continue
            if reason in (Reason.LOCKED, Reason.STRANGERS):
                self._at(self._next_moment(spot, reason), self._guess, spot)
                return
            if reason is Reason.SAME_GUESS:
                self._at((self.world.now // 30 + 1) * 30, self._guess, spot)
                return

    def _right(self, client):
        """What would have been right: the owner never types the code of the next step."""
        return field_of(client, self.alice.password, self.alice.code_at(30))

    def _at_a_prompt(self, spot, station):
        verdict = self.world.login("alice", self.alice.password, spot.client, station=station)
        if not isinstance(verdict, Challenge):
            self.verdicts[str(verdict.reason)] += 1
            return verdict
        state = self.world.states.seal(verdict.opening, "alice", spot.client)
        conversation = self.world.states.open(state, "alice", spot.client)
        for _ in range(3):
            code = spot.always or next(self.guesses)
            verdict = self._try(spot, station, code, self.alice.code_at(30), conversation)
            if isinstance(verdict, Reject):
                break
        return verdict

    def _try(self, spot, station, typed, right, conversation=None):
        would_let_in = self._would_let_in(spot.client, station, right, conversation)
        verdict = self.world.login("alice", typed, spot.client, station=station, conversation=conversation)
        assert not isinstance(verdict, Accept), "guessed right, once in a million: choose other guesses"
        reason = verdict.reason if isinstance(verdict, Reject) else verdict.because
        self.verdicts[str(reason)] += 1
        if reason not in NOT_JUDGED:
            assert would_let_in, f"counted as a guess, though the right code would not have let in: {reason}"
            self.judged.append((self.world.now, spot))
        elif reason is not Reason.SAME_GUESS:
            assert not would_let_in, f"{reason}, though the right code would have let in"
        return verdict

    def _would_let_in(self, client, station, right, conversation):
        request = self.world.request("alice", right, client, station=station, conversation=conversation)
        [account] = self.world.attempts.load([request])
        checked = CheckedPassword(Finding.PASSED, Keeper(verifier=account.verifier))
        return isinstance(decide(request, account, checked, self.world.policy).verdict, Accept)

    def _next_moment(self, spot, reason):
        """When a guess will be judged again, as nobody outside can know but guess."""
        world, ends = self.world, []
        for station in spot.stations:
            tally = world.attempts.tallies.get((1, spot.client.id, place_of(station)))
            ends.append(tally.waits_until(self.lockout) + 0.001 if tally else 0.0)
        soonest = min(ends)
        if reason is Reason.STRANGERS:
            bucket, size = world.attempts.accounts["alice"].strangers, self.lockout.strangers_per_user
            soonest = max(soonest, bucket.at + (bucket.level - size + 1) * DAY_S / size + 0.001)
        return max(soonest, world.now + 0.001)

    # The account

    def in_any_day(self):
        """The most guesses judged within a day, wherever it begins."""
        times = [at for at, _ in self.judged]
        first = most = 0
        for last, at in enumerate(times):
            while at - times[first] >= DAY_S:
                first += 1
            most = max(most, last - first + 1)
        return most


def many_places(count=PLACES):
    return [f"100.{64 + at // 250}.{at % 250}.1" for at in range(count)]


def strangers_at(client, **more):
    return Spot(client, [ELSEWHERE], **more)


KINDS = {
    # name: spots, places and clients where the owner logs in too, how many of the spots are known places, strangers?
    "a one place": (lambda: [strangers_at(LAB)], (), 0, True),
    "b 2000 places": (lambda: [Spot(LAB, many_places())], (), 0, True),
    "c three clients": (lambda: [strangers_at(one) for one in (LAB, SECOND, THIRD)], (), 0, True),
    "d no stations, nobody of the house there": (lambda: [Spot(NO_STATIONS, [None])], (), 0, True),
    "d no stations, the owner uses it": (lambda: [Spot(NO_STATIONS, [None])], ((NO_STATIONS, None),), 1, False),
    "e prompts": (lambda: [strangers_at(ASKS, prompts=True)], (), 0, True),
    "e prompts from 2000 places": (lambda: [Spot(ASKS, many_places(), prompts=True)], (), 0, True),
    "f at home": (lambda: [Spot(LAB, [HOME])], ((LAB, HOME),), 1, False),
    "f at home, three clients": (
        lambda: [Spot(one, [HOME]) for one in (LAB, SECOND, THIRD)],
        ((LAB, HOME), (SECOND, HOME), (THIRD, HOME)),
        3,
        False,
    ),
    "g one guess over and over": (lambda: [strangers_at(LAB, always=b"000001")], (), 0, True),
    "g one guess over and over at home": (lambda: [Spot(LAB, [HOME], always=b"000001")], ((LAB, HOME),), 1, False),
    "h all of it": (
        lambda: [
            strangers_at(LAB),
            Spot(LAB, many_places()),
            strangers_at(SECOND),
            strangers_at(THIRD),
            Spot(NO_STATIONS, [None]),
            strangers_at(ASKS, prompts=True),
            Spot(LAB, [HOME]),
            strangers_at(LAB, always=b"000001"),
        ],
        ((LAB, HOME),),
        1,
        True,
    ),
}


@pytest.mark.parametrize("days", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_no_campaign_has_more_guesses_judged_than_promised(kind, days):
    spots, owner_at, known, are_strangers = KINDS[kind]
    campaign = Campaign(spots(), days, owner_at=owner_at).run()
    policy = campaign.lockout
    logins = campaign.owner["where they guess"]

    def bound(days):
        most = by_strangers(policy, days * DAY_S) if are_strangers else 0
        most += (known - 1) * at_known_place(policy, days * DAY_S) if known else 0
        return most + (at_known_place(policy, days * DAY_S, owner_logins=4 * days) if known else 0)

    judged = len(campaign.judged)
    print(
        f"\n{kind}, {days} d: {judged} judged, bound {bound(days)}; {campaign.in_any_day()} in a day, bound {bound(1)},"
        f" P <= {bound(1) * STEPS / CODES:.6f} a day; {dict(campaign.owner)}; {dict(campaign.verdicts)}"
    )
    assert judged <= bound(days)
    assert campaign.in_any_day() <= bound(1)
    assert judged > 0.9 * bound(days), "whoever guessed here did not try hard enough to prove anything"
    assert campaign.owner["at once"] == 2 * len(range(600, days * DAY_S, 3 * 3600))
    assert logins == (4 * days if owner_at else 0)


@pytest.mark.parametrize("days", [1, 3])
def test_the_bounds_are_tight(days):
    """The promise is kept and no more than kept: whoever names a smaller number says the wrong thing."""
    at_home = Campaign([Spot(LAB, [HOME])], days, known=((LAB, HOME),)).run()
    assert len(at_home.judged) == at_known_place(at_home.lockout, days * DAY_S)
    elsewhere = Campaign([Spot(LAB, many_places())], days).run()
    assert len(elsewhere.judged) == by_strangers(elsewhere.lockout, days * DAY_S) - 1  # the last is due at midnight


def test_guesses_from_one_network_at_all_names_are_bounded():
    """A bucket of 200 for each client and network, twice a day at most, however many names there are."""
    policy = LockoutPolicy()
    world = World()
    people = [world.enrol(f"user{number}") for number in range(80)]
    judged, guesses = 0, itertools.count(1)
    while world.now < START + DAY_S:
        for one in people:
            typed = one.password + b"%06d" % (next(guesses) * 7919 % CODES)
            verdict = world.login(one.name, typed, station=ELSEWHERE)
            judged += verdict.reason not in NOT_JUDGED
        world.pass_time(300)
    print(f"\none network, 80 names: {judged} judged, bound {2 * policy.strangers_per_network}")
    assert policy.strangers_per_network <= judged <= 2 * policy.strangers_per_network


# What a guess is worth: its digits are good for so many steps and no more


def lets_in(offset: int, client, *, counted: bool = False, patience: int = 140) -> bool:
    """Whether one guess, the code of a step `offset` from now, lets in who repeats it while it costs nothing.

    A guess that counted as a failure is over; each one after it is another guess.
    """
    world = World()
    alice = world.enrol("alice", parameters=HotpParameters() if counted else TotpParameters())
    code = alice.counted_code(offset) if counted else alice.code_at(30 * offset)
    for _ in range(patience):
        if client is ASKS:
            prompt = world.login("alice", alice.password, ASKS, station=ELSEWHERE)
            verdict = world.answer("alice", code, prompt, ASKS, station=ELSEWHERE)
        else:
            verdict = world.login("alice", field_of(client, alice.password, code), client, station=ELSEWHERE)
        if isinstance(verdict, Accept):
            return True
        if any(tally.failures for tally in world.attempts.tallies.values()):
            return False
        world.pass_time(30)
    return False


@pytest.mark.parametrize("client", [LAB, SECOND, ASKS], ids=lambda client: client.name)
def test_a_guess_is_right_for_three_steps(client):
    """At every client: digits that are right for a later time only are a wrong guess, and cost one."""
    good = [offset for offset in range(-65, 66) if lets_in(offset, client)]
    assert good == [-1, 0, 1], f"one uncounted guess is right for {len(good)} steps"


@pytest.mark.parametrize("client", [LAB, ASKS], ids=lambda client: client.name)
def test_a_guess_at_a_counted_token_is_right_for_as_many_codes_as_it_looks_ahead(client):
    assert [at for at in range(80) if lets_in(at, client, counted=True, patience=3)] == list(range(11))


@pytest.mark.parametrize("offset", [2, 5, 40])
def test_the_words_at_a_prompt_do_not_tell_the_code_of_a_later_time_from_a_wrong_one(offset):
    """Whoever learns that digits will be right within half an hour has only to wait for it."""
    heard = []
    for later in (True, False):
        nas = Nas(ASKS)
        alice = nas.world.enrol("alice")
        state = nas.log_in("alice", alice.password).first(attributes.STATE)
        code = alice.code_at(30 * offset) if later else b"000000"
        assert nas.turn(nas.request("alice", code, 2, extra=[(attributes.STATE, state)])) == []
        [octets] = nas.turn(seconds=2)
        heard.append(parse(octets).first(attributes.REPLY_MESSAGE))
    assert heard[0] == heard[1]


@pytest.mark.parametrize("offset", [-5, 5, 40])
def test_a_code_of_another_time_at_a_prompt_counts_as_a_guess(offset):
    """Who does not know the next code has guessed wrong: ten such guesses are ten failures."""
    world = World()
    alice = world.enrol("alice")
    told = 0
    for _ in range(10):
        prompt = world.login("alice", alice.password, ASKS, station=ELSEWHERE)
        if not isinstance(prompt, Challenge):
            return
        verdict = world.answer("alice", alice.code_at(30 * offset), prompt, ASKS, station=ELSEWHERE)
        told += isinstance(verdict, Challenge) and verdict.prompt is Prompt.NEXT_CODE
        world.pass_time(0.1)
    assert world.attempts.tallies, f"{told} of 10 guesses were told to be right for another time, and none was counted"


# Who counts as a stranger


def places_learned_by_password(world, alice, way):
    """Log in from many places without any code, where that is allowed; the places."""
    client = {"password-only": PASSWORD_ONLY, "shadow": SHADOW, "bypass": make_client(58, "bypassed")}[way]
    if way == "bypass":
        world.exempt(alice, ExemptionKind.BYPASS, DAY_S, None, client)
    for station in many_places(100):
        assert isinstance(world.login("alice", alice.password, client, station=station), Accept)
    return many_places(100)


@pytest.mark.parametrize("way", ["password-only", "shadow", "bypass"])
def test_who_knows_the_password_alone_remains_a_stranger(way):
    """A password that lets in somewhere does not make its thief at home: the bucket of strangers holds elsewhere."""
    world = World()
    alice = world.enrol("alice")
    stations, judged = places_learned_by_password(world, alice, way), 0
    guesses = itertools.count(1)
    for station in stations:
        for _ in range(6):
            verdict = world.login("alice", alice.password + b"%06d" % (next(guesses) * 7919 % CODES), station=station)
            judged += verdict.reason not in NOT_JUDGED
    assert judged <= by_strangers(world.policy.lockout, DAY_S)


def test_who_holds_the_device_guesses_passwords_no_faster_at_a_known_place():
    """The other way round: codes are known, as the device was stolen, and passwords are guessed, through the delays."""
    world = World()
    alice = world.enrol("alice")
    assert world.login("alice", alice.password + alice.code_at(), station=HOME) == Accept()
    world.pass_time(90)
    checked, bound = len(world.checks), at_known_place(world.policy.lockout, DAY_S)
    for number in range(bound + 50):
        for offset_s in (-30, 0):  # both good, one after the other; a wrong password spends neither
            world.login("alice", b"guess %d" % number + alice.code_at(offset_s), station=HOME)
    assert len(world.checks) - checked <= bound, "within one second"


def test_who_holds_the_device_guesses_passwords_no_faster_from_many_places():
    """The same past a full bucket: twice a bucket a day is what strangers get, of passwords as of codes."""
    world = World()
    alice = world.enrol("alice")
    for number, station in enumerate(many_places(400)):
        for offset_s in (-30, 0):
            world.login("alice", b"guess %d" % number + alice.code_at(offset_s), station=station)
    assert len(world.checks) <= by_strangers(world.policy.lockout, DAY_S), "within one second"


def test_logins_judged_side_by_side_are_as_few():
    """A batch holds a user once, so guesses sent at the same moment are counted one after the other."""
    world = World()
    alice = world.enrol("alice")
    logins = [Login(world.request("alice", alice.password + b"%06d" % one, station=ELSEWHERE)) for one in range(2)]
    with pytest.raises(ValueError):
        authenticate(logins, world.attempts, world.policy)
    [outcome] = authenticate(logins[:1], world.attempts, world.policy)
    assert not isinstance(outcome, AskFirstFactor)
