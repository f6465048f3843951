"""The way of a request, without a socket: what is answered, when, and what meets silence."""

import pytest
from support.handled import Nas
from support.simulator import LAB, RELAXED

from authn.errors import StoreUnavailableError
from radius_server.drops import Cause, Drops
from radius_server.replies import Replies
from radius_wire import attributes
from radius_wire.authenticators import verify_reply
from radius_wire.packet import PacketCode, parse


def test_an_accept_leaves_at_once_and_is_signed_first():
    nas = Nas()
    alice = nas.world.enrol("alice")
    request = nas.request("alice", alice.password + alice.code_at())
    [octets] = nas.turn(request)
    reply = parse(octets)
    assert reply.packet_code == PacketCode.ACCESS_ACCEPT
    assert reply.attributes[0][0] == attributes.MESSAGE_AUTHENTICATOR
    verify_reply(reply, request[4:20], LAB.shared_secret.reveal())


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_a_refusal_leaves_when_its_floor_and_jitter_have_passed(jitter):
    nas = Nas(jitter=jitter)
    assert nas.turn(nas.request("mallory", b"x")) == []
    assert nas.handler.wait_s(nas.moment()) == pytest.approx(1.0 + 0.1 * jitter)
    assert nas.turn(seconds=0.99 + 0.1 * jitter) == []
    [octets] = nas.turn(seconds=0.02)
    assert parse(octets).packet_code == PacketCode.ACCESS_REJECT
    assert nas.handler.is_idle()


def test_a_repeat_gets_the_same_octets_and_spends_nothing():
    nas = Nas()
    alice = nas.world.enrol("alice")
    request = nas.request("alice", alice.password + alice.code_at())
    first = nas.turn(request)
    assert nas.turn(request, seconds=40) == first
    assert len(nas.world.attempts.settled) == 1


def test_strangers_and_forgeries_meet_silence_and_are_counted():
    nas = Nas()
    good = nas.request("alice", b"x")
    forged = good[:-1] + bytes((good[-1] ^ 1,))
    assert nas.turn(good, peer=("203.0.113.1", 1)) == []
    assert nas.turn(forged) == []
    assert nas.turn(b"\x01\x02") == []
    assert nas.turn(nas.request("alice", b"x", signed=False)) == []
    assert nas.turn(b"\x04" + good[1:]) == []
    assert nas.turn(seconds=5) == []
    assert nas.drops.counts == {
        Cause.UNKNOWN_CLIENT: 1,
        Cause.BAD_AUTHENTICATOR: 1,
        Cause.MALFORMED: 1,
        Cause.UNSIGNED: 1,
        Cause.UNEXPECTED_CODE: 1,
    }
    assert nas.world.attempts.settled == []


def test_a_forged_packet_does_not_touch_the_reply_cache():
    """RFC 5080 §2.2.2: the same identifier and authenticator with a wrong signature must not take the place."""
    nas = Nas()
    alice = nas.world.enrol("alice")
    request = nas.request("alice", alice.password + alice.code_at())
    forged = bytearray(request)
    forged[30] ^= 1
    assert nas.turn(bytes(forged)) == []
    assert len(nas.turn(request)) == 1


def test_a_relaxed_client_may_send_unsigned_but_neither_proxy_state_nor_eap():
    nas = Nas(RELAXED)
    alice = nas.world.enrol("alice")
    typed = alice.password + alice.code_at()
    assert nas.turn(nas.request("alice", typed, signed=False, extra=[(33, b"x")])) == []
    assert nas.turn(nas.request("alice", typed, signed=False, extra=[(79, b"\x02\x01\x00\x04")])) == []
    assert nas.drops.counts == {Cause.UNSIGNED_PROXY_STATE: 1, Cause.UNSIGNED_EAP: 1}
    [octets] = nas.turn(nas.request("alice", typed, signed=False))
    assert parse(octets).message_authenticator_at == 22


