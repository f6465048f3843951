"""From packet to request: what cannot be judged is marked, never raised."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulator import LAB, START, World, make_client

from authn.challenge import Opening
from authn.instants import UnixSeconds
from authn.request import NOBODY
from authn.verdict import Accept, Reason
from radius_server.admission import Admitted
from radius_server.datagrams import Datagram
from radius_server.replies import Replies
from radius_server.reply_rules import ReplyRules
from radius_server.translate import to_request
from radius_wire import attributes
from radius_wire.packet import PacketCode, build_request, parse
from radius_wire.password_hiding import hide

SECRET = LAB.shared_secret.reveal()
STATES = World().states


def packet(*asked, typed=None):
    authenticator = os.urandom(16)
    asked = list(asked)
    if typed is not None:
        asked.append((attributes.USER_PASSWORD, hide(typed, SECRET, authenticator)))
    return parse(build_request(PacketCode.ACCESS_REQUEST, 1, authenticator, asked, SECRET))


def admitted(one, client=LAB):
    return Admitted(Datagram(one.octets, 0, ("192.0.2.1", 1)), one, client, SECRET, 0.0)


def request_of(one, client=LAB, realms=frozenset()):
    return to_request(admitted(one, client), START, realms=realms, states=STATES)


def test_name_password_and_station_come_over():
    request = request_of(packet((1, b"Alice"), (31, b"AA-BB"), typed=b"pw123456"))
    assert (request.username, request.password.reveal(), request.station) == ("alice", b"pw123456", "AA-BB")
    assert request.unusable is None


def test_an_empty_station_is_none():
    """Found by the fuzzer: it was taken for a station that is told, and a code passed again as a repeat."""
    assert request_of(packet((1, b"alice"), (31, b""), typed=b"pw123456")).station is None


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (packet((1, b"alice")), Reason.NO_CREDENTIALS),
        (packet((1, b"alice"), (2, bytes(15))), Reason.UNREADABLE_FIELD),
        (packet((1, b"alice"), typed=b"pw\x00x123456"), Reason.UNREADABLE_FIELD),
        (packet((1, b"alice"), (3, bytes(17))), Reason.UNSUPPORTED_METHOD),
        (packet((1, b"alice"), (3, bytes(17)), typed=b"pw123456"), Reason.UNSUPPORTED_METHOD),
        (packet((1, b"alice"), (79, b"\x02\x01\x00\x04"), typed=b"pw123456"), Reason.UNSUPPORTED_METHOD),
    ],
)
def test_what_cannot_be_judged_is_marked(asked, reason):
    assert request_of(asked).unusable is reason


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, 24, 31, 79]), st.binary(max_size=60)), max_size=6))
def test_any_attributes_come_to_a_request_and_a_reply(asked):
    one = packet(*asked)
    request = request_of(one)
    if not any(kind == attributes.USER_NAME for kind, _ in asked):
        assert request.username == NOBODY
    assert request.station is None or request.station.isprintable()
    replies = Replies(ReplyRules(), STATES, os.urandom)
    for octets in (replies.accept(Accept(), admitted(one), request), replies.reject(admitted(one), request)):
        assert parse(octets).message_authenticator_at == 22


def test_a_request_for_authorisation_only_is_refused():
    """RFC 5080 §2.1.1: nothing confidential goes out without credentials."""
    asked = packet((1, b"alice"), (6, (17).to_bytes(4, "big")), typed=b"pw123456")
    assert request_of(asked).unusable is Reason.NO_CREDENTIALS


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (b"ALICE", "alice"),
        (b"CORP\\Alice", "alice"),
        (b"alice@example.org", "alice"),
        (b"CORP\\alice@EXAMPLE.org", "alice"),
        (b"alice@elsewhere.example", "alice@elsewhere.example"),
        ("ÄNNE".encode(), "änne"),
        ("A\u0308nne".encode(), "änne"),
        ("Änne".encode("iso-8859-1"), "änne"),
        ("ａｌｉｃｅ".encode(), "alice"),
    ],
)
def test_one_person_has_one_name_however_it_is_typed(typed, name):
    client = make_client(9, "old", charset="iso-8859-1")
    assert request_of(packet((1, typed), typed=b"x"), client, frozenset(["example.org"])).username == name


@pytest.mark.parametrize(
    ("typed", "password"),
    [
        ("fünf€".encode(), "fünf€"),
        ("fünf".encode("cp1252"), "fünf"),
        ("€uro".encode("cp1252"), "€uro"),
        (b"back\\slash'\"quotes", "back\\slash'\"quotes"),
        (b"x" * 128, "x" * 128),
    ],
)
def test_a_password_is_utf8_or_of_the_clients_charset(typed, password):
    client = make_client(9, "old", charset="cp1252")
    assert request_of(packet((1, b"alice"), typed=typed), client).password.reveal() == password.encode()


def test_octets_of_no_known_charset_stay_as_they_are():
    assert request_of(packet((1, b"alice"), typed=b"\xff\xfe1")).password.reveal() == b"\xff\xfe1"


def test_a_state_is_read_only_where_codes_are_asked_for():
    asks = make_client(8, "asks", inputs=["challenge"])
    opening = Opening(UnixSeconds(START + 100), True, bytes(8))
    state = STATES.seal(opening, "alice", asks)
    assert len(state) <= 253
    assert state.isalnum() or set(state) <= set(b"-_") | set(range(48, 123))
    asked = packet((1, b"ALICE"), (24, state), typed=b"123456")
    assert request_of(asked, asks).conversation.opening == opening
    assert request_of(asked, LAB).conversation is None
    for foreign in (b"", b"x", b"\0" * 16, state[:-4], state[:-1] + b"!", b"A" * 253):
        assert request_of(packet((1, b"alice"), (24, foreign), typed=b"x"), asks).conversation is None
