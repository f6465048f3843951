"""The client believes proven replies only, and fails over."""

import os
import resource
import socket
import threading
import time

import pytest
from support.scripted_server import scripted_server

from radius_client.client import Accepted, Challenged, Client, Rejected
from radius_client.errors import NoReplyError, UnusableCredentialsError
from radius_client.exchange import Server
from radius_wire import attributes
from radius_wire.packet import PacketCode, build_reply, parse
from radius_wire.password_hiding import reveal

SECRET = b"a shared secret for the client"


def server(port, host="127.0.0.1", timeout_s=0.3, **more):
    return Server(host, port, SECRET, timeout_s=timeout_s, **more)


def accept(request, _count):
    yield build_reply(PacketCode.ACCESS_ACCEPT, request, [(18, b"hello")], SECRET)


def unsigned(reply):
    """A reply without Message-Authenticator, with a right Response Authenticator over the rest."""
    import hashlib

    def make(request):
        body = b""
        head = bytes((reply, request.identifier)) + (20 + len(body)).to_bytes(2, "big")
        return head + hashlib.md5(head + request.authenticator + body + SECRET).digest() + body

    return make


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_proven_accept_is_believed(host):
    with scripted_server(accept, host) as (port, seen):
        outcome = Client([server(port, host)], nas_identifier="nas").authenticate("alice", b"pw123456")
    assert isinstance(outcome, Accepted)
    assert outcome.messages == ["hello"]
    request = parse(seen[0])
    assert request.message_authenticator_at == 22
    assert request.first(attributes.NAS_IDENTIFIER) == b"nas"
    assert reveal(request.first(attributes.USER_PASSWORD), SECRET, request.authenticator) == b"pw123456"


def test_forged_unsigned_and_foreign_replies_are_passed_over():
    def script(request, _count):
        yield build_reply(PacketCode.ACCESS_ACCEPT, request, [], b"another shared secret entirely")
        yield unsigned(2)(request)
        other = parse(request.octets[:1] + bytes((request.identifier ^ 1,)) + request.octets[2:])
        yield build_reply(PacketCode.ACCESS_ACCEPT, other, [], SECRET)
        yield b"\x02"
        yield build_reply(PacketCode.ACCESS_REJECT, request, [], SECRET)

    with scripted_server(script) as (port, _):
        assert isinstance(Client([server(port)]).authenticate("alice", b"pw"), Rejected)


def test_an_unsigned_reply_is_believed_only_when_the_server_is_relaxed():
    def script(request, _count):
        yield unsigned(2)(request)

    with scripted_server(script) as (port, _):
        with pytest.raises(NoReplyError):
            Client([server(port, tries=1)]).authenticate("alice", b"pw")
        relaxed = server(port, require_message_authenticator=False)
        assert isinstance(Client([relaxed]).authenticate("alice", b"pw"), Accepted)


def test_repeats_are_the_same_octets():
    def script(request, count):
        if count == 3:
            yield from accept(request, count)

    with scripted_server(script) as (port, seen):
        assert isinstance(Client([server(port, timeout_s=0.1)]).authenticate("alice", b"pw"), Accepted)
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_a_silent_server_and_a_closed_port_are_passed_over():
    with scripted_server(lambda *_: ()) as (silent, _), scripted_server(accept) as (good, _):
        closed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        closed.close()
        started = time.monotonic()
        outcome = Client(
            [server(port, timeout_s=5), server(silent, timeout_s=0.1, tries=1), server(good)]
        ).authenticate("alice", b"pw")
    assert isinstance(outcome, Accepted)
    assert outcome.server.port == good
    assert time.monotonic() - started < 4


def test_the_deadline_bounds_the_whole_exchange():
    with scripted_server(lambda *_: ()) as (port, _):
        started = time.monotonic()
        with pytest.raises(NoReplyError):
            Client([server(port, timeout_s=60)] * 3, deadline_s=0.3).authenticate("alice", b"pw")
        assert time.monotonic() - started < 3


def test_a_question_may_have_less_time_than_the_client():
    with scripted_server(lambda *_: ()) as (port, seen):
        client = Client([server(port, timeout_s=60)] * 3, deadline_s=60)
        started = time.monotonic()
        with pytest.raises(NoReplyError):
            client.authenticate("alice", b"pw", timeout_s=0.3)
        with pytest.raises(NoReplyError):
            client.answer(Challenged(server(port, timeout_s=60), (), b"the state"), "alice", b"1", timeout_s=0.3)
        assert time.monotonic() - started < 3
        sent = len(seen)
        with pytest.raises(NoReplyError, match="no time was left"):
            client.authenticate("alice", b"pw", timeout_s=0.0)
        assert len(seen) == sent


def test_a_silent_server_does_not_take_the_time_of_the_next():
    with scripted_server(lambda *_: ()) as (silent, _), scripted_server(accept) as (good, _):
        outcome = Client([server(silent, timeout_s=60), server(good)], deadline_s=2).authenticate("alice", b"pw")
    assert outcome.server.port == good


