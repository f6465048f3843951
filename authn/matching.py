"""Which token and time step a typed code belongs to, and whether the same attempt has been here before."""

import hmac
from dataclasses import dataclass

from authn.account import Account, Token
from authn.client import InputMode
from authn.credentials import Credentials, answer, readings
from authn.policy import Policy
from authn.request import AccessRequest
from authn.totp import TimeStep, match_proof, match_step

FINGERPRINT_OCTETS = 16


@dataclass(frozen=True, slots=True)
class Match:
    """A code that belongs to a token, spent or not."""

    token: Token
    credentials: Credentials
    step: TimeStep
    expected: TimeStep  # the step the token was expected to show

    @property
    def is_fresh(self) -> bool:
        """Whether the code was not used before, neither its step nor, by chance, its digits just now."""
        token = self.token
        if self.step <= token.last_step:
            return False
        code, parameters = self.credentials.code, token.parameters
        return match_step(token.seed, code, parameters, around=token.last_step, window=0) is None


def find_code(request: AccessRequest, account: Account, modes: tuple[InputMode, ...], policy: Policy) -> Match | None:
    """The token and step the typed code belongs to; a fresh one before a spent one.

    All tokens and readings are looked at, so the time taken does not tell which one matched.
    """
    found: Match | None = None
    for token in account.tokens:
        expected = TimeStep(token.parameters.step_at(request.received) + token.drift)
        for credentials, step in _matches(request, token, modes, expected, policy.window):
            match = Match(token, credentials, step, expected)
            if found is None or (not found.is_fresh and match.is_fresh):
                found = match
    return found


def _matches(
    request: AccessRequest, token: Token, modes: tuple[InputMode, ...], expected: TimeStep, window: int
) -> list[tuple[Credentials, TimeStep]]:
    """The readings of a request whose code is one of the token's, each with its step."""
    if request.code_proof is not None:
        proven = match_proof(token.seed, request.code_proof, token.parameters, around=expected, window=window)
        return [] if proven is None else [(Credentials(InputMode.CODE_ONLY, None, proven[1]), proven[0])]
    found = []
    for credentials in _readings(request, modes, token.parameters.digits):
        step = match_step(token.seed, credentials.code, token.parameters, around=expected, window=window)
        if step is not None:
            found.append((credentials, step))
    return found


def _readings(request: AccessRequest, modes: tuple[InputMode, ...], digits: int) -> list[Credentials]:
    if request.conversation is not None and InputMode.CHALLENGE in modes:
        answered = answer(request.password, digits)
        return [] if answered is None else [answered]
    return readings(request.password, modes, request.client.rules.separator, digits)


def is_readable(request: AccessRequest, account: Account, modes: tuple[InputMode, ...]) -> bool:
    if request.code_proof is not None:
        return True
    return any(_readings(request, modes, token.parameters.digits) for token in account.tokens)


def is_repeat(match: Match, request: AccessRequest) -> bool:
    """Whether this is the attempt that spent the code, sent anew by a NAS that missed the reply.

    Same user, client, station and typed field, within the client's window. A
    client that does not tell the station cannot repeat but by the same datagram.
    """
    spent, window_s = match.token.last_spend, request.client.rules.repeat_window_s
    if spent is None or request.station is None or match.step != match.token.last_step:
        return False
    if abs(request.received - spent.at) >= window_s:  # the clock of another node may be a little ahead
        return False
    return hmac.compare_digest(spent.fingerprint, fingerprint(match, request))


def fingerprint(match: Match, request: AccessRequest) -> bytes:
    """Tells an attempt from others to who holds the seed, and nothing to who does not."""
    typed = match.credentials.code.encode("ascii") if request.code_proof is not None else request.password.reveal()
    conversation_id = b"" if request.conversation is None else request.conversation.id
    parts = (b"%d" % request.client.id, (request.station or "").encode(), conversation_id, typed)
    told = b"twinward attempt" + b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return hmac.digest(match.token.seed.reveal(), told, "sha256")[:FINGERPRINT_OCTETS]


def learned_drift(match: Match, policy: Policy) -> int:
    """The drift moves one step at most per login, only when the code lay at the window's edge."""
    token, offset = match.token, match.step - match.expected
    if policy.window == 0 or abs(offset) < policy.window:
        return token.drift
    drift = token.drift + (1 if offset > 0 else -1)
    return max(-policy.max_drift, min(policy.max_drift, drift))
