"""Fuzz the running server: whatever comes in, it lives, stays small, and says yes to right logins alone.

    python tests/wire/fuzz_server.py [-max_total_time=SECONDS] [-warm_up=SECONDS] [-seed=N]

The real server on loopback, with clients of many kinds at 127.0.0.x. Requests of all kinds go out valid, mutated with
their signature broken, mutated and signed anew (so that they reach what lies behind the signature), and as noise.
Bursts alternate with a good Status-Server on each port, so nothing is lost for want of buffers; every ten seconds
somebody logs in. Every reply is checked: signed, of a request that may have one, at most 4096 octets; for an
Access-Accept the request is judged once more, by rules of this file.

Exit status 1 if the server died, fell silent, grew by 20 MB after the warm-up, logged a trace, or sent what it must
not. Then the datagrams before it are tried one by one on a fresh server, to find the one that does it.
Linux only: memory is read from /proc. SIGINT and SIGTERM end a run early, with its report.
"""

import base64
import hashlib
import hmac
import os
import random
import re
import selectors
import signal
import socket
import sys
import tempfile
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":  # as a program it finds the rooms by itself
    sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from support import installations
from support.daemon import Daemon, write_config
from support.installations import Person

from authn.client import AcceptedInput, ClientRules, InputMode, MessageAuthenticatorRule, Method, OnFailure
from authn.otp import TimeStep, code_at
from authn.request import canonical_username
from authn.secret import SharedSecret
from radius_server.drops import Cause
from radius_wire import attributes
from radius_wire.authenticators import verify_message_authenticator, verify_reply, verify_request_authenticator
from radius_wire.chap import chap_response
from radius_wire.errors import InvalidAttributeError, ProtocolError
from radius_wire.mschapv2 import nt_password_hash, nt_response
from radius_wire.packet import Attribute, Packet, PacketCode, parse
from radius_wire.password_hiding import hide, reveal
from radius_wire.vendor_attributes import encode_vendor, vendor_attributes
from store.nas_clients import NasClients

MAX_GROWTH_KB = 20 * 1024
MAX_DATAGRAM_OCTETS = 60_000
SILENT_S = 10.0
LOGIN_EVERY_S = 10.0
PASSWORD = "correct horse"
PEOPLE = 3000
CHECKERS = 200
RADIUS = """max_duplicates = 4096
duplicate_lifetime_s = 5
"""
LOGIN = """[login]
max_drift = 0
free_failures = 100
first_delay_s = 1
max_delay_s = 1
failures_per_day = 10000
strangers_per_user = 10000
strangers_per_network = 100000
challenge_lifetime_s = 20
"""  # failures must not lock everybody out for the rest of the run
_LOGIN_REPLIES = (PacketCode.ACCESS_ACCEPT, PacketCode.ACCESS_REJECT, PacketCode.ACCESS_CHALLENGE)
_AUTHORIZE_ONLY = (attributes.SERVICE_TYPE, (17).to_bytes(4, "big"))


@dataclass(frozen=True)
class Source:
    """An address that datagrams come from, what its client may do, and every shared secret that counts there."""

    host: str
    name: str
    ways: tuple[str, ...]
    rules: dict[str, object] = field(default_factory=dict)
    secrets: tuple[bytes, ...] = ()
    weight: int = 3

    @property
    def may_be_unsigned(self) -> bool:
        rule = self.rules.get("message_authenticator", MessageAuthenticatorRule.REQUIRE)
        return len(self.secrets) == 1 and rule is not MessageAuthenticatorRule.REQUIRE

    @property
    def accepts_repeats(self) -> bool:
        return bool(self.rules.get("accept_repeats", True))


def _source(number: int, name: str, ways: str, secrets: int = 1, weight: int = 3, **rules: object) -> Source:
    made = tuple(b"fuzzed secret %d of %b" % (at, name.encode()) for at in range(secrets))
    return Source(f"127.0.0.{number}", name, tuple(ways.split()), rules, made, weight)


CHECKER = _source(1, "checker", "suffix")
SOURCES = (
    _source(2, "strict", "suffix", accept_repeats=False),
    _source(
        3,
        "asking",
        "suffix challenge",
        inputs=["suffix", "challenge"],
        message_authenticator=MessageAuthenticatorRule.ALLOW,
        accept_repeats=False,
    ),
    _source(4, "codes", "code-only chap mschapv2", inputs=["code-only"], methods=frozenset(Method)),
    _source(5, "learning", "suffix", message_authenticator=MessageAuthenticatorRule.LEARN, weight=1),
    _source(6, "uniform", "challenge", inputs=["challenge"], uniform_challenge=True),
    _source(
        7,
        "limited",
        "separator",
        inputs=["separator", "prefix"],
        max_logins_per_s=200,
        on_failure=OnFailure.REJECT,
        charset="iso-8859-1",
        weight=1,
    ),
    _source(8, "twins", "suffix", secrets=2, accept_repeats=False),
    _source(9, "stranger", "suffix", weight=1),
)
STRANGER = SOURCES[-1]


