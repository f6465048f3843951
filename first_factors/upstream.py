"""Another RADIUS server as first factor, its challenges relayed.

The server says yes, says no, or asks on; what it asks goes to the user in an
Access-Challenge of ours, and the answer goes back to the one server that asked,
with its State. A server that is silent, or whose reply proves nothing, leaves us
unable to tell: nobody is let in by that, and nobody's failures are counted.

Of an Access-Accept nothing is taken over but the fact. Its attributes (a VLAN, a
filter, a privilege level) were granted to who passed that server's rules; what a
login through twinward may do is said by twinward's rules alone. A server that is
to be retired, or somebody who has taken it over, must not grant rights here.
"""

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from authn.challenge import MAX_RELAYED_STATE_OCTETS, Relay
from authn.errors import TwinwardError
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding, FurtherQuestion
from radius_wire.attributes import MAX_VALUE_OCTETS
from radius_wire.password_hiding import MAX_PASSWORD_OCTETS

_log = logging.getLogger(__name__)

MAX_PROMPT_OCTETS = 200
DEFAULT_PROMPT = "Enter the code: "
_LOG_INTERVAL_S = 10.0
_ESCAPE_SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?")


class UpstreamSilentError(TwinwardError):
    """No server gave a reply that could be believed in time. The message names the servers and why."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Access-Accept. It has no attributes here, so none can be taken over."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Access-Reject."""


@dataclass(frozen=True, slots=True)
class Challenged:
    """Access-Challenge: which server asks, its Reply-Messages as they came, and its State."""

    server: int
    messages: tuple[bytes, ...]
    state: bytes | None = field(repr=False)


Reply = Accepted | Rejected | Challenged


class Exchange(Protocol):
    """How servers are asked. Used by several threads at once."""

    def ask(self, username: bytes, password: bytes, *, relay: Relay | None, timeout_s: float) -> Reply:
        """Ask one server after the other until one replies; with a `relay` only that server, with its State.

        The next server is asked only when the one before is silent. Comes back
        within `timeout_s`. Raises UpstreamSilentError.
        """
        ...

    def probe(self, timeout_s: float) -> str | None:
        """None when every server answers Status-Server (RFC 5997), else a sentence for the administrator."""
        ...


class UpstreamFirstFactor:
    """The `first_factors.pool.Checker` that asks other RADIUS servers.

    `clock` gives monotonic seconds. It paces the log: one line of a kind in ten seconds.
    """

    def __init__(self, exchange: Exchange, *, clock: Callable[[], float]) -> None:
        self._exchange = exchange
        self._clock = clock
        self._quiet_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, question: AskFirstFactor, timeout_s: float) -> CheckedPassword:
        """Have a password checked, or with `question.relay` the answer to what a server has asked.

        What no packet can carry is FAILED and not sent: an empty field, for which
        some servers let anybody in, one of over 128 octets, one with NUL.
        """
        username, password = question.username.encode(), question.password.reveal()
        if not 0 < len(username) <= MAX_VALUE_OCTETS:
            return CheckedPassword(Finding.FAILED, question.keeper)
        if not 0 < len(password) <= MAX_PASSWORD_OCTETS or b"\0" in password:
            return CheckedPassword(Finding.FAILED, question.keeper)
        try:
            reply = self._exchange.ask(username, password, relay=question.relay, timeout_s=timeout_s)
        except UpstreamSilentError as fault:
            self._complain(
                "silent",
                question,
                f"cannot tell: {fault}. Each server must be up, know this host as a client with the same shared secret,"
                " put a Message-Authenticator into every reply, and refuse without delay",
            )
            return CheckedPassword(Finding.CANNOT_TELL, question.keeper)
        match reply:
            case Accepted():
                return CheckedPassword(Finding.PASSED, question.keeper)
            case Rejected():
                return CheckedPassword(Finding.FAILED, question.keeper)
            case Challenged():
                return self._asks_more(question, reply)
        assert_never(reply)

    def probe(self, timeout_s: float) -> str | None:
        """None when every server is seen to answer within `timeout_s`, else a sentence that says which is not."""
        return self._exchange.probe(timeout_s)

    def close(self) -> None:
        """Nothing is held between two questions."""

    def _asks_more(self, question: AskFirstFactor, challenge: Challenged) -> CheckedPassword:
        state = challenge.state
        if not state:
            self._complain(
                "no State",
                question,
                "an Access-Challenge came without State, so it cannot be answered:"
                " let the server send a State, or ask nothing of this client",
            )
            return CheckedPassword(Finding.CANNOT_TELL, question.keeper)
        if len(state) > MAX_RELAYED_STATE_OCTETS:
            self._complain(
                "long State",
                question,
                f"an Access-Challenge came with a State of {len(state)} octets, and at most"
                f" {MAX_RELAYED_STATE_OCTETS} fit into ours:"
                " let the server send a shorter State, or ask nothing of this client",
            )
            return CheckedPassword(Finding.CANNOT_TELL, question.keeper)
        further = FurtherQuestion(prompt_of(challenge.messages), Relay(challenge.server, state))
        return CheckedPassword(Finding.ASKS_MORE, question.keeper, further=further)

    def _complain(self, kind: str, question: AskFirstFactor, text: str) -> None:
        """Log it, unless the like was said a moment ago: who can cause it at will must not fill a disk."""
        now = self._clock()
        with self._lock:
            if now < self._quiet_until.get(kind, now):
                return
            self._quiet_until[kind] = now + _LOG_INTERVAL_S
        _log.warning("first factor %s: %s", question.keeper.name, text)


def prompt_of(messages: tuple[bytes, ...]) -> str:
    """The Reply-Messages as one printable text of at most 200 octets in UTF-8; without any, a general prompt.

    A message of full length goes on in the next (RFC 2865 §5.18); others are set
    apart by a space. Escape sequences, control and format characters become a
    space: the text ends up on terminals and in web pages of others.
    """
    octets = b"".join(message if len(message) == MAX_VALUE_OCTETS else message + b"\n" for message in messages)
    text = _ESCAPE_SEQUENCE.sub(" ", octets.removesuffix(b"\n").decode("utf-8", "replace"))
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = re.sub(" {2,}", " ", text).lstrip()
    if not text:
        return DEFAULT_PROMPT
    return text.encode()[:MAX_PROMPT_OCTETS].decode("utf-8", "ignore")