def test_a_silent_server_is_asked_last_until_its_dead_time_is_over():
    now = 0.0
    is_up = threading.Event()

    def script(request, count):
        return accept(request, count) if is_up.is_set() else []

    with scripted_server(script) as (first, at_first), scripted_server(accept) as (second, at_second):
        client = Client(
            [server(first, timeout_s=0.1, tries=1), server(second)],
            dead_time_s=30,
            clock=lambda: now + time.monotonic(),
        )
        client.authenticate("alice", b"pw")
        client.authenticate("alice", b"pw")
        assert (len(at_first), len(at_second)) == (1, 2)
        is_up.set()
        now += 31
        assert client.authenticate("alice", b"pw").server.port == first
        assert client.authenticate("alice", b"pw").server.port == first


def test_a_server_in_its_dead_time_is_asked_when_no_other_answers_and_counts_as_alive_once_it_does():
    is_up = threading.Event()

    def script(request, count):
        return accept(request, count) if is_up.is_set() else []

    with scripted_server(lambda *_: ()) as (first, at_first), scripted_server(script) as (second, _):
        client = Client([server(port, timeout_s=0.1, tries=1) for port in (first, second)], dead_time_s=30)
        with pytest.raises(NoReplyError):
            client.authenticate("alice", b"pw")
        is_up.set()
        assert client.authenticate("alice", b"pw").server.port == second
        assert client.authenticate("alice", b"pw").server.port == second
    assert len(at_first) == 2


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (lambda *_: (), "no reply$"),
        (lambda request, _: [unsigned(2)(request)], "there is no Message-Authenticator$"),
        (
            lambda request, _: [build_reply(PacketCode.ACCESS_ACCEPT, request, [], b"another")],
            "Authenticator is wrong$",
        ),
        (lambda *_: [b"\x02"], "shorter than a header$"),
    ],
)
def test_the_error_says_why_no_reply_was_believed(script, why):
    with scripted_server(script) as (port, _), pytest.raises(NoReplyError, match=why):
        Client([server(port, tries=2)]).authenticate("alice", b"pw")


def test_a_probe_is_a_signed_status_server():
    with scripted_server(accept) as (port, seen):
        Client([server(port)], nas_identifier="nas").probe(server(port))
    request = parse(seen[0])
    assert request.packet_code == PacketCode.STATUS_SERVER
    assert request.message_authenticator_at == 22
    assert request.first(attributes.NAS_IDENTIFIER) == b"nas"


def test_a_probe_that_nobody_answers_raises_in_time():
    with scripted_server(lambda *_: ()) as (port, _):
        started = time.monotonic()
        with pytest.raises(NoReplyError):
            Client([server(port, timeout_s=60)]).probe(server(port, timeout_s=60), timeout_s=0.2)
        assert time.monotonic() - started < 3


def test_a_process_with_many_open_files_can_ask():
    """`select` would refuse a descriptor of 1024 or more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this system allows no 1200 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        with scripted_server(accept) as (port, _):
            while held[-1] < 1024:
                held.append(os.dup(held[0]))
            assert isinstance(Client([server(port)]).authenticate("alice", b"pw"), Accepted)
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_challenge_is_answered_at_the_same_server_with_its_state():
    def script(request, _count):
        if request.first(attributes.STATE) == b"the state":
            yield from accept(request, _count)
        else:
            yield build_reply(PacketCode.ACCESS_CHALLENGE, request, [(24, b"the state"), (18, b"Code?")], SECRET)

    with scripted_server(script) as (port, _):
        client = Client([server(port)])
        challenge = client.authenticate("alice", b"pw")
        assert isinstance(challenge, Challenged)
        assert challenge.messages == ["Code?"]
        assert isinstance(client.answer(challenge, "alice", b"123456"), Accepted)


@pytest.mark.parametrize(
    ("name", "typed"), [("", b"x"), ("a" * 254, b"x"), ("a", b""), ("a", b"x" * 129), ("a", b"x\0y")]
)
def test_what_no_packet_can_carry_is_refused_unsent(name, typed):
    with scripted_server(accept) as (port, seen):
        with pytest.raises(UnusableCredentialsError):
            Client([server(port)]).authenticate(name, typed)
        assert seen == []


def test_escape_sequences_of_a_server_do_not_reach_the_terminal():
    def script(request, _count):
        yield build_reply(PacketCode.ACCESS_REJECT, request, [(18, b"\x1b[2Jno\n")], SECRET)

    with scripted_server(script) as (port, _):
        [message] = Client([server(port)]).authenticate("alice", b"pw").messages
    assert message.isprintable()
    assert "no" in message


def test_the_shared_secret_does_not_show():
    assert "shared" not in repr(server(1))
