"""An LDAP directory, or Active Directory, as first factor: it binds with the user's password.

The name to bind with comes from a template, or from a search under an account of
our own that has to find exactly one entry. Rules:

- A password is put to the directory once per login. Another server is asked only
  while no bind was sent, or after a server declined to look at it (busy,
  unavailable, referral). A bind that was sent and not answered may have been
  counted there: it is not repeated, and means that we cannot tell.
- An empty password is refused without asking: a server would answer it with
  success and nobody's identity (RFC 4513 §5.1.2).
- Directories match names loosely: blanks, width and case, Active Directory accents
  as well. Who is one person to us must not be two: a found entry has to bear the
  name that was asked for, and a template takes only names that no rule folds.
- A session has one name for life. A user's session is opened for one bind and
  closed; only sessions of the search account are kept.
- All waiting ends when the time of the check does, also while a peer sends octet
  by octet. Names are resolved on a thread beside, for the resolver knows no limit.
- A directory that is not heard is set aside for a short while. It is asked again
  sooner if there is no other.
- The password is in no log line and no exception, and a fault of ldap3 is never
  chained: what it quotes is not ours to choose.

ldap3 speaks the protocol. The TLS is Python's own, since ldap3 turns off its check
of the host's name, and so are the timeouts, since ldap3 counts whole seconds.
"""

import contextlib
import ipaddress
import logging
import math
import re
import socket
import ssl
import threading
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from authn.first_factor import AskFirstFactor, CheckedPassword, Finding
from authn.request import fold
from authn.secret import Password

with warnings.catch_warnings():
    # ldap3 2.9.1 takes two names of pyasn1 by their old spelling, once, as it loads. 2.10.2rc4 does not, but it
    # sends the escapes of a filter as they stand, so that escaped names are not found: pyproject keeps it out.
    warnings.filterwarnings("ignore", "(tagMap|typeMap) is deprecated", DeprecationWarning)
    import ldap3
    from ldap3.core import results
    from ldap3.core.exceptions import LDAPExceptionError, LDAPStartTLSError
    from ldap3.operation.search import parse_filter
    from ldap3.utils.dn import parse_dn

_log = logging.getLogger(__name__)

_DEAD_S = 10.0  # how long a directory that was not heard comes last
_IDLE_S = 60.0  # firewalls forget quiet connections without a word; younger ones are used again
_MAX_ANSWER_OCTETS = 256 * 1024

_Scope = Literal["BASE", "LEVEL", "SUBTREE"]
_PLACE = "{username}"
_PLAIN_OCTETS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_IN_FILTER = re.compile(r"\(([A-Za-z][A-Za-z0-9.-]*)=\{username\}\)")
_MAPPED_TO_NOTHING = re.compile("[\u034f\u180b-\u180f\ufe00-\ufe0f]")  # RFC 4518 §2.2, what is printable of it
_NEVER_IN_A_LOGON_NAME = frozenset('"/\\[]:;|=,+*?<>')  # what Active Directory forbids in a sAMAccountName

_REFUSALS = {
    results.RESULT_INVALID_CREDENTIALS,
    results.RESULT_NO_SUCH_OBJECT,
    results.RESULT_INVALID_DN_SYNTAX,  # no entry can have this name
    results.RESULT_INAPPROPRIATE_AUTHENTICATION,  # the entry has no password
    results.RESULT_CONSTRAINT_VIOLATION,  # 389 Directory Server: too many failures
}
_NOT_EXAMINED = {results.RESULT_BUSY, results.RESULT_UNAVAILABLE, results.RESULT_REFERRAL}
_INACTIVATED = "account inactivated"  # 389 Directory Server and FreeIPA say so under unwillingToPerform

# [MS-ADTS] and winerror.h: what Active Directory adds to invalidCredentials, as "data 533"
_SUBCODES = {
    "525": "no such user",
    "52e": "wrong password",
    "530": "not at this hour",
    "531": "not from this workstation",
    "532": "password expired",
    "533": "account disabled",
    "568": "too many groups",
    "701": "account expired",
    "773": "password must be changed",
    "775": "account locked",
}
_SUBCODE = re.compile(r"\bdata ([0-9a-f]{3,8})\b")


class _NotHeardError(Exception):
    """A directory was not heard, and no password of a user was examined. The text names cause and cure."""


class _BindUnansweredError(Exception):
    """A user's password was sent, and no answer can be relied on."""


