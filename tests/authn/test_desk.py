"""The desk forms batches, keeps its bounds, and survives what happens at it."""

import pytest
from support.simulator import LAB, OTHER, World, make_client

from authn.challenge import Opening
from authn.desk import MAX_WAITING_PER_USER, Desk
from authn.errors import UnknownKeyError
from authn.first_factor import Finding
from authn.instants import UnixSeconds
from authn.verdict import Accept, Inability, Reason, Reject, Unavailable

LATER = 100.0


class PatientFirstFactor:
    """Answers when the test says so."""

    def __init__(self, world):
        self._world = world
        self.asked = []
        self._ready = []

    def ask(self, ticket, question, until):
        self.asked.append((ticket, question))

    def answer_all(self):
        self._ready += [(ticket, self._world.check(question)) for ticket, question in self.asked]
        self.asked.clear()

    def answers(self):
        ready, self._ready = self._ready, []
        return ready


ASKS = make_client(31, "asks", inputs=["challenge"])


def make_desk_after_failures(failures):
    """A desk at which guesses at alice's password are judged, after some earlier ones have failed."""
    world = World()
    world.enrol("alice")
    for number in range(failures):
        world.login("alice", b"earlier %d" % number, ASKS)
    return world, *make_desk(world)[:2]


def hand_in_guesses(world, desk, deadlines):
    """Guesses at alice's password, one for each deadline, under the tickets 0 and up; as many batches as guesses."""
    for ticket, until in enumerate(deadlines):
        desk.hand_in(ticket, world.request("alice", b"guess %d" % ticket, ASKS), until=until)
    return [verdict for _ in deadlines for verdict in desk.work(0.0)]


def make_desk(world, max_waiting=1000):
    """A desk over the world, with its first factor and the faults it met."""
    first_factor, faults = PatientFirstFactor(world), []
    desk = Desk(world.attempts, first_factor, world.policy, max_waiting=max_waiting, on_fault=faults.append)
    return desk, first_factor, faults


def work_off(desk, first_factor):
    """Everything the desk has, until it is idle."""
    verdicts = []
    while not desk.is_idle():
        verdicts += desk.work(0.0)
        first_factor.answer_all()
    return verdicts


def test_many_logins_with_one_code_let_in_exactly_one():
    world = World()
    alice = world.enrol("alice")
    desk, first_factor, _ = make_desk(world)
    for ticket in range(MAX_WAITING_PER_USER):
        desk.hand_in(ticket, world.request("alice", alice.password + alice.code_at()), until=LATER)
    verdicts = [verdict for _, verdict in work_off(desk, first_factor)]
    assert verdicts.count(Accept()) == 1
    assert verdicts.count(Reject(Reason.CODE_REPLAYED)) == MAX_WAITING_PER_USER - 1


def test_logins_of_many_users_share_a_batch():
    world = World()
    people = [world.enrol(f"user{number}") for number in range(50)]
    desk, first_factor, _ = make_desk(world)
    for person in people:
        desk.hand_in(person.name, world.request(person.name, person.password + person.code_at()), until=LATER)
    assert desk.work(0.0) == []
    assert len(first_factor.asked) == 50
    first_factor.answer_all()
    assert sorted(desk.work(0.0)) == sorted((person.name, Accept()) for person in people)
    assert desk.is_idle()


def test_a_checked_password_goes_before_those_who_came_later():
    world = World()
    alice = world.enrol("alice")
    desk, first_factor, _ = make_desk(world)
    desk.hand_in("first", world.request("alice", alice.password + alice.code_at()), until=LATER)
    desk.work(0.0)
    desk.hand_in("second", world.request("alice", alice.password + alice.code_at()), until=LATER)
    first_factor.answer_all()
    assert desk.work(0.0) == [("first", Accept())]
    assert desk.work(0.0) == [("second", Reject(Reason.CODE_REPLAYED))]


def test_the_desk_is_full_for_one_user_before_it_is_full_for_all():
    world = World()
    desk, first_factor, _ = make_desk(world, max_waiting=MAX_WAITING_PER_USER * 3)
    for ticket in range(MAX_WAITING_PER_USER):
        assert not desk.is_full_for(world.request("alice", b"x"))
        desk.hand_in(ticket, world.request("alice", b"x"), until=LATER)
    assert desk.is_full_for(world.request("alice", b"x"))
    assert not desk.is_full_for(world.request("bob", b"x", OTHER))
    while not desk.is_full_for(world.request("bob", b"x", OTHER)):
        desk.hand_in("one more", world.request("\0", b"x", OTHER), until=LATER)
    work_off(desk, first_factor)
    assert not desk.is_full_for(world.request("alice", b"x"))


def test_a_dead_store_makes_logins_unavailable_and_the_desk_goes_on():
    world = World()
    alice = world.enrol("alice")
    desk, first_factor, faults = make_desk(world)
    world.attempts.is_down = True
    desk.hand_in("down", world.request("alice", alice.password + alice.code_at()), until=LATER)
    assert desk.work(0.0) == [("down", Unavailable(Inability.STORE_UNAVAILABLE))]
    assert len(faults) == 1
    world.attempts.is_down = False
    desk.hand_in("up", world.request("alice", alice.password + alice.code_at()), until=LATER)
    assert work_off(desk, first_factor) == [("up", Accept())]


