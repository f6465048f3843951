"""Who may ask, and how: the client that a login comes through, and the rules an operator gave it.

Rules that cannot work together are refused where they are made, with the
reason, so that no login ever meets them.
"""

import codecs
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import NewType

from authn.instants import UnixSeconds
from authn.secret import SharedSecret

ClientId = NewType("ClientId", int)
Network = IPv4Network | IPv6Network

MAX_PROMPT_OCTETS = 200
MAX_REPEAT_WINDOW_S = 30.0
DISCONNECT_PORT = 3799  # RFC 5176 §2.3


class InputMode(StrEnum):
    """How users type their credentials into the one password field."""

    SUFFIX = "suffix"  # password, then the code: hunter2123456
    PREFIX = "prefix"  # the code, then the password: 123456hunter2
    SEPARATOR = "separator"  # password, a character, the code: hunter2,123456
    CHALLENGE = "challenge"  # the password; then the code at a prompt
    CODE_ONLY = "code-only"  # the code; the client has checked the password itself
    PASSWORD_ONLY = "password-only"  # the password; no second factor at this client
    STATIC_CHALLENGE = "static-challenge"  # OpenVPN's SCRV1:password:code, taken wherever both are asked for


class Method(StrEnum):
    """How the password field is protected on its way."""

    PAP = "pap"  # RFC 2865 §5.2
    CHAP = "chap"  # RFC 2865 §2.2
    MSCHAPV2 = "mschapv2"  # RFC 2759


class MessageAuthenticatorRule(StrEnum):
    """What is demanded of a client's requests (CVE-2024-3596)."""

    REQUIRE = "require"  # unsigned requests are dropped
    LEARN = "learn"  # as `allow`, until enough signed requests in a row have shown that the client signs
    ALLOW = "allow"  # unsigned requests are judged, unless they carry Proxy-State


class OnFailure(StrEnum):
    """What a client hears when no verdict could be reached."""

    SILENCE = "silence"  # it asks the next server
    REJECT = "reject"  # for clients that have no other server and would keep their users waiting


@dataclass(frozen=True, slots=True)
class AcceptedInput:
    """An input mode, perhaps only until a date: the old way of a client that changes to a new one."""

    mode: InputMode
    until: UnixSeconds | None = None


_ALONE = (InputMode.CODE_ONLY, InputMode.PASSWORD_ONLY)


