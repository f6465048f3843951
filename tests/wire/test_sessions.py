"""From accounting to a Disconnect-Request: a NAS tells of a session, an operator ends it."""

import pytest
from support import installations
from support.daemon import Daemon, write_config
from support.installations import SHARED_SECRET
from support.radclient import run_radclient
from support.stub_nas import StubNas


@pytest.fixture
def nas():
    stub = StubNas(41, secret=SHARED_SECRET)
    yield stub
    stub.close()


@pytest.fixture
def daemon(folder, installation, nas):
    installations.add_person(installation, "alice")
    installations.add_client(installation, "vpn", "127.0.0.1", disconnect_port=nas.port, timeout_s=0.5)
    write_config(folder, accounting=True)
    running = Daemon(folder)
    yield running
    running.stop()


def start_session(daemon, number):
    lines = ['User-Name = "Alice"', f'Acct-Session-Id = "s{number}"', "NAS-IP-Address = 192.0.2.1", "NAS-Port = 7"]
    assert run_radclient(daemon.accounting_port, [*lines, "Acct-Status-Type = Start"], "acct").reply


def test_an_operator_ends_a_session(daemon, nas, run_twinward):
    start_session(daemon, 1)
    [session] = run_twinward("session", "list", "--user", "CORP\\alice")["sessions"]
    assert (session["user"], session["acct_session_id"]) == ("alice", "s1")
    [outcome] = run_twinward("session", "disconnect", str(session["id"]))["sessions"]
    assert outcome["ended"]
    [(_, is_proven, request)] = nas.seen
    assert is_proven
    assert request.verify_message_authenticator()
    assert (request[1], request[44], request[5]) == ([b"Alice"], [b"s1"], [b"\0\0\0\7"])
    assert run_twinward("session", "list")["sessions"] == []


def test_disabling_a_user_ends_their_sessions(daemon, nas, run_twinward):
    start_session(daemon, 1)
    start_session(daemon, 2)
    outcomes = run_twinward("user", "disable", "alice")["sessions"]
    assert [one["ended"] for one in outcomes] == [True, True]
    assert {request[44][0] for _, _, request in nas.seen} == {b"s1", b"s2"}
    events = [one["event"] for one in run_twinward("audit", "list")["entries"]]
    assert events.count("session.disconnect") == 2


def test_a_session_is_changed_with_typed_attributes(daemon, nas, run_twinward):
    nas._code = 44
    start_session(daemon, 1)
    run_twinward("session", "change", "1", "--set", "Filter-Id=quarantine", "--set", "Session-Timeout=60")
    [(octets, is_proven, request)] = nas.seen
    assert (octets[0], is_proven) == (43, True)
    assert (request[11], request[27]) == ([b"quarantine"], [b"\0\0\0\x3c"])
