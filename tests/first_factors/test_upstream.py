"""Another RADIUS server as first factor: FreeRADIUS as it is, and servers that lie, falter or hold their tongue."""

import hashlib
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from support.freeradius import free_udp_port
from support.freeradius_upstream import ALICE, BOB, CAROL, JUERGEN, UPSTREAM_SECRET, FreeradiusUpstream
from support.scripted_server import scripted_server

from authn.challenge import MAX_RELAYED_STATE_OCTETS, Relay
from authn.client import ClientId
from authn.errors import ConfigError
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding, FurtherQuestion, Keeper
from authn.request import Username
from authn.secret import Password, SharedSecret
from first_factors.upstream import DEFAULT_PROMPT, MAX_PROMPT_OCTETS, Challenged, UpstreamFirstFactor, prompt_of
from radius_wire import attributes
from radius_wire.authenticators import verify_message_authenticator
from radius_wire.packet import PacketCode, build_reply, parse
from radius_wire.password_hiding import reveal
from twinward.upstream import RadiusExchange

pytestmark = pytest.mark.timeout(30)

KEEPER = Keeper("old")
PATIENCE_S = 5.0  # where an answer comes, however busy the machine is
TIMEOUT_S = 0.8  # where none comes
SLACK_S = 0.7  # what a busy machine may add


def question(name, typed, relay=None):
    typed = typed.encode() if isinstance(typed, str) else typed
    return AskFirstFactor(Username(name), Password(typed), KEEPER, ClientId(1), relay=relay)


def first_factor(*ports, shared_secret=UPSTREAM_SECRET, clock=time.monotonic, timeout_s=PATIENCE_S, **more):
    exchange = RadiusExchange(
        [("127.0.0.1", port) for port in ports],
        SharedSecret(shared_secret),
        nas_identifier="twinward-test",
        timeout_s=timeout_s,
        **more,
    )
    return UpstreamFirstFactor(exchange, clock=clock)


def finding(upstream, name, typed, relay=None, timeout_s=PATIENCE_S):
    return upstream.check(question(name, typed, relay), timeout_s).finding


def hasty(*ports, **more):
    """One that gives up soon, as in production, for servers that will not answer."""
    return first_factor(*ports, timeout_s=TIMEOUT_S, **more)


@contextmanager
def in_time(at_most_s=TIMEOUT_S + SLACK_S):
    started = time.monotonic()
    yield
    assert time.monotonic() - started < at_most_s


# FreeRADIUS


@pytest.fixture(scope="module")
def freeradius(tmp_path_factory):
    server = FreeradiusUpstream(tmp_path_factory.mktemp("freeradius"))
    yield server
    server.stop()


@pytest.fixture
def start(tmp_path):
    with ExitStack() as stack:

        def make(**more):
            server = FreeradiusUpstream(tmp_path, **more)
            stack.callback(server.stop)
            return server

        yield make


@pytest.mark.parametrize(("name", "typed"), [ALICE, JUERGEN], ids=["alice", "juergen"])
def test_a_right_password_passes_and_a_wrong_one_fails(freeradius, name, typed):
    upstream = first_factor(freeradius.port)
    assert finding(upstream, name, typed) is Finding.PASSED
    assert finding(upstream, name, typed + "x") is Finding.FAILED
    assert finding(upstream, name, typed.encode("latin-1", "replace") + b"\xfc") is Finding.FAILED
    assert finding(upstream, "nobody", typed) is Finding.FAILED


def test_nothing_of_an_accept_is_taken_over(freeradius):
    """FreeRADIUS sends Reply-Message and Filter-Id; what comes back is the finding and no more."""
    assert first_factor(freeradius.port).check(question(*ALICE), PATIENCE_S) == CheckedPassword(Finding.PASSED, KEEPER)
    assert '&Filter-Id := "everything"' in freeradius.log


