"""Asks one first factor, on threads beside the login path.

A hash takes a core for tens of milliseconds, a directory takes its time; both
let go of the interpreter meanwhile. Questions queue up to a bound and for a
limited time: a refusal that leaves later than all others would tell that the
code was right, and an answer after the peer gave up is not worth its check. Such
questions are answered OVERLOADED, and the peer asks again. Clients are served in
turn. An error in a first factor is logged, and means that it cannot tell.
"""

import logging
import os
import queue
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from authn.client import ClientId
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding
from authn.lanes import Lanes

_log = logging.getLogger(__name__)

Ticket = TypeVar("Ticket")


class Checker(Protocol):
    """A first factor as a thread asks it. Used by several threads at once."""

    def check(self, question: AskFirstFactor, timeout_s: float) -> CheckedPassword:
        """Check one password. May wait for `timeout_s`; what cannot be found out by then is CANNOT_TELL."""
        ...

    def close(self) -> None:
        """Give back what is held. No check is under way."""
        ...


class Inbox(Generic[Ticket]):
    """Where answers of all pools come in. `fileno()` becomes readable while some wait, for a selector."""

    def __init__(self) -> None:
        self._answers: queue.SimpleQueue[tuple[Ticket, CheckedPassword]] = queue.SimpleQueue()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def fileno(self) -> int:
        """A descriptor that is readable while answers wait."""
        return self._reader

    def put(self, ticket: Ticket, checked: CheckedPassword) -> None:
        """Leave an answer. May be called by any thread."""
        self._answers.put((ticket, checked))
        try:
            os.write(self._writer, b"\0")
        except BlockingIOError:
            pass  # the pipe is full of wake-ups already

    def take_all(self) -> list[tuple[Ticket, CheckedPassword]]:
        """The answers that have come in since the last call. Does not wait."""
        answers = []
        try:
            os.read(self._reader, 4096)
        except BlockingIOError:
            return []
        while True:
            try:
                answers.append(self._answers.get_nowait())
            except queue.Empty:
                return answers

    def close(self) -> None:
        """Close the descriptors."""
        os.close(self._reader)
        os.close(self._writer)


class Pool(Generic[Ticket]):
    """Threads that ask one checker and leave its answers in an inbox."""

    def __init__(
        self,
        checker: Checker,
        inbox: Inbox[Ticket],
        *,
        name: str,
        threads: int,
        max_waiting: int,
        max_wait_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._checker = checker
        self._inbox = inbox
        self._max_wait_s = max_wait_s
        self._max_waiting = max_waiting
        self._clock = clock  # monotonic seconds
        self._questions: Lanes[ClientId, tuple[float, Ticket, AskFirstFactor]] = Lanes()
        self._change = threading.Condition()
        self._is_closing = False
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def ask(self, ticket: Ticket, question: AskFirstFactor, until: float) -> None:
        """Take a question; with the queue full it is answered OVERLOADED at once."""
        until = min(until, self._clock() + self._max_wait_s)
        with self._change:
            if len(self._questions) < self._max_waiting:
                self._questions.put(question.client_id, (until, ticket, question))
                self._change.notify()
                return
        self._inbox.put(ticket, CheckedPassword(Finding.OVERLOADED, question.keeper))

    def close(self) -> None:
        """Stop the threads once what they are at is done, and close the checker."""
        with self._change:
            self._is_closing = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()
        self._checker.close()

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._is_closing or len(self._questions) > 0)
                if self._is_closing:
                    return
                until, ticket, question = self._questions.take()
            self._inbox.put(ticket, self._check(question, until - self._clock()))

    def _check(self, question: AskFirstFactor, timeout_s: float) -> CheckedPassword:
        if timeout_s < 0:
            return CheckedPassword(Finding.OVERLOADED, question.keeper)
        try:
            return self._checker.check(question, timeout_s)
        except Exception:  # noqa: BLE001 - a thread must not die of one password; nobody is let in by it
            _log.exception("an error in the first factor %s", question.keeper.name)
            return CheckedPassword(Finding.CANNOT_TELL, question.keeper)