@dataclass(frozen=True, slots=True)
class _Server:
    url: str
    host: str
    port: int
    is_ldaps: bool

    @property
    def is_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class LdapSettings:
    """Which directory is asked, and how. ValueError with a sentence for what cannot be used.

    Either `bind_dn` with `{username}` in it: a DN, whose place is filled by RFC
    4514, or a logon name of Active Directory (`{username}@corp.example.org`). Or
    `base_dn` and `user_filter` (RFC 4515), searched as `search_dn`, or as nobody.
    """

    servers: tuple[str, ...]  # ldaps:// or ldap:// URLs, the preferred one first
    bind_dn: str | None = None
    base_dn: str | None = None
    user_filter: str | None = None
    search_dn: str | None = None
    search_password: Password | None = None
    start_tls: bool = False
    ca_file: Path | None = None  # PEM; None stands for the system's
    allow_plain: bool = False  # passwords in clear over a network
    connect_timeout_s: float = 0.3  # until a server has to be ready for the bind, while another one is left
    connections: int = 4  # idle sessions of the search account kept per server
    _parsed: tuple[_Server, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_parsed", tuple(_parse_url(url) for url in self.servers))
        if not self._parsed:
            raise ValueError("servers is empty; name at least one, as ldaps://dc1.example.org")
        if self.connections < 1:
            raise ValueError("connections must be at least 1")
        if not 0 < self.connect_timeout_s < math.inf:
            raise ValueError("connect_timeout_s must be a number of seconds above 0")
        for server in self._parsed:
            if server.is_ldaps and self.start_tls:
                raise ValueError(f"start_tls does not go with {server.url}, which is TLS from the start; use ldap://")
            if not (server.is_ldaps or self.start_tls or self.allow_plain or server.is_loopback):
                raise ValueError(
                    f"{server.url} would carry passwords in clear; use ldaps:// or start_tls = true, "
                    "or say allow_plain = true if the network between is trusted"
                )
        if (self.bind_dn is None) == (self.base_dn is None):
            raise ValueError("give either bind_dn, or base_dn and user_filter")
        if self.bind_dn is not None:
            self._check_template(self.bind_dn)
        else:
            self._check_search()

    def _check_template(self, bind_dn: str) -> None:
        if self.user_filter is not None or self.search_dn is not None or self.search_password is not None:
            raise ValueError("user_filter, search_dn and search_password do not go with bind_dn, which needs no search")
        if bind_dn.count(_PLACE) != 1:
            raise ValueError("bind_dn needs {username} once, as uid={username},ou=people,dc=example,dc=org")
        if "=" in bind_dn:
            _check_dn("bind_dn", bind_dn.replace(_PLACE, "x"))

    def _check_search(self) -> None:
        places = _IN_FILTER.findall(self.user_filter or "")
        if self.user_filter is None or not places or len(places) != self.user_filter.count(_PLACE):
            raise ValueError("user_filter needs {username} as a whole value, as (uid={username})")
        try:
            parse_filter(self.user_filter.replace(_PLACE, "x"), None, False, False, None, False)  # type: ignore[no-untyped-call]
        except LDAPExceptionError:
            raise ValueError(f"user_filter is no search filter (RFC 4515): {self.user_filter}") from None
        if self.base_dn:
            _check_dn("base_dn", self.base_dn)
        if (self.search_dn is None) != (self.search_password is None):
            raise ValueError("search_dn and search_password go together")
        if self.search_dn == "":
            raise ValueError("search_dn is empty; leave it out to search as nobody")
        if self.search_password is not None and not _is_utf8(self.search_password.reveal()):
            raise ValueError("search_password is empty, or not UTF-8")


def _parse_url(url: str) -> _Server:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{url} is no URL") from None
    if parts.scheme not in ("ldap", "ldaps") or not parts.hostname:
        raise ValueError(f"{url} is no server; write ldaps://host or ldap://host, with :port if it is unusual")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"{url} says more than a server and a port; use base_dn and user_filter for the rest")
    is_ldaps = parts.scheme == "ldaps"
    return _Server(url, parts.hostname, port or (636 if is_ldaps else 389), is_ldaps)


def _check_dn(key: str, dn: str) -> None:
    try:
        parse_dn(dn)
    except LDAPExceptionError:
        raise ValueError(f"{key} is no distinguished name (RFC 4514): {dn}") from None


def _is_utf8(password: bytes) -> bool:
    """Whether ldap3 can carry it: not empty, and UTF-8 (RFC 4513 §5.1.3 wants nothing else)."""
    try:
        return bool(password.decode())
    except UnicodeDecodeError:
        return False


