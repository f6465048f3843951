"""What the login rules need from outside, as Protocols. The store and the first factors fulfil them."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from authn.account import Account
from authn.decide import AskFirstFactor, CheckedPassword, Decision
from authn.request import AccessRequest
from authn.verdict import Verdict

Ticket = TypeVar("Ticket")


@dataclass(frozen=True, slots=True)
class Settlement:
    """A decision on its way to stable storage, with the login it belongs to."""

    request: AccessRequest
    account: Account
    decision: Decision


class AttemptTransaction(Protocol):
    """One transaction: what it loads stays true until it settles."""

    def load(self, requests: Sequence[AccessRequest]) -> list[Account]:
        """The accounts of `requests`, in their order; the decoy for unknown names."""
        ...

    def settle(self, settlements: Sequence[Settlement]) -> list[Verdict]:
        """Write spends, tallies and audit rows, durably, and return the final verdicts in order.

        The store has the last word: where a step was spent meanwhile, an Accept
        comes back as Reject(CODE_REPLAYED).
        """
        ...


class AttemptStore(Protocol):
    """The store as the login rules see it."""

    def transaction(self) -> AbstractContextManager[AttemptTransaction]:
        """Open a transaction. Leaving it without `settle` writes nothing.

        Raises StoreUnavailableError, also later from inside the transaction.
        """
        ...


class FirstFactor(Protocol[Ticket]):
    """Checks passwords beside the login path and gives the answers back later."""

    def ask(self, ticket: Ticket, question: AskFirstFactor) -> None:
        """Take a question. It is answered exactly once, with OVERLOADED if need be."""
        ...

    def answers(self) -> list[tuple[Ticket, CheckedPassword]]:
        """The answers that have come in since the last call. Does not wait."""
        ...
