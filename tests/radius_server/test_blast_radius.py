"""CVE-2024-3596, both directions (`docs/standards.md`): each mitigation through the real handler.

The attacker sits on the path, sees an Access-Request, adds or takes away what he
likes, and needs an unsigned request that is answered, its Proxy-State echoed
before anything keyed, to turn the reply into an Access-Accept.
"""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.handled import Nas, without_signature
from support.simulator import LAB, RELAXED, make_client

from authn.client import MessageAuthenticatorRule, Method, OnFailure
from radius_server.drops import Cause
from radius_wire import attributes
from radius_wire.authenticators import verify_reply
from radius_wire.packet import PacketCode, build_request, parse
from radius_wire.password_hiding import hide

ASKS = make_client(41, "asks", inputs=["challenge"])
UNIFORM = make_client(42, "uniform", inputs=["challenge"], uniform_challenge=True)
CODES = make_client(43, "codes", inputs=["code-only"], methods=frozenset(Method))
FAILS = make_client(44, "fails", on_failure=OnFailure.REJECT)
PROXY_STATE = (attributes.PROXY_STATE, b"chosen by the attacker")


def replies_to(nas, request):
    """Everything that comes back, sooner or later."""
    return [parse(octets) for octets in nas.turn(request) + nas.turn(seconds=5)]


@pytest.mark.parametrize("rule", list(MessageAuthenticatorRule))
@given(place=st.integers(0, 3), value=st.binary(max_size=253))
def test_an_unsigned_request_with_proxy_state_is_never_answered(rule, place, value):
    """The carrier of the attack, anywhere in the packet, from any client."""
    nas = Nas(make_client(45, "nas", message_authenticator=rule))
    alice = nas.world.enrol("alice")
    extra = [(attributes.NAS_IDENTIFIER, b"x"), (attributes.NAS_PORT, bytes(4)), (31, b"10.0.0.1")]
    extra.insert(place, (attributes.PROXY_STATE, value))
    request = nas.request("alice", alice.password + alice.code_at(), signed=False, extra=extra)
    assert replies_to(nas, request) == []
    assert nas.world.attempts.settled == []


@pytest.mark.parametrize("client", [LAB, ASKS, CODES], ids=lambda client: client.name)
def test_taking_the_signature_away_is_no_downgrade(client):
    nas = Nas(client)
    alice = nas.world.enrol("alice")
    signed = nas.request("alice", alice.password + alice.code_at())
    assert replies_to(nas, without_signature(signed)) == []
    assert nas.drops.counts == {Cause.UNSIGNED: 1}
    assert len(replies_to(nas, signed)) == 1


@given(st.integers(0, 4))
def test_a_signature_is_good_at_any_place(place):
    """Never drop a request because of where its Message-Authenticator stands."""
    nas = Nas()
    alice = nas.world.enrol("alice")
    secret, authenticator = LAB.shared_secret.reveal(), os.urandom(16)
    asked = [(1, b"alice"), (2, hide(alice.password + alice.code_at(), secret, authenticator)), PROXY_STATE, (32, b"x")]
    pieces = [bytes((kind, len(value) + 2)) + value for kind, value in asked]
    pieces.insert(place, b"\x50\x12" + bytes(16))
    body = b"".join(pieces)
    packet = b"\x01\x07" + (20 + len(body)).to_bytes(2, "big") + authenticator + body
    import hmac

    at = 20 + sum(map(len, pieces[:place])) + 2
    signed = packet[:at] + hmac.digest(secret, packet, "md5") + packet[at + 16 :]
    [reply] = replies_to(nas, signed)
    assert reply.packet_code == PacketCode.ACCESS_ACCEPT


def every_kind_of_reply():
    """Requests of all kinds, each at a NAS of its own, with what the reply must be."""
    nas = Nas()
    alice = nas.world.enrol("alice")
    yield nas, nas.request("alice", alice.password + alice.code_at(), extra=[PROXY_STATE]), 2
    yield nas, nas.request("mallory", b"x", 2, extra=[PROXY_STATE]), 3
    yield nas, nas.request("alice", b"", 3, extra=[PROXY_STATE, (79, b"\x02\x01\x00\x04")]), 3
    yield nas, build_request(PacketCode.STATUS_SERVER, 4, os.urandom(16), [PROXY_STATE], LAB.shared_secret.reveal()), 2
    relaxed = Nas(RELAXED)
    bob = relaxed.world.enrol("bob")
    yield relaxed, relaxed.request("bob", bob.password + bob.code_at(), signed=False), 2
    yield relaxed, relaxed.request("bob", b"x", 2, signed=False), 3
    asks = Nas(ASKS)
    carol = asks.world.enrol("carol")
    yield asks, asks.request("carol", carol.password, extra=[PROXY_STATE]), 11
    state = asks.log_in("carol", carol.password, identifier=2).first(attributes.STATE)
    yield asks, asks.request("carol", b"000000", 3, extra=[(attributes.STATE, state), PROXY_STATE]), 11
    uniform = Nas(UNIFORM)
    yield uniform, uniform.request("nobody", b"x", extra=[PROXY_STATE]), 11
    codes = Nas(CODES)
    codes.world.enrol("dora")
    yield codes, codes.request("dora", b"000000", extra=[PROXY_STATE]), 3
    fails = Nas(FAILS)
    fails.world.attempts.is_down = True
    yield fails, fails.request("alice", b"x", extra=[PROXY_STATE]), 3


def test_every_kind_of_reply_begins_with_its_signature():
    """Keyed octets before the attacker's: the prefix that he would need is not his to choose."""
    codes = set()
    for nas, request, code in every_kind_of_reply():
        [reply] = replies_to(nas, request)
        assert reply.packet_code == code
        assert reply.octets[20:22] == b"\x50\x12"
        verify_reply(reply, request[4:20], nas.client.shared_secret.reveal())
        codes.add(code)
    assert codes == {2, 3, 11}


def test_nothing_that_the_peer_sent_comes_back_unsigned():
    """But for a State that we made, nothing of a request is echoed to a client that need not sign."""
    nas = Nas(RELAXED)
    alice = nas.world.enrol("alice")
    told = [(attributes.CALLING_STATION_ID, b"attacker"), (attributes.CLASS, b"attacker"), (24, b"attacker")]
    for number, typed in enumerate((alice.password + alice.code_at(), b"attacker")):
        [reply] = replies_to(nas, nas.request("alice", typed, number, signed=False, extra=told))
        assert b"attacker" not in reply.octets
        assert b"alice" not in reply.octets
