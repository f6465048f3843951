"""What is known of one user at the moment of judging: password verifier, tokens, tally.

Unknown names get the decoy, which has all of it and can never be let in, so
that every name costs the same work.
"""

from dataclasses import dataclass
from typing import NewType

from authn.instants import UnixSeconds
from authn.lockout import NO_FAILURES, Tally
from authn.secret import Seed, Verifier
from authn.totp import TimeStep, TotpParameters

UserId = NewType("UserId", int)
TokenId = NewType("TokenId", int)


@dataclass(frozen=True, slots=True)
class LastSpend:
    """Which attempt spent a token's last step, as a keyed fingerprint, and when."""

    fingerprint: bytes
    at: UnixSeconds


@dataclass(frozen=True, slots=True)
class Token:
    """An active TOTP token.

    `last_step` is the newest step ever spent; nothing at or below it is accepted
    again. `drift` is the learned offset of the device's clock, in steps.
    """

    id: TokenId
    seed: Seed
    parameters: TotpParameters
    drift: int
    last_step: TimeStep
    last_spend: LastSpend | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the rules see one, for one request.

    `tally` is that of this user at this client; `answers` counts the answers
    already given in the conversation that the request goes on with.
    """

    id: UserId | None  # None: the decoy
    enabled: bool
    verifier: Verifier | None
    tokens: tuple[Token, ...]
    tally: Tally = NO_FAILURES
    broken_seals: bool = False  # some row of this user would not open
    groups: tuple[str, ...] = ()
    answers: int = 0


DECOY = Account(
    id=None,
    enabled=False,
    verifier=None,
    tokens=(Token(TokenId(0), Seed(bytes(20)), TotpParameters(), 0, TimeStep(0)),),
)
"""Walked through for unknown names. Disabled and without an id: `decide` cannot accept it."""
