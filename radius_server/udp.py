"""The sockets: the only file of this room that knows one, or a clock.

The loop takes what has arrived, at least one datagram, and hands it over as a
batch; while that is judged and written, the next batch gathers in the kernel.
Nothing lingers: on a quiet night the batch is one.
"""

import errno
import logging
import selectors
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from authn.errors import ConfigError
from authn.instants import UnixSeconds
from radius_server.datagrams import Datagram, Moment

_log = logging.getLogger(__name__)

MAX_PACKET_OCTETS = 4096  # RFC 2865 §3; what a longer datagram holds beyond is padding
MAX_DRAIN = 256
RECEIVE_BUFFER_OCTETS = 4 << 20
DRAIN_S = 5.0
_IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)  # not exported by every Python; 8 on Linux
_IN_PKTINFO = struct.Struct("@I4s4s")  # interface, local address, destination in the header
_IN6_PKTINFO = struct.Struct("@16sI")


class Service(Protocol):
    """What answers the datagrams of one port."""

    def handle(self, datagrams: Sequence[Datagram], now: Moment) -> list[Datagram]:
        """Take what came in and return the replies that are due."""
        ...

    def wait_s(self, now: Moment) -> float | None:
        """How long `handle` need not be called if nothing comes in; None for ever."""
        ...

    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        ...


class Wakeable(Protocol):
    """Something that can end a wait: its descriptor becomes readable."""

    def fileno(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """An address to receive on. A wildcard takes every address of its family."""

    host: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def is_wildcard(self) -> bool:
        return self.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Listener:
    """One bound UDP socket. On a wildcard address replies leave from where the request came to."""

    def __init__(self, address: ListenAddress, number: int) -> None:
        self.address = address
        self.number = number
        self._socket = socket.socket(address.family, socket.SOCK_DGRAM)
        try:
            self._bind(address)
        except OSError as error:
            self._socket.close()
            raise ConfigError(f"cannot listen on {address}/udp: {_cure(error, address)}") from error
        self._socket.setblocking(False)
        self.bound = ListenAddress(address.host, self._socket.getsockname()[1])

    def _bind(self, address: ListenAddress) -> None:
        if address.family == socket.AF_INET6:
            self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_OCTETS)
        if address.is_wildcard:
            if address.family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                self._socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        self._socket.bind((address.host, address.port))

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def drain(self) -> list[Datagram]:
        """Everything that has arrived, up to MAX_DRAIN. Does not wait."""
        datagrams: list[Datagram] = []
        receive = self._receive_with_local if self.address.is_wildcard else self._receive
        try:
            while len(datagrams) < MAX_DRAIN:
                datagrams.append(receive())
        except BlockingIOError:
            pass
        except OSError as error:  # an ICMP error of an earlier reply; the socket is fine
            _log.debug("receiving on %s: %s", self.address, error)
        return datagrams

    def send(self, datagram: Datagram) -> None:
        """Send a reply. One that cannot leave is lost, as on any network; the NAS repeats its request."""
        try:
            if datagram.local is None:
                self._socket.sendto(datagram.octets, datagram.peer)
            else:
                level = socket.IPPROTO_IPV6 if self.address.family == socket.AF_INET6 else socket.IPPROTO_IP
                kind = socket.IPV6_PKTINFO if self.address.family == socket.AF_INET6 else _IP_PKTINFO
                self._socket.sendmsg([datagram.octets], [(level, kind, datagram.local)], 0, datagram.peer)
        except OSError as error:
            _log.debug("sending to %s: %s", datagram.peer[0], error)

    def _receive(self) -> Datagram:
        octets, peer = self._socket.recvfrom(MAX_PACKET_OCTETS)
        return Datagram(octets, self.number, peer)

    def _receive_with_local(self) -> Datagram:
        octets, ancillary, _, peer = self._socket.recvmsg(MAX_PACKET_OCTETS, 64)
        local = None
        for _, kind, data in ancillary:
            if kind == _IP_PKTINFO and self.address.family == socket.AF_INET:
                local = _IN_PKTINFO.pack(0, _IN_PKTINFO.unpack_from(data)[1], bytes(4))
            elif kind == socket.IPV6_PKTINFO:
                local = data[: _IN6_PKTINFO.size]
        return Datagram(octets, self.number, peer, local)


