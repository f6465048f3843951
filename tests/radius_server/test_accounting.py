"""Accounting: a response only for what is stored."""

import hashlib

import pytest
from support.handled import without_signature
from support.simulator import LAB

from authn.errors import StoreUnavailableError
from authn.session import SessionEvent
from radius_server.accounting import AccountingHandler
from radius_server.admission import Gate
from radius_server.clients import Clients
from radius_server.datagrams import Datagram, Moment
from radius_server.drops import Cause, Drops
from radius_server.duplicates import Duplicates
from radius_server.sightings import Sightings
from radius_wire.authenticators import verify_reply
from radius_wire.packet import PacketCode, build_request, build_signed_by_authenticator, parse

SECRET = LAB.shared_secret.reveal()
START, STOP, INTERIM, ON = ((40, number.to_bytes(4, "big")) for number in (1, 2, 3, 7))
WHO = [(1, b"CORP\\Alice"), (44, b"session 1"), (31, b"10.0.0.1")]


class Port:
    """The accounting port over a list."""

    def __init__(self):
        self.records, self.is_down, self.poison = [], False, None
        self.drops = Drops()
        gate = Gate(Clients([LAB]), self.drops, Sightings())
        duplicates = Duplicates(lifetime_s=45, max_entries=100)
        self.handler = AccountingHandler(gate, duplicates, self, realms=frozenset(), is_well=lambda: not self.is_down)

    def record(self, records):
        if self.is_down:
            raise StoreUnavailableError("the store is down")
        if any(record.acct_session_id == self.poison for record in records):
            raise OverflowError("an error in twinward")
        self.records += records

    def turn(self, *octets, at=1000.0, seconds=0.0):
        datagrams = [Datagram(one, 5, ("192.0.2.5", 40000)) for one in octets]
        return [one.octets for one in self.handler.handle(datagrams, Moment(at, seconds))]


def accounting_request(*asked, identifier=1, secret=SECRET):
    return build_signed_by_authenticator(PacketCode.ACCOUNTING_REQUEST, identifier, asked, secret)


def test_what_a_nas_tells_is_stored_and_answered():
    port = Port()
    counts = [(42, (7).to_bytes(4, "big")), (52, (1).to_bytes(4, "big")), (8, bytes((10, 0, 0, 9)))]
    request = accounting_request(STOP, *WHO, *counts, (33, b"proxy"), (41, (60).to_bytes(4, "big")))
    [octets] = port.turn(request)
    reply = parse(octets)
    assert reply.packet_code == PacketCode.ACCOUNTING_RESPONSE
    verify_reply(reply, request[4:20], SECRET, require_message_authenticator=False)
    assert reply.message_authenticator_at is None
    assert reply.first(33) == b"proxy"
    [record] = port.records
    assert (record.event, record.username, record.user_name) == (SessionEvent.STOP, "alice", b"CORP\\Alice")
    assert (record.at, record.nas, record.framed_address) == (940.0, "192.0.2.5", "10.0.0.9")
    assert record.input_octets == (1 << 32) + 7
    assert dict(record.identification)[44] == b"session 1"


def test_a_repeat_is_answered_alike_and_stored_once():
    port = Port()
    request = accounting_request(START, *WHO)
    assert port.turn(request) == port.turn(request)
    assert len(port.records) == 1


def test_what_cannot_be_stored_meets_silence_and_its_repeat_is_stored():
    port = Port()
    request = accounting_request(START, *WHO)
    port.is_down = True
    assert port.turn(request) == []
    assert port.drops.counts == {Cause.UNSTORED: 1}
    port.is_down = False
    assert len(port.turn(request)) == 1
    assert len(port.records) == 1


def test_a_record_that_meets_an_error_takes_no_other_with_it():
    port = Port()
    port.poison = b"poison"
    bad, good = accounting_request(START, (44, b"poison")), accounting_request(START, *WHO, identifier=2)
    assert [octets[1] for octets in port.turn(bad, good)] == [2]
    assert port.drops.counts == {Cause.BUG: 1}
    port.poison = None
    assert [octets[1] for octets in port.turn(bad)] == [1]


def test_more_gigawords_than_a_database_can_count_are_as_many_as_it_can():
    """Found by the fuzzer: the number did not fit, and everybody's accounting of that moment was lost."""
    port = Port()
    port.turn(accounting_request(STOP, *WHO, (42, b"\xff" * 4), (52, b"\xff" * 4)))
    assert port.records[0].input_octets == (1 << 63) - 1


@pytest.mark.parametrize(
    ("octets", "cause"),
    [
        (accounting_request(START, *WHO, secret=b"another shared secret"), Cause.BAD_AUTHENTICATOR),
        (accounting_request(*WHO), Cause.MALFORMED),
        (accounting_request(START, (1, b"alice")), Cause.MALFORMED),
        (build_request(PacketCode.ACCESS_REQUEST, 1, bytes(16), [], SECRET), Cause.UNEXPECTED_CODE),
    ],
)
def test_what_is_wrong_meets_silence(octets, cause):
    port = Port()
    assert port.turn(octets) == []
    assert port.drops.counts == {cause: 1}
    assert port.records == []


def test_the_request_authenticator_proves_the_secret_where_there_is_no_signature():
    port = Port()
    bare = bytearray(without_signature(accounting_request(START, *WHO)))
    assert port.turn(bytes(bare)) == []
    bare[4:20] = hashlib.md5(bytes(bare[:4]) + bytes(16) + bytes(bare[20:]) + SECRET).digest()
    assert len(port.turn(bytes(bare))) == 1


def test_a_signature_beside_the_authenticator_must_be_right_too():
    port = Port()
    good = accounting_request(START, *WHO)
    bad = bytearray(good)
    bad[25] ^= 1
    bad[4:20] = hashlib.md5(bytes(bad[:4]) + bytes(16) + bytes(bad[20:]) + SECRET).digest()
    assert port.turn(bytes(bad)) == []
    assert port.drops.counts == {Cause.BAD_AUTHENTICATOR: 1}


def test_a_nas_that_restarts_says_so_and_unknown_news_are_updates():
    port = Port()
    port.turn(accounting_request(ON), accounting_request((40, (99).to_bytes(4, "big")), *WHO, identifier=2))
    assert [record.event for record in port.records] == [SessionEvent.RESTART, SessionEvent.UPDATE]


def test_status_server_is_answered_with_an_accounting_response():
    """RFC 5997 §3: the port decides the reply."""
    port = Port()
    request = build_request(PacketCode.STATUS_SERVER, 1, bytes(range(16)), [], SECRET)
    [octets] = port.turn(request)
    assert octets[0] == PacketCode.ACCOUNTING_RESPONSE
    assert octets[20] == 80
    assert port.turn(without_signature(request)) == []
    port.is_down = True
    assert port.turn(request) == []
    assert port.records == []
