"""The directory as first factor, against a real slapd, and against servers that lie."""

import contextlib
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.slapd import (
    BASE_DN,
    LONG,
    LONG_PASSWORD,
    PASSWORDS,
    PEOPLE_DN,
    SEARCH_DN,
    SEARCH_PASSWORD,
    TWIN,
    TWIN_PASSWORD,
    Authority,
    Slapd,
    free_tcp_port,
)

from authn.account import UserId
from authn.challenge import Relay
from authn.client import ClientId
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding, Keeper
from authn.request import Username
from authn.secret import Password
from first_factors.ldap import LdapFirstFactor, LdapSettings

pytestmark = pytest.mark.timeout(60)

_KEEPER = Keeper("corp")
_TEMPLATE = f"uid={{username}},{PEOPLE_DN}"
_TIMEOUT_S = 5.0  # for what should succeed
_SHORT_S = 0.5  # for what should not
_SLACK_S = 0.4  # a busy machine

_ODD_NAMES = [
    "*",
    "a*",
    "alice*",
    ")(uid=*",
    "alice)(objectClass=*",
    "*)(|(uid=alice",
    "x)(|(uid=*))",
    "alice\\2a",
    "\\",
    "\\61lice",
    ",",
    f"alice,{PEOPLE_DN}",
    "alice+cn=someone",
    "alice\0",
    "\0",
    "alice ",
    " alice",
    "#616c696365",
    '"alice"',
    "alice;",
    "uid=alice",
    "a~=lice",
    "alice>=",
    "alice:dn:",
    "alicé",
    "ａｌｉｃｅ",
    "Alice",
    "al\u00adice",
    "alice\ufe0f",
    "alice\u034f",
    "alice\u200b",
    "\u202ealice",
    "{username}",
    "{0}",
    "%s",
    "x" * 252,
    "é" * 126,
    "(" * 253,
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Slapd]:
    slapd = Slapd(tmp_path_factory.mktemp("slapd") / "d", authority)
    yield slapd
    slapd.stop()


@pytest.fixture
def own_directory(tmp_path: Path, authority: Authority) -> Iterator[Slapd]:
    """One that a test may stop."""
    slapd = Slapd(tmp_path / "slapd", authority)
    yield slapd
    slapd.stop()


def by_template(slapd: Slapd, authority: Authority) -> LdapSettings:
    return LdapSettings(servers=(slapd.url,), bind_dn=_TEMPLATE)


def by_template_over_tls(slapd: Slapd, authority: Authority) -> LdapSettings:
    return LdapSettings(servers=(slapd.tls_url,), bind_dn=_TEMPLATE, ca_file=authority.ca_file)


def by_search(slapd: Slapd, authority: Authority) -> LdapSettings:
    return LdapSettings(
        servers=(slapd.url,),
        base_dn=BASE_DN,
        user_filter="(&(objectClass=inetOrgPerson)(uid={username}))",
        search_dn=SEARCH_DN,
        search_password=Password(SEARCH_PASSWORD),
    )


def by_search_over_starttls(slapd: Slapd, authority: Authority) -> LdapSettings:
    return LdapSettings(
        servers=(slapd.url,),
        start_tls=True,
        ca_file=authority.ca_file,
        base_dn=BASE_DN,
        user_filter="(uid={username})",
        search_dn=SEARCH_DN,
        search_password=Password(SEARCH_PASSWORD),
    )


_WAYS = [by_template, by_template_over_tls, by_search, by_search_over_starttls]


@pytest.fixture(params=_WAYS, ids=lambda way: way.__name__)
def ldap(request: pytest.FixtureRequest, directory: Slapd, authority: Authority) -> Iterator[LdapFirstFactor]:
    with opened(request.param(directory, authority)) as ldap:
        yield ldap


@contextlib.contextmanager
def opened(settings: LdapSettings) -> Iterator[LdapFirstFactor]:
    ldap = LdapFirstFactor(settings, time.monotonic)
    try:
        yield ldap
    finally:
        ldap.close()


def ask(ldap: LdapFirstFactor, username: str, password: str | bytes, timeout_s: float = _TIMEOUT_S) -> Finding:
    octets = password.encode() if isinstance(password, str) else password
    question = AskFirstFactor(Username(username), Password(octets), _KEEPER, ClientId(1), UserId(7))
    started = time.monotonic()
    checked = ldap.check(question, timeout_s)
    assert time.monotonic() - started < timeout_s + _SLACK_S
    assert checked == CheckedPassword(checked.finding, _KEEPER)
    return checked.finding


