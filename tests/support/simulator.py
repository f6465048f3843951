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
from authn.client import ClientId, InputMode, MessageAuthenticatorRule, NasClient
from authn.decide import AskFirstFactor, CheckedPassword, Finding
from authn.errors import StoreUnavailableError
from authn.instants import UnixSeconds
from authn.lockout import NO_FAILURES, Tally
from authn.policy import Policy
from authn.ports import Settlement
from authn.request import AccessRequest, Username, canonical_username
from authn.secret import Password, Seed, SharedSecret, Verifier
from authn.totp import TimeStep, TotpParameters, code_at
from authn.verdict import Accept, Reason, Reject, Verdict

START = UnixSeconds(1_800_000_000.0)
LAB = NasClient(ClientId(1), "lab", ip_network("192.0.2.0/24"), SharedSecret(b"a shared secret of the lab"))
OTHER = NasClient(ClientId(2), "other", ip_network("198.51.100.0/24"), SharedSecret(b"a shared secret of others"))
CODE_ONLY = replace(LAB, id=ClientId(3), name="code-only", input_mode=InputMode.CODE_ONLY)
RELAXED = replace(LAB, id=ClientId(4), name="relaxed", message_authenticator=MessageAuthenticatorRule.ALLOW)


class MemoryAttempts:
    """An `authn.ports.AttemptStore` in memory."""

    def __init__(self) -> None:
        self.accounts: dict[Username, Account] = {}
        self.tallies: dict[tuple[int, int], Tally] = {}
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
        return replace(account, tally=self.tallies.get((account.id, request.client.id), NO_FAILURES))

    def _settle(self, settlement: Settlement) -> Verdict:
        verdict, decision = settlement.decision.verdict, settlement.decision
        if isinstance(verdict, Accept):
            account = self.accounts[settlement.request.username]
            spend = decision.spend
            token = next(one for one in account.tokens if one.id == spend.token_id)
            if token.last_step >= spend.step:
                verdict = Reject(Reason.CODE_REPLAYED)
            else:
                spent = replace(token, last_step=spend.step, drift=spend.drift)
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

    def request(
        self, name: str, typed: bytes, client: NasClient = LAB, unusable: Reason | None = None
    ) -> AccessRequest:
        """A request at this moment."""
        return AccessRequest(canonical_username(name.encode()), Password(typed), client, self.now, None, unusable)

    def login(self, name: str, typed: bytes, client: NasClient = LAB, **more: object) -> Verdict:
        """One login from request to settled verdict."""
        login = Login(self.request(name, typed, client, **more))
        while True:
            [outcome] = authenticate([login], self.attempts, self.policy)
            if not isinstance(outcome, AskFirstFactor):
                return outcome
            login = Login(login.request, self.check(outcome))

    def check(self, question: AskFirstFactor) -> CheckedPassword:
        """What the first factor says."""
        self.checks.append(question.password.reveal())
        right = self._passwords[question.verifier.reveal()] == question.password.reveal()
        return CheckedPassword(Finding.PASSED if right else Finding.FAILED, question.verifier)
