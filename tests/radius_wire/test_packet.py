"""Packets are read strictly and built with the Message-Authenticator first."""

import hashlib
import hmac
from pathlib import Path

import pyrad.dictionary
import pyrad.packet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import vectors

from radius_wire import attributes
from radius_wire.authenticators import verify_message_authenticator, verify_reply
from radius_wire.errors import BadAuthenticatorError, MalformedPacketError, ProtocolError
from radius_wire.packet import MAX_ATTRIBUTES, PacketCode, build_reply, build_request, parse

SECRET = b"xyzzy5461"
AUTHENTICATOR = bytes(range(16))
CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.hex"))

values = st.binary(max_size=253)
types = st.integers(1, 255).filter(lambda kind: kind != attributes.MESSAGE_AUTHENTICATOR)
attribute_lists = st.lists(st.tuples(types, values), max_size=12)


def frame(body: bytes, *, code: int = 1, length: int | None = None) -> bytes:
    """A packet around raw attribute octets."""
    return bytes((code, 7)) + (20 + len(body) if length is None else length).to_bytes(2, "big") + AUTHENTICATOR + body


@given(st.binary(max_size=4200))
def test_any_octets_parse_or_raise_the_one_error(octets):
    try:
        packet = parse(octets)
    except ProtocolError:
        return
    assert 20 + sum(2 + len(value) for _, value in packet.attributes) == len(packet.octets)


@given(st.binary(max_size=300))
def test_any_octets_behind_a_good_header_parse_or_raise_the_one_error(body):
    try:
        packet = parse(frame(body))
    except MalformedPacketError:
        return
    assert b"".join(bytes((kind, len(value) + 2)) + value for kind, value in packet.attributes) == body


@given(attribute_lists, st.binary(max_size=40))
def test_what_is_built_parses_back_in_order_whatever_padding_follows(asked, padding):
    octets = build_request(PacketCode.ACCESS_REQUEST, 3, AUTHENTICATOR, asked, SECRET)
    packet = parse(octets + padding)
    assert packet.octets == octets
    assert packet.attributes[0][0] == attributes.MESSAGE_AUTHENTICATOR
    assert list(packet.attributes[1:]) == asked
    verify_message_authenticator(packet, SECRET)


@given(attribute_lists, st.data())
def test_a_signed_packet_with_any_one_bit_changed_is_refused(asked, data):
    octets = bytearray(build_request(PacketCode.ACCESS_REQUEST, 3, AUTHENTICATOR, asked, SECRET))
    bit = data.draw(st.integers(0, len(octets) * 8 - 1))
    octets[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtocolError):
        verify_message_authenticator(parse(bytes(octets)), SECRET)


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="empty"),
        pytest.param(frame(b"")[:19], id="shorter than a header"),
        pytest.param(frame(b"", length=19), id="Length below 20"),
        pytest.param(frame(bytes(4080), length=4097), id="Length above 4096"),
        pytest.param(frame(b"", length=21), id="Length beyond what came"),
        pytest.param(frame(b"\x01"), id="attribute without length"),
        pytest.param(frame(b"\x01\x00"), id="attribute length 0"),
        pytest.param(frame(b"\x01\x01"), id="attribute length 1"),
        pytest.param(frame(b"\x01\x05ab"), id="attribute runs past the end"),
        pytest.param(frame(b"\x00\x02"), id="attribute type 0"),
        pytest.param(frame(b"\x50\x11" + bytes(15)), id="Message-Authenticator of 15 octets"),
        pytest.param(frame((b"\x50\x12" + bytes(16)) * 2), id="two Message-Authenticators"),
        pytest.param(frame(b"\x12\x02" * (MAX_ATTRIBUTES + 1)), id="201 attributes"),
    ],
)
def test_malformed_packets_are_refused(octets):
    with pytest.raises(MalformedPacketError):
        parse(octets)


def test_two_hundred_attributes_and_4096_octets_are_taken():
    assert len(parse(frame(b"\x12\x02" * MAX_ATTRIBUTES)).attributes) == MAX_ATTRIBUTES
    assert len(parse(frame((b"\x12\xff" + bytes(253)) * 15 + b"\x12\xfb" + bytes(249))).octets) == 4096


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_corpus_parses_or_is_refused_as_its_name_says(path):
    octets = bytes.fromhex(path.read_text())
    if path.stem.startswith("bad_"):
        with pytest.raises(MalformedPacketError):
            parse(octets)
    else:
        assert parse(octets).octets == octets


@pytest.mark.parametrize("case", vectors.load("rfc2865_7")["cases"], ids=lambda case: case["id"])
def test_the_packets_of_rfc_2865_section_7(case):
    request = parse(bytes.fromhex(case.get("request_corrected", case["request"])))
    reply = parse(bytes.fromhex(case["response"]))
    assert request.first(attributes.USER_NAME) == case["user_name"].encode()
    verify_reply(reply, request.authenticator, SECRET, require_message_authenticator=False)
    with pytest.raises(BadAuthenticatorError):  # none of them is signed
        verify_reply(reply, request.authenticator, SECRET)
    if case.get("request_as_printed_is_malformed"):
        with pytest.raises(MalformedPacketError):
            parse(bytes.fromhex(case["request"]))


