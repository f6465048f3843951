"""Rank the latencies of refusals: can their reasons be told apart by the time that a reply takes?

    python tests/wire/rank_latencies.py [-tries=N] [-inflight=N] [-delay=SECONDS] [-jitter=SECONDS] [-seed=N]

The real server, on loopback. Tries of all classes go out in random order, a few at once, each slot with a socket of
its own, and each try is timed from just before it is sent until its reply is there. Passwords cost what they cost by
default. Per client, every pair of classes is compared by a Mann-Whitney U test (Holm's correction over the pairs), all
of them together by Kruskal-Wallis. Exit status 1 if a corrected p is below 0.01: then some class stands out.

A test of this kind finds a difference or fails to; that there is none it cannot prove. What it could have found is
told by the spread of the table and the number of tries.
"""

import itertools
import math
import os
import random
import selectors
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":  # as a program it finds the rooms by itself
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from support import installations
from support.daemon import Daemon
from support.installations import SHARED_SECRET, Person

from authn.otp import TotpParameters
from authn.secret import Password
from radius_wire import attributes
from radius_wire.authenticators import verify_reply
from radius_wire.packet import HEADER_OCTETS, MAC_OCTETS, PacketCode, build_request, parse
from radius_wire.password_hiding import hide
from store.passwords import HashingSettings, Passwords
from store.tokens import NewToken, new_seed
from store.users import NewUser, Users

SIGNIFICANT = 0.01
PASSWORD = "correct horse"
SUFFIX_HOST, CHALLENGE_HOST = "127.0.0.2", "127.0.0.3"
RIGHT_LOGIN = "right login (not ranked)"
REPLY_TIMEOUT_S = 5.0
CONFIG = """
[node]
name = "rank"
[radius]
listen = ["127.0.0.1:0"]
reject_delay_s = {delay_s}
reject_jitter_s = {jitter_s}
[login]
free_failures = 100
max_delay_s = 86400
"""


# Statistics


def _ranks(values: Sequence[float]) -> tuple[list[float], float]:
    """The rank of each value, from 1, tied ones sharing their mean; and the sum of t³-t over the ties."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, ties, at = [0.0] * len(values), 0.0, 0
    while at < len(order):
        end = at
        while end < len(order) and values[order[end]] == values[order[at]]:
            end += 1
        for place in order[at:end]:
            ranks[place] = (at + 1 + end) / 2
        ties += (end - at) ** 3 - (end - at)
        at = end
    return ranks, ties


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> tuple[float, float]:
    """U of `one`, and the two-sided p by the normal approximation, corrected for ties and continuity."""
    ranks, ties = _ranks([*one, *other])
    n, m = len(one), len(other)
    u = sum(ranks[:n]) - n * (n + 1) / 2
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    if variance <= 0:
        return u, 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return u, math.erfc(z / math.sqrt(2))


def kruskal_wallis(samples: Sequence[Sequence[float]]) -> tuple[float, float]:
    """H with its correction for ties, and p by the chi-square distribution."""
    ranks, ties = _ranks([value for sample in samples for value in sample])
    n, at, h = len(ranks), 0, 0.0
    for sample in samples:
        h += sum(ranks[at : at + len(sample)]) ** 2 / len(sample)
        at += len(sample)
    correction = 1 - ties / (n**3 - n)
    if correction <= 0:
        return 0.0, 1.0
    h = (12 / (n * (n + 1)) * h - 3 * (n + 1)) / correction
    return h, chi_square_tail(h, len(samples) - 1)


def chi_square_tail(x: float, degrees: int) -> float:
    """The probability that a chi-square variable is larger than `x`; exact, by the recurrence over the degrees."""
    if x <= 0:
        return 1.0
    tail = math.erfc(math.sqrt(x / 2)) if degrees % 2 else math.exp(-x / 2)
    for k in range(3 if degrees % 2 else 4, degrees + 1, 2):
        tail += math.exp((k / 2 - 1) * math.log(x / 2) - x / 2 - math.lgamma(k / 2))
    return tail


def holm(ps: Sequence[float]) -> list[float]:
    """Each p corrected for all of them, by Holm's method."""
    corrected, largest = [0.0] * len(ps), 0.0
    for passed, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        largest = max(largest, min(1.0, (len(ps) - passed) * ps[place]))
        corrected[place] = largest
    return corrected


