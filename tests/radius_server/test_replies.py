"""What the NAS gets to hear: prompts, attributes, and the proofs of CHAP and MS-CHAPv2."""

import os

import pytest
from support.handled import Nas
from support.simulator import make_client

from authn.client import Method
from radius_server.handler import HandlerSettings
from radius_server.proofs import _des
from radius_server.reply_rules import MAX_REPLY_OCTETS, ReplyRule, ReplyRules
from radius_wire import attributes
from radius_wire.built_in_dictionary import BUILT_IN
from radius_wire.chap import chap_response
from radius_wire.mschapv2 import authenticator_response, mppe_keys, nt_password_hash, nt_response
from radius_wire.packet import PacketCode, build_request, parse
from radius_wire.prepared_attribute import prepare
from radius_wire.salt_encryption import decrypt
from radius_wire.vendor_attributes import encode_vendor, vendor_attributes

ASKS = make_client(31, "asks", inputs=["challenge"], prompt="Code: ")
UNIFORM = make_client(32, "uniform", inputs=["challenge"], uniform_challenge=True)
CODES = make_client(33, "codes", inputs=["code-only"], methods=frozenset(Method))


def texts(packet):
    return [value.decode() for value in packet.all(attributes.REPLY_MESSAGE)]


def test_a_prompt_leaves_at_once_with_one_text_and_one_state():
    nas = Nas(ASKS)
    alice = nas.world.enrol("alice")
    prompt = nas.log_in("alice", alice.password)
    assert prompt.packet_code == PacketCode.ACCESS_CHALLENGE
    assert texts(prompt) == ["Code: "]
    [state] = prompt.all(attributes.STATE)
    assert len(state) <= 253
    assert b"\0" not in state
    answer = nas.log_in("alice", alice.code_at(), identifier=2, extra=[(attributes.STATE, state)])
    assert answer.packet_code == PacketCode.ACCESS_ACCEPT
    assert answer.first(attributes.STATE) is None


def test_another_try_waits_like_a_refusal_and_keeps_its_state():
    nas = Nas(ASKS)
    alice = nas.world.enrol("alice")
    state = nas.log_in("alice", alice.password).first(attributes.STATE)
    assert nas.turn(nas.request("alice", b"000000", 2, extra=[(attributes.STATE, state)])) == []
    assert nas.turn(seconds=0.9) == []
    [octets] = nas.turn(seconds=0.2)
    again = parse(octets)
    assert again.packet_code == PacketCode.ACCESS_CHALLENGE
    assert again.all(attributes.STATE) == [state]
    assert texts(again) == ["That code did not do. Code: "]


def test_uniform_prompts_all_wait_and_look_alike():
    nas = Nas(UNIFORM)
    alice = nas.world.enrol("alice")
    shapes = set()
    for number, (name, typed) in enumerate((("alice", alice.password), ("alice", b"wrong"), ("mallory", b"x"))):
        assert nas.turn(nas.request(name, typed, number)) == []
        [octets] = nas.turn(seconds=1.01)
        prompt = parse(octets)
        assert prompt.packet_code == PacketCode.ACCESS_CHALLENGE
        shapes.add((tuple(texts(prompt)), len(octets)))
    assert len(shapes) == 1


def test_any_node_goes_on_with_a_conversation():
    """The second node knows the first one's users and keys, and nothing else of it."""
    first, second = Nas(ASKS), Nas(ASKS)
    alice = first.world.enrol("alice")
    second.world.attempts, second.world.states = first.world.attempts, first.world.states
    second.handler._desk._store, second.handler._states = first.world.attempts, first.world.states
    state = first.log_in("alice", alice.password).first(attributes.STATE)
    answer = second.request("alice", alice.code_at(), 9, extra=[(attributes.STATE, state)])
    assert parse(second.turn(answer)[0]).packet_code == PacketCode.ACCESS_ACCEPT
    assert first.turn(first.request("alice", alice.code_at(), 10, extra=[(attributes.STATE, state)])) == []
    assert first.turn(seconds=2)[0][0] == PacketCode.ACCESS_REJECT


def rule(name, *values, **conditions):
    return ReplyRule(tuple(prepare(BUILT_IN.find(name), value) for value in values), **conditions)


def test_an_accept_tells_what_the_rules_say_the_particular_before_the_general():
    rules = ReplyRules(
        (
            rule("Filter-Id", "alice-only", user="alice"),
            rule("Filter-Id", "everybody"),
            rule("Class", "OU=admins", group="admins"),
            rule("Session-Timeout", 600, client="lab"),
            rule("Session-Timeout", 60),
        )
    )
    assert [one.octets for one in rules.attributes_for("alice", (), "lab")] == [b"alice-only", b"\0\0\x02\x58"]
    told = [one.octets for one in rules.attributes_for("bob", ("users", "admins"), "vpn")]
    assert told == [b"everybody", b"OU=admins", b"\0\0\0\x3c"]


def test_rules_that_could_fill_a_reply_are_refused():
    one = rule("Class", "x" * 250)
    with pytest.raises(ValueError, match=str(MAX_REPLY_OCTETS)):
        ReplyRules((one,) * 9)


