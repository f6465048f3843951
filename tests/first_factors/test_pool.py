"""The pool that asks a first factor beside the login path, and the router over several of them."""

import selectors
import threading

import pytest

from authn.account import UserId
from authn.client import ClientId
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding, Keeper
from authn.request import canonical_username
from authn.secret import Password
from first_factors.pool import Inbox, Pool
from first_factors.router import Router


class Waiting:
    """A first factor that answers when the test says so."""

    def __init__(self):
        self.go, self.started = threading.Event(), threading.Event()
        self.asked, self.is_closed = [], False

    def check(self, question, _timeout_s):
        self.asked.append(question)
        self.started.set()
        self.go.wait(10)
        return CheckedPassword(Finding.PASSED, question.keeper)

    def close(self):
        self.is_closed = True


class Faulty:
    """A first factor with a bug, for one of its users."""

    def check(self, question, _timeout_s):
        if question.user_id == 13:
            raise ZeroDivisionError
        return CheckedPassword(Finding.PASSED, question.keeper)

    def close(self):
        pass


def question(client_id=1, keeper="waiting", user_id=1):
    return AskFirstFactor(
        canonical_username(b"alice"), Password(b"pw"), Keeper(keeper), ClientId(client_id), UserId(user_id)
    )


def all_answers(router, count):
    answers = []
    with selectors.DefaultSelector() as selector:
        selector.register(router, selectors.EVENT_READ)
        while len(answers) < count:
            assert selector.select(10), "no answer came"
            answers += router.answers()
    return {ticket: checked.finding for ticket, checked in answers}


class World:
    """A router over three pools of one thread each, with a hand-wound clock."""

    def __init__(self):
        self.time = 0.0
        self.waiting, self.hanging = Waiting(), Waiting()
        self.inbox = Inbox()
        checkers = {"waiting": self.waiting, "hanging": self.hanging, "faulty": Faulty()}
        self.pools = {
            name: Pool(
                checker, self.inbox, name=name, threads=1, max_waiting=2, max_wait_s=1.0, clock=lambda: self.time
            )
            for name, checker in checkers.items()
        }
        self.router = Router(self.pools, self.inbox)

    def close(self):
        self.waiting.go.set()
        self.hanging.go.set()
        self.router.close()


@pytest.fixture
def world():
    made = World()
    yield made
    made.close()


def test_questions_over_the_bound_and_over_the_time_are_answered_overloaded(world):
    world.router.ask("first", question(), 99.0)
    assert world.waiting.started.wait(10)
    for ticket in ("second", "third", "over the bound"):
        world.router.ask(ticket, question(), 99.0)
    world.time = 1.1
    world.waiting.go.set()
    assert all_answers(world.router, 4) == {
        "first": Finding.PASSED,
        "second": Finding.OVERLOADED,
        "third": Finding.OVERLOADED,
        "over the bound": Finding.OVERLOADED,
    }
    assert len(world.waiting.asked) == 1


def test_clients_are_served_in_turn(world):
    world.pools["waiting"]._max_waiting = 9
    world.router.ask("first", question(), 99.0)
    assert world.waiting.started.wait(10)
    for number in range(5):
        world.router.ask(f"crowd {number}", question(client_id=1), 99.0)
    world.router.ask("alone", question(client_id=2), 99.0)
    world.waiting.go.set()
    order = list(all_answers(world.router, 7))
    assert order.index("alone") <= 2


def test_nobody_is_hashed_for_after_the_login_was_given_up(world):
    world.router.ask("first", question(), 99.0)
    assert world.waiting.started.wait(10)
    world.router.ask("late", question(), 0.5)
    world.time = 0.6
    world.waiting.go.set()
    assert all_answers(world.router, 2)["late"] is Finding.OVERLOADED
    assert len(world.waiting.asked) == 1


def test_an_error_in_a_first_factor_is_logged_and_its_thread_lives_on(world, caplog):
    world.router.ask("bug", question(keeper="faulty", user_id=13), 99.0)
    assert all_answers(world.router, 1) == {"bug": Finding.CANNOT_TELL}
    world.router.ask("next", question(keeper="faulty"), 99.0)
    assert all_answers(world.router, 1) == {"next": Finding.PASSED}
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage() == "an error in the first factor faulty"


def test_a_keeper_that_is_not_known_cannot_tell(world):
    world.router.ask("lost", question(keeper="nobody"), 99.0)
    assert all_answers(world.router, 1) == {"lost": Finding.CANNOT_TELL}


def test_a_first_factor_that_hangs_does_not_hold_up_another(world):
    for number in range(2):
        world.router.ask(f"hangs {number}", question(keeper="hanging"), 99.0)
    assert world.hanging.started.wait(10)
    world.waiting.go.set()
    world.router.ask("other", question(), 99.0)
    assert all_answers(world.router, 1) == {"other": Finding.PASSED}


def test_the_answer_names_the_keeper_that_was_asked(world):
    world.waiting.go.set()
    asked = question()
    world.router.ask("one", asked, 99.0)
    with selectors.DefaultSelector() as selector:
        selector.register(world.router, selectors.EVENT_READ)
        assert selector.select(10)
    [(ticket, checked)] = world.router.answers()
    assert (ticket, checked.keeper) == ("one", asked.keeper)
    assert world.router.answers() == []


def test_closing_ends_the_threads_and_the_first_factors():
    world = World()
    world.close()
    assert world.waiting.is_closed
    assert world.hanging.is_closed
    assert not any(thread.is_alive() for pool in world.pools.values() for thread in pool._threads)
