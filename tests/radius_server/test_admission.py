"""Who is let in to be looked at: signatures, several secrets, clients behind one address, and learning ones."""

from dataclasses import replace

import pytest
from support.handled import Nas, without_signature
from support.simulator import LAB, START, make_client

from authn.client import MessageAuthenticatorRule, OnFailure
from radius_server.drops import Cause
from radius_server.sightings import PROMOTE_AFTER
from radius_wire.packet import PacketCode, build_request

LEARNS = make_client(21, "learns", message_authenticator=MessageAuthenticatorRule.LEARN)
ROTATES = make_client(22, "rotates", secrets=(b"the new secret of a client", b"the old secret of a client"))


def test_an_old_and_a_new_secret_are_accepted_together_and_replies_use_the_one_that_was_used():
    nas = Nas(ROTATES)
    alice = nas.world.enrol("alice")
    for number, accepted in enumerate(ROTATES.shared_secrets):
        secret = accepted.secret.reveal()
        typed = alice.password + alice.code_at(30 * number)
        assert nas.log_in("alice", typed, identifier=number, secret=secret).packet_code == PacketCode.ACCESS_ACCEPT
    assert {what for _, what in nas.gate.sightings.take()} == {"signed", "secret 1", "secret 2"}


def test_an_old_secret_ends_on_its_day():
    new, old = ROTATES.shared_secrets
    nas = Nas(replace(ROTATES, shared_secrets=(new, replace(old, until=START))))
    assert nas.log_in("alice", b"x", secret=b"the old secret of a client") is None
    assert nas.drops.counts == {Cause.BAD_AUTHENTICATOR: 1}


def test_several_nas_behind_one_address_are_told_apart_by_their_signatures():
    one, other = make_client(23, "one"), make_client(24, "other", inputs=["prefix"])
    nas = Nas(one, other)
    alice = nas.world.enrol("alice")
    suffix, prefix = alice.password + alice.code_at(), alice.code_at(30) + alice.password
    assert nas.log_in("alice", suffix, secret=one.shared_secret.reveal()).packet_code == PacketCode.ACCESS_ACCEPT
    assert nas.log_in("alice", prefix, secret=other.shared_secret.reveal(), identifier=2)
    assert [settled.request.client.name for settled, _ in nas.world.attempts.settled] == ["one", "other"]
    assert nas.turn(nas.request("alice", suffix, identifier=3, signed=False)) == []
    assert nas.drops.counts == {Cause.UNSIGNED: 1}


def test_a_learning_client_is_promoted_once_it_has_signed_often_enough():
    nas = Nas(LEARNS)
    nas.world.enrol("alice")
    assert nas.turn(nas.request("alice", b"x", identifier=200, signed=False)) == []
    for number in range(PROMOTE_AFTER):
        assert not nas.gate.sightings.to_promote()
        nas.turn(nas.request("alice", b"x", identifier=number))
    assert nas.gate.sightings.to_promote() == [LEARNS]
    assert nas.drops.counts == {}
    assert nas.turn(nas.request("alice", b"x", identifier=201, signed=False), seconds=5)  # refusals come, held before
    assert nas.drops.counts == {Cause.UNSIGNED: 1}
    [alarm] = nas.gate.sightings.take_alarms()
    assert (alarm.client, alarm.host) == (LEARNS, "192.0.2.5")


def test_an_unsigned_request_makes_learning_start_over():
    nas = Nas(LEARNS)
    for number in range(PROMOTE_AFTER * 2):
        nas.turn(nas.request("alice", b"x", identifier=number, signed=number % PROMOTE_AFTER != 0))
    assert not nas.gate.sightings.to_promote()


def test_a_learning_client_may_not_send_proxy_state_unsigned():
    nas = Nas(LEARNS)
    assert nas.turn(nas.request("alice", b"x", signed=False, extra=[(33, b"x")])) == []
    assert nas.drops.counts == {Cause.UNSIGNED_PROXY_STATE: 1}
    assert {what for _, what in nas.gate.sightings.take()} == {"unsigned, Proxy-State"}