def test_one_round_is_relayed(freeradius):
    name, typed, code = BOB
    upstream = first_factor(freeradius.port)
    asked = upstream.check(question(name, typed), PATIENCE_S)
    assert (asked.finding, asked.further.prompt, asked.further.relay.server) == (Finding.ASKS_MORE, "Bobs Code: ", 0)
    assert finding(upstream, name, code, asked.further.relay) is Finding.PASSED


def test_a_wrong_answer_fails(freeradius):
    name, typed, code = BOB
    upstream = first_factor(freeradius.port)
    asked = upstream.check(question(name, typed), PATIENCE_S)
    assert finding(upstream, name, code[::-1] + "9", asked.further.relay) is Finding.FAILED


def test_two_rounds_are_relayed_each_with_the_latest_state(freeradius):
    name, typed, first_code, second_code = CAROL
    upstream = first_factor(freeradius.port)
    first = upstream.check(question(name, typed), PATIENCE_S).further
    second = upstream.check(question(name, first_code, first.relay), PATIENCE_S).further
    assert (first.prompt, second.prompt) == ("Erster Schlüssel: ", "Zweiter Schlüssel: ")
    assert first.relay != second.relay
    assert finding(upstream, name, second_code, second.relay) is Finding.PASSED


def test_a_client_that_repeats_the_first_state_cannot_follow_a_second_round(freeradius):
    """As docs/first-factors/radius.md says."""
    name, typed, first_code, second_code = CAROL
    upstream = first_factor(freeradius.port)
    first = upstream.check(question(name, typed), PATIENCE_S).further
    assert finding(upstream, name, first_code, first.relay) is Finding.ASKS_MORE
    assert finding(upstream, name, second_code, first.relay) is Finding.FAILED


def test_many_threads_ask_at_once(freeradius):
    upstream = first_factor(freeradius.port)
    asked = [(ALICE[0], ALICE[1] if n % 2 else "wrong") for n in range(40)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda one: finding(upstream, *one), asked))
    assert found == [Finding.FAILED, Finding.PASSED] * 20


def test_a_killed_server_cannot_tell(start):
    server = start()
    upstream = hasty(server.port)
    assert finding(upstream, *ALICE) is Finding.PASSED
    server.kill()
    with in_time():
        assert finding(upstream, *ALICE) is Finding.CANNOT_TELL


def test_a_frozen_server_cannot_tell_and_tells_again_when_it_is_back(start):
    server = start()
    upstream = first_factor(server.port)
    server.freeze()
    with in_time():
        assert finding(upstream, *ALICE, timeout_s=TIMEOUT_S) is Finding.CANNOT_TELL
    with in_time(0.2 + SLACK_S):
        assert finding(upstream, *ALICE, timeout_s=0.2) is Finding.CANNOT_TELL
    server.thaw()
    assert finding(upstream, *ALICE, timeout_s=TIMEOUT_S) is Finding.PASSED


def test_the_second_server_is_asked_when_the_first_is_silent_and_first_for_a_while(start):
    first, second = start(), start()
    upstream = first_factor(first.port, second.port, timeout_s=2)
    first.freeze()
    with in_time(2 + SLACK_S):
        assert finding(upstream, *ALICE) is Finding.PASSED
    with in_time(1):  # it does not wait for the first again
        assert finding(upstream, *ALICE) is Finding.PASSED
    assert finding(upstream, ALICE[0], "wrong") is Finding.FAILED
    assert (first.requests, second.requests) == (0, 3)


def test_a_refusal_by_one_server_is_not_taken_to_the_next(start):
    first, second = start(), start()
    assert finding(first_factor(first.port, second.port), ALICE[0], "wrong") is Finding.FAILED
    assert (first.requests, second.requests) == (1, 0)


def test_a_wrong_shared_secret_cannot_tell(freeradius, caplog):
    with in_time():
        upstream = hasty(freeradius.port, shared_secret=b"quite another shared secret")
        assert finding(upstream, *ALICE) is Finding.CANNOT_TELL
    assert "same shared secret" in caplog.text


