"""Which token and step a typed code belongs to, and whether the same attempt has been here before."""

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from authn.account import Account, Token
from authn.client import InputMode
from authn.credentials import Credentials, answer, readings
from authn.instants import UnixSeconds
from authn.otp import HotpParameters, TimeStep, match_proof, match_step, steps_around
from authn.policy import Policy
from authn.request import AccessRequest
from authn.secret import Seed

FINGERPRINT_OCTETS = 16
GUESS_LASTS_S = 30
"""A wrong guess is the same one as long as no new code can have come into the window."""


@dataclass(frozen=True, slots=True)
class Match:
    """A code that belongs to a token, spent or not."""

    token: Token
    credentials: Credentials
    step: TimeStep
    expected: TimeStep  # the step the token was expected to show
    in_window: bool = True  # else it is the last spent one, found where the window has moved on
    same_view: int = 0  # how many steps back a step may have been good at the same time as this one

    @property
    def is_fresh(self) -> bool:
        """Whether the code was not used before, neither its step nor, by chance, its digits just now.

        Two steps may show the same digits (once in a million); those of a step
        that is over, and was good together with this one, are over too.
        """
        token = self.token
        if self.step <= token.last_step:
            return False
        over = range(max(0, self.step - self.same_view), token.last_step + 1)
        return match_step(token.seed, self.credentials.code, token.parameters, over) is None

    def offset_at(self, now: UnixSeconds) -> int:
        """Steps between the code and the one of the present; of a counted code, the codes thrown away before it."""
        parameters = self.token.parameters
        if isinstance(parameters, HotpParameters):
            return self.step - self.expected
        return self.step - parameters.step_at(now)


def expected_step(token: Token, now: UnixSeconds) -> TimeStep:
    """The step that a token is expected to show."""
    if isinstance(token.parameters, HotpParameters):
        return TimeStep(token.last_step + 1)
    return TimeStep(token.parameters.step_at(now) + token.drift)


def find_code(
    request: AccessRequest, account: Account, modes: tuple[InputMode, ...], policy: Policy, window: int
) -> Match | None:
    """The token and step the typed code belongs to; a fresh one before a spent one.

    All tokens and readings are looked at, so the time taken does not tell which
    one matched. `window` is in steps to each side of a time-based token.
    """
    found: Match | None = None
    for token in account.tokens:
        expected = expected_step(token, request.received)
        steps = _window(token, expected, window, policy.look_ahead)
        for credentials, step in _matches(request, token, modes, steps):
            match = Match(token, credentials, step, expected, True, len(steps) + 1)  # drift moves one step
            if found is None or (not found.is_fresh and match.is_fresh):
                found = match
    return found or _find_last_spent(request, account, modes)


def _find_last_spent(request: AccessRequest, account: Account, modes: tuple[InputMode, ...]) -> Match | None:
    """The last code of a token, where the window has moved on.

    Its attempt may be asked for again, or a client has kept it.
    """
    for token in account.tokens:
        last = range(token.last_step, token.last_step + 1) if token.last_step > 0 else range(0)
        for credentials, step in _matches(request, token, modes, last):
            return Match(token, credentials, step, expected_step(token, request.received), False)
    return None


def _window(token: Token, expected: TimeStep, window: int, look_ahead: int) -> range:
    """The steps in which a code is good, or was until it was spent."""
    if isinstance(token.parameters, HotpParameters):
        return range(max(0, expected - look_ahead), expected + look_ahead + 1)
    return steps_around(expected, window)


def _matches(
    request: AccessRequest, token: Token, modes: tuple[InputMode, ...], steps: Sequence[int]
) -> list[tuple[Credentials, TimeStep]]:
    """The readings of a request whose code is one of the token's, each with its step."""
    if request.code_proof is not None:
        proven = match_proof(token.seed, request.code_proof, token.parameters, steps)
        return [] if proven is None else [(Credentials(InputMode.CODE_ONLY, None, proven[1]), proven[0])]
    found = []
    for credentials in readings_of(request, modes, token.parameters.digits):
        step = match_step(token.seed, credentials.code, token.parameters, steps)
        if step is not None:
            found.append((credentials, step))
    return found