def test_a_wrong_signature_is_dropped_even_from_a_relaxed_client():
    nas = Nas(RELAXED)
    request = bytearray(nas.request("alice", b"x"))
    request[25] ^= 1
    assert nas.turn(bytes(request)) == []
    assert nas.drops.counts == {Cause.BAD_AUTHENTICATOR: 1}


def test_a_dead_store_is_silence_and_the_repeat_is_judged_anew():
    nas = Nas()
    alice = nas.world.enrol("alice")
    request = nas.request("alice", alice.password + alice.code_at())
    nas.world.attempts.is_down = True
    assert nas.turn(request) == []
    assert nas.turn(seconds=5) == []
    assert isinstance(nas.faults[0], StoreUnavailableError)
    nas.world.attempts.is_down = False
    [octets] = nas.turn(request)
    assert parse(octets).packet_code == PacketCode.ACCESS_ACCEPT


def test_an_overfull_desk_sheds_and_the_repeat_is_judged():
    nas = Nas(max_waiting=10)
    people = [nas.world.enrol(f"user{number}") for number in range(9)]
    requests = [nas.request(one.name, one.password + one.code_at(), number) for number, one in enumerate(people)]
    assert len(nas.turn(*requests)) == 4
    assert nas.drops.counts == {Cause.SHED: 5}
    assert len(nas.turn(*requests[:6])) == 6  # four again, and two of the others


def test_refusals_that_wait_are_bounded():
    nas = Nas(max_held=3)
    for number in range(9):
        nas.turn(nas.request(f"mallory{number}", b"x", number))
    assert len(nas.turn(seconds=2)) == 3
    assert nas.drops.counts == {Cause.SHED: 6}


def test_an_error_over_one_datagram_does_not_stop_the_others():
    nas = Nas()
    alice = nas.world.enrol("alice")
    lookup = nas.gate.clients.lookup

    def stumble(host):
        if host == "192.0.2.66":
            raise RuntimeError("stumbled")
        return lookup(host)

    nas.gate.clients.lookup = stumble
    assert nas.turn(nas.request("alice", b"x"), peer=("192.0.2.66", 1)) == []
    assert nas.drops.counts == {Cause.BUG: 1}
    assert len(nas.turn(nas.request("alice", alice.password + alice.code_at()))) == 1


def test_a_request_whose_reply_could_not_hold_its_proxy_states_is_dropped_and_spends_nothing():
    nas = Nas()
    alice = nas.world.enrol("alice")
    typed = alice.password + alice.code_at()
    too_much = [(33, bytes(253))] * 15
    assert nas.turn(nas.request("alice", typed, extra=too_much)) == []
    assert nas.drops.counts == {Cause.UNANSWERABLE: 1}
    [octets] = nas.turn(nas.request("alice", typed, identifier=2, extra=too_much[:13]))
    assert parse(octets).packet_code == PacketCode.ACCESS_ACCEPT


def test_an_error_over_one_reply_does_not_stop_the_others(monkeypatch):
    nas = Nas()
    people = [nas.world.enrol(name) for name in ("alice", "bob")]
    requests = [nas.request(one.name, one.password + one.code_at(), number) for number, one in enumerate(people)]
    accept = Replies.accept

    def stumble(self, verdict, admitted, request):
        if admitted.packet.identifier == 0:
            raise RuntimeError("stumbled")
        return accept(self, verdict, admitted, request)

    monkeypatch.setattr(Replies, "accept", stumble)
    assert len(nas.turn(*requests)) == 1
    assert nas.drops.counts == {Cause.BUG: 1}


def test_drops_are_logged_once_in_a_while(caplog):
    drops = Drops(interval_s=10)
    for number in range(1000):
        drops.count(Cause.MALFORMED, "192.0.2.1", number / 1000)
    assert len(caplog.records) == 1
    drops.count(Cause.MALFORMED, "192.0.2.1", 11.0)
    assert len(caplog.records) == 2
    assert "999 more" in caplog.text or "1000 more" in caplog.text
    assert drops.counts[Cause.MALFORMED] == 1001