@dataclass(frozen=True, slots=True)
class ClientRules:
    """What one client may do, and how it is answered. Raises ValueError for rules that cannot work together.

    `timeout_s` and `tries` are the NAS's own: how long it waits for a reply, and
    how often it sends a request. No login is worked on for longer than the
    timeout; a new request for the same attempt within all tries is a repeat.
    """

    inputs: tuple[AcceptedInput, ...] = (AcceptedInput(InputMode.SUFFIX),)
    separator: str = ","
    methods: frozenset[Method] = frozenset((Method.PAP,))
    message_authenticator: MessageAuthenticatorRule = MessageAuthenticatorRule.REQUIRE
    sign_replies: bool = True
    status_server: bool = True
    prompt: str = "Enter the code your authenticator app shows: "  # shown as it is by some NAS
    uniform_challenge: bool = False  # everybody is asked for a code, whatever the password was
    timeout_s: float = 5.0
    tries: int = 3
    accept_repeats: bool = True
    on_failure: OnFailure = OnFailure.SILENCE
    charset: str | None = None  # of names and passwords that are not UTF-8
    max_logins_per_s: int | None = None
    disconnect_port: int = DISCONNECT_PORT
    recovery_codes: bool = True  # whether one is taken in the place of a code
    shadow_until: UnixSeconds | None = None  # till then a password alone lets in, and what a code would do is noted
    _lasting: tuple[InputMode, ...] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        self._check_inputs()
        self._check_methods()
        if not 0 < len(self.prompt.encode()) <= MAX_PROMPT_OCTETS or not self.prompt.isprintable():
            raise ValueError(f"a prompt has 1 to {MAX_PROMPT_OCTETS} printable octets")
        if not 0.5 <= self.timeout_s <= 120 or not 1 <= self.tries <= 20:
            raise ValueError("a NAS waits 0.5 to 120 s and tries 1 to 20 times")
        if self.max_logins_per_s is not None and self.max_logins_per_s < 1:
            raise ValueError("a rate limit lets at least one login a second through")
        if not 0 < self.disconnect_port < 65536:
            raise ValueError(f"{self.disconnect_port} is not a port")
        if self.charset is not None and not _knows(self.charset):
            raise ValueError(f"{self.charset} is not a charset that holds ASCII; iso-8859-1 and cp1252 are two that do")
        if all(one.until is None for one in self.inputs):
            object.__setattr__(self, "_lasting", tuple(one.mode for one in self.inputs))

    def modes_at(self, now: UnixSeconds) -> tuple[InputMode, ...]:
        """The input modes that are accepted at a moment, the preferred one first."""
        if self._lasting is not None:
            return self._lasting
        return tuple(one.mode for one in self.inputs if one.until is None or now < one.until)

    def shadows_at(self, now: UnixSeconds) -> bool:
        """Whether codes are not enforced yet, only looked at."""
        return self.shadow_until is not None and now < self.shadow_until

    def enforces_codes_at(self, now: UnixSeconds) -> bool:
        """Whether nobody gets in with a password alone, but by an exemption of their own."""
        return InputMode.PASSWORD_ONLY not in self.modes_at(now) and not self.shadows_at(now)

    @property
    def deadline_s(self) -> float:
        """How long a login may take, so that its reply arrives before the NAS repeats the request."""
        return self.timeout_s * 0.9

    @property
    def repeat_window_s(self) -> float:
        """How long a new request for the same attempt gets the first verdict again; 0 for never."""
        return min(self.timeout_s * self.tries, MAX_REPEAT_WINDOW_S) if self.accept_repeats else 0.0

    def _check_inputs(self) -> None:
        modes = [one.mode for one in self.inputs]
        if not any(one.until is None for one in self.inputs):
            raise ValueError("at least one input mode must be accepted without an end")
        if len(set(modes)) != len(modes):
            raise ValueError("an input mode stands there twice")
        if InputMode.STATIC_CHALLENGE in modes:
            raise ValueError("static-challenge is taken wherever password and code are; it is not set")
        for mode in _ALONE:
            if mode in modes and len(modes) > 1:
                raise ValueError(f"{mode} stands alone: beside another mode it would make a factor optional")
        if len(self.separator) != 1 or not self.separator.isascii() or not self.separator.isprintable():
            raise ValueError("a separator is one printable ASCII character")
        if self.separator.isalnum():
            raise ValueError("a separator is neither a letter nor a digit")
        if self.uniform_challenge and InputMode.CHALLENGE not in modes:
            raise ValueError("a uniform challenge needs the input mode challenge")
        if self.shadow_until is not None and modes[0] in _ALONE:
            raise ValueError(f"shadow mode is for clients that ask for password and code; this one is {modes[0]}")

    def _check_methods(self) -> None:
        if not self.methods:
            raise ValueError("a client uses at least one method")
        for method in (Method.CHAP, Method.MSCHAPV2):
            if method in self.methods and [one.mode for one in self.inputs] != [InputMode.CODE_ONLY]:
                raise ValueError(
                    f"{method} needs the input mode code-only: a password is kept as a one-way hash,"
                    f" and {method} can be checked only against what is known in clear"
                )


@dataclass(frozen=True, slots=True)
class AcceptedSecret:
    """A shared secret, perhaps only until a date: the old one while a NAS is being changed to the new.

    `number` tells it from others that the client has had; it grows.
    """

    secret: SharedSecret
    number: int = 1
    until: UnixSeconds | None = None


@dataclass(frozen=True, slots=True)
class NasClient:
    """A NAS (RFC 2865 §1): a VPN concentrator, a switch, a host, and the network it asks from.

    `shared_secrets` has the newest first. With more than one, the
    Message-Authenticator tells which was used.
    """

    id: ClientId
    name: str
    network: Network
    shared_secrets: tuple[AcceptedSecret, ...]
    rules: ClientRules = field(default_factory=ClientRules)

    @property
    def shared_secret(self) -> SharedSecret:
        """The newest shared secret."""
        return self.shared_secrets[0].secret

    def secrets_at(self, now: UnixSeconds) -> tuple[AcceptedSecret, ...]:
        """The shared secrets that are accepted at a moment, the newest first."""
        if len(self.shared_secrets) == 1:
            return self.shared_secrets
        return tuple(one for one in self.shared_secrets if one.until is None or now < one.until)

    @property
    def needs_signed_requests(self) -> bool:
        """Whether a request without Message-Authenticator is of no use whatever it holds."""
        return self.rules.message_authenticator is MessageAuthenticatorRule.REQUIRE


def _knows(charset: str) -> bool:
    """Whether a charset is known and keeps ASCII as it is, so that a code is a code in it."""
    try:
        return bytes(range(32, 127)).decode(codecs.lookup(charset).name) == "".join(map(chr, range(32, 127)))
    except (LookupError, UnicodeDecodeError):
        return False