def _tlv(tag: int, octets: bytes) -> bytes:
    if len(octets) < 128:
        return bytes([tag, len(octets)]) + octets
    return bytes([tag, 0x82]) + len(octets).to_bytes(2, "big") + octets


def _message_id(request: bytes) -> bytes:
    start = 2 if request[1] < 128 else 2 + (request[1] & 0x7F)
    return request[start : start + 2 + request[start + 1]]


def _result(request: bytes, operation: int, code: int, text: str = "", *, more: bytes = b"") -> bytes:
    body = _tlv(0x0A, bytes([code])) + _tlv(4, b"") + _tlv(4, text.encode()) + more
    return _tlv(0x30, _message_id(request) + _tlv(operation, body))


_BIND_RESPONSE = 0x61
_SEARCH_DONE = 0x65
_EXTENDED_RESPONSE = 0x78


class Liar:
    """A server on loopback that does to each connection what it was told to. Counts, and keeps what it was sent."""

    def __init__(self, behave: Callable[[socket.socket, "Liar"], None]) -> None:
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.connections = 0
        self.over = threading.Event()
        self._peers: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def binds(self) -> int:
        return sum(b"\x60" in request[2:8] for request in self.requests)

    def hear(self, peer: socket.socket) -> bytes:
        """The next request; empty at the end."""
        request = peer.recv(4096)
        if request and b"\x42" not in request[2:7]:  # no unbind
            self.requests.append(request)
        return request

    def stop(self) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for peer in self._peers:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for peer in self._peers:
            peer.close()
        self._listener.close()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._peers.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._behave(peer, self)


@contextlib.contextmanager
def lying(behave: Callable[[socket.socket, Liar], None]) -> Iterator[Liar]:
    liar = Liar(behave)
    try:
        yield liar
    finally:
        liar.stop()


def answering(code: int, text: str = "", *, operation: int = _BIND_RESPONSE, more: bytes = b"") -> Callable:
    def behave(peer: socket.socket, liar: Liar) -> None:
        while request := liar.hear(peer):
            peer.sendall(_result(request, operation, code, text, more=more))

    return behave


def sending(*answers: bytes) -> Callable:
    def behave(peer: socket.socket, liar: Liar) -> None:
        liar.hear(peer)
        for answer in answers:
            peer.sendall(answer)
        liar.over.wait(10)

    return behave


def silent(peer: socket.socket, liar: Liar) -> None:
    while liar.hear(peer):
        pass


def hangs_up(peer: socket.socket, liar: Liar) -> None:
    liar.hear(peer)
    peer.shutdown(socket.SHUT_RDWR)


def drips(peer: socket.socket, liar: Liar) -> None:
    """One octet of a long answer at a time: each resets a timeout that knows no end."""
    request = liar.hear(peer)
    for octet in _result(request, _BIND_RESPONSE, 0, "x" * 100):
        if liar.over.wait(0.1):
            return
        peer.sendall(bytes([octet]))


def never_ends(peer: socket.socket, liar: Liar) -> None:
    liar.hear(peer)
    peer.sendall(b"\x30\x84\x7f\xff\xff\xff")
    while not liar.over.is_set():
        peer.sendall(b"\x04" * 65536)


def wrong_id(peer: socket.socket, liar: Liar) -> None:
    liar.hear(peer)
    peer.sendall(_result(b"\x30\x05\x02\x03\x7f\xff\xff", _BIND_RESPONSE, 0))
    liar.over.wait(10)


