"""What the login rules need from outside, as Protocols. The store and the first factors fulfil them."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from authn.account import Account
from authn.challenge import Conversation, Opening
from authn.client import NasClient
from authn.decision import Decision
from authn.first_factor import AskFirstFactor, CheckedPassword
from authn.request import AccessRequest, Username
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
        """Write spends, answers, tallies and audit rows, durably, and return the final verdicts in order.

        The store has the last word: where a step was spent meanwhile, an Accept
        comes back as Reject(CODE_REPLAYED), and where a conversation has had all
        its answers, whatever was decided comes back as Reject(CHALLENGE_USED).
        """
        ...


class AttemptStore(Protocol):
    """The store as the login rules see it."""

    def transaction(self) -> AbstractContextManager[AttemptTransaction]:
        """Open a transaction. Leaving it without `settle` writes nothing.

        Raises StoreUnavailableError, also later from inside the transaction.
        """
        ...


class StateSeal(Protocol):
    """Turns what a challenge must remember into a State attribute and back.

    A State is printable, at most 253 octets, and opens only for the user and
    client it was sealed for.
    """

    def seal(self, opening: Opening, username: Username, client: NasClient) -> bytes:
        """A new State."""
        ...

    def open(self, state: bytes, username: Username, client: NasClient) -> Conversation | None:
        """What a State holds, or None for octets that are no State of this user at this client."""
        ...


class FirstFactor(Protocol[Ticket]):
    """Checks passwords beside the login path and gives the answers back later."""

    def ask(self, ticket: Ticket, question: AskFirstFactor, until: float) -> None:
        """Take a question. It is answered exactly once, with OVERLOADED if need be.

        Past `until`, a reading of the monotonic clock, nobody waits for the answer.
        """
        ...

    def answers(self) -> list[tuple[Ticket, CheckedPassword]]:
        """The answers that have come in since the last call. Does not wait."""
        ...
