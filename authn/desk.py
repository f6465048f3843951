"""The queue in front of the decision.

Doors hand logins in and get verdicts back, each under a ticket of their own.
The desk forms the batches: no user twice in one, logins whose password was just
checked before new ones, clients in turn, never more waiting than its bounds. Of
each user no more passwords are checked at a time than may fail before a delay
begins, so that no burst of guesses is out before it has counted.
Every login has a deadline, at which its NAS would stop listening: past it no
code is spent and no back end waited for, and the verdict is Unavailable.

A dead store turns into Unavailable for the logins at hand; so does a bug, after
each login of its batch was tried alone, and the desk goes on. It is the one
place in this room that catches `Exception`: every door shares it, and none may
die of a login.
"""

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from authn.authenticate import MAX_BATCH, Login, authenticate
from authn.client import ClientId
from authn.errors import KeyRingError, StoreError
from authn.first_factor import AskFirstFactor
from authn.lanes import Lanes
from authn.policy import Policy
from authn.ports import AttemptStore, FirstFactor
from authn.request import NOBODY, AccessRequest, Username
from authn.verdict import Inability, Unavailable, Verdict

Ticket = TypeVar("Ticket")

MAX_WAITING_PER_USER = 32
LAST_PLACES = 8
"""One in so many places is kept for logins that go on with a conversation (RFC 5080 §2.2.3)."""


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Ticket]):
    """A login that waits for its verdict, under the door's ticket, until a reading of the monotonic clock."""

    number: int
    ticket: Ticket
    login: Login
    until: float


@dataclass(slots=True)
class _Checks(Generic[Ticket]):
    """The password checks of one user that go on, and the logins parked until one of them ends."""

    at_once: int = 1
    running: int = 0
    parked: dict[int, Waiting[Ticket]] = field(default_factory=dict)  # by number

    @property
    def is_full(self) -> bool:
        """Whether another must wait for one of these."""
        return self.running >= self.at_once