def _escape(text: str) -> str:
    r"""Every octet that could mean something as `\xx`: right in a DN (RFC 4514 §2.4) and in a filter (RFC 4515 §3).

    More than the RFCs ask for: ldap3 would take a `~=` or a blank inside a value for its own.
    """
    return "".join(chr(octet) if octet in _PLAIN_OCTETS else f"\\{octet:02x}" for octet in text.encode())


def _has_accents(name: str) -> bool:
    return any(unicodedata.combining(character) for character in unicodedata.normalize("NFKD", name))


def _fill(template: str, username: str) -> str | None:
    """The name to bind with, or None for a user name that may stand for somebody else's there."""
    if username != fold(username) or username != " ".join(username.split()):
        return None
    if not username.isprintable() or _MAPPED_TO_NOTHING.search(username):
        return None
    if "=" in template:
        return template.replace(_PLACE, _escape(username))
    if not _NEVER_IN_A_LOGON_NAME.isdisjoint(username) or _has_accents(username):
        return None
    if "@" in username and "@" in template:
        return None
    return template.replace(_PLACE, username)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A result code of RFC 4511 §4.1.9, what the server says to it, and what was found."""

    result_code: int
    text: str
    entries: tuple["_Entry", ...] = ()

    def __str__(self) -> str:
        return str(results.RESULT_CODES.get(self.result_code, self.result_code))


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry that a search found."""

    dn: str
    values: tuple[str, ...]  # of all attributes asked for


class _TimedSocket:
    """A socket as ldap3 uses it. Every wait ends at `until`, and an answer has a bound."""

    def __init__(self, inner: socket.socket, until: float, clock: Callable[[], float]) -> None:
        self.inner = inner
        self._clock = clock
        self.renew(until)

    def renew(self, until: float) -> None:
        """The next operation has until then."""
        self._until = until
        self._octets = 0

    def arm(self) -> None:
        """Let the next call wait for what is left. TimeoutError if nothing is."""
        left_s = self._until - self._clock()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self.inner.settimeout(left_s)

    def recv(self, size: int) -> bytes:
        self.arm()
        octets = self.inner.recv(size)
        self._octets += len(octets)
        if self._octets > _MAX_ANSWER_OCTETS:
            raise OSError("the answer has no end")
        return octets

    def sendall(self, octets: bytes) -> None:
        self.arm()
        self.inner.sendall(octets)

    def shutdown(self, how: int) -> None:
        self.inner.shutdown(how)

    def close(self) -> None:
        self.inner.close()


class _Tls(ldap3.Tls):
    """TLS by a context of Python's own, which checks chain and host name. `fault` is why it did not come about."""

    def __init__(self, context: ssl.SSLContext, host: str, until: float, clock: Callable[[], float]) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self.fault: Exception | None = None
        self._context = context
        self._host = host
        self._until = until
        self._clock = clock

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        """Called by ldap3 once the TCP connection, or StartTLS, is made."""
        plain = connection.socket
        if isinstance(plain, _TimedSocket):
            plain = plain.inner
        try:
            _TimedSocket(plain, self._until, self._clock).arm()  # a handshake as a whole keeps within the timeout
            # Without it the bind waits for the acknowledgement of the handshake's end, 40 ms on Linux.
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.socket = self._context.wrap_socket(plain, server_hostname=self._host)
        except Exception as fault:
            self.fault = fault
            raise


