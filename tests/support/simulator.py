"""A world in memory: users, tokens, a hand-wound clock, the real login rules.

`MemoryAttempts` fulfils the store's port without a disk; the same tests run
against it and against SQLite (`tests/store/test_attempts.py`), so it cannot lie.
"""

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network

from authn.account import DECOY, Account, Token, TokenId, UserId
from authn.authenticate import Login, authenticate
from authn.client import (
    AcceptedInput,
    AcceptedSecret,
    ClientId,
    ClientRules,
    InputMode,
    MessageAuthenticatorRule,
    NasClient,
)
from authn.decision import AskFirstFactor, CheckedPassword, Finding
from authn.errors import StoreUnavailableError
from authn.instants import UnixSeconds
from authn.lockout import NO_FAILURES, Tally
from authn.policy import Policy
from authn.ports import Settlement
from authn.request import AccessRequest, Username, canonical_username
from authn.secret import Password, Seed, SharedSecret, Verifier
from authn.totp import TimeStep, TotpParameters, code_at
from authn.verdict import Accept, Challenge, Reason, Reject, Verdict
from store.challenge_states import ChallengeStates
from store.keyring import KeyId, KeyRing, new_data_key

START = UnixSeconds(1_800_000_000.0)


def make_client(
    number: int, name: str, network: str = "192.0.2.0/24", *, secrets: Sequence[bytes] = (), **rules: object
) -> NasClient:
    """A NAS client. Input modes may be given by their names."""
    if "inputs" in rules:
        rules["inputs"] = tuple(
            one if isinstance(one, AcceptedInput) else AcceptedInput(InputMode(one)) for one in rules["inputs"]
        )
    octets = secrets or (b"a shared secret of " + name.encode(),)
    accepted = tuple(AcceptedSecret(SharedSecret(one), len(octets) - at) for at, one in enumerate(octets))
    return NasClient(ClientId(number), name, ip_network(network), accepted, ClientRules(**rules))


LAB = make_client(1, "lab")
OTHER = make_client(2, "other", "198.51.100.0/24")
CODE_ONLY = make_client(3, "code-only", inputs=["code-only"])
RELAXED = make_client(4, "relaxed", message_authenticator=MessageAuthenticatorRule.ALLOW)


class MemoryAttempts:
    """An `authn.ports.AttemptStore` in memory."""

    def __init__(self) -> None:
        self.accounts: dict[Username, Account] = {}
        self.tallies: dict[tuple[int, int], Tally] = {}
        self.answers: dict[bytes, int] = {}
        self.settled: list[tuple[Settlement, Verdict]] = []
        self.is_down = False

    @contextmanager
    def transaction(self):
        """One transaction; the store's own methods serve as its body."""
        if self.is_down:
            raise StoreUnavailableError("the store is down")
        yield self

    def load(self, requests: Sequence[AccessRequest]) -> list[Account]:
        """Accounts in the order of the requests."""
        return [self._account(request) for request in requests]

    def settle(self, settlements: Sequence[Settlement]) -> list[Verdict]:
        """Apply the writes; a step spent meanwhile turns an Accept into a replay."""
        return [self._settle(settlement) for settlement in settlements]

    def _account(self, request: AccessRequest) -> Account:
        account = self.accounts.get(request.username, DECOY)
        answers = 0 if request.conversation is None else self.answers.get(request.conversation.id, 0)
        tally = self.tallies.get((account.id, request.client.id), NO_FAILURES)
        return replace(account, tally=tally, answers=answers)

    def _settle(self, settlement: Settlement) -> Verdict:
        verdict, decision = settlement.decision.verdict, settlement.decision
        counted = decision.answer
        if counted is not None:
            answers = self.answers.get(counted.conversation_id, 0)
            if answers >= counted.limit:
                verdict = Reject(Reason.CHALLENGE_USED)
            else:
                self.answers[counted.conversation_id] = answers + (counted.limit if counted.closing else 1)
        if isinstance(verdict, Accept) and decision.spend is None:
            assert decision.without_spend is not None
        elif isinstance(verdict, Accept):
            account = self.accounts[settlement.request.username]
            spend = decision.spend
            token = next(one for one in account.tokens if one.id == spend.token_id)
            if token.last_step >= spend.step:
                verdict = Reject(Reason.CODE_REPLAYED)
            else:
                spent = replace(token, last_step=spend.step, drift=spend.drift, last_spend=spend.by)
                tokens = tuple(spent if one.id == token.id else one for one in account.tokens)
                self.accounts[settlement.request.username] = replace(account, tokens=tokens)
        if decision.tally is not None and verdict is decision.verdict:
            self.tallies[settlement.account.id, settlement.request.client.id] = decision.tally
        self.settled.append((settlement, verdict))
        return verdict


