"""No code lets in twice: a machine of logins, repeats, prompts and jumping clocks, beside a model that judges them.

The model makes its codes with pyotp and keeps its own books of what was spent, which State belongs to which password,
and what each device's clock was learned to be. It asks of every Accept what entitled it, and of every refusal whether
anything did not.
"""

import hashlib
from base64 import b32encode
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache

import pyotp
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.simulator import LAB, World, make_client

from authn.account import LastSpend, Token, TokenId
from authn.client import InputMode
from authn.decision import SpendExemption, SpendRecoveryCode, SpendStep, WithoutSpend
from authn.exemption import ExemptionKind
from authn.otp import Algorithm, HotpParameters, TimeStep, TotpParameters
from authn.recovery import LETTERS, written
from authn.secret import Seed, Verifier
from authn.verdict import Accept, Challenge, Prompt, Reason, Reject

WINDOW, LOOK_AHEAD, REACH, MAX_DRIFT = 1, 10, 60, 10
PREFIX = make_client(21, "prefix", inputs=["prefix"])
ASKS = make_client(22, "asks", inputs=["challenge"])
CODES = make_client(23, "codes", inputs=["code-only"])
BOTH = make_client(24, "both", inputs=["suffix", "challenge"])
NO_REPEATS = make_client(25, "no-repeats", accept_repeats=False)
FIELD_CLIENTS = (LAB, PREFIX, CODES, BOTH, NO_REPEATS)
PROMPT_CLIENTS = (ASKS, BOTH)
STATIONS = (None, "10.0.0.1", "10.0.0.2", "192.168.7.7")
NOT_FOR_THE_CODE = (Reason.LOCKED, Reason.STRANGERS, Reason.SAME_GUESS)
"""Refusals that say nothing about what was typed; `test_lockout_machine.py` is about them."""

seen: Counter[str] = Counter()
"""What the runs of this module came to; the last test asks that nothing was left out."""


@cache
def _code(seed: bytes, algorithm: Algorithm, step: int) -> str:
    digest = {Algorithm.SHA1: hashlib.sha1, Algorithm.SHA256: hashlib.sha256}[algorithm]
    return pyotp.HOTP(b32encode(seed).decode(), digits=6, digest=digest).at(step)