class _Session:
    """One session with one server, under one name for life, or under none."""

    def __init__(
        self,
        server: _Server,
        address: str,
        context: ssl.SSLContext | None,
        until: float,
        clock: Callable[[], float],
        *,
        name: str | None = None,
        password: bytes | None = None,
    ) -> None:
        """Connect, with TLS if there is a `context`. Does not bind. _NotHeardError if that cannot be done."""
        self.server = server
        self._tls = None if context is None else _Tls(context, server.host, until, clock)
        self._connection = ldap3.Connection(
            ldap3.Server(
                address,
                port=server.port,
                use_ssl=server.is_ldaps,
                tls=self._tls,
                get_info=ldap3.NONE,
                connect_timeout=max(until - clock(), 0.001),
            ),
            user=name,
            password=password,  # type: ignore[arg-type] # octets are sent as they are, text would be SASLprepped
            authentication=ldap3.SIMPLE if name else ldap3.ANONYMOUS,
            auto_bind=ldap3.AUTO_BIND_NONE,
            auto_referrals=False,  # ldap3 would carry the password to wherever a referral points
            auto_range=False,
            auto_escape=False,
            check_names=False,
            read_only=True,
        )
        self._socket: _TimedSocket | None = None
        with self._faults():
            self._connection.open(read_server_info=False)
            self._time_socket(until, clock)
            if self._tls is not None and not server.is_ldaps:
                self._connection.start_tls(read_server_info=False)
                self._time_socket(until, clock)

    def bind(self, until: float) -> _Answer:
        """One bind request and the answer to it. _NotHeardError if none came that can be relied on."""
        with self._faults():
            self._renew(until)
            self._connection.bind(read_server_info=False)
            return self._answer("bindResponse")

    def search(self, base_dn: str, scope: _Scope, search_filter: str, attributes: list[str], until: float) -> _Answer:
        """At most two entries. _NotHeardError as above."""
        with self._faults():
            self._renew(until)
            self._connection.search(
                base_dn,
                search_filter,
                search_scope=scope,
                dereference_aliases=ldap3.DEREF_NEVER,
                attributes=attributes or [ldap3.NO_ATTRIBUTES],
                size_limit=2,
            )
            return self._answer("searchResDone")

    def close(self) -> None:
        """Take leave as far as that is possible at once."""
        with contextlib.suppress(Exception):  # the peer may be gone; nothing of it is of use any more
            self._connection.unbind()
        if self._connection.socket is not None:
            self._connection.socket.close()

    def _time_socket(self, until: float, clock: Callable[[], float]) -> None:
        self._socket = _TimedSocket(self._connection.socket, until, clock)
        self._connection.socket = self._socket

    def _renew(self, until: float) -> None:
        if self._socket is not None:
            self._socket.renew(until)

    def _answer(self, kind: str) -> _Answer:
        result = self._connection.result
        if result["type"] != kind:
            raise LDAPExceptionError("an answer to another question")
        found = [entry for entry in self._connection.response or () if entry["type"] == "searchResEntry"]
        entries = tuple(
            _Entry(entry["dn"], tuple(v.decode() for values in entry["raw_attributes"].values() for v in values))
            for entry in found
        )
        return _Answer(int(result["result"]), str(result["message"]), entries)

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except Exception as fault:  # noqa: BLE001 - octets that are no LDAP make ldap3 stumble in any way there is
            text = _describe(self.server, fault if self._tls is None else self._tls.fault or fault)
            self.close()
            raise _NotHeardError(text) from None


