"""The desk forms batches, keeps its bounds, and survives what happens at it."""

from support.simulator import LAB, World

from authn.decide import Finding
from authn.desk import MAX_WAITING_PER_USER, Desk
from authn.verdict import Accept, Inability, Reason, Reject, Unavailable


class PatientFirstFactor:
    """Answers when the test says so."""

    def __init__(self, world):
        self._world = world
        self.asked = []
        self._ready = []

    def ask(self, ticket, question):
        self.asked.append((ticket, question))

    def answer_all(self):
        self._ready += [(ticket, self._world.check(question)) for ticket, question in self.asked]
        self.asked.clear()

    def answers(self):
        ready, self._ready = self._ready, []
        return ready


def make_desk(world, max_waiting=1000):
    """A desk over the world, with its first factor and the faults it met."""
    first_factor, faults = PatientFirstFactor(world), []
    desk = Desk(world.attempts, first_factor, world.policy, max_waiting=max_waiting, on_fault=faults.append)
    return desk, first_factor, faults


def work_off(desk, first_factor):
    """Everything the desk has, until it is idle."""
    verdicts = []
    while not desk.is_idle():
        verdicts += desk.work()
        first_factor.answer_all()
    return verdicts


def test_many_logins_with_one_code_let_in_exactly_one():
    world = World()
    alice = world.enrol("alice")
    desk, first_factor, _ = make_desk(world)
    for ticket in range(MAX_WAITING_PER_USER):
        desk.hand_in(ticket, world.request("alice", alice.password + alice.code_at()))
    verdicts = [verdict for _, verdict in work_off(desk, first_factor)]
    assert verdicts.count(Accept()) == 1
    assert verdicts.count(Reject(Reason.CODE_REPLAYED)) == MAX_WAITING_PER_USER - 1


def test_logins_of_many_users_share_a_batch():
    world = World()
    people = [world.enrol(f"user{number}") for number in range(50)]
    desk, first_factor, _ = make_desk(world)
    for person in people:
        desk.hand_in(person.name, world.request(person.name, person.password + person.code_at()))
    assert desk.work() == []
    assert len(first_factor.asked) == 50
    first_factor.answer_all()
    assert sorted(desk.work()) == sorted((person.name, Accept()) for person in people)
    assert desk.is_idle()


def test_a_checked_password_goes_before_those_who_came_later():
    world = World()
    alice = world.enrol("alice")
    desk, first_factor, _ = make_desk(world)
    desk.hand_in("first", world.request("alice", alice.password + alice.code_at()))
    desk.work()
    desk.hand_in("second", world.request("alice", alice.password + alice.code_at()))
    first_factor.answer_all()
    assert desk.work() == [("first", Accept())]
    assert desk.work() == [("second", Reject(Reason.CODE_REPLAYED))]


def test_the_desk_is_full_for_one_user_before_it_is_full_for_all():
    world = World()
    desk, first_factor, _ = make_desk(world, max_waiting=MAX_WAITING_PER_USER + 10)
    for ticket in range(MAX_WAITING_PER_USER):
        assert not desk.is_full_for("alice")
        desk.hand_in(ticket, world.request("alice", b"x"))
    assert desk.is_full_for("alice")
    assert not desk.is_full_for("bob")
    for ticket in range(10):
        desk.hand_in(ticket, world.request(f"user{ticket}", b"x"))
    assert desk.is_full_for("bob")
    work_off(desk, first_factor)
    assert not desk.is_full_for("alice")


def test_a_dead_store_makes_logins_unavailable_and_the_desk_goes_on():
    world = World()
    alice = world.enrol("alice")
    desk, first_factor, faults = make_desk(world)
    world.attempts.is_down = True
    desk.hand_in("down", world.request("alice", alice.password + alice.code_at()))
    assert desk.work() == [("down", Unavailable(Inability.STORE_UNAVAILABLE))]
    assert len(faults) == 1
    world.attempts.is_down = False
    desk.hand_in("up", world.request("alice", alice.password + alice.code_at()))
    assert work_off(desk, first_factor) == [("up", Accept())]


def test_a_bug_over_one_login_does_not_touch_its_neighbours():
    world = World()
    world.enrol("alice")
    desk, first_factor, faults = make_desk(world)
    load = world.attempts.load

    def stumble(requests):
        if any(request.username == "poison" for request in requests):
            raise RuntimeError("stumbled")
        return load(requests)

    world.attempts.load = stumble
    desk.hand_in("alice", world.request("alice", b"nonsense"))
    desk.hand_in("poison", world.request("poison", b"nonsense"))
    verdicts = dict(work_off(desk, first_factor))
    assert verdicts == {"alice": Reject(Reason.UNREADABLE_FIELD), "poison": Unavailable(Inability.BUG)}
    assert len(faults) == 1
    assert desk.is_idle()


def test_nobody_may_stand_in_a_batch_many_times():
    """Names that cannot exist have no code to spend; a flood of them must not go one by one."""
    world = World()
    desk, _, _ = make_desk(world)
    for ticket in range(100):
        desk.hand_in(ticket, world.request("\0", b"x", LAB))
    assert len(desk.work()) == 100


def test_an_overloaded_first_factor_makes_the_login_unavailable():
    world = World()
    alice = world.enrol("alice")
    world.check = lambda question: type("C", (), {"finding": Finding.OVERLOADED, "verifier": question.verifier})()
    desk, first_factor, _ = make_desk(world)
    desk.hand_in("one", world.request("alice", alice.password + alice.code_at()))
    assert work_off(desk, first_factor) == [("one", Unavailable(Inability.OVERLOADED))]