@dataclass(frozen=True)
class Ranking:
    """The classes of one client compared."""

    corrected: dict[tuple[str, str], float]
    h: float
    p_all: float

    @property
    def smallest(self) -> tuple[float, tuple[str, str]]:
        """The smallest corrected p, and its pair."""
        return min((p, pair) for pair, p in self.corrected.items())


def rank(latencies: dict[str, list[float]]) -> Ranking:
    """Compare every pair of classes, and all together."""
    pairs = list(itertools.combinations(latencies, 2))
    ps = [mann_whitney(latencies[one], latencies[other])[1] for one, other in pairs]
    return Ranking(dict(zip(pairs, holm(ps), strict=True)), *kruskal_wallis(list(latencies.values())))


# The people and what they type


class Cast:
    """Users for every class, many of each: wrong passwords and codes raise a tally, and a code is spent once."""

    def __init__(self, folder: Path, tries: int, chance: random.Random) -> None:
        self._chance = chance
        self._installation = installations.create(folder)
        installations.add_client(self._installation, "suffix", SUFFIX_HOST)
        installations.add_client(
            self._installation, "uniform", CHALLENGE_HOST, inputs=["challenge"], uniform_challenge=True
        )
        self._hash = Passwords(HashingSettings()).hash(Password(PASSWORD.encode()))
        few = max(2, tries // 10)
        self.spenders = itertools.cycle(self._add("spender", max(2, tries)))
        self._wrong_password = itertools.cycle(self._add("mistyper", max(2, tries // 2)))
        self._wrong_code = itertools.cycle(self._add("guesser", max(2, tries // 2)))
        self._no_code = itertools.cycle(self._add("forgetter", max(2, tries // 2)))
        self._nul = itertools.cycle(self._add("nul", few))
        self._locked = itertools.cycle(self._add("locked", max(2, tries)))  # one code each: two in a row would let in
        disabled = self._add("disabled", few)
        for person in disabled:
            Users(self._installation, "rank").set_enabled(person.name, False, installations.now())
        self._disabled = itertools.cycle(disabled)
        self._no_token = itertools.cycle(self._add("tokenless", few, with_token=False))
        self._prompted = itertools.cycle(self._add("prompted", max(2, tries // 2)))
        self._spent: list[tuple[Person, str, int]] = []
        self._installation.close()
        connection = sqlite3.connect(folder / "twinward.db")
        with connection:
            connection.execute(
                "INSERT INTO tallies (user_id, client_id, place, failures, locked_until, updated_at)"
                " SELECT u.id, c.id, '', 105, ?, ? FROM users u, nas_clients c WHERE u.username LIKE 'locked%'",
                (time.time() + 86000, time.time()),  # without the last the server would forget it as long over
            )
        connection.close()

    def _add(self, name: str, count: int, *, with_token: bool = True) -> list[Person]:
        people = [Person(f"{name}{at}", PASSWORD, new_seed(), TotpParameters()) for at in range(count)]
        users = [
            NewUser(one.name, self._hash, token=NewToken(one.seed, one.parameters, confirmed=True))
            if with_token
            else NewUser(one.name, self._hash)
            for one in people
        ]
        Users(self._installation, "rank").add_all(users, installations.now())
        return people

    def keep_spent(self, person: Person, typed: str) -> None:
        """A login has passed: its field may be replayed while its code would be good."""
        self._spent.append((person, typed, self._step()))
        self._spent = [one for one in self._spent if one[2] >= self._step() - 1]

    def at_suffix(self) -> dict[str, Callable[[], tuple[str, bytes] | None]]:
        """What is typed in each class at the client that takes password and code in one field."""
        return {
            "unknown user": lambda: (self._stranger(), f"{PASSWORD}{self._digits()}".encode()),
            "impossible name": lambda: (f"\x01{self._stranger()}", f"{PASSWORD}{self._digits()}".encode()),
            "wrong password, right code": lambda: self._typed(self._wrong_password, "wrong horse"),
            "wrong code": lambda: self._typed(self._wrong_code, PASSWORD, 3000),
            "locked": lambda: self._typed(self._locked, PASSWORD),
            "disabled": lambda: self._typed(self._disabled, PASSWORD),
            "replayed": self._replay,
            "no token": lambda: (next(self._no_token).name, f"{PASSWORD}{self._digits()}".encode()),
            "no code in the field": lambda: (next(self._no_code).name, b"x"),
            "NUL in the field": lambda: (next(self._nul).name, b"nul\0" + PASSWORD.encode()),
        }

    def at_challenge(self) -> dict[str, Callable[[], tuple[str, bytes] | None]]:
        """What is typed in the first round at the client that asks everybody for a code."""
        return {
            "right password": lambda: (next(self._prompted).name, PASSWORD.encode()),
            "wrong password": lambda: (next(self._wrong_password).name, b"wrong horse"),
            "unknown user": lambda: (self._stranger(), PASSWORD.encode()),
            "locked": lambda: (next(self._locked).name, PASSWORD.encode()),
        }

    def _typed(self, people: "itertools.cycle[Person]", password: str, offset_s: float = 0.0) -> tuple[str, bytes]:
        person = next(people)
        return person.name, (password + person.code(offset_s)).encode()

    def _replay(self) -> tuple[str, bytes] | None:
        """A field that has let in before, or None when none is young enough: later, then."""
        young = [one for one in self._spent if one[2] >= self._step() - 1]
        if not young:
            return None
        person, typed, _ = self._chance.choice(young)
        return person.name, typed.encode()

    def _stranger(self) -> str:
        return f"stranger{self._chance.randrange(10**6)}"

    def _digits(self) -> str:
        return f"{self._chance.randrange(10**6):06d}"

    def _step(self) -> int:
        return int(time.time()) // 30


# The measurement


@dataclass
class Outcome:
    """What came back at one client: milliseconds by class, and the octets that the replies have in common."""

    latencies: dict[str, list[float]] = field(default_factory=dict)
    shapes: Counter[bytes] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    right_logins: list[float] = field(default_factory=list)


@dataclass
class _Slot:
    udp: socket.socket
    identifier: int = 0
    what: str = ""
    request: bytes = b""
    sent_ns: int = 0
    spender: tuple[Person, str] | None = None


class Measurement:
    """Sends tries from slots of one client, and times the replies."""

    def __init__(self, port: int, host: str, inflight: int, cast: Cast, expected: PacketCode) -> None:
        self._cast, self._expected = cast, expected
        self._slots = [_Slot(_socket(host, port)) for _ in range(inflight)]
        self.outcome = Outcome()

    def run(self, classes: dict[str, Callable[[], tuple[str, bytes] | None]], order: list[str]) -> Outcome:
        """All tries of `order`, by the names of their classes."""
        outcome = self.outcome
        outcome.latencies = {what: [] for what in classes}
        todo, free, busy = order[::-1], list(self._slots), 0
        with selectors.DefaultSelector() as selector:
            for slot in self._slots:
                selector.register(slot.udp, selectors.EVENT_READ, slot)
            while todo or busy:
                while todo and free:
                    slot = free.pop()
                    if self._send(slot, todo.pop(), classes, todo):
                        busy += 1
                    else:
                        free.append(slot)
                ready = selector.select(0.5)
                now_ns = time.perf_counter_ns()
                for key, _ in ready:
                    if self._receive(key.data, now_ns):
                        free.append(key.data)
                        busy -= 1
                for slot in self._slots if not ready else ():
                    if slot.what and now_ns - slot.sent_ns > REPLY_TIMEOUT_S * 1e9:
                        outcome.unanswered[slot.what] += 1
                        slot.what = ""
                        free.append(slot)
                        busy -= 1
        for slot in self._slots:
            slot.udp.close()
        return outcome

    def _send(
        self, slot: _Slot, what: str, classes: dict[str, Callable[[], tuple[str, bytes] | None]], todo: list[str]
    ) -> bool:
        slot.spender = None
        if what == RIGHT_LOGIN:
            person = next(self._cast.spenders)
            slot.spender = (person, person.typed())
            typed: tuple[str, bytes] | None = (person.name, slot.spender[1].encode())
        else:
            typed = classes[what]()
        if typed is None:  # nothing to replay yet: first another login
            todo += [what, RIGHT_LOGIN]
            return False
        slot.identifier, slot.what = (slot.identifier + 1) % 256, what
        slot.request = _request(typed, slot.identifier)
        slot.sent_ns = time.perf_counter_ns()
        slot.udp.send(slot.request)
        return True

    def _receive(self, slot: _Slot, now_ns: int) -> bool:
        octets = slot.udp.recv(4096)
        if not slot.what or octets[1] != slot.identifier:
            return False  # of a try that was given up
        reply = parse(octets)
        verify_reply(reply, slot.request[4:HEADER_OCTETS], SHARED_SECRET)
        milliseconds, what, slot.what = (now_ns - slot.sent_ns) / 1e6, slot.what, ""
        if slot.spender is not None:
            if reply.packet_code == PacketCode.ACCESS_ACCEPT:
                self.outcome.right_logins.append(milliseconds)
                self._cast.keep_spent(*slot.spender)
            return True
        assert reply.packet_code == self._expected, f"{what} got a reply of code {reply.packet_code}"
        self.outcome.latencies[what].append(milliseconds)
        self.outcome.shapes[_shape(octets)] += 1
        return True


def _socket(host: str, port: int) -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((host, 0))
    udp.connect(("127.0.0.1", port))
    udp.setblocking(False)
    return udp


def _request(typed: tuple[str, bytes], identifier: int) -> bytes:
    authenticator = os.urandom(16)
    asked = [
        (attributes.USER_NAME, typed[0].encode()),
        (attributes.USER_PASSWORD, hide(typed[1], SHARED_SECRET, authenticator)),
    ]
    return build_request(PacketCode.ACCESS_REQUEST, identifier, authenticator, asked, SHARED_SECRET)


def _shape(octets: bytes) -> bytes:
    """A reply with everything blotted out that must differ: Identifier, authenticators, the octets of a State."""
    packet = parse(octets)
    shape = bytearray(octets)
    shape[1] = 0
    shape[4:HEADER_OCTETS] = bytes(MAC_OCTETS)
    at = HEADER_OCTETS
    for kind, value in packet.attributes:
        if kind in (attributes.MESSAGE_AUTHENTICATOR, attributes.STATE):
            shape[at + 2 : at + 2 + len(value)] = bytes(len(value))
        at += 2 + len(value)
    return bytes(shape)


@dataclass
class Report:
    """Both clients' outcomes and rankings."""

    outcomes: dict[str, Outcome]
    rankings: dict[str, Ranking]
    settings: str

    @property
    def is_good(self) -> bool:
        """Whether no class stands out and every try was answered with the same octets."""
        return all(one.smallest[0] >= SIGNIFICANT for one in self.rankings.values()) and self.is_uniform

    @property
    def is_uniform(self) -> bool:
        """Whether every try was answered, and all at one client with the same octets."""
        return all(len(one.shapes) == 1 and not one.unanswered for one in self.outcomes.values())

    def __str__(self) -> str:
        lines = [self.settings]
        for client, outcome in self.outcomes.items():
            ranking = self.rankings[client]
            lines += ["", f"{client}", f"  {'class':<28}{'n':>6}{'median ms':>12}{'mean ms':>12}{'p95 ms':>10}"]
            for what, values in outcome.latencies.items():
                p95 = statistics.quantiles(values, n=20)[-1]
                lines.append(
                    f"  {what:<28}{len(values):>6}{statistics.median(values):>12.3f}{statistics.fmean(values):>12.3f}"
                    f"{p95:>10.3f}"
                )
            if outcome.right_logins:
                n, median = len(outcome.right_logins), statistics.median(outcome.right_logins)
                lines.append(f"  {RIGHT_LOGIN:<28}{n:>6}{median:>12.3f}")
            for what, n in outcome.unanswered.items():
                lines.append(f"  {n} without a reply: {what}")
            p, (one, other) = ranking.smallest
            apart = sum(p < SIGNIFICANT for p in ranking.corrected.values())
            lines += [
                f"  replies: {outcome.shapes.total()}, of {len(outcome.shapes)} form(s) apart from Identifier,"
                " authenticators and State",
                f"  Mann-Whitney over {len(ranking.corrected)} pairs: smallest corrected p {p:.4g} ({one} / {other});"
                f" pairs below {SIGNIFICANT}: {apart}",
                f"  Kruskal-Wallis over all: H {ranking.h:.2f}, p {ranking.p_all:.4g}",
            ]
            for (one, other), p in sorted(ranking.corrected.items(), key=lambda pair: pair[1])[: min(apart, 20)]:
                lines.append(f"    told apart: {one} / {other}, corrected p {p:.3g}")
        lines += [
            "",
            "no class stands out" if self.is_good else "SOME CLASS STANDS OUT, or replies differ or are missing",
        ]
        return "\n".join(lines)


def measure(
    folder: Path,
    *,
    tries: int,
    inflight: int = 8,
    delay_s: float = 0.2,
    jitter_s: float = 0.02,
    seed: int | None = None,
) -> Report:
    """Make an installation in a folder, serve it, and measure both clients."""
    seed = random.SystemRandom().randrange(2**32) if seed is None else seed
    chance = random.Random(seed)
    cast = Cast(folder, tries, chance)
    (folder / "twinward.toml").write_text(CONFIG.format(delay_s=delay_s, jitter_s=jitter_s))
    daemon = Daemon(folder)
    try:
        suffix = Measurement(daemon.port, SUFFIX_HOST, inflight, cast, PacketCode.ACCESS_REJECT)
        outcomes = {"one field, refusals": suffix.run(cast.at_suffix(), _order(cast.at_suffix(), tries, chance, True))}
        prompts = Measurement(daemon.port, CHALLENGE_HOST, inflight, cast, PacketCode.ACCESS_CHALLENGE)
        classes = cast.at_challenge()
        outcomes["uniform challenge, first prompts"] = prompts.run(classes, _order(classes, tries, chance, False))
    finally:
        daemon.stop()
    settings = (
        f"{tries} tries of each class, {inflight} at once, refusals after {delay_s} s and up to {jitter_s} s more,"
        f" seed {seed}"
    )
    return Report(outcomes, {client: rank(one.latencies) for client, one in outcomes.items()}, settings)


def _order(classes: dict[str, object], tries: int, chance: random.Random, with_right_logins: bool) -> list[str]:
    names = [*classes, RIGHT_LOGIN] if with_right_logins else list(classes)
    order = names * tries
    chance.shuffle(order)
    return order


def _option(name: str, default: float) -> float:
    return next((float(word.split("=")[1]) for word in sys.argv[1:] if word.startswith(f"-{name}=")), default)


def main() -> None:
    """Measure with what was asked for, print the report, and say by the exit status whether a class stands out."""
    with tempfile.TemporaryDirectory(prefix="twinward-rank-") as folder:
        report = measure(
            Path(folder),
            tries=int(_option("tries", 2000)),
            inflight=int(_option("inflight", 8)),
            delay_s=_option("delay", 0.2),
            jitter_s=_option("jitter", 0.02),
            seed=int(_option("seed", random.SystemRandom().randrange(2**32))),
        )
    print(report)
    sys.exit(0 if report.is_good else 1)


if __name__ == "__main__":
    main()
