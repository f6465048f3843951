"""The queue in front of the decision.

Doors hand logins in and get verdicts back, each under a ticket of their own.
The desk forms the batches: no user twice in one, logins whose password was just
checked before new ones, never more waiting than its bounds. A dead store turns
into Unavailable for the logins at hand; so does a bug, after each login of its
batch was tried alone, and the desk goes on. It is the one place in this room
that catches `Exception`: every door shares it, and none may die of a login.
"""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from authn.authenticate import MAX_BATCH, Login, authenticate
from authn.decide import AskFirstFactor
from authn.errors import KeyRingError, StoreError
from authn.policy import Policy
from authn.ports import AttemptStore, FirstFactor
from authn.request import NOBODY, AccessRequest, Username
from authn.verdict import Inability, Unavailable, Verdict

Ticket = TypeVar("Ticket")

MAX_WAITING_PER_USER = 32


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Ticket]):
    """A login that waits for its verdict, under the door's ticket."""

    ticket: Ticket
    login: Login


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
        self._waiting: deque[Waiting[Ticket]] = deque()
        self._logins_of: Counter[Username] = Counter()  # waiting or being checked, by user
        self._being_checked = 0

    def is_full_for(self, username: Username) -> bool:
        """Whether a door should shed a login of this user instead of handing it in.

        The bound per user keeps a flood on one name from filling the desk: such
        logins are judged one per batch, so they would pile up before all others.
        """
        if len(self._waiting) + self._being_checked >= self._max_waiting:
            return True
        return username != NOBODY and self._logins_of[username] >= MAX_WAITING_PER_USER

    def is_idle(self) -> bool:
        """Whether no login waits here or at the first factor."""
        return not self._waiting and not self._being_checked

    def has_work(self) -> bool:
        """Whether `work` would judge something at once."""
        return bool(self._waiting)

    def hand_in(self, ticket: Ticket, request: AccessRequest) -> None:
        """Queue a login. Its verdict comes from a later `work`, under `ticket`."""
        self._logins_of[request.username] += 1
        self._waiting.append(Waiting(ticket, Login(request)))

    def work(self) -> list[tuple[Ticket, Verdict]]:
        """Judge one batch and return the verdicts that are final, in no fixed order."""
        for waiting, checked in self._first_factor.answers():
            self._being_checked -= 1
            self._waiting.appendleft(Waiting(waiting.ticket, Login(waiting.login.request, checked)))
        batch = self._take_batch()
        if not batch:
            return []
        verdicts: list[tuple[Ticket, Verdict]] = []
        for waiting, outcome in zip(batch, self._judge(batch), strict=True):
            if isinstance(outcome, AskFirstFactor):
                self._being_checked += 1
                self._first_factor.ask(waiting, outcome)
            else:
                self._forget(waiting.login.request.username)
                verdicts.append((waiting.ticket, outcome))
        return verdicts

    def _forget(self, username: Username) -> None:
        self._logins_of[username] -= 1
        if not self._logins_of[username]:
            del self._logins_of[username]

    def _judge(self, batch: list[Waiting[Ticket]]) -> list[Verdict | AskFirstFactor]:
        try:
            return authenticate([waiting.login for waiting in batch], self._store, self.policy)
        except StoreError as fault:
            inability = Inability.STORE_UNAVAILABLE
            self._on_fault(fault)
        except KeyRingError as fault:
            inability = Inability.KEYS_UNAVAILABLE
            self._on_fault(fault)
        except Exception as bug:  # noqa: BLE001 - see the module docstring
            if len(batch) > 1:  # judged one by one, so that one poisonous login does not silence its neighbours
                return [self._judge([waiting])[0] for waiting in batch]
            inability = Inability.BUG
            self._on_fault(bug)
        return [Unavailable(inability)] * len(batch)

    def _take_batch(self) -> list[Waiting[Ticket]]:
        """Take up to MAX_BATCH logins, each user once; the others keep their order."""
        batch: list[Waiting[Ticket]] = []
        held_back: list[Waiting[Ticket]] = []
        users: set[Username] = set()
        while self._waiting and len(batch) < MAX_BATCH:
            waiting = self._waiting.popleft()
            username = waiting.login.request.username
            if username in users and username != NOBODY:  # nobody has no code to spend twice
                held_back.append(waiting)
            else:
                users.add(username)
                batch.append(waiting)
        self._waiting.extendleft(reversed(held_back))
        return batch