def test_an_accept_carries_the_attributes_and_a_reject_none():
    rules = ReplyRules((rule("Fortinet-Group-Name", "admins"), rule("Tunnel-Password", "hidden")))
    nas = Nas(reply_rules=rules)
    alice = nas.world.enrol("alice")
    request = nas.request("alice", alice.password + alice.code_at())
    accept = parse(nas.turn(request)[0])
    assert vendor_attributes(accept.first(attributes.VENDOR_SPECIFIC)) == [(12356, 1, b"admins")]
    hidden = accept.first(69)
    assert decrypt(hidden[1:], nas.client.shared_secret.reveal(), request[4:20]) == b"hidden"
    assert nas.turn(nas.request("alice", b"wrong", 2)) == []
    reject = parse(nas.turn(seconds=2)[0])
    assert [kind for kind, _ in reject.attributes] == [attributes.MESSAGE_AUTHENTICATOR, attributes.REPLY_MESSAGE]
    nas.handler.settings = HandlerSettings()
    assert nas.log_in("alice", alice.password + alice.code_at(30), identifier=3).first(26) is None


def chap_request(nas, name, response, challenge=None, identifier=1):
    authenticator = os.urandom(16)
    asked = [(1, name), (attributes.CHAP_PASSWORD, response(challenge or authenticator))]
    if challenge is not None:
        asked.append((attributes.CHAP_CHALLENGE, challenge))
    secret = nas.client.shared_secret.reveal()
    return build_request(PacketCode.ACCESS_REQUEST, identifier, authenticator, asked, secret)


@pytest.mark.parametrize("challenge", [None, b"a challenge of its own"])
def test_chap_proves_a_code_once(challenge):
    nas = Nas(CODES)
    alice = nas.world.enrol("alice")

    def prove(challenge):
        return b"\x2a" + chap_response(0x2A, alice.code_at(), challenge)

    [octets] = nas.turn(chap_request(nas, b"alice", prove, challenge))
    assert octets[0] == PacketCode.ACCESS_ACCEPT
    assert nas.turn(chap_request(nas, b"alice", prove, challenge, 2)) == []
    assert nas.turn(seconds=2)[0][0] == PacketCode.ACCESS_REJECT


def test_chap_is_refused_where_it_is_not_allowed():
    nas = Nas(make_client(34, "pap", inputs=["code-only"]))
    alice = nas.world.enrol("alice")
    request = chap_request(nas, b"alice", lambda challenge: b"\1" + chap_response(1, alice.code_at(), challenge))
    assert nas.turn(request) == []
    assert nas.turn(seconds=2)[0][0] == PacketCode.ACCESS_REJECT
    assert nas.world.attempts.settled[0][1].reason == "unsupported_method"


def mschapv2_request(nas, name, code, identifier=1):
    """An MS-CHAPv2 login; the request, and what it was made of."""
    challenge, peer_challenge = os.urandom(16), os.urandom(16)
    response = nt_response(challenge, peer_challenge, name, nt_password_hash(code), _des)
    asked = [
        (1, name),
        (26, encode_vendor(311, 11, challenge)),
        (26, encode_vendor(311, 25, b"\x07\0" + peer_challenge + bytes(8) + response)),
    ]
    secret = nas.client.shared_secret.reveal()
    octets = build_request(PacketCode.ACCESS_REQUEST, identifier, os.urandom(16), asked, secret)
    return octets, challenge, peer_challenge, response


def test_mschapv2_proves_a_code_and_both_ends_get_keys():
    nas = Nas(CODES)
    alice = nas.world.enrol("alice")
    code, name = alice.code_at(), b"CORP\\alice"
    request, challenge, peer_challenge, response = mschapv2_request(nas, name, code)
    reply = parse(nas.turn(request)[0])
    assert reply.packet_code == PacketCode.ACCESS_ACCEPT
    told = {kind: value for one in reply.all(26) for _, kind, value in vendor_attributes(one)}
    nt_hash, secret = nt_password_hash(code), nas.client.shared_secret.reveal()
    assert told[26] == b"\x07" + authenticator_response(challenge, peer_challenge, name, nt_hash, response)
    keys = mppe_keys(nt_hash, response)
    assert decrypt(told[16], secret, request[4:20]) == keys.send
    assert decrypt(told[17], secret, request[4:20]) == keys.recv
    assert told[16][:2] != told[17][:2]


def test_a_refused_mschapv2_gets_its_error():
    nas = Nas(CODES)
    nas.world.enrol("alice")
    assert nas.turn(mschapv2_request(nas, b"alice", b"000000")[0]) == []
    reject = parse(nas.turn(seconds=2)[0])
    assert reject.packet_code == PacketCode.ACCESS_REJECT
    [(vendor, kind, value)] = vendor_attributes(reject.first(26))
    assert (vendor, kind, value[:11]) == (311, 2, b"\x07E=691 R=0 ")


@pytest.mark.parametrize(
    "broken",
    [
        [(3, b"short")],
        [(26, encode_vendor(311, 11, b"x")), (26, encode_vendor(311, 25, bytes(50)))],
        [(26, encode_vendor(311, 25, bytes(49)))],
        [(26, encode_vendor(311, 1, bytes(50)))],
        [(26, (311).to_bytes(4, "big") + b"\x19\0")],
    ],
)
def test_broken_proofs_are_refused(broken):
    nas = Nas(CODES)
    nas.world.enrol("alice")
    secret = nas.client.shared_secret.reveal()
    request = build_request(PacketCode.ACCESS_REQUEST, 1, os.urandom(16), [(1, b"alice"), *broken], secret)
    assert nas.turn(request) == []
    assert nas.turn(seconds=2)[0][0] == PacketCode.ACCESS_REJECT
