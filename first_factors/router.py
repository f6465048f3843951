"""Sends each question to the first factor that keeps the password."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from authn.first_factor import AskFirstFactor, CheckedPassword, Finding
from authn.ports import FirstFactor
from first_factors.pool import Inbox, Pool

Ticket = TypeVar("Ticket")


class Router(FirstFactor[Ticket], Generic[Ticket]):
    """The `authn.ports.FirstFactor` over several pools with one inbox, which it closes with them."""

    def __init__(self, pools: Mapping[str, Pool[Ticket]], inbox: Inbox[Ticket]) -> None:
        self._pools = pools
        self._inbox = inbox

    def fileno(self) -> int:
        """A descriptor that is readable while answers wait, for a selector."""
        return self._inbox.fileno()

    def ask(self, ticket: Ticket, question: AskFirstFactor, until: float) -> None:
        """Hand a question on. A keeper that is not known here cannot tell."""
        pool = self._pools.get(question.keeper.name)
        if pool is None:
            self._inbox.put(ticket, CheckedPassword(Finding.CANNOT_TELL, question.keeper))
        else:
            pool.ask(ticket, question, until)

    def answers(self) -> list[tuple[Ticket, CheckedPassword]]:
        """The answers that have come in since the last call."""
        return self._inbox.take_all()

    def close(self) -> None:
        """Stop every pool once what it is at is done."""
        for pool in self._pools.values():
            pool.close()
        self._inbox.close()
