"""Hands `radius_client` to the first factor that asks other RADIUS servers.

Time is short: a refusal leaves at its floor, and a server that is down must not
use up what the next one needs. So each server gets an equal share of the time,
and within it the same octets go out at least twice.
"""

import ipaddress
import time
from collections.abc import Callable, Sequence

from authn.challenge import Relay
from authn.errors import ConfigError
from authn.secret import SharedSecret
from first_factors import upstream
from first_factors.upstream import UpstreamSilentError
from radius_client import client
from radius_client.errors import NoReplyError, RadiusClientError
from radius_client.exchange import Server
from radius_wire import attributes

DEAD_TIME_S = 30.0
DEFAULT_TIMEOUT_S = 0.8


class RadiusExchange:
    """The `first_factors.upstream.Exchange` by a `radius_client.Client`.

    Each address is host and port. A host must be an IP address, as nothing bounds
    the time that looking up a name takes. The servers share one secret. Raises ConfigError.
    """

    def __init__(
        self,
        addresses: Sequence[tuple[str, int]],
        shared_secret: SharedSecret,
        *,
        nas_identifier: str,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        require_message_authenticator: bool = True,
        dead_time_s: float = DEAD_TIME_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not addresses:
            raise ConfigError("a first factor of kind radius needs at least one server")
        sends = 2 * len(addresses)  # as many as fill the whole time, should it all be left to one server
        self._servers = tuple(
            Server(
                _checked_host(host),
                port,
                shared_secret.reveal(),
                timeout_s=timeout_s / sends,
                tries=sends,
                require_message_authenticator=require_message_authenticator,
            )
            for host, port in addresses
        )
        self._clock = clock
        self._client = client.Client(
            self._servers, nas_identifier=nas_identifier, deadline_s=timeout_s, dead_time_s=dead_time_s, clock=clock
        )

    def ask(self, username: bytes, password: bytes, *, relay: Relay | None, timeout_s: float) -> upstream.Reply:
        """Ask the servers, or with a `relay` the one that asked. Raises UpstreamSilentError."""
        try:
            if relay is None:
                outcome = self._client.authenticate(username.decode(), password, timeout_s=timeout_s)
            else:
                asked = client.Challenged(self._named(relay.server), (), relay.state)
                outcome = self._client.answer(asked, username.decode(), password, timeout_s=timeout_s)
        except RadiusClientError as error:
            raise UpstreamSilentError(str(error)) from error
        match outcome:
            case client.Accepted():
                return upstream.Accepted()
            case client.Rejected():
                return upstream.Rejected()
            case client.Challenged():
                messages = tuple(value for kind, value in outcome.attributes if kind == attributes.REPLY_MESSAGE)
                return upstream.Challenged(self._servers.index(outcome.server), messages, outcome.state)

    def probe(self, timeout_s: float) -> str | None:
        """None when every server answers Status-Server, else a sentence. Comes back within `timeout_s`."""
        until = self._clock() + timeout_s
        silent = []
        for place, server in enumerate(self._servers):
            share_s = (until - self._clock()) / (len(self._servers) - place)
            try:
                self._client.probe(server, timeout_s=share_s)
            except NoReplyError as error:
                silent.append(str(error))
        if not silent:
            return None
        return (
            f"Status-Server was not answered ({'; '.join(silent)}): the server is down, does not know this host or its"
            " shared secret, or never answers Status-Server, as NPS; then a login is the only test"
        )

    def _named(self, number: int) -> Server:
        """A server by its place. The State came back sealed, but the configuration may have changed meanwhile."""
        if not 0 <= number < len(self._servers):
            raise UpstreamSilentError(f"the server that asked, number {number + 1}, is not configured any more")
        return self._servers[number]


def _checked_host(host: str) -> str:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ConfigError(
            f"the server {host!r} of a first factor of kind radius must be given by its IP address:"
            " a login does not wait for a name to be looked up"
        ) from None
    return host