def test_replies_without_message_authenticator_are_refused(start, caplog):
    """FreeRADIUS 3.2.1 as it comes: CVE-2024-3596 would let an Access-Reject pass for an Access-Accept."""
    server = start(signs_replies=False)
    with in_time():
        assert finding(hasty(server.port), *ALICE) is Finding.CANNOT_TELL
    assert "there is no Message-Authenticator" in caplog.text
    relaxed = first_factor(server.port, require_message_authenticator=False)
    assert finding(relaxed, *ALICE) is Finding.PASSED


def test_a_refusal_that_the_server_holds_back_comes_too_late(start):
    """FreeRADIUS as it comes, with `reject_delay = 1`; docs/first-factors/radius.md says to set it to 0."""
    server = start(reject_delay_s=1)
    with in_time():
        assert finding(hasty(server.port), ALICE[0], "wrong") is Finding.CANNOT_TELL


def test_probe_sees_who_answers(freeradius):
    assert first_factor(freeradius.port).probe(1) is None
    closed = free_udp_port()
    with in_time():
        told = first_factor(freeradius.port, closed).probe(TIMEOUT_S)
    assert f"127.0.0.1:{closed}" in told
    assert f"127.0.0.1:{freeradius.port}" not in told


# Servers by script


def signed(code, *attributes_):
    return lambda request, _count: [build_reply(code, request, attributes_, UPSTREAM_SECRET)]


accepts = signed(PacketCode.ACCESS_ACCEPT)
rejects = signed(PacketCode.ACCESS_REJECT)


def keeps_silent(_request, _count):
    return []


def challenges(*messages, state=b"a state"):
    states = [] if state is None else [(attributes.STATE, state)]
    return signed(PacketCode.ACCESS_CHALLENGE, *[(attributes.REPLY_MESSAGE, message) for message in messages], *states)


def test_the_request_is_signed_first_and_says_who_asks():
    with scripted_server(accepts) as (port, seen):
        assert finding(first_factor(port), *JUERGEN) is Finding.PASSED
    request = parse(seen[0])
    verify_message_authenticator(request, UPSTREAM_SECRET)
    assert request.attributes[0][0] == attributes.MESSAGE_AUTHENTICATOR
    assert request.first(attributes.USER_NAME) == "jürgen".encode()
    assert request.first(attributes.NAS_IDENTIFIER) == b"twinward-test"
    assert request.first(attributes.STATE) is None
    typed = reveal(request.first(attributes.USER_PASSWORD), UPSTREAM_SECRET, request.authenticator)
    assert typed == JUERGEN[1].encode()


def test_an_answer_goes_to_the_server_that_asked_and_nowhere_else():
    with scripted_server(accepts) as (first, at_first), scripted_server(accepts) as (second, at_second):
        assert finding(first_factor(first, second), "bob", "1", Relay(1, b"the state")) is Finding.PASSED
    assert at_first == []
    assert parse(at_second[0]).first(attributes.STATE) == b"the state"


def test_an_answer_stays_there_though_that_server_is_silent():
    with scripted_server(accepts) as (first, at_first), scripted_server(keeps_silent) as (second, at_second), in_time():
        assert finding(hasty(first, second), "bob", "1", Relay(1, b"the state")) is Finding.CANNOT_TELL
    assert at_first == []
    assert len(at_second) > 1


def test_a_challenge_names_the_server_that_asks():
    with scripted_server(keeps_silent) as (first, _), scripted_server(challenges(b"Code?")) as (second, _):
        asked = first_factor(first, second, timeout_s=2).check(question(*BOB[:2]), PATIENCE_S)
    assert asked.further == FurtherQuestion("Code?", Relay(1, b"a state"))


@pytest.mark.parametrize("number", [-1, 1, 255])
def test_an_answer_for_a_server_that_is_gone_cannot_tell(number):
    with scripted_server(accepts) as (port, seen):
        assert finding(first_factor(port), "bob", "1", Relay(number, b"the state")) is Finding.CANNOT_TELL
    assert seen == []


