"""FreeRADIUS's own client against the running server."""

import signal
import sqlite3
import subprocess
import time

import pytest
from support import installations
from support.daemon import Daemon, write_config
from support.debian import require_program
from support.radclient import radclient

from authn.client import MessageAuthenticatorRule


@pytest.fixture
def alice(installation):
    return installations.add_person(installation, "alice")


def test_password_and_code_are_accepted_and_the_code_is_then_spent(alice, daemon):
    """radclient itself verifies the Response Authenticator and the Message-Authenticator of what it prints."""
    typed = alice.typed()
    accepted = radclient(daemon.port, "alice", typed)
    assert accepted.reply == "Access-Accept"
    assert "Message-Authenticator = 0x" in accepted.text.split("Received Access-Accept")[1]
    assert radclient(daemon.port, "alice", typed).reply == "Access-Reject"
    assert radclient(daemon.port, "ALICE", alice.typed(30)).reply == "Access-Accept"


def test_radtest_logs_in(alice, daemon):
    program = require_program("radtest", "freeradius-utils")
    command = [program, "alice", alice.typed(), f"127.0.0.1:{daemon.port}", "0", installations.SHARED_SECRET.decode()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert "Received Access-Accept" in done.stdout


@pytest.mark.parametrize("what", ["wrong password", "wrong code", "unknown user", "no code"])
def test_what_is_wrong_is_rejected(alice, daemon, what):
    name, typed = {
        "wrong password": ("alice", "wrong" + alice.code()),
        "wrong code": ("alice", alice.typed(3000)),
        "unknown user": ("mallory", alice.typed()),
        "no code": ("alice", alice.password),
    }[what]
    rejected = radclient(daemon.port, name, typed)
    assert rejected.reply == "Access-Reject"
    assert 'Reply-Message = "Login refused."' in rejected.text


def test_a_wrong_shared_secret_gets_silence(alice, daemon):
    silent = radclient(daemon.port, "alice", alice.typed(), shared_secret=b"another shared secret", timeout_s=1)
    assert silent.reply is None
    daemon.wait_for("the shared secrets differ")
    assert radclient(daemon.port, "alice", alice.typed()).reply == "Access-Accept"


def test_an_unsigned_request_gets_silence_unless_the_client_is_relaxed_by_name(alice, installation, daemon):
    assert radclient(daemon.port, "alice", alice.typed(), signed=False, timeout_s=1).reply is None
    daemon.wait_for("no Message-Authenticator")
    installations.add_client(installation, "relaxed", "127.0.0.1", message_authenticator=MessageAuthenticatorRule.ALLOW)
    daemon.wait_for("read the NAS clients again")
    with_proxy_state = radclient(
        daemon.port, "alice", alice.typed(), signed=False, extra="Proxy-State = 0x41", timeout_s=1
    )
    assert with_proxy_state.reply is None
    relaxed = radclient(daemon.port, "alice", alice.typed(), signed=False)
    assert relaxed.reply == "Access-Accept"
    assert "Message-Authenticator" in relaxed.text.split("Received Access-Accept")[1]


def test_an_unknown_client_gets_silence(tmp_path):
    installation = installations.create(tmp_path)
    alice = installations.add_person(installation, "alice")
    installations.add_client(installation, "elsewhere", "192.0.2.0/24")
    installation.close()
    write_config(tmp_path)
    daemon = Daemon(tmp_path)
    try:
        assert radclient(daemon.port, "alice", alice.typed(), timeout_s=1).reply is None
        daemon.wait_for("no client at this address")
    finally:
        assert daemon.stop() == 0


def test_proxy_states_come_back_in_order(alice, daemon):
    extra = "Proxy-State = 0x4142\nProxy-State = 0x43"
    reply = radclient(daemon.port, "alice", alice.typed(), extra=extra).text.split("Received Access-Accept")[1]
    assert reply.index("Proxy-State = 0x4142") < reply.index("Proxy-State = 0x43\n")


def test_it_serves_ipv6_beside_ipv4_and_wildcards(alice, folder):
    write_config(folder, "[::]", "0.0.0.0")
    daemon = Daemon(folder)
    try:
        assert radclient(daemon.ports[0], "alice", alice.typed(), host="::1").reply == "Access-Accept"
        assert radclient(daemon.ports[1], "alice", alice.typed(30)).reply == "Access-Accept"
    finally:
        daemon.stop()


def test_a_code_accepted_just_before_kill_9_is_spent_after_a_restart(alice, folder):
    daemon = Daemon(folder)
    typed = alice.typed()
    assert radclient(daemon.port, "alice", typed).reply == "Access-Accept"
    daemon.kill()
    daemon = Daemon(folder, "again")
    try:
        assert radclient(daemon.port, "alice", typed).reply == "Access-Reject"
        assert radclient(daemon.port, "alice", alice.typed(30)).reply == "Access-Accept"
    finally:
        daemon.stop()


def test_sigterm_answers_what_is_under_way(alice, folder):
    write_config(folder, reject_delay_s=2.0)
    daemon = Daemon(folder)
    program = require_program("radclient", "freeradius-utils")
    command = [
        program,
        "-x",
        "-r",
        "1",
        "-t",
        "9",
        f"127.0.0.1:{daemon.port}",
        "auth",
        installations.SHARED_SECRET.decode(),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking:
        request = 'Message-Authenticator = 0x00\nUser-Name = "alice"\nUser-Password = "wrong000000"\n'
        asking.stdin.write(request)
        asking.stdin.close()
        until_audited(folder, "login")
        assert daemon.stop() == 0
        assert "Received Access-Reject" in asking.stdout.read()


def until_audited(folder, event):
    """Wait until the audit table tells of an event."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        connection = sqlite3.connect(folder / "twinward.db")
        found = connection.execute("SELECT count(*) FROM audit WHERE event = ?", (event,)).fetchone()[0]
        connection.close()
        if found:
            return
        time.sleep(0.05)
    raise AssertionError(f"no {event} was audited")


def test_sighup_takes_over_good_settings_and_refuses_faulty_ones(alice, folder, daemon):
    path = folder / "twinward.toml"
    good = path.read_text()
    path.write_text(good + "[login]\nwindow = 'wide'\n")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for("reload refused")
    path.write_text(good + "[login]\nwindow = 4\n")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for("settings read again")
    assert radclient(daemon.port, "alice", alice.typed(-100)).reply == "Access-Accept"


def test_a_lower_floor_waits_for_the_restart(alice, folder, daemon):
    """How long a first factor may take was made to fit the old one; a wrong password could be refused too late."""
    path = folder / "twinward.toml"
    path.write_text(path.read_text().replace("reject_delay_s = 0.3", "reject_delay_s = 0.05"))
    daemon.signal(signal.SIGHUP)
    daemon.wait_for("restart to change radius")
    began = time.monotonic()
    assert radclient(daemon.port, "alice", "x").reply == "Access-Reject"
    assert time.monotonic() - began >= 0.3
