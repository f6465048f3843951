"""What the replies look like, octet for octet."""

import time

import pytest
from support import installations
from support.daemon import Daemon, write_config
from support.nas import Nas, access_request

from radius_wire import attributes
from radius_wire.packet import PacketCode, parse


@pytest.fixture
def alice(installation):
    return installations.add_person(installation, "alice")


def test_the_same_datagram_gets_the_same_octets_again(alice, daemon):
    for typed, code in ((alice.typed(), PacketCode.ACCESS_ACCEPT), ("wrong000000", PacketCode.ACCESS_REJECT)):
        with Nas(daemon.port) as nas:
            request = access_request("alice", typed)
            nas.send(request)
            first = nas.receive()
            assert parse(first).packet_code == code
            for _ in range(3):
                nas.send(request)
                assert nas.receive() == first


def test_a_repeat_while_the_refusal_is_held_back_gets_one_reply(alice, daemon):
    with Nas(daemon.port) as nas:
        request = access_request("alice", "wrong000000")
        for _ in range(3):
            nas.send(request)
        assert nas.receive() is not None
        assert nas.receive(0.4) is None


def test_all_refusals_have_the_same_octets_and_leave_no_earlier_than_their_floor(alice, installation, folder):
    """Unknown user, wrong password, wrong code, locked, disabled, replayed: none can be told from another."""
    from store.users import Users

    write_config(folder, reject_delay_s=0.4)
    daemon = Daemon(folder)
    disabled, locked = (installations.add_person(installation, name) for name in ("bob", "carol"))
    Users(installation, "test").set_enabled("bob", False, installations.now())
    spent = alice.typed()
    with Nas(daemon.port) as nas:
        assert nas.ask(access_request("alice", spent)).packet_code == PacketCode.ACCESS_ACCEPT
        for identifier in range(100, 106):
            nas.send(access_request("carol", f"wrong000{identifier}", identifier=identifier))
        for _ in range(6):
            nas.receive()
    tries = {
        "replayed": ("alice", spent),
        "wrong password": ("alice", "wrong" + alice.code(30)),
        "wrong code": ("alice", alice.typed(3000)),
        "unknown user": ("mallory", alice.typed()),
        "impossible name": ("\x01", alice.typed()),
        "disabled": ("bob", disabled.typed()),
        "locked": ("carol", locked.typed()),
        "no code": ("alice", "x"),
    }
    seen = {}
    for what, (name, typed) in tries.items():
        with Nas(daemon.port) as nas:
            started = time.monotonic()
            reply = nas.ask(access_request(name, typed))
            assert time.monotonic() - started >= 0.4, what
            assert reply.packet_code == PacketCode.ACCESS_REJECT, what
            seen[what] = [pair for pair in reply.attributes if pair[0] != attributes.MESSAGE_AUTHENTICATOR]
            assert reply.message_authenticator_at == 22
    daemon.stop()
    assert all(shown == seen["wrong code"] for shown in seen.values()), seen


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x01",
        bytes(20),
        b"\x01\x01\x00\x14" + bytes(16),
        b"\x01\x01\xff\xff" + bytes(16),
        bytes(5000),
        b"\xff" * 4096,
    ],
)
def test_malformed_octets_get_silence_and_do_no_harm(alice, daemon, octets):
    with Nas(daemon.port) as nas:
        for _ in range(20):
            nas.send(octets)
        assert nas.receive(0.5) is None
        assert nas.ask(access_request("alice", alice.typed())).packet_code == PacketCode.ACCESS_ACCEPT
    assert daemon.log.count("dropped a datagram") <= 2
    assert "Traceback" not in daemon.log


@pytest.mark.parametrize("code", [2, 3, 4, 5, 11, 40, 255])
def test_other_codes_get_silence(daemon, code):
    request = bytearray(access_request("alice", "x"))
    request[0] = code
    with Nas(daemon.port) as nas:
        nas.send(bytes(request))
        assert nas.receive(0.3) is None


def test_chap_and_eap_are_refused_as_their_rfcs_say(alice, daemon):
    with Nas(daemon.port) as nas:
        chap = access_request("alice", alice.typed(), extra=((attributes.CHAP_PASSWORD, bytes(17)),))
        assert nas.ask(chap).packet_code == PacketCode.ACCESS_REJECT
        identity = (attributes.EAP_MESSAGE, b"\x02\x2a\x00\x0a\x01alice")
        refused = nas.ask(access_request("alice", "", identifier=2, extra=(identity,)))
        assert refused.packet_code == PacketCode.ACCESS_REJECT
        assert refused.first(attributes.EAP_MESSAGE) == b"\x04\x2a\x00\x04"
        assert refused.first(attributes.REPLY_MESSAGE) is None
