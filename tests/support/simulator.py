"""A world in memory: users, tokens, a hand-wound clock, the real login rules.

`MemoryAttempts` fulfils the store's port without a disk; the same tests run
against it and against SQLite (`tests/store/test_attempts.py`), so it cannot lie.
"""

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network

from authn import recovery
from authn.account import DECOY, Account, RecoveryCode, Token, TokenId, UserId
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
from authn.decision import SpendExemption, SpendRecoveryCode, SpendStep, WithoutSpend
from authn.errors import StoreUnavailableError
from authn.exemption import Exemption, ExemptionId, ExemptionKind
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding
from authn.instants import UnixSeconds
from authn.lockout import NO_BUCKET, NO_FAILURES, Bucket, Tally
from authn.otp import HotpParameters, OtpParameters, TimeStep, TotpParameters, code_at
from authn.places import known_place_of, place_of
from authn.policy import Policy
from authn.ports import Settlement
from authn.request import AccessRequest, Username, canonical_username
from authn.secret import Password, Seed, SharedSecret, Verifier
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
        self.tallies: dict[tuple[int, int, str], Tally] = {}
        self.place_strangers: dict[tuple[int, str], Bucket] = {}
        self.strangers_of_names: dict[str, Bucket] = {}
        self.places: dict[tuple[int, str], UnixSeconds] = {}
        self.answers: dict[bytes, int] = {}
        self.shadow_outcomes: dict[tuple[int, Username], str] = {}
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
        """Apply the writes; what was spent meanwhile turns an Accept into a refusal."""
        return [self._settle(settlement) for settlement in settlements]

    def _account(self, request: AccessRequest) -> Account:
        account = self.accounts.get(request.username, DECOY)
        place = place_of(request.station)
        return replace(
            account,
            tally=self.tallies.get((account.id, request.client.id, place), NO_FAILURES),
            answers=0 if request.conversation is None else self.answers.get(request.conversation.id, 0),
            known_at=self.places.get((account.id, self._known_place(request))),
            strangers=account.strangers if account.id else self.strangers_of_names.get(request.username, NO_BUCKET),
            guess_key=b"a key of the world",
            place_strangers=self.place_strangers.get((request.client.id, place), NO_BUCKET),
        )

    def _known_place(self, request: AccessRequest) -> str:
        return known_place_of(request.client, request.station, request.received)

    def _settle(self, settlement: Settlement) -> Verdict:
        decision, request = settlement.decision, settlement.request
        verdict = self._spend(decision, request)
        if verdict is decision.verdict:
            self._write(settlement, verdict)
        self.settled.append((settlement, verdict))
        return verdict

    def _spend(self, decision, request: AccessRequest) -> Verdict:
        if decision.answer is not None:
            counted, answers = decision.answer, self.answers.get(decision.answer.conversation_id, 0)
            if answers >= counted.limit:
                return Reject(Reason.CHALLENGE_USED)
            self.answers[counted.conversation_id] = answers + (counted.limit if counted.closing else 1)
        if not isinstance(decision.verdict, Accept):
            return decision.verdict
        spend = decision.spend
        if spend is None:
            assert decision.without_spend is not None
            return decision.verdict
        account = self.accounts[request.username]
        match spend:
            case SpendStep():
                token = next((one for one in account.tokens if one.id == spend.token_id), None)
                if token is None or token.last_step >= spend.step:
                    return Reject(Reason.CODE_REPLAYED)
                spent = replace(token, last_step=spend.step, drift=spend.drift, last_spend=spend.by)
                tokens = tuple(spent if one.id == token.id else one for one in account.tokens)
                changed = replace(account, tokens=tokens)
            case SpendRecoveryCode():
                left = tuple(one for one in account.recovery_codes if one.serial != spend.serial)
                if len(left) == len(account.recovery_codes):
                    return Reject(Reason.CODE_REPLAYED)
                changed = replace(account, recovery_codes=left)
            case SpendExemption():
                one = next((one for one in account.exemptions if one.id == spend.exemption_id), None)
                if one is None or not one.holds(request.client.id, spend.at):
                    return Reject(Reason.NO_TOKEN)
                used = replace(one, used=one.used + 1)
                changed = replace(account, exemptions=tuple(used if x.id == one.id else x for x in account.exemptions))
        self.accounts[request.username] = changed
        return decision.verdict

    def _write(self, settlement: Settlement, verdict: Verdict) -> None:
        decision, request, user_id = settlement.decision, settlement.request, settlement.account.id
        place = place_of(request.station)
        if decision.tally is not None and user_id is not None:
            self.tallies[user_id, request.client.id, place] = decision.tally
        if decision.place_strangers is not None:
            key = (request.client.id, place)
            bucket = self.place_strangers.get(key, NO_BUCKET)
            self.place_strangers[key] = bucket.with_one_more(request.received, decision.place_strangers)
        if user_id is None and decision.strangers is not None:
            self.strangers_of_names[request.username] = decision.strangers
        if user_id is not None:
            account = self.accounts[request.username]
            if decision.strangers is not None:
                account = replace(account, strangers=decision.strangers)
            if decision.renewed is not None:
                account = replace(account, verifier=decision.renewed)
            self.accounts[request.username] = account
            by_code = isinstance(decision.spend, SpendStep | SpendRecoveryCode)
            is_open = not request.client.rules.enforces_codes_at(request.received)
            is_new = is_open and decision.without_spend is not WithoutSpend.REPEAT
            if isinstance(verdict, Accept) and (by_code or is_new):
                self.places[user_id, self._known_place(request)] = request.received
        if decision.trace.would_be is not None:
            self.shadow_outcomes[request.client.id, request.username] = decision.trace.would_be


