"""A client of one or several RADIUS servers: asks in order, answers with closed types."""

import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from radius_client.errors import NoReplyError, UnusableCredentialsError
from radius_client.exchange import Server, exchange
from radius_wire import attributes
from radius_wire.packet import Attribute, Packet, PacketCode, build_request
from radius_wire.password_hiding import MAX_PASSWORD_OCTETS, hide

AUTHENTICATE_ONLY = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """A proven reply: which server gave it, and what it carries."""

    server: Server
    attributes: tuple[Attribute, ...] = field(repr=False)

    @property
    def messages(self) -> list[str]:
        """The Reply-Messages, with what is not printable replaced: a server may send escape sequences."""
        texts = [
            value.decode("utf-8", "replace") for kind, value in self.attributes if kind == attributes.REPLY_MESSAGE
        ]
        return ["".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
                for text in texts]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Accepted(Answer):
    """Access-Accept."""


@dataclass(frozen=True, slots=True)
class Rejected(Answer):
    """Access-Reject."""


@dataclass(frozen=True, slots=True)
class Challenged(Answer):
    """Access-Challenge: ask the user again and `answer` with what they type."""

    state: bytes | None = field(repr=False)


Outcome = Accepted | Rejected | Challenged


class Client:
    """Asks `servers` in order until one answers, all within `deadline_s`. Threads may share it.

    One question goes to the next server only when the one before stayed silent,
    and a silent server never takes the time of those after it: each gets an
    equal share of what is left. A server that was silent is asked last for
    `dead_time_s`, or until it answers again.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        *,
        nas_identifier: str | None = None,
        deadline_s: float = 20.0,
        dead_time_s: float = 0.0,
        random_octets: Callable[[int], bytes] = os.urandom,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not servers:
            raise ValueError("a client needs at least one server")
        self._servers = tuple(servers)
        self._nas_identifier = (nas_identifier or socket.gethostname()).encode()[: attributes.MAX_VALUE_OCTETS]
        self._deadline_s = deadline_s
        self._dead_time_s = dead_time_s
        self._silent_until: dict[Server, float] = {}
        self._random_octets = random_octets
        self._clock = clock

    def authenticate(
        self, username: str, password: bytes, extra: Sequence[Attribute] = (), *, timeout_s: float | None = None
    ) -> Outcome:
        """Ask whether a user may log in, within `timeout_s` if it is less than the client's own deadline.

        Raises NoReplyError when no server answered, UnusableCredentialsError
        for what no packet can carry; nothing is sent then.
        """
        return self._ask(self._in_order(), username, password, extra, timeout_s)

    def answer(
        self,
        challenge: Challenged,
        username: str,
        response: bytes,
        extra: Sequence[Attribute] = (),
        *,
        timeout_s: float | None = None,
    ) -> Outcome:
        """Answer a challenge, at the server that gave it. Raises as `authenticate` does."""
        state = [] if challenge.state is None else [(attributes.STATE, challenge.state)]
        return self._ask([challenge.server], username, response, [*extra, *state], timeout_s)

    def probe(self, server: Server, *, timeout_s: float | None = None) -> None:
        """See that a server answers Status-Server (RFC 5997). Raises NoReplyError; not every server answers it."""
        request = build_request(
            PacketCode.STATUS_SERVER,
            self._random_octets(1)[0],
            self._random_octets(16),
            [(attributes.NAS_IDENTIFIER, self._nas_identifier)],
            server.shared_secret,
        )
        exchange(server, request, deadline=self._deadline(timeout_s), clock=self._clock)

    def _ask(
        self,
        servers: Sequence[Server],
        username: str,
        password: bytes,
        extra: Sequence[Attribute],
        timeout_s: float | None,
    ) -> Outcome:
        name = username.encode()
        if not 0 < len(name) <= attributes.MAX_VALUE_OCTETS or b"\0" in name:
            raise UnusableCredentialsError("a user name has 1 to 253 octets and no NUL")
        if not 0 < len(password) <= MAX_PASSWORD_OCTETS or b"\0" in password:
            raise UnusableCredentialsError(f"what is typed has 1 to {MAX_PASSWORD_OCTETS} octets and no NUL")
        deadline = self._deadline(timeout_s)
        failures = []
        for place, server in enumerate(servers):
            now = self._clock()
            if now >= deadline:
                failures.append(f"{server}: no time was left to ask it")
                break
            until = now + (deadline - now) / (len(servers) - place)
            try:
                request = self._request(server, name, password, extra)
                outcome = _outcome(server, exchange(server, request, deadline=until, clock=self._clock))
            except NoReplyError as failure:
                self._silent_until[server] = self._clock() + self._dead_time_s
                failures.append(str(failure))
            else:
                self._silent_until.pop(server, None)
                return outcome
        raise NoReplyError("; ".join(failures))

    def _in_order(self) -> list[Server]:
        """All servers, those that were silent lately last: if nobody else answers, they are asked all the same."""
        now = self._clock()
        return sorted(self._servers, key=lambda server: self._silent_until.get(server, now) > now)

    def _deadline(self, timeout_s: float | None) -> float:
        return self._clock() + (self._deadline_s if timeout_s is None else min(timeout_s, self._deadline_s))

    def _request(self, server: Server, name: bytes, password: bytes, extra: Sequence[Attribute]) -> bytes:
        """A fresh Access-Request: the authenticator hides the password, so it differs for each server."""
        identifier, authenticator = self._random_octets(1)[0], self._random_octets(16)
        asked = [
            (attributes.USER_NAME, name),
            (attributes.USER_PASSWORD, hide(password, server.shared_secret, authenticator)),
            (attributes.NAS_IDENTIFIER, self._nas_identifier),
            (attributes.SERVICE_TYPE, attributes.encode_integer(AUTHENTICATE_ONLY)),
            *extra,
        ]
        return build_request(PacketCode.ACCESS_REQUEST, identifier, authenticator, asked, server.shared_secret)


def _outcome(server: Server, reply: Packet) -> Outcome:
    match reply.packet_code:
        case PacketCode.ACCESS_ACCEPT:
            return Accepted(server, reply.attributes)
        case PacketCode.ACCESS_REJECT:
            return Rejected(server, reply.attributes)
        case PacketCode.ACCESS_CHALLENGE:
            return Challenged(server, reply.attributes, reply.first(attributes.STATE))
        case code:
            raise NoReplyError(f"{server}: answered with code {code}")