@pytest.mark.parametrize(
    ("fault", "inability"),
    [
        (RuntimeError("stumbled"), Inability.BUG),
        (UnknownKeyError("a row of a key that nobody has"), Inability.KEYS_UNAVAILABLE),
    ],
)
def test_a_bug_or_a_key_over_one_login_does_not_touch_its_neighbours(fault, inability):
    """Else who writes to one row of the database, or rotates keys past it, silences everybody in its batches."""
    world = World()
    world.enrol("alice")
    desk, first_factor, faults = make_desk(world)
    load = world.attempts.load

    def stumble(requests):
        if any(request.username == "poison" for request in requests):
            raise fault
        return load(requests)

    world.attempts.load = stumble
    desk.hand_in("alice", world.request("alice", b"nonsense"), until=LATER)
    desk.hand_in("poison", world.request("poison", b"nonsense"), until=LATER)
    verdicts = dict(work_off(desk, first_factor))
    assert verdicts == {"alice": Reject(Reason.UNREADABLE_FIELD), "poison": Unavailable(inability)}
    assert len(faults) == 1
    assert desk.is_idle()


def test_nobody_may_stand_in_a_batch_many_times():
    """Names that cannot exist have no code to spend; a flood of them must not go one by one."""
    world = World()
    desk, _, _ = make_desk(world)
    for ticket in range(100):
        desk.hand_in(ticket, world.request("\0", b"x", LAB), until=LATER)
    assert len(desk.work(0.0)) == 100


def test_an_overloaded_first_factor_makes_the_login_unavailable():
    world = World()
    alice = world.enrol("alice")
    world.check = lambda question: type("C", (), {"finding": Finding.OVERLOADED, "keeper": question.keeper})()
    desk, first_factor, _ = make_desk(world)
    desk.hand_in("one", world.request("alice", alice.password + alice.code_at()), until=LATER)
    assert work_off(desk, first_factor) == [("one", Unavailable(Inability.OVERLOADED))]


def test_past_its_deadline_a_login_spends_no_code():
    world = World()
    alice = world.enrol("alice")
    desk, first_factor, _ = make_desk(world)
    desk.hand_in("late", world.request("alice", alice.password + alice.code_at()), until=5.0)
    assert desk.work(5.0) == [("late", Unavailable(Inability.OVERLOADED))]
    desk.hand_in("again", world.request("alice", alice.password + alice.code_at()), until=LATER)
    assert work_off(desk, first_factor) == [("again", Accept())]


def test_a_first_factor_that_hangs_is_given_up_in_time_and_its_late_answer_lets_nobody_in():
    world = World()
    alice = world.enrol("alice")
    desk, first_factor, _ = make_desk(world)
    desk.hand_in("hangs", world.request("alice", alice.password + alice.code_at()), until=5.0)
    assert desk.work(0.0) == []
    assert desk.next_due() == 5.0
    assert desk.work(4.9) == []
    assert desk.work(5.0) == [("hangs", Unavailable(Inability.FIRST_FACTOR_UNAVAILABLE))]
    first_factor.answer_all()
    assert desk.work(5.1) == []
    assert desk.is_idle()
    assert world.attempts.settled == []


def test_one_client_takes_no_more_than_half_of_the_places():
    world = World()
    desk, _, _ = make_desk(world, max_waiting=80)
    while not desk.is_full_for(world.request("\0", b"x", LAB)):
        desk.hand_in("crowd", world.request("\0", b"x", LAB), until=LATER)
    assert desk._places_of[LAB.id] == 35
    assert not desk.is_full_for(world.request("alice", b"x", OTHER))


def test_what_a_client_has_at_the_first_factor_counts_among_its_places():
    world = World()
    people = [world.enrol(f"user{number}") for number in range(40)]
    desk, first_factor, _ = make_desk(world, max_waiting=80)
    for person in people:
        request = world.request(person.name, person.password + person.code_at())
        if not desk.is_full_for(request):
            desk.hand_in(person.name, request, until=LATER)
        desk.work(0.0)
    assert len(first_factor.asked) == 35
    assert desk.is_full_for(world.request("user39", b"x"))
    assert not desk.is_full_for(world.request("user39", b"x", OTHER))
    work_off(desk, first_factor)
    assert not desk.is_full_for(world.request("user39", b"x"))


def test_the_last_places_are_for_logins_that_go_on_with_a_conversation():
    world = World()
    world.enrol("alice")
    client = make_client(9, "asks", inputs=["challenge"])
    desk, _, _ = make_desk(world, max_waiting=80)
    for lane in (LAB, OTHER, client):
        while not desk.is_full_for(world.request("\0", b"x", lane)):
            desk.hand_in("crowd", world.request("\0", b"x", lane), until=LATER)
    assert desk.is_full_for(world.request("alice", b"x", client))
    state = world.states.seal(Opening(UnixSeconds(world.now + 60), True, bytes(8)), "alice", client)
    conversation = world.states.open(state, "alice", client)
    assert not desk.is_full_for(world.request("alice", b"123456", client, conversation=conversation))


