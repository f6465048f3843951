"""The settings that a decision depends on."""

from dataclasses import dataclass, field

from authn.lockout import LockoutPolicy


@dataclass(frozen=True, slots=True)
class Policy:
    """How wide the window is, how far a clock may wander, what failures cost.

    `window` is in steps to each side; a 30-second token with window 1 accepts
    codes up to 60 s old (RFC 6238 §5.2 advises at most one step).
    `max_drift` bounds the learned offset, in steps. A challenge may be answered
    `max_answers` times within `challenge_lifetime_s`.
    """

    window: int = 1
    max_drift: int = 10
    lockout: LockoutPolicy = field(default_factory=LockoutPolicy)
    max_answers: int = 3
    challenge_lifetime_s: int = 120
