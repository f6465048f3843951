"""Time-based one-time codes (RFC 6238 over RFC 4226).

Answers which time step a code belongs to. The step, not a yes or no, is what
the rest needs: it is spent, compared with the last spent one, and tells drift.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from authn.instants import UnixSeconds
from authn.secret import Seed

TimeStep = NewType("TimeStep", int)
"""The moving factor T of RFC 6238 §4.2: whole periods since the Unix epoch."""


class Algorithm(StrEnum):
    """The HMAC's hash. SHA-1 is what most authenticator apps know; it is safe in this use (RFC 6238 §1.2)."""

    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA512 = "sha512"


PERIODS_S = range(10, 301)
DIGITS = range(6, 9)


@dataclass(frozen=True, slots=True)
class TotpParameters:
    """How a token makes its codes. Raises ValueError for values no token has."""

    period_s: int = 30
    digits: int = 6
    algorithm: Algorithm = Algorithm.SHA1

    def __post_init__(self) -> None:
        if self.period_s not in PERIODS_S:
            raise ValueError(f"a period of {self.period_s} s is outside {PERIODS_S.start}..{PERIODS_S.stop - 1}")
        if self.digits not in DIGITS:
            raise ValueError(f"{self.digits} digits are outside {DIGITS.start}..{DIGITS.stop - 1}")

    def step_at(self, now: UnixSeconds) -> TimeStep:
        """The time step that `now` lies in."""
        return TimeStep(int(now // self.period_s))


def code_at(seed: Seed, step: TimeStep, parameters: TotpParameters) -> str:
    """The code of one time step, zero-padded (RFC 4226 §5.3, RFC 6238 §4.2)."""
    number = _truncated(seed.reveal(), step, parameters.algorithm) % 10**parameters.digits
    return f"{number:0{parameters.digits}d}"


def _truncated(key: bytes, counter: int, algorithm: str) -> int:
    """The dynamic truncation of RFC 4226 §5.3, before the digits are cut."""
    digest = hmac.digest(key, counter.to_bytes(8, "big"), algorithm)
    offset = digest[-1] & 15
    return int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF


def match_step(seed: Seed, code: str, parameters: TotpParameters, *, around: TimeStep, window: int) -> TimeStep | None:
    """Find the time step whose code is `code`, or None (RFC 6238 §5.2).

    Looks `window` steps to each side of `around`. Every candidate is computed and
    compared, as numbers, so the time taken does not tell which one matched. Where
    two steps share a code by chance the newer one is returned: the older may be
    spent already. A code of the wrong length or with other than digits matches none.
    """
    if len(code) != parameters.digits or not (code.isascii() and code.isdigit()):
        return None
    key, algorithm, modulus, number = seed.reveal(), parameters.algorithm, 10**parameters.digits, int(code)
    matched = None
    for step in _steps(around, window):
        if _truncated(key, step, algorithm) % modulus == number:
            matched = step
    return None if matched is None else TimeStep(matched)


def match_proof(
    seed: Seed, proves: Callable[[str], bool], parameters: TotpParameters, *, around: TimeStep, window: int
) -> tuple[TimeStep, str] | None:
    """Find the time step whose code a proof was made with, and that code; as `match_step` otherwise."""
    matched = None
    for step in map(TimeStep, _steps(around, window)):
        code = code_at(seed, step, parameters)
        if proves(code):
            matched = step, code
    return matched


def _steps(around: TimeStep, window: int) -> range:
    return range(max(0, around - window), around + window + 1)
