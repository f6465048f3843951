"""Checks passwords on threads beside the login path.

A hash takes a core for tens of milliseconds; argon2 lets go of the interpreter
meanwhile. Questions queue up to a bound and for a limited time: a refusal that
leaves later than all others would tell that the code was right, and an answer
after the peer gave up is not worth its hash. Such questions are answered
OVERLOADED, and the peer asks again. Clients are served in turn.
"""

import os
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from authn.client import ClientId
from authn.decision import AskFirstFactor, CheckedPassword, Finding
from authn.errors import BrokenSealError, UnknownKeyError
from authn.lanes import Lanes
from authn.ports import FirstFactor
from store.contexts import verifier_context
from store.keyring import KeyRing
from store.passwords import PasswordHash, Passwords

Ticket = TypeVar("Ticket")


class PasswordPool(FirstFactor[Ticket], Generic[Ticket]):
    """The `authn.ports.FirstFactor` over the store's own passwords.

    `fileno()` becomes readable when answers have come in, for a selector.
    """

    def __init__(
        self,
        passwords: Passwords,
        keyring: KeyRing,
        *,
        threads: int,
        max_waiting: int,
        max_wait_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._passwords = passwords
        self.keyring = keyring  # replaced whole when keys are rotated
        self._max_wait_s = max_wait_s
        self._clock = clock  # monotonic seconds
        self._max_waiting = max_waiting
        self._questions: Lanes[ClientId, tuple[float, Ticket, AskFirstFactor]] = Lanes()
        self._change = threading.Condition()
        self._is_closing = False
        self._answers: queue.SimpleQueue[tuple[Ticket, CheckedPassword]] = queue.SimpleQueue()
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_reader, False)
        os.set_blocking(self._wake_writer, False)
        self._threads = [threading.Thread(target=self._work, name=f"hash-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def fileno(self) -> int:
        """A descriptor that is readable while answers wait."""
        return self._wake_reader

    def ask(self, ticket: Ticket, question: AskFirstFactor, until: float) -> None:
        """Take a question; with the queue full it is answered OVERLOADED at once."""
        until = min(until, self._clock() + self._max_wait_s)
        with self._change:
            if len(self._questions) < self._max_waiting:
                self._questions.put(question.client_id, (until, ticket, question))
                self._change.notify()
                return
        self._answer(ticket, question, Finding.OVERLOADED)

    def answers(self) -> list[tuple[Ticket, CheckedPassword]]:
        """The answers that have come in since the last call."""
        answers = []
        try:
            os.read(self._wake_reader, 4096)
        except BlockingIOError:
            return []
        while True:
            try:
                answers.append(self._answers.get_nowait())
            except queue.Empty:
                return answers

    def close(self) -> None:
        """Stop the threads once what they are at is done, and close the descriptors."""
        with self._change:
            self._is_closing = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._is_closing or len(self._questions) > 0)
                if self._is_closing:
                    return
                until, ticket, question = self._questions.take()
            finding = Finding.OVERLOADED if self._clock() > until else self._check(question)
            self._answer(ticket, question, finding)

    def _check(self, question: AskFirstFactor) -> Finding:
        try:
            opened = self.keyring.open(question.verifier.reveal(), verifier_context(question.user_id))
        except BrokenSealError:
            return Finding.SEAL_BROKEN
        except UnknownKeyError:
            return Finding.CANNOT_TELL
        return self._passwords.check(question.password, PasswordHash(opened))

    def _answer(self, ticket: Ticket, question: AskFirstFactor, finding: Finding) -> None:
        self._answers.put((ticket, CheckedPassword(finding, question.verifier)))
        try:
            os.write(self._wake_writer, b"\0")
        except BlockingIOError:
            pass  # the pipe is full of wake-ups already