def _describe(server: _Server, fault: Exception) -> str:
    """Cause and cure in one sentence. Quotes nothing but what OpenSSL says of a certificate."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        why = f"its certificate is not trusted ({fault.verify_message}); set ca_file, or the host name that it is for"
    elif isinstance(fault, TimeoutError) or "timed out" in str(fault):
        why = "it did not answer in time; look for a firewall, or for load there"
    elif isinstance(fault, ssl.SSLError):
        why = "TLS failed; look whether that port speaks TLS, and which versions"
    elif isinstance(fault, ConnectionRefusedError):
        why = "nobody listens there; look whether the directory runs, and at the port"
    elif isinstance(fault, LDAPStartTLSError):
        why = "it refuses StartTLS; give it a certificate, or use ldaps://"
    else:
        why = f"it was not understood ({type(fault).__name__}); look whether that port is a directory's"
    return f"{server.url}: {why}"


class LdapFirstFactor:
    """A `first_factors.pool.Checker` that asks a directory. ValueError if `ca_file` cannot be used."""

    def __init__(self, settings: LdapSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._servers = settings._parsed
        self._clock = clock  # monotonic seconds
        self._context = _tls_context(settings.ca_file)
        self._lock = threading.Lock()
        self._dead_until: dict[_Server, float] = {}
        self._idle: dict[_Server, list[tuple[float, _Session]]] = {server: [] for server in self._servers}
        self._resolver = ThreadPoolExecutor(len(self._servers), "ldap-resolver")
        self._lookups: dict[_Server, Future[list[str]]] = {}

    def check(self, question: AskFirstFactor, timeout_s: float) -> CheckedPassword:
        """Bind with the password: PASSED or FAILED as the directory says, CANNOT_TELL if it is not heard in time."""
        return CheckedPassword(self._find_out(question, self._clock() + timeout_s), question.keeper)

    def probe(self, timeout_s: float) -> str | None:
        """Ask every server for what needs no user. None, or one sentence with the first thing wrong and its cure."""
        until = self._clock() + timeout_s
        for n, server in enumerate(self._servers):
            share_s = (until - self._clock()) / (len(self._servers) - n)
            try:
                self._probe_server(server, self._clock() + share_s)
            except _NotHeardError as fault:
                return f"{fault}."
        return None

    def close(self) -> None:
        """Close the sessions that are kept."""
        for server in self._servers:
            self._drop_idle(server)
        self._resolver.shutdown(wait=False, cancel_futures=True)

    def _find_out(self, question: AskFirstFactor, until: float) -> Finding:
        if question.relay is not None:  # a directory has no conversation to go on with
            return Finding.CANNOT_TELL
        if not question.username or not _is_utf8(question.password.reveal()):
            return Finding.FAILED
        connect_timeout_s = self._settings.connect_timeout_s
        servers = self._in_order()
        for server in servers:
            now = self._clock()
            if now >= until:
                break
            ready_by = until if server is servers[-1] else min(until, now + connect_timeout_s)
            try:
                finding = self._ask(server, question, ready_by, until)
            except (_NotHeardError, _BindUnansweredError) as fault:
                if until - now >= connect_timeout_s:  # a question that came late proves nothing against a server
                    self._set_aside(server, fault)
                if isinstance(fault, _BindUnansweredError):
                    break
            else:
                self._take_back(server)
                return finding
        return Finding.CANNOT_TELL

    def _ask(self, server: _Server, question: AskFirstFactor, ready_by: float, until: float) -> Finding:
        name = self._name(server, question, ready_by)
        if isinstance(name, Finding):
            return name
        session = self._open(server, ready_by, name=name, password=question.password.reveal())
        try:
            answer = session.bind(until)
        except _NotHeardError as fault:
            raise _BindUnansweredError(f"{fault} (a password was sent; it is not sent again)") from None
        finally:
            session.close()
        return _judge(server, answer, question)

    def _name(self, server: _Server, question: AskFirstFactor, until: float) -> str | Finding:
        """The name to bind with, or what follows from there being none, or several."""
        if self._settings.bind_dn is not None:
            return _fill(self._settings.bind_dn, question.username) or Finding.FAILED
        template = self._settings.user_filter or ""
        user_filter = template.replace(_PLACE, _escape(question.username))
        attributes = _IN_FILTER.findall(template)
        answer = self._search(server, ldap3.SUBTREE, user_filter, attributes, until)
        if answer.result_code != results.RESULT_SUCCESS or len(answer.entries) > 1:
            _log.error("%s has several entries for user %s; make user_filter match one", server.url, question.user_id)
            return Finding.CANNOT_TELL
        if not answer.entries:
            return Finding.FAILED
        entry = answer.entries[0]
        if not entry.dn or not entry.values:
            raise _NotHeardError(f"{server.url}: the search account may not read {attributes}; let it")
        if question.username not in map(fold, entry.values):
            _log.info("%s found another name for user %s; that is not the same user", server.url, question.user_id)
            return Finding.FAILED
        return entry.dn

    def _search(
        self, server: _Server, scope: _Scope, search_filter: str, attributes: list[str], until: float
    ) -> _Answer:
        base_dn = self._settings.base_dn or ""
        while True:
            session, was_idle = self._borrow(server, until)
            try:
                answer = session.search(base_dn, scope, search_filter, attributes, until)
            except _NotHeardError:
                if not was_idle:
                    raise
                self._drop_idle(server)  # it ended while idle, as did the others if the server was restarted
                continue
            break
        if answer.result_code not in (results.RESULT_SUCCESS, results.RESULT_SIZE_LIMIT_EXCEEDED):
            session.close()
            raise _NotHeardError(
                f"{server.url}: the search in {base_dn!r} ends with {answer}; "
                "look at base_dn, and at what the search account may read"
            )
        self._give_back(session)
        return answer

    def _borrow(self, server: _Server, until: float) -> tuple[_Session, bool]:
        """A session of the search account, and whether it had been idle."""
        with self._lock:
            idle = self._idle[server]
            if idle and idle[-1][0] + _IDLE_S > self._clock():
                return idle.pop()[1], True
        self._drop_idle(server)
        password = self._settings.search_password
        if self._settings.search_dn is None or password is None:
            return self._open(server, until), False
        session = self._open(server, until, name=self._settings.search_dn, password=password.reveal())
        answer = session.bind(until)
        if answer.result_code != results.RESULT_SUCCESS:
            session.close()
            raise _NotHeardError(
                f"{server.url}: the search account is refused with {answer}; look at search_dn and its password"
            )
        return session, False

    def _give_back(self, session: _Session) -> None:
        with self._lock:
            idle = self._idle[session.server]
            if len(idle) < self._settings.connections:
                idle.append((self._clock(), session))
                return
        session.close()

    def _drop_idle(self, server: _Server) -> None:
        with self._lock:
            dropped, self._idle[server] = self._idle[server], []
        for _, session in dropped:
            session.close()

    def _open(
        self, server: _Server, until: float, *, name: str | None = None, password: bytes | None = None
    ) -> _Session:
        """A session with the first of a server's addresses that is heard."""
        context = self._context if server.is_ldaps or self._settings.start_tls else None
        addresses = self._resolve(server, until)
        for n, address in enumerate(addresses):
            share_s = (until - self._clock()) / (len(addresses) - n)
            try:
                return _Session(
                    server, address, context, self._clock() + share_s, self._clock, name=name, password=password
                )
            except _NotHeardError:
                if address == addresses[-1]:
                    raise
        raise _NotHeardError(f"{server.url}: its name has no address; look at DNS")

    def _resolve(self, server: _Server, until: float) -> list[str]:
        try:
            return [str(ipaddress.ip_address(server.host))]
        except ValueError:
            pass  # a name
        with self._lock:
            lookup = self._lookups.get(server)
            if lookup is None or lookup.done():  # one that hangs is waited for by all
                lookup = self._resolver.submit(_addresses, server.host, server.port)
                self._lookups[server] = lookup
        try:
            return lookup.result(max(until - self._clock(), 0))
        except (OSError, UnicodeError):  # TimeoutError is an OSError; UnicodeError is a name too long for DNS
            text = f"{server.url}: its name was not resolved; look at DNS, or name the server by its address"
            raise _NotHeardError(text) from None

    def _in_order(self) -> list[_Server]:
        """The servers as preferred, those set aside last."""
        now = self._clock()
        with self._lock:
            return sorted(self._servers, key=lambda server: self._dead_until.get(server, now) > now)

    def _set_aside(self, server: _Server, fault: Exception) -> None:
        now = self._clock()
        with self._lock:
            is_news = self._dead_until.get(server, now) <= now
            self._dead_until[server] = now + _DEAD_S
        if is_news:
            _log.warning("not heard: %s", fault)

    def _take_back(self, server: _Server) -> None:
        with self._lock:
            self._dead_until.pop(server, None)

    def _probe_server(self, server: _Server, until: float) -> None:
        if self._settings.bind_dn is None:
            self._search(server, ldap3.BASE, "(objectClass=*)", [], until)
            user_filter = (self._settings.user_filter or "").replace(_PLACE, "twinward-probe")
            self._search(server, ldap3.SUBTREE, user_filter, [], until)
            return
        session = self._open(server, until)
        session.search("", ldap3.BASE, "(objectClass=*)", [], until)  # whatever it answers, it is a directory
        session.close()