@dataclass(frozen=True)
class Shot:
    """A datagram to send, and what it is."""

    source: Source
    is_accounting: bool
    what: str
    octets: bytes
    secret: bytes
    how: str = "valid"

    def __str__(self) -> str:
        port = "accounting" if self.is_accounting else "authentication"
        client = f"{self.source.name} ({self.source.host}, shared secret {self.secret.decode()!r})"
        return f"{self.what}, {self.how}, from {client} to the {port} port:\n{self.octets.hex()}"


@dataclass
class Report:
    """What a run found."""

    seed: int
    seconds: float = 0.0
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    replies: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)
    right_logins: int = 0
    checks: int = 0
    check_logins: int = 0
    baseline_kb: int = 0
    peak_kb: int = 0
    end_kb: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def growth_kb(self) -> int:
        return self.end_kb - self.baseline_kb

    @property
    def is_good(self) -> bool:
        return not self.failures

    def __str__(self) -> str:
        ways = sorted({how for _, how in self.sent})
        total = self.sent.total()
        lines = [
            f"seed {self.seed}, {self.seconds:.0f} s, {total} datagrams ({total / max(self.seconds, 1):.0f}/s)",
            "",
            f"  {'sent':<32}" + "".join(f"{how:>18}" for how in ways),
        ]
        for what in sorted({what for what, _ in self.sent}):
            lines.append(f"  {what:<32}" + "".join(f"{self.sent[what, how]:>18}" for how in ways))
        lines += ["", "  replies: " + ", ".join(f"{n} {code}" for code, n in sorted(self.replies.items()))]
        lines += [f"  {self.right_logins} Access-Accepts were judged once more, and right"]
        lines += [f"  checks: {self.checks} Status-Server, {self.check_logins} logins, all answered"]
        lines += ["  drops that the log tells of:"] + [f"    {n:>9}  {cause}" for cause, n in self.drops.most_common()]
        lines += [
            f"  memory: {self.baseline_kb / 1024:.1f} MB after the warm-up, {self.end_kb / 1024:.1f} MB at the end,"
            f" {self.peak_kb / 1024:.1f} MB at most; growth {self.growth_kb / 1024:+.1f} MB",
            "",
            *(self.failures or ["good: the server lived, answered, stayed small and said yes to right logins alone"]),
        ]
        return "\n".join(lines)


class Failure(Exception):
    """Something that the server must never do, and the request that made it do so, if that is known."""

    def __init__(self, text: str, shot: Shot | None = None) -> None:
        super().__init__(text)
        self.shot = shot


# Requests


def raw_packet(code: int, identifier: int, authenticator: bytes, pairs: list[Attribute]) -> bytes:
    """A packet of any attributes, whatever their lengths and number; as far as two octets can tell its length."""
    body = b"".join(bytes((kind & 255, (len(value) + 2) & 255)) + value for kind, value in pairs)
    return bytes((code, identifier)) + min(20 + len(body), 65535).to_bytes(2, "big") + authenticator + body


def sign(octets: bytes, secret: bytes) -> bytes:
    """The datagram with its signatures made anew, if its frame can be read; what stands behind Length stays."""
    try:
        packet = parse(octets)
    except ProtocolError:
        return octets
    length, at = len(packet.octets), packet.message_authenticator_at
    is_accounting = packet.packet_code == PacketCode.ACCOUNTING_REQUEST
    signed = packet.octets[:4] + (bytes(16) if is_accounting else packet.authenticator) + packet.octets[20:]
    if at is not None:
        blank = signed[:at] + bytes(16) + signed[at + 16 :]
        signed = signed[:at] + hmac.digest(secret, blank, "md5") + signed[at + 16 :]
    if is_accounting:
        signed = signed[:4] + hashlib.md5(signed + secret).digest() + signed[20:]
    return signed + octets[length:]


def des(key: bytes, block: bytes) -> bytes:
    """One block of single DES."""
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


