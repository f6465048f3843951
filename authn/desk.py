"""The queue in front of the decision.

Doors hand logins in and get verdicts back, each under a ticket of their own.
The desk forms the batches: no user twice in one, logins whose password was just
checked before new ones, clients in turn, never more waiting than its bounds. Of
each user one password is checked at a time, so that no burst of guesses is out
before the first of them has counted.
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
from dataclasses import dataclass, replace
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
        self._parked: dict[Username, list[Waiting[Ticket]]] = {}  # while a password of theirs is checked
        self._being_checked: dict[int, Waiting[Ticket]] = {}
        self._check_deadlines: list[tuple[float, int]] = []
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
        total = len(self._new) + len(self._checked) + len(self._being_checked) + sum(map(len, self._parked.values()))
        return total >= places or self._new.waiting_in(request.client.id) >= max(1, places // 2)

    def is_idle(self) -> bool:
        """Whether no login waits here or at the first factor."""
        return not self._new and not self._checked and not self._being_checked and not self._parked

    def next_due(self) -> float | None:
        """When `work` must be called again at the latest, by the monotonic clock; 0 for at once, None for never."""
        if self._new or self._checked:
            return 0.0
        return self._check_deadlines[0][0] if self._check_deadlines else None

    def hand_in(self, ticket: Ticket, request: AccessRequest, *, until: float) -> None:
        """Queue a login. Its verdict comes from a later `work`, under `ticket`."""
        self._logins_of[request.username, request.client.id] += 1
        self._new.put(request.client.id, Waiting(next(self._numbers), ticket, Login(request), until))

    def work(self, now: float) -> list[tuple[Ticket, Verdict]]:
        """Judge one batch and return the verdicts that are final, in no fixed order. `now` is monotonic."""
        self._collect_answers()
        verdicts = self._give_up(now)
        batch = self._take_batch(now, verdicts)
        if batch:
            for waiting, outcome in zip(batch, self._judge(batch), strict=True):
                if isinstance(outcome, AskFirstFactor):
                    self._being_checked[waiting.number] = waiting
                    self._parked.setdefault(waiting.login.request.username, [])
                    heapq.heappush(self._check_deadlines, (waiting.until, waiting.number))
                    self._first_factor.ask(waiting, outcome, waiting.until)
                else:
                    verdicts.append(self._finish(waiting, outcome))
        return verdicts

    def _collect_answers(self) -> None:
        for waiting, checked in self._first_factor.answers():
            if self._being_checked.pop(waiting.number, None) is not None:  # else it was given up
                self._checked.append(replace(waiting, login=Login(waiting.login.request, checked)))
                self._unpark(waiting.login.request.username)

    def _give_up(self, now: float) -> list[tuple[Ticket, Verdict]]:
        """The logins whose first factor has not answered in time."""
        verdicts = []
        while self._check_deadlines and (
            self._check_deadlines[0][0] <= now or self._check_deadlines[0][1] not in self._being_checked
        ):
            waiting = self._being_checked.pop(heapq.heappop(self._check_deadlines)[1], None)
            if waiting is not None:
                self._unpark(waiting.login.request.username)
                verdicts.append(self._finish(waiting, Unavailable(Inability.FIRST_FACTOR_UNAVAILABLE)))
        return verdicts

    def _unpark(self, username: Username) -> None:
        """The password of a user was checked: their next logins may be judged, by what came of it."""
        for parked in reversed(self._parked.pop(username, [])):
            self._new.put_back(parked.login.request.client.id, parked)

    def _finish(self, waiting: Waiting[Ticket], verdict: Verdict) -> tuple[Ticket, Verdict]:
        key = (waiting.login.request.username, waiting.login.request.client.id)
        self._logins_of[key] -= 1
        if not self._logins_of[key]:
            del self._logins_of[key]
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
            if waiting.until <= now:
                verdicts.append(self._finish(waiting, Unavailable(Inability.OVERLOADED)))
            elif waiting.login.checked is None and username in self._parked:
                self._parked[username].append(waiting)
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
