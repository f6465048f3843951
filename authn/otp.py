"""One-time codes: counted (HOTP, RFC 4226) and of the time (TOTP, RFC 6238).

Answers which step a code belongs to. The step, not a yes or no, is what the
rest needs: it is spent, compared with the last spent one, and tells drift. For
HOTP the step is the counter.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, NewType

from authn.instants import UnixSeconds
from authn.secret import Seed

TimeStep = NewType("TimeStep", int)
"""The moving factor: of TOTP whole periods since the Unix epoch (T of RFC 6238 §4.2), of HOTP the counter."""


class Algorithm(StrEnum):
    """The HMAC's hash. SHA-1 is what most authenticator apps know; it is safe in this use (RFC 6238 §1.2)."""

    SHA1 = "sha1"
    SHA256 = "sha256"
    SHA512 = "sha512"


_HASHES = {Algorithm.SHA1: hashlib.sha1, Algorithm.SHA256: hashlib.sha256, Algorithm.SHA512: hashlib.sha512}
_INNER_PAD = bytes(octet ^ 0x36 for octet in range(256))
_OUTER_PAD = bytes(octet ^ 0x5C for octet in range(256))

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


@dataclass(frozen=True, slots=True)
class HotpParameters:
    """How a token that counts its codes makes them. Raises ValueError for values no token has."""

    period_s: ClassVar[None] = None
    digits: int = 6
    algorithm: Algorithm = Algorithm.SHA1

    def __post_init__(self) -> None:
        if self.digits not in DIGITS:
            raise ValueError(f"{self.digits} digits are outside {DIGITS.start}..{DIGITS.stop - 1}")


OtpParameters = TotpParameters | HotpParameters


def code_at(seed: Seed, step: TimeStep, parameters: OtpParameters) -> str:
    """The code of one step, zero-padded (RFC 4226 §5.3, RFC 6238 §4.2)."""
    return f"{_numbers(seed, parameters, (step,))[0]:0{parameters.digits}d}"


def _numbers(seed: Seed, parameters: OtpParameters, steps: Iterable[int]) -> list[int]:
    """The codes of several steps as numbers: HMAC, and the dynamic truncation of RFC 4226 §5.3.

    The key's two halves of HMAC (RFC 2104 §2) are made once for all steps, which
    makes a window of three cost little more than one code.
    """
    make, modulus = _HASHES[parameters.algorithm], 10**parameters.digits
    inner, outer = make(), make()
    key = seed.reveal()
    if len(key) > inner.block_size:
        key = make(key).digest()
    key = key.ljust(inner.block_size, b"\0")
    inner.update(key.translate(_INNER_PAD))
    outer.update(key.translate(_OUTER_PAD))
    numbers = []
    for step in steps:
        head, whole = inner.copy(), outer.copy()
        head.update(step.to_bytes(8, "big"))
        whole.update(head.digest())
        digest = whole.digest()
        offset = digest[-1] & 15
        numbers.append((int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF) % modulus)
    return numbers


def match_step(seed: Seed, code: str, parameters: OtpParameters, steps: Sequence[int]) -> TimeStep | None:
    """Find the step among `steps` whose code is `code`, or None (RFC 6238 §5.2, RFC 4226 §7.2).

    Every candidate is computed and compared, as numbers, so the time taken does
    not tell which one matched. Where two steps share a code by chance the later
    of `steps` is returned: the older may be spent already. A code of the wrong length
    or with other than digits matches none.
    """
    if len(code) != parameters.digits or not (code.isascii() and code.isdigit()):
        return None
    number = int(code)
    matched = None
    for step, candidate in zip(steps, _numbers(seed, parameters, steps), strict=True):
        if candidate == number:
            matched = step
    return None if matched is None else TimeStep(matched)


def match_proof(
    seed: Seed, proves: Callable[[str], bool], parameters: OtpParameters, steps: Sequence[int]
) -> tuple[TimeStep, str] | None:
    """Find the step among `steps` whose code a proof was made with, and that code; as `match_step` otherwise."""
    matched = None
    for step in map(TimeStep, steps):
        code = code_at(seed, step, parameters)
        if proves(code):
            matched = step, code
    return matched


def steps_around(around: int, window: int) -> range:
    """`window` steps to each side of one, none of them below zero."""
    return range(max(0, around - window), around + window + 1)