def _tls_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as fault:  # an SSLError is one too
        raise ValueError(f"ca_file {ca_file} holds no certificates that can be read ({fault.strerror})") from fault


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def _judge(server: _Server, answer: _Answer, question: AskFirstFactor) -> Finding:
    """What an answer to a user's bind means. _NotHeardError if the password was not looked at."""
    code = answer.result_code
    if code == results.RESULT_SUCCESS:
        return Finding.PASSED
    if code in _NOT_EXAMINED:
        raise _NotHeardError(f"{server.url}: it is {answer} and examined no password; look at its load, or its role")
    subcode = _SUBCODE.search(answer.text)
    if code == results.RESULT_INVALID_CREDENTIALS and subcode is not None:
        why = _SUBCODES.get(subcode[1], f"data {subcode[1]}")
        _log.info("%s refused user %s: %s", server.url, question.user_id, why)
        return Finding.FAILED
    if code in _REFUSALS or (
        code == results.RESULT_UNWILLING_TO_PERFORM and answer.text.lower().startswith(_INACTIVATED)
    ):
        _log.info("%s refused user %s: %s", server.url, question.user_id, answer)
        return Finding.FAILED
    _log.warning(
        "%s answered the bind of user %s with %s; nothing follows from it", server.url, question.user_id, answer
    )
    return Finding.CANNOT_TELL