def test_a_lost_packet_is_sent_again_with_the_same_octets_to_the_same_server():
    def loses_one(request, count):
        return accepts(request, count) if count == 2 else []

    with scripted_server(loses_one) as (first, at_first), scripted_server(rejects) as (second, at_second):
        assert finding(first_factor(first, second), *ALICE) is Finding.PASSED
    assert len(at_first) == 2
    assert len(set(at_first)) == 1
    assert at_second == []


def test_a_slow_server_is_waited_for_before_the_next_is_asked():
    with scripted_server(rejects, delay_s=0.5) as (first, _), scripted_server(accepts) as (second, at_second):
        assert finding(first_factor(first, second), *ALICE) is Finding.FAILED
    assert at_second == []


def test_all_silent_is_told_in_time():
    with ExitStack() as stack:
        ports = [stack.enter_context(scripted_server(keeps_silent))[0] for _ in range(3)]
        with in_time():
            assert finding(hasty(*ports), *ALICE, timeout_s=60) is Finding.CANNOT_TELL
        with in_time(0.1 + SLACK_S):
            assert finding(hasty(*ports), *ALICE, timeout_s=0.1) is Finding.CANNOT_TELL


def test_without_time_nothing_is_sent():
    with scripted_server(accepts) as (port, seen):
        assert finding(first_factor(port), *ALICE, timeout_s=0.0) is Finding.CANNOT_TELL
    assert seen == []


def other_identifier(request, _count):
    other = parse(request.octets[:1] + bytes((request.identifier ^ 1,)) + request.octets[2:])
    return [build_reply(PacketCode.ACCESS_ACCEPT, other, [], UPSTREAM_SECRET)]


def other_secret(request, _count):
    return [build_reply(PacketCode.ACCESS_ACCEPT, request, [], b"quite another shared secret")]


def garbage(request, _count):
    return [b"", b"\x02", bytes(20), bytes((2, request.identifier)) + b"\xff" * 4094]


def unsigned(request, _count):
    head = bytes((PacketCode.ACCESS_ACCEPT, request.identifier, 0, 20))
    return [head + hashlib.md5(head + request.authenticator + UPSTREAM_SECRET).digest()]


def altered(request, _count):
    reply = build_reply(PacketCode.ACCESS_REJECT, request, [], UPSTREAM_SECRET)
    return [bytes((PacketCode.ACCESS_ACCEPT,)) + reply[1:]]


def other_code(request, _count):
    return [build_reply(PacketCode.ACCOUNTING_RESPONSE, request, [], UPSTREAM_SECRET)]


LIES = [other_identifier, other_secret, garbage, unsigned, altered, other_code]


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_lets_nobody_in(lie):
    with scripted_server(lie) as (port, _), in_time():
        assert finding(hasty(port), *ALICE) is Finding.CANNOT_TELL


@pytest.mark.parametrize("lie", LIES[:-1])
def test_a_lie_does_not_stand_before_the_truth(lie):
    """Somebody who answers faster than the server changes nothing."""
    with scripted_server(lambda *asked: [*lie(*asked), *rejects(*asked)]) as (port, _):
        assert finding(first_factor(port), *ALICE) is Finding.FAILED


@pytest.mark.parametrize("state", [None, b"", bytes(MAX_RELAYED_STATE_OCTETS + 1), bytes(253)])
def test_a_challenge_that_cannot_be_relayed_cannot_tell(state, caplog):
    with scripted_server(challenges(b"Code?", state=state)) as (port, _):
        assert finding(first_factor(port), *BOB[:2]) is Finding.CANNOT_TELL
    [record] = caplog.records
    said = record.getMessage()
    assert said.startswith("first factor old: an Access-Challenge came with")
    assert (f"State of {len(state)} octets, and at most 120" in said) if state else ("without State" in said)
    assert "let the server send" in said


def test_a_state_of_the_greatest_length_is_relayed():
    state = bytes(range(MAX_RELAYED_STATE_OCTETS))
    with scripted_server(challenges(state=state)) as (port, _):
        asked = first_factor(port).check(question(*BOB[:2]), PATIENCE_S)
    assert asked.further == FurtherQuestion(DEFAULT_PROMPT, Relay(0, state))


