"""Disconnect-Request and CoA-Request, checked by pyrad as a NAS that knows nothing of our codec."""

import time

import pytest
from support.stub_nas import StubNas

from radius_client.dynamic_authorization import Done, Refused, change, disconnect
from radius_client.errors import NoReplyError

SESSION = [(1, b"alice"), (44, b"session 1"), (4, bytes((192, 0, 2, 1)))]


@pytest.fixture
def stub():
    made = []

    def make(*args, **more):
        made.append(StubNas(*args, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_nas_ends_the_session_it_is_told_of(stub):
    nas = stub(41)
    before = int(time.time())
    assert disconnect(nas.server, SESSION) == Done()
    [(octets, is_proven, request)] = nas.seen
    assert is_proven
    assert octets[0] == 40
    assert (request[1], request[44]) == ([b"alice"], [b"session 1"])
    assert before <= int.from_bytes(request[55][0], "big") <= time.time()
    assert octets[20] == 80  # signed as well
    assert request.verify_message_authenticator()


def test_a_lost_reply_is_asked_for_with_the_same_octets(stub):
    nas = stub(41, lost=1)
    assert disconnect(nas.server, SESSION) == Done()
    assert len({octets for octets, _, _ in nas.seen}) == 1
    assert len(nas.seen) == 2


@pytest.mark.parametrize(("cause", "told"), [(503, "it is over already"), (501, "allow it at the NAS"), (999, "999")])
def test_a_refusal_says_why(stub, cause, told):
    refused = disconnect(stub(42, [(101, cause.to_bytes(4, "big"))]).server, SESSION)
    assert refused == Refused(cause)
    assert told in str(refused)


def test_a_session_is_changed(stub):
    nas = stub(44)
    assert change(nas.server, SESSION, [(11, b"quarantine")]) == Done()
    [(octets, is_proven, request)] = nas.seen
    assert (octets[0], is_proven, request[11]) == (43, True, [b"quarantine"])


def test_a_reply_without_the_secret_is_not_believed(stub):
    with pytest.raises(NoReplyError):
        disconnect(stub(41, secret=b"another secret").server, SESSION)


def test_a_silent_nas_is_no_reply(stub):
    with pytest.raises(NoReplyError):
        disconnect(stub(41, lost=9).server, SESSION)