class Traffic:
    """Makes valid requests of all kinds."""

    def __init__(self, people: list[Person], chance: random.Random) -> None:
        self._people, self._chance = people, chance
        self._next = 0
        self._identifier = 0
        self.states: deque[tuple[Source, bytes, Person]] = deque(maxlen=300)  # prompts that may be answered

    def shot(self) -> Shot:
        """One valid request."""
        chance = self._chance
        source = chance.choices(SOURCES, [one.weight for one in SOURCES])[0]
        secret = chance.choice(source.secrets)
        kind = chance.random()
        if kind < 0.05:
            return self._status(source, secret, chance.random() < 0.3)
        if kind < 0.25:
            return self._accounting(source, secret)
        if kind < 0.29:
            return self._eap(source, secret)
        if "challenge" in source.ways and self.states and kind < 0.55:
            return self._answer(secret)
        way = chance.choice(source.ways)
        if way in ("chap", "mschapv2"):
            return self._proof(source, secret, way)
        return self._pap(source, secret, way)

    def _person(self) -> Person:
        self._next = (self._next + 1) % len(self._people)
        return self._people[self._next]

    def _name(self, name: str) -> bytes:
        return self._chance.choice((name, name, name, name.upper(), f"CORP\\{name}", f"{name}\u212a")).encode()

    def _pap(self, source: Source, secret: bytes, way: str) -> Shot:
        person, chance, authenticator = self._person(), self._chance, os.urandom(16)
        what = chance.choice(("right", "right", "right", "wrong password", "wrong code", "unknown user", "odd"))
        password = "wrong horse" if what == "wrong password" else PASSWORD
        code = f"{chance.randrange(10**6):06d}" if what == "wrong code" else person.code()
        name = self._name("mallory" if what == "unknown user" else person.name)
        if what == "right":
            name = chance.choice((person.name, person.name.upper(), f"CORP\\{person.name}")).encode()
        typed = {
            "suffix": password + code,
            "separator": f"{password},{code}" if chance.random() < 0.7 else code + password,
            "challenge": password,
            "code-only": code,
        }[way].encode()
        if what == "right" and way == "suffix" and chance.random() < 0.15:
            pieces = (base64.b64encode(piece.encode()) for piece in (password, code))
            typed, what = b"SCRV1:" + b":".join(pieces), "right, SCRV1"
        if what == "odd":
            typed = chance.choice((b"", b"\0", b"\xff" * 128, "grün ☃".encode(), b"SCRV1:x:y", b"0" * 6, b" 1 2 3"))
        pairs = [(attributes.USER_NAME, name), (attributes.USER_PASSWORD, hide(typed, secret, authenticator))]
        return self._access(source, secret, f"PAP {way}: {what}", authenticator, pairs)

    def _answer(self, secret: bytes) -> Shot:
        source, state, person = self._chance.choice(self.states)
        secret, authenticator = source.secrets[0], os.urandom(16)
        is_right = self._chance.random() < 0.6
        typed = person.code() if is_right else self._chance.choice(("000000", "", "next", PASSWORD + person.code()))
        pairs = [
            (attributes.USER_NAME, person.name.encode()),
            (attributes.USER_PASSWORD, hide(typed.encode(), secret, authenticator)),
            (attributes.STATE, state),
        ]
        return self._access(source, secret, f"answer: {'right' if is_right else 'wrong'} code", authenticator, pairs)

    def _proof(self, source: Source, secret: bytes, way: str) -> Shot:
        person, chance, authenticator = self._person(), self._chance, os.urandom(16)
        is_right = chance.random() < 0.5
        code = (person.code() if is_right else "000000").encode()
        pairs: list[Attribute] = [(attributes.USER_NAME, person.name.encode())]
        if way == "chap":
            challenge = authenticator
            if chance.random() < 0.5:
                challenge = os.urandom(chance.choice((16, 16, 1, 100)))
                pairs.append((attributes.CHAP_CHALLENGE, challenge))
            identifier = chance.randrange(256)
            response = bytes((identifier,)) + chap_response(identifier, code, challenge)
            pairs.append((attributes.CHAP_PASSWORD, response))
        else:
            challenge, peer = os.urandom(16), os.urandom(16)
            response = nt_response(challenge, peer, person.name.encode(), nt_password_hash(code), des)
            whole = bytes((chance.randrange(256), 0)) + peer + bytes(8) + response
            pairs.append((attributes.VENDOR_SPECIFIC, encode_vendor(311, 11, challenge)))
            pairs.append((attributes.VENDOR_SPECIFIC, encode_vendor(311, 25, whole)))
        return self._access(source, secret, f"{way}: {'right' if is_right else 'wrong'}", authenticator, pairs)

    def _eap(self, source: Source, secret: bytes) -> Shot:
        chance, name = self._chance, self._person().name.encode()
        message = chance.choice((b"\x02\x2a\x00\x0a\x01" + name, b"\x02", b"", b"\x02\x01\x00\x04" * 60))
        pairs = [(attributes.USER_NAME, name), (attributes.EAP_MESSAGE, message[:253])]
        return self._access(source, secret, "EAP", os.urandom(16), pairs)

    def _access(self, source: Source, secret: bytes, what: str, authenticator: bytes, pairs: list[Attribute]) -> Shot:
        chance = self._chance
        pairs += chance.sample(self._extras(), chance.randrange(4))
        if chance.random() < 0.02:
            pairs.append(_AUTHORIZE_ONLY)
        if not source.may_be_unsigned or chance.random() < 0.6:
            pairs.insert(chance.choice((0, 0, len(pairs))), (attributes.MESSAGE_AUTHENTICATOR, bytes(16)))
        octets = raw_packet(PacketCode.ACCESS_REQUEST, self._new_identifier(), authenticator, pairs)
        return Shot(source, False, what, sign(octets, secret), secret)

    def _status(self, source: Source, secret: bytes, is_accounting: bool) -> Shot:
        pairs = [(attributes.MESSAGE_AUTHENTICATOR, bytes(16)), (attributes.NAS_IDENTIFIER, b"status")]
        octets = raw_packet(PacketCode.STATUS_SERVER, self._new_identifier(), os.urandom(16), pairs)
        return Shot(source, is_accounting, "Status-Server", sign(octets, secret), secret)

    def _accounting(self, source: Source, secret: bytes) -> Shot:
        chance = self._chance
        status = chance.choices((1, 2, 3, 7, 8, 9), (30, 30, 30, 1, 1, 1))[0]
        pairs: list[Attribute] = [
            (attributes.ACCT_STATUS_TYPE, status.to_bytes(4, "big")),
            (attributes.ACCT_SESSION_ID, b"session%d" % chance.randrange(2000)),
            (attributes.USER_NAME, self._name(self._person().name)),
            (attributes.FRAMED_IP_ADDRESS, os.urandom(4)),
            *((kind, chance.randrange(2**32).to_bytes(4, "big")) for kind in (41, 42, 43)),
            *((kind, chance.randrange(16).to_bytes(4, "big")) for kind in (52, 53)),
            *chance.sample(self._extras(), chance.randrange(4)),
        ]
        if chance.random() < 0.5:
            pairs.insert(0, (attributes.MESSAGE_AUTHENTICATOR, bytes(16)))
        octets = raw_packet(PacketCode.ACCOUNTING_REQUEST, self._new_identifier(), bytes(16), pairs)
        return Shot(source, True, f"accounting, status {status}", sign(octets, secret), secret)

    def _extras(self) -> list[Attribute]:
        chance = self._chance
        return [
            (attributes.CALLING_STATION_ID, b"10.0.0.%d" % chance.randrange(256)),
            (attributes.CALLED_STATION_ID, os.urandom(6)),
            (attributes.NAS_IP_ADDRESS, os.urandom(4)),
            (attributes.NAS_PORT, os.urandom(4)),
            (attributes.PROXY_STATE, os.urandom(chance.randrange(40))),
            (attributes.PROXY_STATE, b"second"),
            (attributes.STATE, os.urandom(chance.choice((0, 1, 60)))),
            (attributes.VENDOR_SPECIFIC, encode_vendor(9, 1, b"x=y")),
        ]

    def _new_identifier(self) -> int:
        self._identifier = (self._identifier + 1) % 256
        return self._identifier