@pytest.mark.parametrize("typed", [b"", b"x" * 129, b"x\0y"])
@pytest.mark.parametrize("relay", [None, Relay(0, b"the state")])
def test_what_no_packet_can_carry_fails_unasked(typed, relay):
    with scripted_server(accepts) as (port, seen):
        assert finding(first_factor(port), "alice", typed, relay) is Finding.FAILED
    assert seen == []


def test_a_name_that_is_nobodys_fails_unasked():
    with scripted_server(accepts) as (port, seen):
        assert finding(first_factor(port), "", "x") is Finding.FAILED
        assert finding(first_factor(port), "a" * 254, "x") is Finding.FAILED
    assert seen == []


def test_a_password_of_the_greatest_length_is_asked():
    with scripted_server(accepts) as (port, _):
        assert finding(first_factor(port), "alice", b"x" * 128) is Finding.PASSED


def test_the_log_tells_once_in_a_while_and_never_what_was_typed(caplog):
    now = 1000.0
    with caplog.at_level(logging.DEBUG):
        upstream = first_factor(free_udp_port(), clock=lambda: now)
        for _ in range(3):
            finding(upstream, *ALICE)
        now += 11
        finding(upstream, *ALICE)
    assert len(caplog.records) == 2
    assert ALICE[1] not in caplog.text
    assert UPSTREAM_SECRET.decode() not in caplog.text


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        ((), DEFAULT_PROMPT),
        ((b"",), DEFAULT_PROMPT),
        ((b"\x1b[2J\n\t",), DEFAULT_PROMPT),
        ((b"Code: ",), "Code: "),
        ((b"Choose one:", b"1 SMS", b"2 mail"), "Choose one: 1 SMS 2 mail"),
        ((b"\x1b[31;1mCode\x1b[0m:\r\n\x1b]0;title\x07 now",), "Code : now"),
        (("\x9b2JCode\x00\x7f\u202e?".encode(),), "Code ?"),
        ((b"Schl\xc3\xbcssel \xff",), "Schlüssel \N{REPLACEMENT CHARACTER}"),
        (("ü" * 300,), "ü" * 100),
        (("a" + "ü" * 300,), "a" + "ü" * 99),
    ],
)
def test_the_prompt_is_printable_and_short(messages, prompt):
    octets = tuple(message.encode() if isinstance(message, str) else message for message in messages)
    assert prompt_of(octets) == prompt
    assert len(prompt_of(octets).encode()) <= MAX_PROMPT_OCTETS
    assert prompt_of(octets).isprintable()


def test_a_text_that_was_cut_into_messages_is_put_together():
    """RFC 2865 §5.18: 253 octets are the most of one attribute; the cut may go through a letter."""
    text = "1" * 100 + " " * 152 + "ü2"
    whole = text.encode()
    assert prompt_of((whole[:253], whole[253:])) == "1" * 100 + " ü2"


def test_escape_sequences_of_a_server_do_not_reach_the_prompt():
    with scripted_server(challenges(b"\x1b[2JCode?")) as (port, _):
        assert first_factor(port).check(question(*BOB[:2]), PATIENCE_S).further.prompt == "Code?"


def test_probe_says_so_where_status_server_is_not_answered():
    with scripted_server(keeps_silent) as (port, seen), in_time():
        told = first_factor(port).probe(TIMEOUT_S)
    assert f"Status-Server was not answered (127.0.0.1:{port}: no reply)" in told
    assert "NPS" in told
    assert parse(seen[0]).packet_code == PacketCode.STATUS_SERVER


def test_a_host_is_an_address():
    with pytest.raises(ConfigError, match=r"old\.example"):
        RadiusExchange([("old.example", 1812)], SharedSecret(UPSTREAM_SECRET), nas_identifier="twinward")
    with pytest.raises(ConfigError, match="at least one"):
        RadiusExchange([], SharedSecret(UPSTREAM_SECRET), nas_identifier="twinward")


def test_a_challenge_hides_its_state():
    assert "a state" not in repr(Challenged(0, (), b"a state"))
