"""Judge a batch of logins in one transaction.

The batch is the unit: one read, one durable write, however many logins wait.
Judging and spending share the transaction, and a user stands in a batch at most
once, so two logins with one code can never both see the code unspent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from authn.decide import decide
from authn.first_factor import AskFirstFactor, CheckedPassword
from authn.policy import Policy
from authn.ports import AttemptStore, Settlement
from authn.request import NOBODY, AccessRequest
from authn.verdict import Verdict

MAX_BATCH = 256


@dataclass(frozen=True, slots=True)
class Login:
    """A request, with what the first factor said of its password once it was asked."""

    request: AccessRequest
    checked: CheckedPassword | None = None


def authenticate(logins: Sequence[Login], store: AttemptStore, policy: Policy) -> list[Verdict | AskFirstFactor]:
    """A verdict for each login, in order, or the question its first factor must answer first.

    Every verdict returned is on stable storage. Raises ValueError if a user
    stands in the batch twice, StoreError or KeyRingError if nothing can be judged.
    """
    requests = [login.request for login in logins]
    names = [request.username for request in requests if request.username != NOBODY]
    if len(set(names)) != len(names):
        raise ValueError("a user stands in the batch twice")
    outcomes: list[Verdict | AskFirstFactor] = []
    settlements: list[Settlement] = []
    places: list[int] = []
    with store.transaction() as transaction:
        for place, (login, account) in enumerate(zip(logins, transaction.load(requests), strict=True)):
            decided = decide(login.request, account, login.checked, policy)
            if isinstance(decided, AskFirstFactor):
                outcomes.append(decided)
                continue
            outcomes.append(decided.verdict)
            settlements.append(Settlement(login.request, account, decided))
            places.append(place)
        if settlements:
            for place, verdict in zip(places, transaction.settle(settlements), strict=True):
                outcomes[place] = verdict
    return outcomes