_LIES = {
    "hangs up": hangs_up,
    "silent": silent,
    "drips": drips,
    "never ends": never_ends,
    "wrong id": wrong_id,
    "success of another kind": answering(0, operation=_SEARCH_DONE),
    "HTTP": sending(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "zeros": sending(bytes(64)),
    "ones": sending(b"\xff" * 64),
    "empty message": sending(b"\x30\x00\x00"),
    "nested": sending(b"\x30\x82\x10\x00" + b"\x30\x80" * 2048),
    "half a message": sending(b"\x30\x0c\x02\x01"),
    "code nobody knows": answering(0x7E),
    "notice of disconnection": sending(
        _tlv(
            0x30, b"\x02\x01\x00" + _tlv(0x78, b"\x0a\x01\x34\x04\x00\x04\x00" + _tlv(0x8A, b"1.3.6.1.4.1.1466.20036"))
        )
    ),
}


class TestAnswers:
    def test_a_right_password_passes(self, ldap: LdapFirstFactor) -> None:
        """Also for names and passwords that need escaping, or are no ASCII."""
        for username, password in PASSWORDS.items():
            assert ask(ldap, username, password) is Finding.PASSED

    def test_a_wrong_password_fails(self, ldap: LdapFirstFactor) -> None:
        assert ask(ldap, "alice", PASSWORDS["bob"]) is Finding.FAILED
        assert ask(ldap, "alice", PASSWORDS["alice"] + " ") is Finding.FAILED
        assert ask(ldap, "alice", "\0") is Finding.FAILED

    def test_an_unknown_user_fails(self, ldap: LdapFirstFactor) -> None:
        assert ask(ldap, "mallory", PASSWORDS["alice"]) is Finding.FAILED
        assert ask(ldap, "", PASSWORDS["alice"]) is Finding.FAILED

    @pytest.mark.parametrize("password", [b"", b"\xff\xfe", PASSWORDS["zoë"].encode("latin-1")])
    def test_what_no_bind_can_carry_fails_unasked(
        self, ldap: LdapFirstFactor, directory: Slapd, password: bytes
    ) -> None:
        """An empty password would be answered with success and nobody's identity (RFC 4513 §5.1.2)."""
        before = directory.log.count(" ACCEPT from ")
        assert ask(ldap, "zoë", password) is Finding.FAILED
        assert directory.log.count(" ACCEPT from ") == before

    @pytest.mark.parametrize("name", _ODD_NAMES, ids=ascii)
    def test_no_name_passes_for_another(self, ldap: LdapFirstFactor, directory: Slapd, name: str) -> None:
        """The password is alice's throughout; a name that gets out of its place would find her."""
        binds = len(directory.user_binds())
        assert ask(ldap, name, PASSWORDS["alice"]) is Finding.FAILED
        for bound in directory.user_binds()[binds:]:
            assert bound.endswith(PEOPLE_DN)
            assert bound.count("=") == 1 + PEOPLE_DN.count("=")

    def test_a_login_is_one_bind(self, ldap: LdapFirstFactor, directory: Slapd) -> None:
        binds = len(directory.user_binds())
        for n in range(5):
            ask(ldap, "alice", PASSWORDS["alice"])
            assert len(directory.user_binds()) == binds + 2 * n + 1
            ask(ldap, "alice", "wrong")
            assert len(directory.user_binds()) == binds + 2 * n + 2

    def test_nothing_is_left_open(self, ldap: LdapFirstFactor, directory: Slapd) -> None:
        for _ in range(10):
            ask(ldap, "alice", PASSWORDS["alice"])
        descriptors = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            ask(ldap, "alice", PASSWORDS["alice"])
            ask(ldap, "alice", "wrong")
        assert len(os.listdir("/proc/self/fd")) == descriptors

    def test_a_question_of_another_server_cannot_be_answered(self, ldap: LdapFirstFactor) -> None:
        question = AskFirstFactor(
            Username("alice"), Password(b"x"), _KEEPER, ClientId(1), relay=Relay(server=0, state=b"s")
        )
        assert ldap.check(question, _TIMEOUT_S).finding is Finding.CANNOT_TELL

    def test_it_is_well(self, ldap: LdapFirstFactor) -> None:
        assert ldap.probe(_TIMEOUT_S) is None

    def test_no_time_is_no_answer(self, ldap: LdapFirstFactor) -> None:
        assert ask(ldap, "alice", PASSWORDS["alice"], 0.0) is Finding.CANNOT_TELL


class TestSearch:
    def test_a_name_too_long_for_a_dn_is_found(self, directory: Slapd, authority: Authority) -> None:
        with opened(by_search(directory, authority)) as ldap:
            assert ask(ldap, LONG, LONG_PASSWORD) is Finding.PASSED
            assert ask(ldap, LONG[1:], LONG_PASSWORD) is Finding.FAILED

    def test_two_entries_of_one_name_cannot_be_told_apart(
        self, directory: Slapd, authority: Authority, caplog: pytest.LogCaptureFixture
    ) -> None:
        binds = len(directory.user_binds())
        with opened(by_search(directory, authority)) as ldap:
            assert ask(ldap, TWIN, TWIN_PASSWORD) is Finding.CANNOT_TELL
        assert len(directory.user_binds()) == binds
        assert "several entries for user 7" in caplog.text

    @pytest.mark.parametrize("name", ["alice ", " alice", "alice\u00a0"], ids=ascii)
    def test_an_entry_of_a_name_like_it_is_another_user(
        self, directory: Slapd, authority: Authority, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The directory matches loosely: it finds alice. Two names for one person would be two tallies of failures."""
        caplog.set_level(logging.INFO)
        binds = len(directory.user_binds())
        with opened(by_search(directory, authority)) as ldap:
            assert ask(ldap, name, PASSWORDS["alice"]) is Finding.FAILED
        assert len(directory.user_binds()) == binds
        assert "found another name for user 7" in caplog.text

    def test_a_search_account_that_may_not_read_the_name_is_told(self, caplog: pytest.LogCaptureFixture) -> None:
        def behave(peer: socket.socket, liar: Liar) -> None:
            while request := liar.hear(peer):
                if b"\x60" in request[2:8]:
                    peer.sendall(_result(request, _BIND_RESPONSE, 0))
                else:
                    entry = _tlv(0x64, _tlv(4, b"uid=alice") + b"\x30\x00")
                    peer.sendall(_tlv(0x30, _message_id(request) + entry) + _result(request, _SEARCH_DONE, 0))

        with lying(behave) as liar:
            settings = LdapSettings(servers=(liar.url,), base_dn=BASE_DN, user_filter="(uid={username})")
            with opened(settings) as ldap:
                assert ask(ldap, "alice", "x") is Finding.CANNOT_TELL
            assert liar.binds == 0  # searched as nobody, and no user was found to bind as
        assert "may not read" in caplog.text

    def test_nobody_may_search_where_the_directory_lets_nobody(self, directory: Slapd) -> None:
        settings = LdapSettings(servers=(directory.url,), base_dn=BASE_DN, user_filter="(uid={username})")
        with opened(settings) as ldap:
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.CANNOT_TELL
            assert "look at base_dn" in str(ldap.probe(_TIMEOUT_S))

    def test_the_search_account_binds_once(self, directory: Slapd, authority: Authority) -> None:
        """Its session is kept, and no user's bind is made on it."""
        binds = directory.binds().count(SEARCH_DN)
        with opened(by_search(directory, authority)) as ldap:
            for _ in range(5):
                assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED
                assert ask(ldap, "alice", "wrong") is Finding.FAILED
        assert directory.binds().count(SEARCH_DN) == binds + 1

    def test_a_restarted_server_is_found_again(self, own_directory: Slapd, authority: Authority) -> None:
        """Sessions that ended while idle are replaced within the same login."""
        with opened(by_search(own_directory, authority)) as ldap:
            with ThreadPoolExecutor(4) as threads:
                list(threads.map(lambda _: ask(ldap, "alice", PASSWORDS["alice"]), range(8)))
            own_directory.halt()
            own_directory.start()
            for _ in range(6):
                assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED

    def test_a_refused_search_account_is_no_refusal_of_a_user(
        self, directory: Slapd, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = LdapSettings(
            servers=(directory.url,),
            base_dn=BASE_DN,
            user_filter="(uid={username})",
            search_dn=SEARCH_DN,
            search_password=Password(b"not it"),
        )
        with opened(settings) as ldap:
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.CANNOT_TELL
            assert "search account is refused" in str(ldap.probe(_TIMEOUT_S))
        assert "search account is refused" in caplog.text
        assert "not it" not in caplog.text

    def test_a_base_that_is_not_there_is_no_refusal_of_a_user(self, directory: Slapd) -> None:
        settings = LdapSettings(
            servers=(directory.url,),
            base_dn="dc=example,dc=com",
            user_filter="(uid={username})",
            search_dn=SEARCH_DN,
            search_password=Password(SEARCH_PASSWORD),
        )
        with opened(settings) as ldap:
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.CANNOT_TELL
            assert "look at base_dn" in str(ldap.probe(_TIMEOUT_S))


class TestTls:
    @pytest.mark.parametrize("start_tls", [False, True])
    def test_another_authority_is_not_trusted(
        self, directory: Slapd, tmp_path: Path, start_tls: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        other = Authority.create(tmp_path, "other")
        settings = LdapSettings(
            servers=(directory.url if start_tls else directory.tls_url,),
            start_tls=start_tls,
            bind_dn=_TEMPLATE,
            ca_file=other.ca_file,
        )
        binds = len(directory.binds())
        with opened(settings) as ldap:
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.CANNOT_TELL
            assert "its certificate is not trusted" in str(ldap.probe(_TIMEOUT_S))
        assert "its certificate is not trusted" in caplog.text
        assert len(directory.binds()) == binds

    @pytest.mark.parametrize("start_tls", [False, True])
    def test_a_certificate_for_another_host_is_not_trusted(
        self, tmp_path: Path, authority: Authority, start_tls: bool
    ) -> None:
        slapd = Slapd(tmp_path / "slapd", authority, names=("dc1.example.org",))
        try:
            settings = LdapSettings(
                servers=(slapd.url if start_tls else slapd.tls_url,),
                start_tls=start_tls,
                bind_dn=_TEMPLATE,
                ca_file=authority.ca_file,
            )
            with opened(settings) as ldap:
                assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.CANNOT_TELL
                assert "its certificate is not trusted" in str(ldap.probe(_TIMEOUT_S))
            assert slapd.binds() == []
        finally:
            slapd.stop()

    def test_without_starttls_no_password_leaves(self, authority: Authority) -> None:
        """A server, or someone between, that refuses StartTLS gets no bind in clear."""
        with lying(answering(2, operation=_EXTENDED_RESPONSE)) as liar:
            settings = LdapSettings(servers=(liar.url,), start_tls=True, bind_dn=_TEMPLATE, ca_file=authority.ca_file)
            with opened(settings) as ldap:
                assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.CANNOT_TELL
                assert "refuses StartTLS" in str(ldap.probe(_TIMEOUT_S))
            assert liar.binds == 0

    def test_an_answer_smuggled_in_before_tls_is_not_taken(self, authority: Authority) -> None:
        """A success in clear, sent along with the go-ahead for StartTLS, is not the answer to a bind under TLS."""

        def behave(peer: socket.socket, liar: Liar) -> None:
            request = liar.hear(peer)
            success = _tlv(0x30, b"\x02\x01\x02" + _tlv(_BIND_RESPONSE, b"\x0a\x01\x00\x04\x00\x04\x00"))
            peer.sendall(_result(request, _EXTENDED_RESPONSE, 0) + success * 3)
            silent(peer, liar)

        with lying(behave) as liar:
            settings = LdapSettings(servers=(liar.url,), start_tls=True, bind_dn=_TEMPLATE, ca_file=authority.ca_file)
            with opened(settings) as ldap:
                assert ask(ldap, "alice", PASSWORDS["alice"], _SHORT_S) is Finding.CANNOT_TELL


class TestFailover:
    @pytest.mark.parametrize("way", _WAYS, ids=lambda way: way.__name__)
    def test_a_dead_first_server_is_passed_over(
        self, directory: Slapd, authority: Authority, way: Callable[[Slapd, Authority], LdapSettings]
    ) -> None:
        settings = way(directory, authority)
        dead = f"{settings.servers[0].rsplit(':', 1)[0]}:{free_tcp_port()}"
        with opened(with_servers(settings, dead, *settings.servers)) as ldap:
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED
            assert ask(ldap, "alice", "wrong") is Finding.FAILED
            assert "nobody listens there" in str(ldap.probe(_TIMEOUT_S))

    def test_a_dead_server_comes_last_for_a_while(self, directory: Slapd, authority: Authority) -> None:
        now = [1000.0]
        with lying(hangs_up) as liar:
            settings = with_servers(by_search(directory, authority), liar.url, directory.url)
            ldap = LdapFirstFactor(settings, lambda: now[0])
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED
            assert liar.connections == 1
            now[0] += 11
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED
            assert liar.connections == 2
            ldap.close()

    def test_a_question_that_came_late_sets_no_server_aside(self, directory: Slapd) -> None:
        with lying(silent) as liar, opened(with_servers(_dns(liar), liar.url, directory.url)) as ldap:
            for n in (1, 2):
                assert ask(ldap, "alice", PASSWORDS["alice"], 0.05) is Finding.CANNOT_TELL
                assert liar.binds == n

    def test_with_all_set_aside_one_that_is_back_is_heard(self, own_directory: Slapd, authority: Authority) -> None:
        with opened(by_template(own_directory, authority)) as ldap:
            own_directory.halt()
            assert ask(ldap, "alice", PASSWORDS["alice"], _SHORT_S) is Finding.CANNOT_TELL
            own_directory.start()
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED

    @pytest.mark.parametrize("way", _WAYS, ids=lambda way: way.__name__)
    def test_a_server_that_hangs_is_not_waited_for(
        self, own_directory: Slapd, authority: Authority, way: Callable[[Slapd, Authority], LdapSettings]
    ) -> None:
        with opened(way(own_directory, authority)) as ldap:
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED
            own_directory.freeze()
            assert ask(ldap, "alice", PASSWORDS["alice"], _SHORT_S) is Finding.CANNOT_TELL
            assert "did not answer in time" in str(ldap.probe(_SHORT_S))
            own_directory.thaw()
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED

    @pytest.mark.parametrize(
        "way", [by_template_over_tls, by_search, by_search_over_starttls], ids=lambda way: way.__name__
    )
    def test_one_that_hangs_before_the_bind_leaves_time_for_another(
        self,
        own_directory: Slapd,
        directory: Slapd,
        authority: Authority,
        way: Callable[[Slapd, Authority], LdapSettings],
    ) -> None:
        second = way(directory, authority)
        settings = with_servers(way(own_directory, authority), *way(own_directory, authority).servers, *second.servers)
        with opened(settings) as ldap:
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED
            own_directory.freeze()
            started = time.monotonic()
            assert ask(ldap, "alice", PASSWORDS["alice"], 2.0) is Finding.PASSED
            assert time.monotonic() - started < settings.connect_timeout_s + _SLACK_S

    @pytest.mark.parametrize("lie", _LIES.values(), ids=_LIES)
    def test_a_bind_without_an_answer_is_not_repeated(
        self, directory: Slapd, lie: Callable[[socket.socket, Liar], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        """It may have been counted. Nor does anything of it pass for an answer, or show the password."""
        caplog.set_level(logging.DEBUG)
        binds = len(directory.binds())
        with lying(lie) as liar, opened(LdapSettings(servers=(liar.url, directory.url), bind_dn=_TEMPLATE)) as ldap:
            assert ask(ldap, "alice", PASSWORDS["alice"], _SHORT_S) is Finding.CANNOT_TELL
            assert liar.binds == 1
            assert len(directory.binds()) == binds
            assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED  # the liar comes last now
            assert liar.binds == 1
        assert "it is not sent again" in caplog.text
        assert PASSWORDS["alice"] not in caplog.text

    @pytest.mark.parametrize("lie", _LIES.values(), ids=_LIES)
    def test_a_search_without_an_answer_is_made_elsewhere(
        self, directory: Slapd, authority: Authority, lie: Callable[[socket.socket, Liar], None]
    ) -> None:
        with lying(lie) as liar, opened(with_servers(by_search(directory, authority), liar.url, directory.url)) as ldap:
            assert ask(ldap, "alice", PASSWORDS["alice"], 2.0) is Finding.PASSED
            assert liar.connections == 1

    @pytest.mark.parametrize("code", [51, 52])
    def test_a_server_that_declines_is_followed_by_the_next(self, directory: Slapd, code: int) -> None:
        """Busy and unavailable say that the password was not looked at."""
        binds = len(directory.binds())
        with lying(answering(code)) as liar:
            with opened(LdapSettings(servers=(liar.url, directory.url), bind_dn=_TEMPLATE)) as ldap:
                assert ask(ldap, "alice", PASSWORDS["alice"]) is Finding.PASSED
            assert liar.binds == 1
        assert len(directory.binds()) == binds + 1

    def test_a_referral_is_not_followed(self, directory: Slapd) -> None:
        """It would take the password to a server of the other side's choice."""
        with lying(silent) as elsewhere:
            referral = _tlv(0xA3, _tlv(4, elsewhere.url.encode() + b"/dc=example,dc=org"))
            with lying(answering(10, more=referral)) as liar:
                with opened(LdapSettings(servers=(liar.url,), bind_dn=_TEMPLATE)) as ldap:
                    assert ask(ldap, "alice", PASSWORDS["alice"], _SHORT_S) is Finding.CANNOT_TELL
                assert liar.binds == 1
            assert elsewhere.connections == 0

    def test_a_name_server_that_hangs_is_not_waited_for(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        over = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(10) and [])
        with opened(LdapSettings(servers=("ldaps://dc1.example.org",), bind_dn=_TEMPLATE)) as ldap:
            assert ask(ldap, "alice", "x", _SHORT_S) is Finding.CANNOT_TELL
            assert "was not resolved" in str(ldap.probe(0.1))
            over.set()

    @pytest.mark.parametrize("host", ["dc1.invalid", "x" * 70 + ".example.org"])
    def test_a_name_that_does_not_exist_is_told(self, host: str) -> None:
        with opened(LdapSettings(servers=(f"ldaps://{host}",), bind_dn=_TEMPLATE)) as ldap:
            assert ask(ldap, "alice", "x", _TIMEOUT_S) is Finding.CANNOT_TELL
            assert "was not resolved" in str(ldap.probe(_TIMEOUT_S))


def with_servers(settings: LdapSettings, *servers: str) -> LdapSettings:
    return LdapSettings(
        servers=servers,
        bind_dn=settings.bind_dn,
        base_dn=settings.base_dn,
        user_filter=settings.user_filter,
        search_dn=settings.search_dn,
        search_password=settings.search_password,
        start_tls=settings.start_tls,
        ca_file=settings.ca_file,
    )


def _logon_names(liar: Liar) -> LdapSettings:
    return LdapSettings(servers=(liar.url,), bind_dn="{username}@corp.example.org")


def _dns(liar: Liar) -> LdapSettings:
    return LdapSettings(servers=(liar.url,), bind_dn=_TEMPLATE)


class TestRefusals:
    """What directories other than OpenLDAP say, by a server that says it."""

    @pytest.mark.parametrize(
        ("subcode", "why"),
        [
            ("52e", "wrong password"),
            ("532", "password expired"),
            ("533", "account disabled"),
            ("773", "password must be changed"),
            ("775", "account locked"),
            ("99f", "data 99f"),
        ],
    )
    def test_active_directory_says_why(self, subcode: str, why: str, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        text = f"80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data {subcode}, v4563\0"
        with lying(answering(49, text)) as liar, opened(_logon_names(liar)) as ldap:
            assert ask(ldap, "alice", "not logged") is Finding.FAILED
        assert f"refused user 7: {why}" in caplog.text
        assert "not logged" not in caplog.text
        assert b"alice@corp.example.org" in liar.requests[0]

    @pytest.mark.parametrize(
        ("code", "text", "finding"),
        [
            (0, "", Finding.PASSED),
            (0, "password must be changed", Finding.PASSED),
            (19, "Exceed password retry limit. Please try later.", Finding.FAILED),
            (32, "", Finding.FAILED),
            (34, "invalid DN", Finding.FAILED),
            (48, "", Finding.FAILED),
            (49, "", Finding.FAILED),
            (53, "Account inactivated. Contact system administrator.", Finding.FAILED),
            (53, "Minimum SSF not met.", Finding.CANNOT_TELL),
            (1, "", Finding.CANNOT_TELL),
            (8, "", Finding.CANNOT_TELL),
            (13, "", Finding.CANNOT_TELL),
            (14, "", Finding.CANNOT_TELL),
            (80, "", Finding.CANNOT_TELL),
        ],
    )
    def test_what_a_result_code_means(self, code: int, text: str, finding: Finding) -> None:
        with lying(answering(code, text)) as liar, opened(_dns(liar)) as ldap:
            assert ask(ldap, "alice", "x") is finding
        assert liar.binds == 1

    @pytest.mark.parametrize(
        "name", ["CORP\\alice", "alice@other", "cn=alice,dc=x", "a/b", "alice\n", "alice*", '"', "alicé", "alice "]
    )
    def test_a_name_that_is_no_logon_name_is_not_asked_about(self, name: str) -> None:
        with lying(answering(0)) as liar:
            with opened(_logon_names(liar)) as ldap:
                assert ask(ldap, name, "x") is Finding.FAILED
            assert liar.connections == 0

    def test_whole_logon_names_may_be_typed(self) -> None:
        with lying(answering(0)) as liar:
            with opened(LdapSettings(servers=(liar.url,), bind_dn="{username}")) as ldap:
                assert ask(ldap, "alice@corp.example.org", "x") is Finding.PASSED
            assert b"alice@corp.example.org" in liar.requests[0]


class TestThreads:
    @pytest.mark.parametrize("way", _WAYS, ids=lambda way: way.__name__)
    def test_many_at_once_get_answers_of_their_own(
        self, own_directory: Slapd, authority: Authority, way: Callable[[Slapd, Authority], LdapSettings]
    ) -> None:
        logins = [
            (username, password, Finding.PASSED if PASSWORDS[username] == password else Finding.FAILED)
            for username in PASSWORDS
            for password in PASSWORDS.values()
        ] * 4
        with opened(way(own_directory, authority)) as ldap:
            with ThreadPoolExecutor(16) as threads:
                found = list(threads.map(lambda login: ask(ldap, login[0], login[1], 20.0), logins))
            assert found == [finding for _, _, finding in logins]
            assert len(own_directory.user_binds()) == len(logins)
            wait_for(lambda: own_directory.open_connections() <= 4)
        wait_for(lambda: own_directory.open_connections() == 0)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "why"),
        [
            ({"servers": ()}, "servers is empty"),
            ({"servers": ("dc1.example.org",)}, "is no server"),
            ({"servers": ("http://dc1",)}, "is no server"),
            ({"servers": ("ldaps://",)}, "is no server"),
            ({"servers": ("ldaps://dc1:seven",)}, "is no URL"),
            ({"servers": ("ldaps://[::1",)}, "is no URL"),
            ({"servers": ("ldaps://dc1/dc=example",)}, "more than a server"),
            ({"servers": ("ldaps://me@dc1",)}, "more than a server"),
            ({"servers": ("ldap://dc1",)}, "passwords in clear"),
            ({"servers": ("ldaps://dc1", "ldap://192.0.2.1")}, "passwords in clear"),
            ({"servers": ("ldaps://dc1",), "start_tls": True}, "start_tls does not go"),
            ({"bind_dn": None}, "either bind_dn, or base_dn"),
            ({"base_dn": BASE_DN}, "either bind_dn, or base_dn"),
            ({"bind_dn": "uid=alice"}, "needs {username}"),
            ({"bind_dn": "uid={username},nonsense,"}, "distinguished name"),
            ({"search_dn": SEARCH_DN}, "do not go with bind_dn"),
            ({"connections": 0}, "connections"),
            ({"connect_timeout_s": 0.0}, "connect_timeout_s"),
            ({"bind_dn": None, "base_dn": BASE_DN}, "user_filter needs"),
            ({"bind_dn": None, "base_dn": BASE_DN, "user_filter": "(uid=*)"}, "user_filter needs"),
            ({"bind_dn": None, "base_dn": BASE_DN, "user_filter": "(uid={username}*)"}, "user_filter needs"),
            ({"bind_dn": None, "base_dn": BASE_DN, "user_filter": "(|(uid={username})({username}=x))"}, "user_filter"),
            ({"bind_dn": None, "base_dn": BASE_DN, "user_filter": "uid={username}"}, "user_filter needs"),
            ({"bind_dn": None, "base_dn": BASE_DN, "user_filter": "(uid={username}))"}, "no search filter"),
            ({"bind_dn": None, "base_dn": "x", "user_filter": "(uid={username})"}, "distinguished name"),
            (
                {"bind_dn": None, "base_dn": BASE_DN, "user_filter": "(uid={username})", "search_dn": SEARCH_DN},
                "go together",
            ),
            (
                {
                    "bind_dn": None,
                    "base_dn": BASE_DN,
                    "user_filter": "(uid={username})",
                    "search_dn": SEARCH_DN,
                    "search_password": Password(b""),
                },
                "search_password is empty",
            ),
        ],
    )
    def test_what_cannot_be_used_is_told(self, settings: dict, why: str) -> None:
        with pytest.raises(ValueError, match=re.escape(why)):
            LdapSettings(**({"servers": ("ldaps://dc1",), "bind_dn": _TEMPLATE} | settings))

    @pytest.mark.parametrize(
        "settings",
        [
            {"servers": ("ldap://localhost",)},
            {"servers": ("ldap://127.0.0.1:3890/",)},
            {"servers": ("ldap://[::1]",)},
            {"servers": ("ldap://dc1",), "start_tls": True},
            {"servers": ("ldap://dc1",), "allow_plain": True},
            {"servers": ("ldaps://dc1",), "bind_dn": "CORP\\{username}"},
        ],
    )
    def test_what_can_be_used(self, settings: dict) -> None:
        LdapSettings(**({"bind_dn": _TEMPLATE} | settings))

    @pytest.mark.parametrize("content", [None, "no certificate"])
    def test_a_ca_file_must_hold_certificates(self, tmp_path: Path, content: str | None) -> None:
        ca_file = tmp_path / "ca.pem"
        if content is not None:
            ca_file.write_text(content)
        settings = LdapSettings(servers=("ldaps://dc1",), bind_dn=_TEMPLATE, ca_file=ca_file)
        with pytest.raises(ValueError, match=r"ca_file .* holds no certificates"):
            LdapFirstFactor(settings, time.monotonic)

    def test_the_search_password_is_hidden(self, directory: Slapd, authority: Authority) -> None:
        assert SEARCH_PASSWORD.decode() not in repr(by_search(directory, authority))


def test_the_library_loads_without_a_warning() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", "import first_factors.ldap"], check=True, timeout=50)