def test_clients_are_served_in_turn():
    world = World()
    desk, _, _ = make_desk(world)
    for number in range(400):
        desk.hand_in(("crowd", number), world.request("\0", b"x", LAB), until=LATER)
    desk.hand_in(("alone", 0), world.request("\0", b"x", OTHER), until=LATER)
    assert ("alone", 0) in [ticket for ticket, _ in desk.work(0.0)]


def test_as_many_passwords_are_checked_at_a_time_as_may_fail_and_the_rest_learn_from_them():
    """Else a burst of guesses would be out before it has counted. One after the other would take a time that no unknown
    name takes."""
    world = World()
    alice = world.enrol("alice")
    desk, first_factor, _ = make_desk(world)
    for ticket in range(20):
        desk.hand_in(ticket, world.request("alice", b"guess %d" % ticket, ASKS), until=LATER)
    verdicts, at_a_time = [], []
    while not desk.is_idle():
        verdicts += desk.work(0.0)
        if desk.next_due() == LATER:
            at_a_time.append(len(first_factor.asked))
            first_factor.answer_all()
    assert at_a_time == [6]
    assert [verdict.reason for _, verdict in verdicts].count(Reason.LOCKED) == 14
    desk.hand_in("owner", world.request("alice", alice.password + alice.code_at(), OTHER), until=LATER)
    assert work_off(desk, first_factor) == [("owner", Accept())]


def test_once_failures_are_few_enough_left_passwords_are_checked_one_at_a_time():
    world, desk, first_factor = make_desk_after_failures(6)
    world.pass_time(30)
    assert hand_in_guesses(world, desk, [LATER] * 5) == []
    assert len(first_factor.asked) == 1
    reasons = [verdict.reason for _, verdict in work_off(desk, first_factor)]
    assert sorted(reasons) == sorted([Reason.WRONG_PASSWORD] + [Reason.LOCKED] * 4)


def test_who_waits_for_a_check_is_not_judged_in_vain_meanwhile():
    """Judging takes a transaction, and a flood at one name would have all of them judged anew after each check."""
    world, desk, first_factor = make_desk_after_failures(6)
    world.pass_time(30)
    loaded, load = [], world.attempts.load
    world.attempts.load = lambda requests: loaded.append(len(requests)) or load(requests)
    hand_in_guesses(world, desk, [LATER] * 9)
    assert loaded == [1]
    assert len(first_factor.asked) == 1


def test_a_check_that_failed_leaves_room_for_fewer():
    """Two are checked, both may fail; then a third comes while one of them has."""
    world, desk, first_factor = make_desk_after_failures(4)
    checked = len(world.checks)
    hand_in_guesses(world, desk, [LATER] * 4)
    assert len(first_factor.asked) == 2
    first = first_factor.asked.pop()
    first_factor.asked, others = [first], first_factor.asked
    first_factor.answer_all()
    for _ in range(4):
        desk.work(0.0)
    assert first_factor.asked == []
    first_factor.asked = others
    work_off(desk, first_factor)
    assert len(world.checks) - checked == 2


def test_logins_that_wait_for_a_check_of_their_user_are_given_up_at_their_own_deadline():
    world, desk, first_factor = make_desk_after_failures(5)
    assert hand_in_guesses(world, desk, [5.0, 3.0, 4.0]) == []
    assert desk.next_due() == 3.0
    assert len(first_factor.asked) == 1
    assert desk.work(4.5) == [(ticket, Unavailable(Inability.OVERLOADED)) for ticket in (1, 2)]
    assert not desk.is_idle()
    assert desk.work(5.0) == [(0, Unavailable(Inability.FIRST_FACTOR_UNAVAILABLE))]
    assert desk.is_idle()
    assert desk.next_due() is None


def test_a_flood_at_one_client_does_not_keep_the_user_waiting_at_another():
    """No check is needed for it: refusals are enough. Every batch has one of them, as long as there are some."""
    world = World()
    alice = world.enrol("alice")
    desk, first_factor, _ = make_desk(world)
    owner = world.request("alice", alice.password + alice.code_at(), OTHER)
    for turn in range(6):
        for number in range(5):
            desk.hand_in(("flood", turn, number), world.request("alice", b"junk"), until=LATER)
        if turn == 2:
            desk.hand_in("owner", owner, until=LATER)
        verdicts = desk.work(0.0)
        if first_factor.asked:
            break
    assert [question.username for _, question in first_factor.asked] == ["alice"]
    assert turn <= 4
    first_factor.answer_all()
    assert ("owner", Accept()) in desk.work(0.0) + verdicts


def test_a_crowd_at_one_client_does_not_shut_the_user_out_at_another():
    world = World()
    world.enrol("alice")
    desk, _, _ = make_desk(world)
    for ticket in range(MAX_WAITING_PER_USER):
        desk.hand_in(ticket, world.request("alice", b"guess"), until=LATER)
    assert desk.is_full_for(world.request("alice", b"guess"))
    assert not desk.is_full_for(world.request("alice", b"guess", OTHER))