@dataclass
class Device:
    """A token as the model knows it. `runs_ahead` is the true error of its clock, `drift` what was learned of it."""

    id: int
    seed: bytes
    period_s: int | None
    algorithm: Algorithm
    runs_ahead: int = 0
    drift: int = 0
    counter: int = 0
    last_step: int = -1
    spent: set[int] = field(default_factory=set)

    def code(self, step: int) -> str:
        """The digits of one step, made by pyotp."""
        return _code(self.seed, self.algorithm, step)

    def shown(self, now: float) -> int:
        """The step on its display."""
        return self.counter if self.period_s is None else int(now // self.period_s) + self.runs_ahead

    def window(self, now: float) -> range:
        """The steps whose codes are good now."""
        if self.period_s is None:
            return range(self.last_step + 1, self.last_step + 2 + LOOK_AHEAD)
        middle = int(now // self.period_s) + self.drift
        return range(middle - WINDOW, middle + WINDOW + 1)

    def digits_in_sight(self, now: float) -> set[str]:
        """The digits already taken whose step could still be typed."""
        window = self.window(now)
        first = window.start - LOOK_AHEAD if self.period_s is None else window.start
        return {self.code(step) for step in self.spent if first <= step < window.stop}

    def good(self, digits: str, now: float) -> list[int]:
        """The unspent steps that digits stand for now."""
        if digits in self.digits_in_sight(now):
            return []
        return [step for step in self.window(now) if step > self.last_step and self.code(step) == digits]

    def spend(self, step: int, now: float, *, clock_set: bool) -> None:
        """Book one step, and what is learned of the clock."""
        if self.period_s is not None:
            middle = int(now // self.period_s) + self.drift
            if clock_set:
                self.drift = step - int(now // self.period_s)
            elif abs(step - middle) >= WINDOW:
                bound = max(MAX_DRIFT, abs(self.drift))
                self.drift = max(-bound, min(bound, self.drift + (1 if step > middle else -1)))
        self.last_step = step
        self.spent.add(step)

    def token(self) -> Token:
        """It as the store keeps it."""
        if self.period_s is None:
            parameters = HotpParameters(algorithm=self.algorithm)
        else:
            parameters = TotpParameters(self.period_s, 6, self.algorithm)
        return Token(TokenId(self.id), Seed(self.seed), parameters, self.drift, TimeStep(self.last_step))


@dataclass
class Conversation:
    """A State and what stands behind it."""

    person: "Owner"
    client: object
    state: bytes
    expires: int
    password_number: int
    found: tuple[int, int] | None = None
    answers: int = 0
    let_in: bool = False

    @property
    def limit(self) -> int:
        return 1 if self.found else 3


@dataclass(frozen=True)
class Attempt:
    """What was sent, and what it means. `right_password` is that of the field."""

    person: "Owner"
    client: object
    typed: bytes
    digits: str | None
    right_password: bool
    station: str | None
    conversation: Conversation | None = None
    recovery: str | None = None
    password_alone: bool = False


@dataclass(eq=False)
class Owner:
    """A user: password, devices, recovery codes, and what was let in."""

    name: str
    password: bytes
    devices: dict[int, Device]
    recovery: set[str] = field(default_factory=set)
    password_number: int = 0
    newest_spend: dict[int, tuple[Attempt, float]] = field(default_factory=dict)
    exempt_until: float = 0.0
    exempt_logins: int = 0


def join(client, password: bytes, code: bytes) -> bytes:
    """A field as this client's users type it."""
    if client is PREFIX:
        return code + password
    return code if client is CODES else password + code


class Tokens(RuleBasedStateMachine):
    """Logins in a world, each one checked against the model."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        assert (self.world.policy.window, self.world.policy.look_ahead) == (WINDOW, LOOK_AHEAD)
        self.owners: list[Owner] = []
        self.conversations: list[Conversation] = []
        self.attempts: list[Attempt] = []
        self.numbers = 100
        self.wrong = 0
        self.last_steps: dict[int, int] = {}

    # What there is

    @initialize(
        drifts=st.tuples(*[st.integers(-12, 12)] * 4),
        period_s=st.sampled_from([30, 60]),
        algorithm=st.sampled_from([Algorithm.SHA1, Algorithm.SHA256]),
    )
    def enrol(self, drifts, period_s, algorithm):
        """Four users: one device, the other hash, a counted one, two devices."""
        self._enrol("ann", [self._device(30, Algorithm.SHA1, drifts[0])])
        self._enrol("ben", [self._device(period_s, algorithm, drifts[1])])
        self._enrol("cas", [self._device(None, algorithm, 0)])
        self._enrol("dot", [self._device(30, Algorithm.SHA1, drifts[2]), self._device(60, Algorithm.SHA256, drifts[3])])

    def _device(self, period_s, algorithm, drift):
        self.numbers += 1
        seed = hashlib.sha256(b"device %d" % self.numbers).digest()[:20]
        first = -1 if period_s is None else 0
        return Device(self.numbers, seed, period_s, algorithm, drift, drift, 0, first)

    def _enrol(self, name, devices):
        password = b"horse of " + name.encode()
        person = self.world.enrol(name, password)
        owner = Owner(name, password, {one.id: one for one in devices})
        self.owners.append(owner)
        self.world.change(person, tokens=tuple(one.token() for one in devices))

    def _account(self, owner):
        return self.world.attempts.accounts[owner.name]

    def _change(self, owner, **changes):
        self.world.attempts.accounts[owner.name] = replace(self._account(owner), **changes)

    def _wrong_digits(self, owner):
        """Digits that none of a user's devices shows within reach of now."""
        near = {
            one.code(step)
            for one in owner.devices.values()
            for step in range(max(0, one.shown(self.world.now) - 90), one.shown(self.world.now) + 91)
        } | {one.code(one.last_step) for one in owner.devices.values() if one.last_step >= 0}
        while True:
            self.wrong += 1
            if f"{self.wrong:06d}" not in near:
                return f"{self.wrong:06d}"

    # Sending and judging

    def _send(self, attempt: Attempt):
        owner, world = attempt.person, self.world
        before = (self._account(owner).tokens, self._account(owner).recovery_codes, self._account(owner).exemptions)
        opened = None
        if attempt.conversation is not None:
            opened = world.states.open(attempt.conversation.state, owner.name, attempt.client)
        verdict = world.login(owner.name, attempt.typed, attempt.client, station=attempt.station, conversation=opened)
        decision = world.attempts.settled[-1][0].decision
        self.attempts.append(attempt)
        if isinstance(verdict, Accept):
            self._entitled(attempt, decision, before)
        else:
            account = self._account(owner)
            assert (account.tokens, account.recovery_codes, account.exemptions) == before, "a refusal spent something"
            self._not_entitled(attempt, verdict)
        self._count_answer(attempt, decision, verdict)
        self._note_opening(attempt, verdict)
        return verdict

    def _holds_password(self, attempt):
        conversation = attempt.conversation
        if conversation is not None:
            return conversation.password_number == attempt.person.password_number
        return attempt.client is CODES or attempt.right_password

    def _may_answer(self, attempt):
        conversation = attempt.conversation
        return conversation is None or (
            self.world.now < conversation.expires and conversation.answers < conversation.limit
        )

    def _is_repeat_of(self, attempt, device_id):
        """Whether the very same attempt spent a device's newest step just now."""
        if attempt.station is None or device_id not in attempt.person.newest_spend:
            return False
        first, at = attempt.person.newest_spend[device_id]
        same = (first.client.id, first.station, first.typed) == (attempt.client.id, attempt.station, attempt.typed)
        window_s = attempt.client.rules.repeat_window_s
        return same and first.conversation is attempt.conversation and abs(self.world.now - at) < window_s

    def _entitled(self, attempt, decision, before):
        """Say what let this login in, or fail."""
        owner, now = attempt.person, self.world.now
        if decision.without_spend is WithoutSpend.REPEAT:
            assert any(self._is_repeat_of(attempt, one) for one in owner.devices), "an Accept that repeats nothing"
            assert (self._account(owner).tokens, self._account(owner).recovery_codes) == before[:2]
            seen["repeat"] += 1
            return
        assert decision.without_spend is None
        assert self._holds_password(attempt), "let in without the password"
        assert self._may_answer(attempt), "a State that was over let in"
        if attempt.conversation is not None:
            assert not attempt.conversation.let_in, "a State let in twice"
            attempt.conversation.let_in = True
            seen["prompt"] += 1
        match decision.spend:
            case SpendStep(token_id, step):
                self._step_was_good(attempt, owner.devices[token_id], step)
            case SpendRecoveryCode():
                assert attempt.recovery in owner.recovery, "a recovery code let in that was used, or none"
                owner.recovery.remove(attempt.recovery)
                assert len(self._account(owner).recovery_codes) == len(owner.recovery)
                seen["recovery code"] += 1
            case SpendExemption(kind=kind):
                assert kind is ExemptionKind.BYPASS
                assert attempt.password_alone
                assert now < owner.exempt_until
                assert owner.exempt_logins > 0
                owner.exempt_logins -= 1
                seen["exemption"] += 1
            case other:
                raise AssertionError(f"an Accept without a cause: {other}")

    def _step_was_good(self, attempt, device, step):
        now, conversation = self.world.now, attempt.conversation
        found = None if conversation is None else conversation.found
        assert step > device.last_step
        assert step not in device.spent, "a step was accepted twice"
        assert attempt.digits == device.code(step)
        assert attempt.digits not in device.digits_in_sight(now), "digits were accepted twice"
        clock_set = step not in device.window(now)
        assert not clock_set or found == (device.id, step - 1), "a code of another time let in"
        device.spend(step, now, clock_set=clock_set)
        attempt.person.newest_spend[device.id] = (attempt, now)
        [token] = [one for one in self._account(attempt.person).tokens if one.id == device.id]
        assert (token.last_step, token.drift) == (device.last_step, device.drift)
        seen["clock set" if clock_set else "code" if device.period_s else "counted code"] += 1

    def _not_entitled(self, attempt, verdict):
        """Fail if a refused login had all it needs."""
        owner, now = attempt.person, self.world.now
        reason = verdict.reason if isinstance(verdict, Reject) else verdict.because
        seen[str(reason)] += 1
        if reason in NOT_FOR_THE_CODE:
            return
        for device in owner.devices.values():
            if self._is_repeat_of(attempt, device.id) and device.last_step in device.window(now):
                raise AssertionError(f"a repeat was refused: {reason}")
        if not self._holds_password(attempt) or not self._may_answer(attempt):
            return
        if attempt.digits is not None:
            good = {one.id: one.good(attempt.digits, now) for one in owner.devices.values()}
            assert not any(good.values()), f"a good code was refused: {reason} {good}"
            if reason is Reason.CODE_REPLAYED:
                assert any(
                    one.code(step) == attempt.digits for one in owner.devices.values() for step in self._behind(one)
                )
        assert attempt.recovery is None or attempt.recovery not in owner.recovery, f"a recovery code refused: {reason}"
        if attempt.password_alone and reason is not None:
            assert now >= owner.exempt_until or not owner.exempt_logins

    def _behind(self, device):
        """The steps that are used, or passed over, as far as anybody can type them."""
        if device.period_s is None:
            return range(max(0, device.last_step - LOOK_AHEAD), device.last_step + 1)
        return [step for step in {*device.window(self.world.now), device.last_step} if step <= device.last_step]

    def _count_answer(self, attempt, decision, verdict):
        conversation = attempt.conversation
        if conversation is None or decision.without_spend is WithoutSpend.REPEAT:
            return
        is_over = self.world.now >= conversation.expires
        if verdict in (Reject(Reason.CHALLENGE_EXPIRED), Reject(Reason.CHALLENGE_USED)):
            used_up = verdict.reason is Reason.CHALLENGE_USED
            assert is_over if not used_up else conversation.answers >= conversation.limit
            return
        assert not is_over
        assert conversation.answers < conversation.limit, "a State was answered too often"
        conversation.answers = conversation.limit if isinstance(verdict, Accept) else conversation.answers + 1

    def _note_opening(self, attempt, verdict):
        if not isinstance(verdict, Challenge) or verdict.opening is None:
            return
        opening, found, owner = verdict.opening, None, attempt.person
        assert self._holds_password(attempt), "a prompt that tells of the password, though it was wrong"
        if verdict.prompt is Prompt.NEXT_CODE:
            found = (int(opening.found.token_id), int(opening.found.step))
            assert owner.devices[found[0]].code(found[1]) == attempt.digits
            assert found[1] > owner.devices[found[0]].last_step
        state = self.world.states.seal(opening, owner.name, attempt.client)
        expires = int(self.world.now + self.world.policy.challenge_lifetime_s)
        number = owner.password_number
        self.conversations.append(Conversation(owner, attempt.client, state, expires, number, found))

    # What may happen

    def _pick(self, owner, which):
        ids = sorted(owner.devices)
        return owner.devices[ids[which % len(ids)]] if ids else None

    def _log_in(self, owner, client, digits, station, *, right=True):
        password = owner.password if right else b"wrong %d" % self.wrong
        typed = join(client, password, digits.encode())
        return self._send(Attempt(owner, client, typed, digits, right, station))

    @rule(
        who=st.integers(0, 3),
        client=st.sampled_from(FIELD_CLIENTS),
        which=st.integers(0, 1),
        offset=st.sampled_from([0, 0, 0, -1, 1, -2, 2, -3, 3]),
        right=st.sampled_from([True, True, True, False]),
        station=st.sampled_from(STATIONS),
    )
    def log_in(self, who, client, which, offset, right, station):
        owner = self.owners[who]
        device = self._pick(owner, which)
        if device is not None:
            step = max(0, device.shown(self.world.now) + offset)
            self._log_in(owner, client, device.code(step), station, right=right)

    @rule(who=st.integers(0, 3), client=st.sampled_from(FIELD_CLIENTS), which=st.integers(0, 1))
    def log_in_with_wrong_and_then_right_password(self, who, client, which):
        """A wrong password spends nothing: the same code still lets in."""
        owner = self.owners[who]
        device = self._pick(owner, which)
        if device is None or client is CODES:
            return
        digits = device.code(max(0, device.shown(self.world.now)))
        was_good = any(one.good(digits, self.world.now) for one in owner.devices.values())
        first = self._log_in(owner, client, digits, "172.16.0.1", right=False)
        assert not isinstance(first, Accept)
        second = self._log_in(
            owner, client, digits, "172.16.0.2"
        )  # its place is another one only by chance of no tally
        if was_good and second not in [Reject(one) for one in NOT_FOR_THE_CODE]:
            assert isinstance(second, Accept)

    @rule(back=st.integers(1, 6), seconds=st.sampled_from([0, 1, 5, 14, 15, 16, 40]), station=st.sampled_from(STATIONS))
    def send_again(self, back, seconds, station):
        """An earlier attempt once more: from its station, and then from another one."""
        self.world.pass_time(seconds)
        if len(self.attempts) >= back:
            attempt = self.attempts[-back]
            right = attempt.right_password and attempt.person.password in attempt.typed
            self._send(replace(attempt, right_password=right))
            self._send(replace(attempt, right_password=right, station=station))

    @rule(who=st.integers(0, 3), client=st.sampled_from(PROMPT_CLIENTS), right=st.sampled_from([True, True, False]))
    def open_prompt(self, who, client, right):
        owner = self.owners[who]
        typed = owner.password if right else b"wrong"
        self._send(Attempt(owner, client, typed, None, right, "10.0.0.1", password_alone=right))

    @precondition(lambda self: self.conversations)
    @rule(
        back=st.integers(1, 5),
        which=st.integers(0, 1),
        offset=st.one_of(st.sampled_from([0, 0, 0, 0, -1, 1, -2, 2]), st.integers(-REACH - 4, REACH + 4)),
        station=st.sampled_from(STATIONS),
        after_found=st.sampled_from([None, None, 0, 1, 1, 2]),
    )
    def answer(self, back, which, offset, station, after_found):
        """Answer a State, old or new; where a next code was asked for, with that one, the same again, or another."""
        conversation = self.conversations[-min(back, len(self.conversations))]
        owner = conversation.person
        device = self._pick(owner, which)
        if device is None:
            return
        step = max(0, device.shown(self.world.now) + offset)
        if after_found is not None and conversation.found is not None and conversation.found[0] in owner.devices:
            device, step = owner.devices[conversation.found[0]], conversation.found[1] + after_found
        digits = device.code(step)
        self._send(Attempt(owner, conversation.client, digits.encode(), digits, True, station, conversation))

    @rule(who=st.integers(0, 3), client=st.sampled_from(PROMPT_CLIENTS), off=st.integers(-REACH, REACH))
    def learn_a_clock(self, who, client, off):
        """Password, a code of another time, the one after it."""
        owner = self.owners[who]
        device = self._pick(owner, 0)
        if device is None:
            return
        here = max(0, device.shown(self.world.now))
        step = here + abs(off) if device.period_s is None else max(0, here - device.runs_ahead + off)
        known = len(self.conversations)
        self.open_prompt(who, client, True)
        for at in (step, step + 1 if off % 4 else step):  # once in a while the same code again
            if len(self.conversations) == known:
                return
            known = len(self.conversations)
            conversation, digits = self.conversations[-1], device.code(at)
            attempt = Attempt(owner, client, digits.encode(), digits, True, "10.0.0.1", conversation)
            if isinstance(self._send(attempt), Accept) and at == step + 1:
                device.runs_ahead = device.drift
                self._send(attempt)  # and the NAS missed the reply
                return

    @rule(seconds=st.one_of(st.integers(0, 95), st.sampled_from([-95, -30, 3600, 86400, -3600, -7200, -20000])))
    def pass_time(self, seconds):
        self.world.pass_time(seconds)

    @rule(times=st.integers(1, 14))
    def press_the_button(self, times):
        """A counted device shows codes that nobody types."""
        for device in self.owners[2].devices.values():
            device.counter = max(device.counter, device.last_step + 1) + times - 1

    @rule(who=st.integers(0, 3), which=st.integers(0, 1), client=st.sampled_from([LAB, PREFIX, CODES]))
    def owner_unlocks(self, who, which, client):
        """Failures until a delay goes on, then two codes in a row."""
        owner = self.owners[who]
        device = self._pick(owner, which)
        if device is None:
            return
        for _ in range(6):
            self._log_in(owner, client, self._wrong_digits(owner), "172.31.0.1")
        step = max(0, device.shown(self.world.now), device.last_step + 1 if device.period_s is None else 0)
        for at in (step, step + 1):
            self._log_in(owner, client, device.code(at), "172.31.0.1")
            self.world.pass_time(device.period_s or 5)

    @rule(who=st.integers(0, 3), number=st.integers(0, 31))
    def print_recovery_code(self, who, number):
        owner = self.owners[who]
        letters = LETTERS[number] + "7QM2F8D9XWB3TRN"
        if letters not in owner.recovery:
            person = type("Named", (), {"name": owner.name})
            self.world.recovery_code(person, letters)
            owner.recovery.add(letters)

    @rule(
        who=st.integers(0, 3),
        number=st.integers(0, 31),
        client=st.sampled_from([LAB, PREFIX, CODES, BOTH]),
        right=st.sampled_from([True, True, False]),
        lower=st.booleans(),
    )
    def use_recovery_code_twice(self, who, number, client, right, lower):
        """One that was printed, if there is one, or one that never was; sent twice."""
        owner = self.owners[who]
        had = sorted(owner.recovery)
        letters = had[number % len(had)] if had and number % 4 else LETTERS[number] + "7QM2F8D9XWB3TRN"
        text = written(letters).encode()
        password = owner.password if right else b"wrong"
        typed = join(client, password, text.lower() if lower else text)
        attempt = Attempt(owner, client, typed, None, right, "10.0.0.1", recovery=letters)
        self._send(attempt)
        self._send(attempt)

    @precondition(lambda self: self.conversations)
    @rule(back=st.integers(1, 3), number=st.integers(0, 5))
    def answer_with_recovery_code(self, back, number):
        conversation = self.conversations[-min(back, len(self.conversations))]
        had = sorted(conversation.person.recovery)
        if had:
            letters = had[number % len(had)]
            self._send(
                Attempt(
                    conversation.person,
                    conversation.client,
                    letters.encode(),
                    None,
                    True,
                    "10.0.0.1",
                    conversation,
                    letters,
                )
            )

    @rule(who=st.integers(0, 3), logins=st.integers(1, 2), seconds=st.sampled_from([20, 600]))
    def grant_bypass(self, who, logins, seconds):
        owner = self.owners[who]
        person = type("Named", (), {"name": owner.name})
        self.world.exempt(person, ExemptionKind.BYPASS, seconds, logins)
        owner.exempt_until, owner.exempt_logins = self.world.now + seconds, logins

    @rule(who=st.integers(0, 3), period_s=st.sampled_from([30, 60]), drift=st.integers(-12, 12))
    def add_token(self, who, period_s, drift):
        owner = self.owners[who]
        if len(owner.devices) < 2:
            device = self._device(period_s, Algorithm.SHA1, drift)
            owner.devices[device.id] = device
            self._change(owner, tokens=(*self._account(owner).tokens, device.token()))

    @rule(who=st.integers(0, 3), which=st.integers(0, 1))
    def revoke_token(self, who, which):
        owner = self.owners[who]
        device = self._pick(owner, which)
        if device is not None:
            del owner.devices[device.id]
            owner.newest_spend.pop(device.id, None)
            self._change(owner, tokens=tuple(one for one in self._account(owner).tokens if one.id != device.id))

    @rule(who=st.integers(0, 3))
    def change_password(self, who):
        """From now on a State of the old password is worth nothing."""
        owner = self.owners[who]
        owner.password_number += 1
        owner.password = b"horse %d of %b" % (owner.password_number, owner.name.encode())
        verifier = b"verifier %d of %b" % (owner.password_number, owner.name.encode())
        self.world._passwords[verifier] = owner.password
        self._change(owner, verifier=Verifier(verifier))

    @rule(who=st.integers(0, 3), client=st.sampled_from(PROMPT_CLIENTS))
    def change_password_at_a_prompt(self, who, client):
        """A State of the old password, and then a code that would have done."""
        owner, known = self.owners[who], len(self.conversations)
        device = self._pick(owner, 0)
        self.open_prompt(who, client, True)
        if device is None or len(self.conversations) == known:
            return
        conversation, digits = self.conversations[-1], device.code(max(0, device.shown(self.world.now)))
        self.change_password(who)
        verdict = self._send(Attempt(owner, client, digits.encode(), digits, True, "10.0.0.1", conversation))
        assert not isinstance(verdict, Accept)

    @rule()
    def operator_unlocks(self):
        self.world.attempts.tallies.clear()
        for owner in self.owners:
            self._change(owner, strangers=type(self._account(owner).strangers)())

    @invariant()
    def the_last_step_never_decreases(self):
        for account in self.world.attempts.accounts.values():
            for token in account.tokens:
                assert token.last_step >= self.last_steps.get(token.id, -1)
                self.last_steps[token.id] = token.last_step


def test_every_accept_was_earned_and_nothing_is_accepted_twice():
    seen.clear()
    run = settings(max_examples=300, stateful_step_count=40, derandomize=True)
    run_state_machine_as_test(Tokens, settings=run)
    print("\n" + ", ".join(f"{number} {name}" for name, number in sorted(seen.items())))
    accepts = {"code", "counted code", "repeat", "prompt", "clock set", "recovery code", "exemption"}
    refusals = {
        "code_replayed",
        "wrong_password",
        "challenge_used",
        "challenge_expired",
        "password_changed",
        "old_code",
    }
    assert accepts | refusals <= set(seen), "the machine has not seen all it is about"


def with_seed(owner_seed: int) -> tuple[World, Device, object]:
    """A world with one user whose seed is a number."""
    world = World()
    alice = world.enrol("alice")
    alice.seed = Seed(owner_seed.to_bytes(20, "big"))
    [token] = world.attempts.accounts["alice"].tokens
    world.change(alice, tokens=(replace(token, seed=alice.seed),))
    return world, Device(1, alice.seed.reveal(), 30, Algorithm.SHA1), alice


@pytest.mark.parametrize("client", [LAB, CODES], ids=lambda client: client.name)
def test_digits_that_the_window_shows_twice_are_accepted_once(client):
    """This seed shows the same digits two steps apart. A login in between must not make them good again."""
    world, device, alice = with_seed(2448195)
    here = device.shown(world.now)
    assert device.code(here - 1) == device.code(here + 1) != device.code(here)
    twice, between = device.code(here - 1).encode(), device.code(here).encode()
    accepted = []
    for code, seconds in ((twice, -1), (between, 1), (twice, 1)):
        world.pass_time(seconds)
        if isinstance(world.login("alice", join(client, alice.password, code), client), Accept):
            accepted.append(code)
    assert here - 1 in device.window(world.now)
    assert accepted == [twice, between], "the same six digits let in twice within two seconds"


def test_a_repeat_is_answered_though_its_code_has_just_left_the_window():
    """The NAS missed the reply, and a step of time passed before it asked again."""
    world = World()
    alice = world.enrol("alice")
    token = world.attempts.accounts["alice"].tokens[0]
    world.change(alice, tokens=(replace(token, drift=-10),))
    world.pass_time(29)
    typed = alice.password + alice.code_at(-30 * 11)
    assert world.login("alice", typed, station="10.0.0.1") == Accept()
    world.pass_time(2)
    assert world.login("alice", typed, station="10.0.0.1") == Accept()


def test_the_newest_spend_of_a_token_is_what_a_repeat_repeats():
    """Two logins within the repeat window: the first one's repeat is a replay by then."""
    world = World()
    alice = world.enrol("alice")
    first, second = alice.code_at(), alice.code_at(30)
    assert world.login("alice", alice.password + first, station="10.0.0.1") == Accept()
    assert world.login("alice", alice.password + second, station="10.0.0.1") == Accept()
    assert world.login("alice", alice.password + first, station="10.0.0.1") == Reject(Reason.CODE_REPLAYED)
    assert world.login("alice", alice.password + second, station="10.0.0.1") == Accept()
    assert isinstance(world.attempts.accounts["alice"].tokens[0].last_spend, LastSpend)
    assert world.attempts.settled[-1][0].decision.mode is InputMode.SUFFIX
