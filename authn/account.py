"""What is known of one user at the moment of judging: password verifier, tokens, tally, exemptions.

Unknown names get the decoy, which has all of it and can never be let in, so
that every name costs the same work.
"""

from dataclasses import dataclass
from typing import NewType

from authn.exemption import Exemption
from authn.instants import UnixSeconds
from authn.lockout import NO_BUCKET, NO_FAILURES, Bucket, Tally
from authn.otp import OtpParameters, TimeStep, TotpParameters
from authn.secret import Seed, Verifier

UserId = NewType("UserId", int)
TokenId = NewType("TokenId", int)


@dataclass(frozen=True, slots=True)
class LastSpend:
    """Which attempt spent a token's last step, as a keyed fingerprint, and when."""

    fingerprint: bytes
    at: UnixSeconds


@dataclass(frozen=True, slots=True)
class Token:
    """An active token that makes codes.

    `last_step` is the newest step ever spent; nothing at or below it is accepted
    again. `drift` is the learned offset of the device's clock, in steps.
    """

    id: TokenId
    seed: Seed
    parameters: OtpParameters
    drift: int
    last_step: TimeStep
    last_spend: LastSpend | None = None
    serial: str = ""


@dataclass(frozen=True, slots=True)
class RecoveryCode:
    """An unused recovery code, as its hash."""

    serial: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the rules see one, for one request.

    `tally` is that of this user at the place of the request, `known_at` when the
    user last came from there (None: never), `strangers` and `place_strangers` the buckets
    of the user and of the place. `answers` counts the answers already given in the
    conversation that the request goes on with. `enrolled` says that there has been a
    token. `guess_key` keys the fingerprints of wrong guesses.
    """

    id: UserId | None  # None: the decoy
    enabled: bool
    verifier: Verifier | None
    tokens: tuple[Token, ...]
    tally: Tally = NO_FAILURES
    broken_seals: bool = False  # some row of this user would not open
    groups: tuple[str, ...] = ()
    answers: int = 0
    known_at: UnixSeconds | None = None
    strangers: Bucket = NO_BUCKET
    place_strangers: Bucket = NO_BUCKET
    recovery_codes: tuple[RecoveryCode, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    enrolled: bool = False
    guess_key: bytes = b""

    @property
    def is_known_place(self) -> bool:
        """Whether this user has logged in from the place of the request before."""
        return self.known_at is not None


DECOY = Account(
    id=None,
    enabled=False,
    verifier=None,
    tokens=(Token(TokenId(0), Seed(bytes(20)), TotpParameters(), 0, TimeStep(0)),),
)
"""Walked through for unknown names. Disabled and without an id: `decide` cannot accept it, but where another
first factor alone lets in who is not known here."""