# Mutations


def mutate(octets: bytes, chance: random.Random) -> bytes:
    """A few changes to a request, to its attributes or to its bare octets."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        change = _mutate_attributes if chance.random() < 0.6 else _mutate_octets
        octets = change(octets, chance)[:MAX_DATAGRAM_OCTETS]
    return octets


def _mutate_octets(octets: bytes, chance: random.Random) -> bytes:
    changed = bytearray(octets) or bytearray(1)
    at = chance.randrange(len(changed))
    match chance.randrange(7):
        case 0 | 1:
            changed[at] ^= 1 << chance.randrange(8)
        case 2:
            changed[at] = chance.choice((0, 1, 2, 3, 80, 127, 128, 254, 255))
        case 3:
            del changed[chance.randrange(len(changed)) :]
        case 4:
            changed[at:at] = chance.randbytes(chance.randint(1, 300))
        case 5:
            changed[2:4] = chance.choice(
                (0, 19, 20, 21, len(changed) - 1, len(changed) + 1, 4096, 4097, 65535)
            ).to_bytes(2, "big")
        case _:
            changed[0] = chance.choice((0, 1, 2, 3, 4, 5, 11, 12, 13, 40, 43, 255))
    if len(changed) >= 4 and chance.random() < 0.6:  # keep Length honest, to get past it
        changed[2:4] = len(changed).to_bytes(2, "big")
    return bytes(changed)


def _mutate_attributes(octets: bytes, chance: random.Random) -> bytes:
    try:
        packet = parse(octets)
    except ProtocolError:
        return _mutate_octets(octets, chance)
    pairs = list(packet.attributes) or [(attributes.USER_NAME, b"x")]
    at = chance.randrange(len(pairs))
    kind, value = pairs[at]
    match chance.randrange(11):
        case 0:
            pairs.insert(chance.randrange(len(pairs) + 1), pairs[at])
        case 1:
            chance.shuffle(pairs)
        case 2:
            del pairs[at]
        case 3:
            pairs[at] = (kind, (value * 253)[: chance.choice((0, 1, 3, 5, 17, 49, 51, 129, 252, 253))])
        case 4:
            pairs[at] = (kind, chance.choice((b"\xff" * len(value), bytes(len(value)), b"\x80" + value[1:])))
        case 5:
            pairs[at] = (chance.choice((*attributes.NAMES, chance.randrange(1, 256))), value)
        case 6:
            pairs.append((attributes.VENDOR_SPECIFIC, _vendor_value(chance)))
        case 7:
            pairs += [chance.choice(pairs)] * chance.choice((1, 2, 14, 150, 300))
        case 8:
            pairs.append(
                (chance.choice((*attributes.NAMES, chance.randrange(1, 256))), chance.randbytes(chance.randrange(254)))
            )
        case 9:
            pairs.append((chance.choice((24, 33, 79)), chance.randbytes(253)))
            pairs += [pairs[-1]] * chance.randrange(16)
        case _:
            pairs[at] = (kind, _flipped(value, chance))
    return raw_packet(packet.packet_code, packet.identifier, packet.authenticator, pairs)


def _vendor_value(chance: random.Random) -> bytes:
    """A Vendor-Specific value whose sub-attributes tell lengths of their own."""
    vendor = chance.choice((311, 311, 9, 12356, 0, 0xFFFFFF, 0xFFFFFFFF)).to_bytes(4, "big")
    value = vendor[: chance.choice((4, 4, 4, 4, 1, 3))]
    for _ in range(chance.randrange(5)):
        told = chance.randbytes(chance.choice((0, 1, 16, 24, 50)))
        length = chance.choice((len(told) + 2, len(told) + 2, 0, 1, 2, 3, len(told), 255))
        value += bytes((chance.choice((1, 11, 25, 26, chance.randrange(256))), length)) + told
    return value[:253]


def _flipped(value: bytes, chance: random.Random) -> bytes:
    if not value:
        return chance.randbytes(3)
    changed = bytearray(value)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


# The judge


class Judge:
    """Checks every reply against the requests that were sent, by rules of its own."""

    def __init__(self, people: list[Person], report: Report, traffic: Traffic) -> None:
        self._people = {one.name: one for one in people}
        self._report, self._traffic = report, traffic
        self._sent: dict[tuple[int, bool, int], deque[tuple[Shot, float]]] = {}
        self._prompted: OrderedDict[bytes, tuple[str, str, bool]] = OrderedDict()  # State: client, user, password right
        self._spent: dict[str, deque[tuple[int, Source, int, bytes, bytes | None]]] = {}

    def sent(self, source_socket: int, shot: Shot, at: float) -> None:
        """Remember a request."""
        if len(shot.octets) >= 20:
            key = (source_socket, shot.is_accounting, shot.octets[1])
            self._sent.setdefault(key, deque(maxlen=32)).append((shot, at))

    def judge(self, source_socket: int, source: Source, is_accounting: bool, octets: bytes) -> None:
        """Look at a reply. Raises Failure."""
        if len(octets) > 4096:
            raise Failure(f"a reply of {len(octets)} octets")
        if source is STRANGER:
            raise Failure("a reply to an address without a client")
        try:
            reply = parse(octets)
        except ProtocolError as fault:
            raise Failure(f"a reply that cannot be read: {fault}: {octets.hex()}") from fault
        for shot, at in reversed(self._sent.get((source_socket, is_accounting, reply.identifier), ())):
            for secret in source.secrets:
                if _answers(reply, shot, secret):
                    try:
                        self._judge(reply, shot, secret, at, source_socket)
                    except Failure as failure:
                        raise Failure(str(failure), shot) from failure
                    return
        raise Failure(f"a reply that is not signed, or belongs to no request: {octets.hex()}")

    def _judge(self, reply: Packet, shot: Shot, secret: bytes, at: float, source_socket: int) -> None:
        request = parse(shot.octets)
        status = PacketCode.ACCOUNTING_RESPONSE if shot.is_accounting else PacketCode.ACCESS_ACCEPT
        allowed: dict[int, tuple[int, ...]] = {
            PacketCode.ACCESS_REQUEST: _LOGIN_REPLIES,
            PacketCode.ACCOUNTING_REQUEST: (PacketCode.ACCOUNTING_RESPONSE,),
            PacketCode.STATUS_SERVER: (status,),
        }
        if reply.packet_code not in allowed.get(request.packet_code, ()):
            raise Failure(f"code {reply.packet_code} as the reply to code {request.packet_code}")
        self._report.replies[PacketCode(reply.packet_code).name] += 1
        self._check_signature(request, shot, secret)
        if request.packet_code != PacketCode.ACCESS_REQUEST:
            return
        if reply.packet_code == PacketCode.ACCESS_CHALLENGE:
            self._keep_prompt(reply, request, shot, secret)
        elif reply.packet_code == PacketCode.ACCESS_ACCEPT:
            self._check_accept(request, shot, secret, at, source_socket)

    def _check_signature(self, request: Packet, shot: Shot, secret: bytes) -> None:
        """Raises Failure for a reply to a request that should have met silence."""
        try:
            if request.packet_code == PacketCode.ACCOUNTING_REQUEST:
                verify_request_authenticator(request, secret)
            elif request.message_authenticator_at is not None:
                verify_message_authenticator(request, secret)
            elif not shot.source.may_be_unsigned or {33, 79} & {kind for kind, _ in request.attributes}:
                raise Failure("a reply to an unsigned request that should have met silence")
        except ProtocolError as fault:
            raise Failure(f"a reply to a request that is not authentic: {fault}") from fault

    def _keep_prompt(self, reply: Packet, request: Packet, shot: Shot, secret: bytes) -> None:
        state, name = reply.first(attributes.STATE), self._name(request, shot)
        if not state or state in self._prompted:
            return  # the next round of a conversation
        person = self._people.get(name)
        is_right = person is not None and _field(request, secret) == PASSWORD.encode()
        self._prompted[state] = (shot.source.name, name, is_right)
        if len(self._prompted) > 50_000:
            self._prompted.popitem(last=False)
        if person is not None:
            self._traffic.states.append((shot.source, state, person))

    def _check_accept(self, request: Packet, shot: Shot, secret: bytes, at: float, source_socket: int) -> None:
        name = self._name(request, shot)
        person = self._people.get(name)
        step = None if person is None else self._right_step(request, shot, secret, person, at)
        if step is None:
            raise Failure("an Access-Accept for what was no right login")
        station = request.first(attributes.CALLING_STATION_ID)
        passed = self._spent.setdefault(name, deque(maxlen=16))
        for spent_step, source, first_socket, octets, spent_station in passed:
            if spent_step != step or (first_socket, octets) == (source_socket, request.octets):
                continue  # another code, or the same datagram again
            is_repeat = source.name == shot.source.name and station is not None and station == spent_station
            if not (is_repeat and source.accepts_repeats):
                raise Failure(f"a second Access-Accept for one code; the first was for {octets.hex()}")
        passed.append((step, shot.source, source_socket, request.octets, station))
        self._report.right_logins += 1

    def _right_step(self, request: Packet, shot: Shot, secret: bytes, person: Person, at: float) -> int | None:
        """The step whose code the request proves together with all else that its client asks for, or None."""
        now = person.parameters.step_at(installations.now())
        for step in range(int(person.parameters.step_at(at)) - 1, int(now) + 2):  # type: ignore[arg-type]
            code = code_at(person.seed, TimeStep(step), person.parameters)
            if self._is_right(request, shot, secret, code, person.name):
                return step
        return None

    def _is_right(self, request: Packet, shot: Shot, secret: bytes, code: str, name: str) -> bool:
        typed, ways, password = _field(request, secret), shot.source.ways, PASSWORD.encode()
        digits = code.encode()
        if "code-only" in ways:
            return typed == digits or _proves(request, digits)
        if typed is None:
            return False
        client, user, is_right = self._prompted.get(request.first(attributes.STATE) or b"", ("", "", False))
        if is_right and (client, user) == (shot.source.name, name) and typed.replace(b" ", b"") == digits:
            return True
        if "challenge" in ways and typed == password + digits:
            return True  # who must wait shows two codes in a row so, and both factors are right
        if "separator" in ways and typed in (password + b"," + digits, digits + password):
            return True
        if typed.startswith(b"SCRV1:") and typed.count(b":") == 2:
            told = typed.split(b":")[1:]
            if told == [base64.b64encode(password), base64.b64encode(digits)]:
                return True
        return "suffix" in ways and typed == password + digits

    def _name(self, request: Packet, shot: Shot) -> str:
        octets = request.first(attributes.USER_NAME) or b""
        return canonical_username(octets, charset=shot.source.rules.get("charset"))  # type: ignore[arg-type]


def _answers(reply: Packet, shot: Shot, secret: bytes) -> bool:
    """Whether a reply is signed for this request. Only the answer to accounting may be bare (RFC 2866 §5.13)."""
    is_bare = shot.octets[0] == PacketCode.ACCOUNTING_REQUEST
    try:
        verify_reply(reply, shot.octets[4:20], secret, require_message_authenticator=not is_bare)
    except ProtocolError:
        return False
    return True


def _field(request: Packet, secret: bytes) -> bytes | None:
    try:
        return reveal(request.first(attributes.USER_PASSWORD) or b"", secret, request.authenticator)
    except InvalidAttributeError:
        return None


def _proves(request: Packet, code: bytes) -> bool:
    """Whether a CHAP or MS-CHAPv2 response was made with this code."""
    response = request.first(attributes.CHAP_PASSWORD) or b""
    if len(response) == 17:
        challenge = request.first(attributes.CHAP_CHALLENGE)
        if challenge is None:
            challenge = request.authenticator
        return chap_response(response[0], code, challenge) == response[1:]
    told: dict[int, bytes] = {}
    for value in request.all(attributes.VENDOR_SPECIFIC):
        try:
            told.update({kind: one for vendor, kind, one in vendor_attributes(value) if vendor == 311})
        except InvalidAttributeError:
            continue
    challenge, whole = told.get(11, b""), told.get(25, b"")
    name = request.first(attributes.USER_NAME) or b""
    if len(challenge) != 16 or len(whole) != 50:
        return False
    return nt_response(challenge, whole[2:18], name, nt_password_hash(code), des) == whole[26:]


# The run


class Fuzzing:
    """One run over an installation in a folder."""

    def __init__(self, folder: Path, seed: int, is_stopped: Callable[[], bool] = lambda: False) -> None:
        self._folder, self._is_stopped = folder, is_stopped
        self._chance = random.Random(seed)
        self.report = Report(seed)
        people, self._checkers = _install(folder)
        self._traffic = Traffic(people, self._chance)
        self._judge = Judge(people + self._checkers, self.report, self._traffic)
        self._recent: deque[Shot] = deque(maxlen=500)
        self._log_at = 0
        self._begun = 0.0

    def run(self, seconds: float, warm_up_s: float) -> Report:
        """Fuzz for so long."""
        self._daemon = Daemon(self._folder)
        try:
            with selectors.DefaultSelector() as selector:
                self._open_sockets(selector)
                try:
                    self._fuzz(seconds, warm_up_s)
                finally:
                    for udp, *_ in self._sockets:
                        udp.close()
        except Failure as failure:
            after_s = time.monotonic() - self._begun
            self.report.failures.append(f"FAILED after {after_s:.1f} s: {failure}")
            if failure.shot is not None:
                self.report.failures.append(f"the request: {failure.shot}")
        finally:
            self._end()
        return self.report

    def _open_sockets(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._sockets: list[tuple[socket.socket, Source, int]] = []
        self._of: dict[str, list[int]] = {}
        for source in (CHECKER, *SOURCES):
            for _ in range(1 if source is CHECKER else 4):
                udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                udp.bind((source.host, 0))
                udp.setblocking(False)
                number = len(self._sockets)
                self._sockets.append((udp, source, number))
                self._of.setdefault(source.host, []).append(number)
                selector.register(udp, selectors.EVENT_READ, number)

    def _fuzz(self, seconds: float, warm_up_s: float) -> None:
        self._ports = {False: self._daemon.port, True: self._daemon.accounting_port}
        self._begun = now = next_second = next_login = time.monotonic()
        until, warm_until = now + seconds, now + warm_up_s
        while now < until and not self._is_stopped():
            for _ in range(self._chance.choice((1, 16, 64, 150))):
                self._send(self._next_shot())
            self._receive(0)
            self._check_status()
            now = time.monotonic()
            self.report.seconds = now - self._begun
            if now >= next_login:
                next_login = now + LOGIN_EVERY_S
                self._check_login()
            if now >= next_second:
                next_second = now + 1.0
                self._sample_memory(is_warm=now >= warm_until)
        self._check_login()
        self._sample_memory(is_warm=True)
        if self.report.growth_kb >= MAX_GROWTH_KB:
            raise Failure(f"memory grew by {self.report.growth_kb} kB after the warm-up")

    def _next_shot(self) -> Shot:
        chance, how = self._chance, self._chance.random()
        if how < 0.06:
            octets = chance.randbytes(chance.choice((0, 1, 19, 20, 40, 300, 4096, 5000)))
            source = chance.choice(SOURCES)
            return Shot(source, chance.random() < 0.3, "noise", octets, source.secrets[0], "noise")
        if how < 0.09 and self._recent:
            shot = chance.choice(self._recent)
            return Shot(shot.source, shot.is_accounting, shot.what, shot.octets, shot.secret, "sent again")
        shot = self._traffic.shot()
        if how < 0.35:
            return shot
        octets = mutate(shot.octets, chance)
        if how < 0.5:
            return Shot(shot.source, shot.is_accounting, shot.what, octets, shot.secret, "mutated")
        is_accounting = shot.is_accounting ^ (chance.random() < 0.02)
        return Shot(shot.source, is_accounting, shot.what, sign(octets, shot.secret), shot.secret, "mutated, signed")

    def _send(self, shot: Shot, number: int | None = None) -> None:
        number = self._chance.choice(self._of[shot.source.host]) if number is None else number
        self._recent.append(shot)
        self._judge.sent(number, shot, time.time())
        try:
            self._sockets[number][0].sendto(shot.octets, ("127.0.0.1", self._ports[shot.is_accounting]))
        except BlockingIOError:
            return
        self.report.sent[shot.what, shot.how] += 1

    def _receive(self, wait_s: float) -> list[tuple[int, bool, bytes]]:
        """Judge what has come; returns what came for the checker."""
        checked = []
        for key, _ in self._selector.select(wait_s):
            udp, source, number = self._sockets[key.data]
            while True:
                try:
                    octets, peer = udp.recvfrom(65535)
                except BlockingIOError:
                    break
                is_accounting = peer[1] == self._ports[True]
                self._judge.judge(number, source, is_accounting, octets)
                if source is CHECKER:
                    checked.append((number, is_accounting, octets))
        return checked

    def _check_status(self) -> None:
        """A good Status-Server on each port. Raises Failure if one gets no answer, or the log tells of an error."""
        for is_accounting in (False, True):
            shot = self._traffic._status(CHECKER, CHECKER.secrets[0], is_accounting)
            self._await(Shot(CHECKER, is_accounting, "check", shot.octets, shot.secret, "check"), "Status-Server")
            self.report.checks += 1
        with self._daemon.log_path.open("rb") as log:
            log.seek(self._log_at)
            told, end, _ = log.read().rpartition(b"\n")  # whole lines only
        self._log_at += len(told) + len(end)
        text = told.decode()
        self.report.drops.update(_drops(text))
        if "Traceback" in text or "an error in twinward" in text:
            raise Failure(f"the log tells of an error:\n{text}{self._culprit()}")

    def _check_login(self) -> None:
        """A right login. Raises Failure unless it passes."""
        person = self._checkers[self.report.check_logins % len(self._checkers)]
        authenticator, secret = os.urandom(16), CHECKER.secrets[0]
        pairs = [
            (attributes.MESSAGE_AUTHENTICATOR, bytes(16)),
            (attributes.USER_NAME, person.name.encode()),
            (attributes.USER_PASSWORD, hide(person.typed().encode(), secret, authenticator)),
        ]
        octets = sign(raw_packet(PacketCode.ACCESS_REQUEST, self._chance.randrange(256), authenticator, pairs), secret)
        reply = self._await(Shot(CHECKER, False, "check", octets, secret, "check"), "a right login")
        if reply[0] != PacketCode.ACCESS_ACCEPT:
            raise Failure(f"a right login was answered with code {reply[0]}")
        self.report.check_logins += 1

    def _await(self, shot: Shot, what: str) -> bytes:
        """The reply to a good request, which is sent again each second. Raises Failure."""
        [number] = self._of[CHECKER.host]
        until = time.monotonic() + SILENT_S
        while time.monotonic() < until:
            self._send(shot, number)
            again_at = time.monotonic() + 1.0
            while time.monotonic() < again_at:
                for _, is_accounting, octets in self._receive(0.05):
                    if is_accounting == shot.is_accounting and _answers(parse(octets), shot, shot.secret):
                        return octets
                if not self._daemon.is_running() and not self._is_stopped():
                    raise Failure(f"the server died; its log ends:\n{self._daemon.log[-6000:]}{self._culprit()}")
        if self._is_stopped():  # a SIGINT from the terminal stops the server too
            return bytes((PacketCode.ACCESS_ACCEPT,))
        raise Failure(f"{what} had no answer within {SILENT_S:.0f} s\n{self._culprit()}")

    def _culprit(self) -> str:
        """Try what was sent last on fresh servers, one datagram after the other, until one does it again."""
        self._daemon.kill()
        daemon = Daemon(self._folder, "culprit")
        try:
            ports = {False: daemon.port, True: daemon.accounting_port}
            for shot in list(self._recent):
                udp = self._sockets[self._of[shot.source.host][0]][0]
                udp.sendto(shot.octets, ("127.0.0.1", ports[shot.is_accounting]))
                time.sleep(0.03)
                if not daemon.is_running() or "Traceback" in daemon.log:
                    return f"\nthis one does it: {shot}"
        finally:
            daemon.kill()
        return "\nnone of the datagrams before it does it alone"

    def _sample_memory(self, *, is_warm: bool) -> None:
        try:
            status = Path(f"/proc/{self._daemon.pid}/status").read_text()
        except OSError:
            return
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        if found is None:
            return  # it has just died; the next check tells
        report, report.end_kb = self.report, int(found[1])
        report.peak_kb = max(report.peak_kb, report.end_kb)
        if not is_warm or not self._is_warm:
            report.baseline_kb = report.end_kb
        self._is_warm = is_warm

    _is_warm = False

    def _end(self) -> None:
        """End the server by its process id, and see that it goes in peace."""
        is_alive = self._daemon.is_running()
        status = self._daemon.stop()
        if is_alive and status != 0:
            self.report.failures.append(f"FAILED: the server ended with status {status}:\n{self._daemon.log[-3000:]}")


def _install(folder: Path) -> tuple[list[Person], list[Person]]:
    installation = installations.create(folder)
    clients = NasClients(installation, "fuzzer")
    for source in (CHECKER, *SOURCES):
        for at, secret in enumerate(source.secrets if source is not STRANGER else ()):
            name = f"{source.name}-{at}" if at else source.name
            rules = dict(source.rules)
            if "inputs" in rules:
                rules["inputs"] = tuple(AcceptedInput(InputMode(one)) for one in rules["inputs"])
            shared, moment = len(source.secrets) > 1, installations.now()
            clients.add(name, source.host, SharedSecret(secret), moment, ClientRules(**rules), shared_address=shared)
    names = [f"user{number}" for number in range(PEOPLE)]
    people = installations.add_people(installation, names, PASSWORD)
    checkers = installations.add_people(installation, [f"checker{number}" for number in range(CHECKERS)], PASSWORD)
    installation.close()
    write_config(folder, reject_delay_s=0.05, accounting=True, radius=RADIUS, more=LOGIN)
    return people, checkers


def _drops(log: str) -> Counter[str]:
    """The drops that a piece of the log tells of, by cause."""
    drops: Counter[str] = Counter()
    for line in log.splitlines():
        _, found, text = line.partition("dropped a datagram from ")
        if found:
            told = text.partition(": ")[2]
            cause = next((one.value for one in Cause if told.startswith(one.value)), told)
            more = re.search(r"; (\d+) more like it since", told)
            drops[cause] += 1 + (int(more[1]) if more else 0)
    return drops


def _option(name: str, default: float) -> float:
    return next((float(word.split("=")[1]) for word in sys.argv[1:] if word.startswith(f"-{name}=")), default)


def main() -> None:
    """Fuzz for the time that was asked for, and print the report."""
    stops: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: stops.append(got))
    seconds = _option("max_total_time", 60.0)
    seed = int(_option("seed", random.SystemRandom().randrange(2**32)))
    print(f"fuzzing the server for {seconds:.0f} s from seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="twinward-fuzz-") as folder:
        fuzzing = Fuzzing(Path(folder), seed, lambda: bool(stops))
        report = fuzzing.run(seconds, _option("warm_up", min(60.0, seconds / 3)))
    print(report)
    sys.exit(0 if report.is_good else 1)


if __name__ == "__main__":
    main()
