"""From packet to request: what cannot be judged is marked, never raised."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulator import LAB, START

from authn.request import NOBODY
from authn.verdict import Accept, Reason, Reject
from radius_server.translate import to_reply, to_request
from radius_wire import attributes
from radius_wire.packet import PacketCode, build_request, parse
from radius_wire.password_hiding import hide

SECRET = LAB.shared_secret.reveal()


def packet(*asked, typed=None):
    authenticator = os.urandom(16)
    asked = list(asked)
    if typed is not None:
        asked.append((attributes.USER_PASSWORD, hide(typed, SECRET, authenticator)))
    return parse(build_request(PacketCode.ACCESS_REQUEST, 1, authenticator, asked, SECRET))


def test_name_password_and_station_come_over():
    request = to_request(packet((1, b"Alice"), (31, b"AA-BB"), typed=b"pw123456"), LAB, START)
    assert (request.username, request.password.reveal(), request.station) == ("alice", b"pw123456", "AA-BB")
    assert request.unusable is None


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
    assert to_request(asked, LAB, START).unusable is reason


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, 24, 31, 79]), st.binary(max_size=60)), max_size=6))
def test_any_attributes_come_to_a_request_and_a_reply(asked):
    one = packet(*asked)
    request = to_request(one, LAB, START)
    if not any(kind == attributes.USER_NAME for kind, _ in asked):
        assert request.username == NOBODY
    assert request.station is None or request.station.isprintable()
    for verdict in (Accept(), Reject(Reason.WRONG_CODE)):
        assert parse(to_reply(verdict, one, LAB)).message_authenticator_at == 22