def test_alarms_come_once_in_a_while():
    nas = Nas(LAB)
    for number in range(PROMOTE_AFTER):
        nas.turn(nas.request("alice", b"x", identifier=number))
    for number in range(5):
        nas.turn(nas.request("alice", b"x", identifier=100 + number, signed=False))
    assert len(nas.gate.sightings.take_alarms()) == 1


def status_server(secret):
    return build_request(PacketCode.STATUS_SERVER, 7, bytes(range(16)), [], secret)


def test_status_server_is_answered_while_the_server_is_well():
    nas = Nas()
    request = status_server(LAB.shared_secret.reveal())
    [octets] = nas.turn(request)
    assert (octets[0], octets[20]) == (PacketCode.ACCESS_ACCEPT, 80)
    nas.is_well = False
    assert nas.turn(request) == []
    assert nas.drops.counts == {Cause.UNWELL: 1}
    assert nas.world.attempts.settled == []


def test_status_server_must_be_signed_and_may_be_switched_off():
    nas = Nas(make_client(25, "quiet", status_server=False, message_authenticator=MessageAuthenticatorRule.ALLOW))
    request = status_server(nas.client.shared_secret.reveal())
    assert nas.turn(without_signature(request)) == []
    assert nas.turn(request) == []
    assert nas.drops.counts == {Cause.UNSIGNED: 1, Cause.STATUS_OFF: 1}


def test_a_client_that_drops_signed_replies_gets_unsigned_ones():
    """MIT Kerberos; every other client gets the Message-Authenticator first."""
    nas = Nas(make_client(26, "kdc", sign_replies=False))
    alice = nas.world.enrol("alice")
    reply = nas.log_in("alice", alice.password + alice.code_at())
    assert (reply.packet_code, reply.message_authenticator_at) == (PacketCode.ACCESS_ACCEPT, None)


@pytest.mark.parametrize("on_failure", list(OnFailure))
def test_on_failure_a_client_hears_what_its_rule_says_and_never_an_accept(on_failure):
    nas = Nas(make_client(27, "vpn", on_failure=on_failure))
    alice = nas.world.enrol("alice")
    nas.world.attempts.is_down = True
    assert nas.turn(nas.request("alice", alice.password + alice.code_at())) == []
    codes = [octets[0] for octets in nas.turn(seconds=2)]
    assert codes == ([PacketCode.ACCESS_REJECT] if on_failure is OnFailure.REJECT else [])


def test_a_client_gets_no_more_logins_through_than_its_rate():
    nas = Nas(make_client(28, "slow", max_logins_per_s=3))
    for number in range(10):
        nas.turn(nas.request("alice", b"x", identifier=number))
    assert nas.drops.counts == {Cause.TOO_MANY: 7}
    nas.turn(nas.request("alice", b"x", identifier=100), seconds=0.4)
    assert nas.drops.counts == {Cause.TOO_MANY: 7}


def test_an_address_gets_no_more_logins_through_than_its_rate():
    nas = Nas(max_logins_per_s_per_source=2)
    for number in range(3):
        nas.turn(nas.request("alice", b"x", identifier=number))
        nas.turn(nas.request("alice", b"x", identifier=number), peer=("192.0.2.6", 1))
    assert nas.drops.counts == {Cause.TOO_MANY: 2}


def test_repeats_do_not_count_against_a_rate():
    nas = Nas(max_logins_per_s_per_source=1)
    alice = nas.world.enrol("alice")
    request = nas.request("alice", alice.password + alice.code_at())
    assert nas.turn(request) == nas.turn(request) == nas.turn(request)
    assert nas.drops.counts == {}


def test_an_unsigned_request_belongs_to_none_of_several_clients():
    relaxed = make_client(29, "relaxed", message_authenticator=MessageAuthenticatorRule.ALLOW)
    nas = Nas(relaxed, LAB)
    assert nas.turn(nas.request("alice", b"x", signed=False)) == []
    assert nas.drops.counts == {Cause.UNSIGNED: 1}