def readings_of(request: AccessRequest, modes: tuple[InputMode, ...], digits: int) -> list[Credentials]:
    """The ways to read what was typed for a token with so many digits."""
    if request.conversation is not None and InputMode.CHALLENGE in modes:
        answered = answer(request.password, digits)
        return [] if answered is None else [answered]
    return readings(request.password, modes, request.client.rules.separator, digits)


def typed_codes(
    request: AccessRequest, account: Account, modes: tuple[InputMode, ...]
) -> Iterator[tuple[Token, Credentials]]:
    """Every token with every way to read what was typed for it."""
    for token in account.tokens:
        for credentials in readings_of(request, modes, token.parameters.digits):
            yield token, credentials


def is_readable(request: AccessRequest, account: Account, modes: tuple[InputMode, ...]) -> bool:
    """Whether what was typed can be a code, beside a password where one belongs there."""
    return request.code_proof is not None or any(typed_codes(request, account, modes))


def is_repeat(match: Match, request: AccessRequest) -> bool:
    """Whether this is the attempt that spent the code, sent anew by a NAS that missed the reply.

    Same user, client, station and typed field, within the client's window. A
    client that does not tell the station cannot repeat but by the same datagram.
    """
    return has_spent(match.token, match.step, request, match.credentials.code)


def has_spent(token: Token, step: TimeStep, request: AccessRequest, code: str | None) -> bool:
    """Whether this very attempt spent a step of a token a moment ago. See `is_repeat`."""
    spent, window_s = token.last_spend, request.client.rules.repeat_window_s
    if spent is None or request.station is None or step != token.last_step:
        return False
    if abs(request.received - spent.at) >= window_s:  # the clock of another node may be a little ahead
        return False
    return hmac.compare_digest(spent.fingerprint, fingerprint(token, request, code))


def fingerprint(token: Token, request: AccessRequest, code: str | None) -> bytes:
    """Tells an attempt from others to who holds the seed, and nothing to who does not.

    `code` stands for what was typed where a method proves it and each response differs.
    """
    proven = request.code_proof is not None and code is not None
    typed = (code or "").encode("ascii") if proven else request.password.reveal()
    conversation_id = b"" if request.conversation is None else request.conversation.id
    parts = (b"%d" % request.client.id, (request.station or "").encode(), conversation_id, typed)
    return _keyed(token.seed.reveal(), b"twinward attempt", parts)


def guess_fingerprint(request: AccessRequest, account: Account) -> bytes:
    """Tells the same wrong guess again from another one, to who holds the key; empty for what is no guess.

    What a code is worth changes with the time, so the moment belongs to the
    guess. A CHAP response differs each time and is never the same guess.
    """
    if account.id is None or request.code_proof is not None:
        return b""
    conversation_id = b"" if request.conversation is None else request.conversation.id
    moment = b"%d" % (request.received // GUESS_LASTS_S)
    parts = (b"%d" % account.id, conversation_id, moment, request.password.reveal())
    return _keyed(account.guess_key, b"twinward guess", parts)


def step_mark(seed: Seed, serial: str, step: TimeStep, drift: int) -> bytes:
    """Seals to its token what changes with every login, for 16 octets: who cannot open the seed cannot turn it back.

    But to an older value with its mark, as from a backup.
    """
    told = b"twinward step %d %d %b" % (step, drift, serial.encode())
    return hmac.digest(seed.reveal(), told, "sha256")[:FINGERPRINT_OCTETS]


def _keyed(key: bytes, purpose: bytes, parts: tuple[bytes, ...]) -> bytes:
    told = purpose + b"".join([b"%d:%b" % (len(part), part) for part in parts])
    return hmac.digest(key, told, "sha256")[:FINGERPRINT_OCTETS]


def learned_drift(match: Match, policy: Policy, window: int) -> int:
    """The drift moves one step at most per login, only when the code lay at the window's edge."""
    token, offset = match.token, match.step - match.expected
    if window == 0 or abs(offset) < window or isinstance(token.parameters, HotpParameters):
        return token.drift
    drift = token.drift + (1 if offset > 0 else -1)
    bound = max(policy.max_drift, abs(token.drift))  # two codes in a row may have shown more
    return max(-bound, min(bound, drift))


def clock_off_s(match: Match, now: UnixSeconds) -> float | None:
    """How far the device's clock seems ahead, in seconds, from the middle of the step; None for a counted code."""
    parameters = match.token.parameters
    if isinstance(parameters, HotpParameters):
        return None
    return (match.step + 0.5) * parameters.period_s - now