@dataclass
class Person:
    """A user with password and device."""

    world: "World"
    name: str
    password: bytes
    seed: Seed
    parameters: TotpParameters

    def code_at(self, offset_s: float = 0.0) -> bytes:
        """The code the device shows so many seconds from now."""
        step = TimeStep(self.parameters.step_at(UnixSeconds(self.world.now + offset_s)))
        return code_at(self.seed, step, self.parameters).encode()


class World:
    """Users, a clock, and logins through the real rules."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.now = START
        self.policy = policy or Policy()
        self.attempts = MemoryAttempts()
        self.checks: list[bytes] = []  # the passwords that a first factor was asked about
        self._passwords: dict[bytes, bytes] = {}
        self.states = ChallengeStates(KeyRing(KeyId(1), {KeyId(1): new_data_key()}))
        self.state = b""

    def pass_time(self, seconds: float) -> None:
        """Wind the clock."""
        self.now = UnixSeconds(self.now + seconds)

    def enrol(self, name: str, password: bytes = b"correct horse", parameters: TotpParameters | None = None) -> Person:
        """A user with one active token."""
        number = len(self.attempts.accounts) + 1
        parameters = parameters or TotpParameters()
        seed = Seed(number.to_bytes(20, "big"))
        token = Token(TokenId(number), seed, parameters, 0, TimeStep(0))
        verifier = b"verifier of " + name.encode()
        self._passwords[verifier] = password
        self.attempts.accounts[canonical_username(name.encode())] = Account(
            UserId(number), True, Verifier(verifier), (token,)
        )
        return Person(self, name, password, seed, parameters)

    def change(self, person: Person, **changes: object) -> None:
        """Change a user's account."""
        name = canonical_username(person.name.encode())
        self.attempts.accounts[name] = replace(self.attempts.accounts[name], **changes)

    def request(self, name: str, typed: bytes, client: NasClient = LAB, **more: object) -> AccessRequest:
        """A request at this moment."""
        return AccessRequest(canonical_username(name.encode()), Password(typed), client, self.now, **more)

    def login(self, name: str, typed: bytes, client: NasClient = LAB, **more: object) -> Verdict:
        """One login from request to settled verdict."""
        login = Login(self.request(name, typed, client, **more))
        while True:
            [outcome] = authenticate([login], self.attempts, self.policy)
            if not isinstance(outcome, AskFirstFactor):
                return outcome
            login = Login(login.request, self.check(outcome))

    def answer(self, name: str, typed: bytes, challenge: Challenge, client: NasClient, **more: object) -> Verdict:
        """One login that answers a challenge, its opening sealed and opened as on its way through a NAS."""
        if challenge.opening is not None:
            self.state = self.states.seal(challenge.opening, canonical_username(name.encode()), client)
        conversation = self.states.open(self.state, canonical_username(name.encode()), client)
        return self.login(name, typed, client, conversation=conversation, **more)

    def check(self, question: AskFirstFactor) -> CheckedPassword:
        """What the first factor says."""
        self.checks.append(question.password.reveal())
        right = self._passwords[question.verifier.reveal()] == question.password.reveal()
        return CheckedPassword(Finding.PASSED if right else Finding.FAILED, question.verifier)