@pytest.mark.parametrize("case", vectors.load("rfc5997_6")["cases"], ids=lambda case: case["id"])
def test_the_status_requests_of_rfc_5997_section_6(case):
    request = parse(bytes.fromhex(case["request"]))
    assert request.packet_code == PacketCode.STATUS_SERVER
    verify_message_authenticator(request, SECRET)
    reply = parse(bytes.fromhex(case.get("response_corrected", case["response"])))
    verify_reply(reply, request.authenticator, SECRET, require_message_authenticator=False)


@pytest.mark.parametrize(
    "case", vectors.load("derived_replies")["responses_ma_first"], ids=lambda case: str(case["code"])
)
def test_replies_have_exactly_these_octets(case):
    authenticator = bytes.fromhex(case["request_authenticator"])
    request = parse(build_request(PacketCode.ACCESS_REQUEST, case["id"], authenticator, [], SECRET))
    body = parse(frame(bytes.fromhex(case["attributes_after_ma"]))).attributes
    assert build_reply(PacketCode(case["code"]), request, body, SECRET).hex() == case["packet"]


@given(attribute_lists, st.lists(values, max_size=4), st.sampled_from([2, 3, 11]))
def test_every_reply_is_signed_first_and_carries_the_proxy_states_in_order(told, proxy_states, code):
    """Message-Authenticator first (CVE-2024-3596), Proxy-State unmodified and in order (RFC 2865 §5.33)."""
    told = [one for one in told if one[0] != attributes.PROXY_STATE]
    asked = [(attributes.PROXY_STATE, value) for value in proxy_states]
    request = parse(build_request(PacketCode.ACCESS_REQUEST, 9, AUTHENTICATOR, asked, SECRET))
    reply = parse(build_reply(PacketCode(code), request, told, SECRET))
    assert reply.message_authenticator_at == 22
    assert list(reply.attributes[1:]) == told + asked
    verify_reply(reply, AUTHENTICATOR, SECRET)


@given(attribute_lists, st.data())
def test_a_reply_with_any_one_bit_changed_is_refused(told, data):
    request = parse(build_request(PacketCode.ACCESS_REQUEST, 9, AUTHENTICATOR, [], SECRET))
    octets = bytearray(build_reply(PacketCode.ACCESS_REJECT, request, told, SECRET))
    bit = data.draw(st.integers(16, len(octets) * 8 - 1).filter(lambda bit: bit // 8 not in (2, 3)))
    octets[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtocolError):
        verify_reply(parse(bytes(octets)), AUTHENTICATOR, SECRET)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_message_authenticator_is_good_at_any_place(place):
    pieces = [b"\x01\x05bob", b"\x20\x04hi"]
    pieces.insert(place, b"\x50\x12" + bytes(16))
    body = b"".join(pieces)
    mac = hmac.digest(SECRET, frame(body), "md5")
    verify_message_authenticator(parse(frame(body.replace(bytes(16), mac))), SECRET)


def test_an_unsigned_request_does_not_verify():
    with pytest.raises(BadAuthenticatorError):
        verify_message_authenticator(parse(frame(b"\x01\x05bob")), SECRET)


def test_what_no_packet_can_carry_is_a_value_error():
    request = parse(frame(b""))
    for told in ([(18, bytes(254))], [(0, b"")], [(256, b"")], [(18, bytes(253))] * 17, [(80, bytes(16))]):
        with pytest.raises(ValueError):
            build_reply(PacketCode.ACCESS_REJECT, request, told, SECRET)


def test_a_packet_does_not_show_its_values():
    packet = parse(frame(b"\x02\x12" + b"sixteen octets!!"))
    assert "sixteen" not in repr(packet)


def test_pyrad_reads_our_request_and_we_read_its_reply():
    """An independent implementation agrees on hiding, signing and framing."""
    dictionary = pyrad.dictionary.Dictionary()
    octets = build_request(PacketCode.ACCESS_REQUEST, 5, AUTHENTICATOR, [(1, b"bob"), (33, b"p1"), (33, b"p2")], SECRET)
    theirs = pyrad.packet.AuthPacket(packet=octets, secret=SECRET, dict=dictionary)
    assert theirs.verify_message_authenticator()
    assert theirs[1] == [b"bob"]
    answer = theirs.CreateReply()
    answer.code = 3
    answer.add_message_authenticator()
    verify_reply(parse(answer.ReplyPacket()), AUTHENTICATOR, SECRET)


def test_the_response_authenticator_is_that_of_rfc_2865():
    request = parse(build_request(PacketCode.ACCESS_REQUEST, 9, AUTHENTICATOR, [], SECRET))
    reply = build_reply(PacketCode.ACCESS_ACCEPT, request, [], SECRET)
    assert reply[4:20] == hashlib.md5(reply[:4] + AUTHENTICATOR + reply[20:] + SECRET).digest()