@dataclass
class Person:
    """A user with password and device."""

    world: "World"
    name: str
    password: bytes
    seed: Seed
    parameters: OtpParameters

    def counted_code(self, counter: int) -> bytes:
        """The code of one counter."""
        return code_at(self.seed, TimeStep(counter), self.parameters).encode()

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

    def enrol(self, name: str, password: bytes = b"correct horse", parameters: OtpParameters | None = None) -> Person:
        """A user with one active token."""
        number = len(self.attempts.accounts) + 1
        parameters = parameters or TotpParameters()
        seed = Seed(number.to_bytes(20, "big"))
        first = TimeStep(-1 if isinstance(parameters, HotpParameters) else 0)
        token = Token(TokenId(number), seed, parameters, 0, first)
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

    def recovery_code(self, person: Person, letters: str = "K7QM2F8D9XWB3TRN") -> bytes:
        """Give a user one more recovery code; as it is written."""
        account = self.attempts.accounts[canonical_username(person.name.encode())]
        digest = recovery.digest(account.id, Password(letters.encode()))
        code = RecoveryCode(letters, digest)
        self.change(person, recovery_codes=(*account.recovery_codes, code))
        return recovery.written(letters).encode()

    def exempt(
        self,
        person: Person,
        kind: ExemptionKind,
        seconds: float = 3600,
        logins: int | None = None,
        client: NasClient | None = None,
    ) -> None:
        """Let a user in without a code for a while."""
        until = UnixSeconds(self.now + seconds)
        one = Exemption(ExemptionId(1), kind, until, logins, 0, None if client is None else client.id)
        self.change(person, exemptions=(one,))

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
        if question.keeper.verifier is None:
            return self.elsewhere(question)
        right = self._passwords[question.keeper.verifier.reveal()] == question.password.reveal()
        return CheckedPassword(Finding.PASSED if right else Finding.FAILED, question.keeper)

    def elsewhere(self, question: AskFirstFactor) -> CheckedPassword:
        """What a first factor other than our own store says: a test that has one puts it here."""
        raise AssertionError(f"nobody was to ask {question.keeper.name}")