class Desk(Generic[Ticket]):
    """Takes logins, forms batches, hands out verdicts. One thread works a desk."""

    def __init__(
        self,
        store: AttemptStore,
        first_factor: FirstFactor[Waiting[Ticket]],
        policy: Policy,
        *,
        max_waiting: int,
        on_fault: Callable[[Exception], None],
    ) -> None:
        self.policy = policy  # replaced whole at a reload
        self._store = store
        self._first_factor = first_factor
        self._max_waiting = max_waiting
        self._on_fault = on_fault
        self._checked: deque[Waiting[Ticket]] = deque()
        self._new: Lanes[ClientId, Waiting[Ticket]] = Lanes()
        self._logins_of: Counter[tuple[Username, ClientId]] = Counter()  # waiting or being checked
        self._places_of: Counter[ClientId] = Counter()
        self._places = 0
        self._checks: dict[Username, _Checks[Ticket]] = {}
        self._being_checked: dict[int, Waiting[Ticket]] = {}
        self._deadlines: list[tuple[float, int, Username]] = []  # of what is being checked or parked
        self._numbers = itertools.count()

    def is_full_for(self, request: AccessRequest) -> bool:
        """Whether a door should shed this login instead of handing it in.

        No client takes more than half of the places, so that one NAS in trouble
        leaves room for the others, and the last places are for logins that go on
        with a conversation. The bound per user and client keeps a flood on one name
        from filling the desk: such logins are judged one after the other.
        """
        key = (request.username, request.client.id)
        if self._logins_of[key] >= MAX_WAITING_PER_USER and request.username != NOBODY:
            return True
        places = self._max_waiting
        if request.conversation is None:
            places -= places // LAST_PLACES
        return self._places >= places or self._places_of[request.client.id] >= max(1, places // 2)

    def is_idle(self) -> bool:
        """Whether no login waits here or at the first factor."""
        return not self._places

    def next_due(self) -> float | None:
        """When `work` must be called again at the latest, by the monotonic clock; 0 for at once, None for never."""
        if self._new or self._checked:
            return 0.0
        return self._deadlines[0][0] if self._deadlines else None

    def hand_in(self, ticket: Ticket, request: AccessRequest, *, until: float) -> None:
        """Queue a login. Its verdict comes from a later `work`, under `ticket`."""
        self._logins_of[request.username, request.client.id] += 1
        self._places_of[request.client.id] += 1
        self._places += 1
        self._new.put(request.client.id, Waiting(next(self._numbers), ticket, Login(request), until))

    def work(self, now: float) -> list[tuple[Ticket, Verdict]]:
        """Judge one batch and return the verdicts that are final, in no fixed order. `now` is monotonic."""
        self._collect_answers()
        verdicts = self._give_up(now)
        batch = self._take_batch(now, verdicts)
        if batch:
            for waiting, outcome in zip(batch, self._judge(batch), strict=True):
                if isinstance(outcome, AskFirstFactor):
                    self._ask(waiting, outcome)
                else:
                    verdicts.append(self._finish(waiting, outcome))
        return verdicts

    def _ask(self, waiting: Waiting[Ticket], question: AskFirstFactor) -> None:
        checks = self._checks.setdefault(waiting.login.request.username, _Checks())
        checks.at_once = question.at_once
        if checks.is_full:  # fewer than when the checks before it began: some have failed
            self._park(waiting, checks)
            return
        checks.running += 1
        self._being_checked[waiting.number] = waiting
        self._watch(waiting)
        self._first_factor.ask(waiting, question, waiting.until)

    def _park(self, waiting: Waiting[Ticket], checks: _Checks[Ticket]) -> None:
        checks.parked[waiting.number] = waiting
        self._watch(waiting)

    def _watch(self, waiting: Waiting[Ticket]) -> None:
        heapq.heappush(self._deadlines, (waiting.until, waiting.number, waiting.login.request.username))

    def _collect_answers(self) -> None:
        for waiting, checked in self._first_factor.answers():
            if self._being_checked.pop(waiting.number, None) is not None:  # else it was given up
                self._checked.append(replace(waiting, login=Login(waiting.login.request, checked)))
                self._check_ended(waiting.login.request.username)

    def _give_up(self, now: float) -> list[tuple[Ticket, Verdict]]:
        """The logins whose first factor has not answered in time, and those that waited for it as long."""
        verdicts = []
        while self._deadlines:
            until, number, username = self._deadlines[0]
            checks = self._checks.get(username)
            is_parked = checks is not None and number in checks.parked
            if until > now and (is_parked or number in self._being_checked):
                break
            heapq.heappop(self._deadlines)
            if checks is not None and is_parked:
                verdicts.append(self._finish(checks.parked.pop(number), Unavailable(Inability.OVERLOADED)))
            elif number in self._being_checked:
                waiting = self._being_checked.pop(number)
                self._check_ended(username)
                verdicts.append(self._finish(waiting, Unavailable(Inability.FIRST_FACTOR_UNAVAILABLE)))
        return verdicts

    def _check_ended(self, username: Username) -> None:
        """Those who waited for it may be judged, by what came of it."""
        checks = self._checks[username]
        checks.running -= 1
        for parked in reversed(checks.parked.values()):
            self._new.put_back(parked.login.request.client.id, parked)
        checks.parked.clear()
        if not checks.running:
            del self._checks[username]

    def _finish(self, waiting: Waiting[Ticket], verdict: Verdict) -> tuple[Ticket, Verdict]:
        key = (waiting.login.request.username, waiting.login.request.client.id)
        self._logins_of[key] -= 1
        if not self._logins_of[key]:
            del self._logins_of[key]
        self._places_of[waiting.login.request.client.id] -= 1
        self._places -= 1
        return waiting.ticket, verdict

    def _judge(self, batch: list[Waiting[Ticket]]) -> list[Verdict | AskFirstFactor]:
        try:
            return authenticate([waiting.login for waiting in batch], self._store, self.policy)
        except StoreError as fault:
            inability = Inability.STORE_UNAVAILABLE
            self._on_fault(fault)
        except Exception as fault:  # noqa: BLE001 - see the module docstring
            if len(batch) > 1:  # judged one by one, so that one poisonous login or row does not silence its neighbours
                return [self._judge([waiting])[0] for waiting in batch]
            inability = Inability.KEYS_UNAVAILABLE if isinstance(fault, KeyRingError) else Inability.BUG
            self._on_fault(fault)
        return [Unavailable(inability)] * len(batch)

    def _take_batch(self, now: float, verdicts: list[tuple[Ticket, Verdict]]) -> list[Waiting[Ticket]]:
        """Take up to MAX_BATCH logins, each user once; the others keep their order, the late ones are given up."""
        batch: list[Waiting[Ticket]] = []
        held_back: list[Waiting[Ticket]] = []
        users: set[Username] = set()
        while len(batch) < MAX_BATCH and len(held_back) < MAX_BATCH and (self._checked or self._new):
            waiting = self._checked.popleft() if self._checked else self._new.take()
            username = waiting.login.request.username
            checks = self._checks.get(username)
            if waiting.until <= now:
                verdicts.append(self._finish(waiting, Unavailable(Inability.OVERLOADED)))
            elif waiting.login.checked is None and checks is not None and checks.is_full:
                self._park(waiting, checks)
            elif username in users and username != NOBODY:  # nobody has no code to spend twice
                held_back.append(waiting)
            else:
                users.add(username)
                batch.append(waiting)
        for waiting in reversed(held_back):
            if waiting.login.checked is not None:
                self._checked.appendleft(waiting)
            else:
                self._new.put_back(waiting.login.request.client.id, waiting)
        return batch