class UdpServer:
    """Serves ports until told to stop, then answers what is under way."""

    def __init__(self, ports: Sequence[tuple[Sequence[Listener], Service]]) -> None:
        self._services = [service for _, service in ports]
        self._listeners = {
            listener.number: (listener, at) for at, (listeners, _) in enumerate(ports) for listener in listeners
        }

    def serve(
        self,
        *,
        wakers: Sequence[Wakeable],
        is_stopping: Callable[[], bool],
        each_second: Callable[[], None],
    ) -> None:
        """Run until `is_stopping`, then drain for DRAIN_S seconds at most.

        `wakers` end a wait early (password answers, signals). `each_second` is
        called about once a second between batches, for reloads.
        """
        with selectors.DefaultSelector() as selector:
            for listener, _ in self._listeners.values():
                selector.register(listener, selectors.EVENT_READ, listener.number)
            for waker in wakers:
                selector.register(waker, selectors.EVENT_READ, None)
            next_second = 0.0
            stop_at: float | None = None
            while stop_at is None or (not self._is_idle() and time.monotonic() < stop_at):
                self._turn(selector)
                if time.monotonic() >= next_second:
                    next_second = time.monotonic() + 1.0
                    each_second()
                if stop_at is None and is_stopping():
                    stop_at = time.monotonic() + DRAIN_S
                    for listener, _ in self._listeners.values():
                        selector.unregister(listener)

    def _turn(self, selector: selectors.BaseSelector) -> None:
        """Wait for something to do, and do it."""
        now = _now()
        waits = [wait_s for service in self._services if (wait_s := service.wait_s(now)) is not None]
        ready = selector.select(min([1.0, *waits]))
        batches: list[list[Datagram]] = [[] for _ in self._services]
        for key, _ in ready:
            if key.data is not None:
                listener, at = self._listeners[key.data]
                batches[at] += listener.drain()
        for service, batch in zip(self._services, batches, strict=True):
            for reply in service.handle(batch, _now()):
                self._listeners[reply.listener][0].send(reply)

    def _is_idle(self) -> bool:
        return all(service.is_idle() for service in self._services)


def open_listeners(addresses: Sequence[ListenAddress], *, first_number: int = 0) -> list[Listener]:
    """Bind every address. Raises ConfigError naming the address and the cure; then none stays bound.

    Listeners are numbered from `first_number`: a datagram knows its listener by it.
    On a machine without IPv6 the IPv6 addresses are passed over with a warning,
    as long as one other address can be served.
    """
    listeners: list[Listener] = []
    skipped: ConfigError | None = None
    try:
        for address in addresses:
            try:
                listeners.append(Listener(address, first_number + len(listeners)))
            except ConfigError as error:
                if not (address.is_wildcard and _means_no_ipv6(error.__cause__)):
                    raise
                _log.warning("%s; going on without it", error)
                skipped = error
        if not listeners and skipped is not None:
            raise skipped
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _means_no_ipv6(cause: BaseException | None) -> bool:
    return isinstance(cause, OSError) and cause.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def _cure(error: OSError, address: ListenAddress) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"the port is in use; stop what holds it (ss -lunp 'sport = :{address.port}') or change radius.listen"
            )
        case errno.EACCES:
            return "this port needs privileges; use a port above 1023 or grant CAP_NET_BIND_SERVICE"
        case errno.EADDRNOTAVAIL:
            return "no interface of this machine has the address; correct radius.listen"
        case _:
            return error.strerror or str(error)


def _now() -> Moment:
    return Moment(UnixSeconds(time.time()), time.monotonic())
