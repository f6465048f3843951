"""What VPN concentrators and Wi-Fi controllers send, from radclient and pam_radius, against the real server."""

import os
import time

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from support import installations
from support.daemon import Daemon, write_config
from support.nas import Nas, access_request
from support.pam_radius import PamService
from support.radclient import radclient, run_radclient

from authn.client import MessageAuthenticatorRule, Method
from radius_wire.mschapv2 import authenticator_response, mppe_keys, nt_password_hash, nt_response
from radius_wire.packet import PacketCode
from store.sessions import Sessions

SIGNED = "Message-Authenticator = 0x00"


@pytest.fixture
def alice(installation):
    return installations.add_person(installation, "alice")


@pytest.fixture
def serve(folder):
    """Start servers over the folder; the last argument may name a client to add at 127.0.0.1."""
    running = []

    def start(name="serve", **rules):
        if rules:
            opened = installations.reopen(folder, "test/cli2")
            installations.add_client(opened, "kind", "127.0.0.1", **rules)
            opened.close()
        running.append(Daemon(folder, name))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def test_a_challenge_through_radclient(alice, serve):
    daemon = serve(inputs=["suffix", "challenge"])
    prompt = radclient(daemon.port, "alice", alice.password)
    assert prompt.reply == "Access-Challenge"
    assert prompt.value("Reply-Message") == '"Enter the code your authenticator app shows: "'
    state = f"State = {prompt.value('State')}"
    assert radclient(daemon.port, "ALICE", alice.code(), extra=state).reply == "Access-Accept"
    assert radclient(daemon.port, "alice", alice.code(30), extra=state).reply == "Access-Reject"
    assert radclient(daemon.port, "alice", alice.typed(30)).reply == "Access-Accept"


def test_a_challenge_through_pam_radius(alice, serve, tmp_path):
    daemon = serve(inputs=["challenge"], message_authenticator=MessageAuthenticatorRule.ALLOW)
    service = PamService(tmp_path, daemon.port)
    try:
        wrong = "000000" if alice.code() != "000000" else "000001"
        told = service.log_in("alice", alice.password, wrong, alice.code())
        assert told.let_in, told.text
        assert "Enter the code your authenticator app shows: " in told.text
        assert "That code did not do." in told.text
        assert not service.log_in("alice", "wrong").let_in
    finally:
        service.remove()


def test_chap_through_radclient(alice, serve):
    daemon = serve(inputs=["code-only"], methods=frozenset(Method))
    lines = [SIGNED, 'User-Name = "alice"', f'CHAP-Password = "{alice.code()}"']
    assert run_radclient(daemon.port, lines).reply == "Access-Accept"
    assert run_radclient(daemon.port, lines).reply == "Access-Reject"


def test_mschapv2_through_radclient(alice, serve):
    """radclient decrypts the keys and prints them; they are the ones that the peer derives."""
    daemon = serve(inputs=["code-only"], methods=frozenset([Method.MSCHAPV2]))
    code, challenge, peer_challenge = alice.code().encode(), os.urandom(16), os.urandom(16)
    nt_hash = nt_password_hash(code)
    response = nt_response(challenge, peer_challenge, b"alice", nt_hash, des)
    lines = [
        SIGNED,
        'User-Name = "alice"',
        f"MS-CHAP-Challenge = 0x{challenge.hex()}",
        f"MS-CHAP2-Response = 0x0700{peer_challenge.hex()}{bytes(8).hex()}{response.hex()}",
    ]
    accept = run_radclient(daemon.port, lines)
    assert accept.reply == "Access-Accept"
    proof = b"\x07" + authenticator_response(challenge, peer_challenge, b"alice", nt_hash, response)
    keys = mppe_keys(nt_hash, response)
    assert accept.value("MS-CHAP2-Success") == f"0x{proof.hex()}"
    assert accept.value("MS-MPPE-Send-Key") == f"0x{keys.send.hex()}"
    assert accept.value("MS-MPPE-Recv-Key") == f"0x{keys.recv.hex()}"
    refused = run_radclient(daemon.port, lines)
    assert refused.reply == "Access-Reject"
    assert "E=691" in refused.text


def des(key, block):
    encryptor = Cipher(TripleDES(key * 3), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def test_status_server_through_radclient(serve, folder):
    write_config(folder, accounting=True)
    daemon = serve()
    lines = [SIGNED, 'NAS-Identifier = "status"']
    assert run_radclient(daemon.port, lines, "status").reply == "Access-Accept"
    assert run_radclient(daemon.accounting_port, lines, "status").reply == "Accounting-Response"
    assert run_radclient(daemon.port, lines[1:], "status", timeout_s=1).reply is None


def test_accounting_through_radclient(alice, serve, folder, installation):
    write_config(folder, accounting=True)
    daemon = serve()
    about = ['User-Name = "CORP\\\\\\\\Alice"', 'Acct-Session-Id = "s1"', "Framed-IP-Address = 10.0.0.9"]
    sessions = Sessions(installation.database)
    assert run_radclient(daemon.accounting_port, [*about, "Acct-Status-Type = Start"], "acct").reply
    [one] = sessions.open("alice")
    assert (one.client, one.nas, one.framed_address) == ("loopback", "127.0.0.1", "10.0.0.9")
    lines = [*about, "Acct-Status-Type = Stop", "Acct-Input-Octets = 42"]
    assert run_radclient(daemon.accounting_port, lines, "acct").reply == "Accounting-Response"
    assert sessions.open() == []
    assert sessions.show(one.id).input_octets == 42
    lines = [*about, "Acct-Status-Type = Start"]
    wrong = run_radclient(daemon.accounting_port, lines, "acct", shared_secret=b"not the shared secret", timeout_s=1)
    assert wrong.reply is None


REPLIES = """
[[reply]]
group = "admins"
attributes = { Fortinet-Group-Name = "admins", Cisco-AVPair = ["shell:priv-lvl=15", "x=y"], Session-Timeout = 600 }
[[reply]]
attributes = { Session-Timeout = 60, Tunnel-Type = "1:VLAN", Tunnel-Private-Group-Id = "1:42", Service-Type = "Login-User" }
"""  # noqa: E501


def test_reply_attributes_through_radclient(folder, installation, serve):
    from authn.secret import Password
    from store.passwords import Passwords
    from store.tokens import NewToken, new_seed
    from store.users import NewUser, Users

    write_config(folder, more=REPLIES)
    seed, parameters = new_seed(), installations.TotpParameters()
    bob = installations.Person("bob", "pw", seed, parameters)
    password_hash = Passwords(installations.CHEAP).hash(Password(b"pw"))
    token = NewToken(seed, parameters, confirmed=True)
    Users(installation, "test").add(NewUser("bob", password_hash, ("admins",), token), installations.now())
    alice = installations.add_person(installation, "alice")
    daemon = serve()
    admin = radclient(daemon.port, "bob", bob.typed())
    assert admin.value("Fortinet-Group-Name") == '"admins"'
    assert admin.text.count("Cisco-AVPair") == 2
    assert admin.value("Session-Timeout") == "600"
    assert (admin.value("Tunnel-Type:1"), admin.value("Tunnel-Private-Group-Id:1")) == ("VLAN", '"42"')
    user = radclient(daemon.port, "alice", alice.typed())
    assert (user.value("Fortinet-Group-Name"), user.value("Session-Timeout")) == (None, "60")
    assert user.value("Service-Type") == "Login-User"


def repeat_of(typed, station, identifier):
    return access_request("alice", typed, identifier=identifier, extra=((31, station),))


def test_a_second_node_gives_the_first_ones_verdict_when_the_reply_was_lost(alice, serve):
    """The NAS asks one node, hears nothing, and asks the other with a new packet; a thief sits elsewhere."""
    first, second = serve("first"), serve("second")
    typed = alice.typed()
    with Nas(first.port) as nas, Nas(second.port) as other:
        nas.send(repeat_of(typed, b"10.0.0.1", 1))
        assert nas.receive() is not None  # and lost on its way
        assert other.ask(repeat_of(typed, b"10.0.0.1", 2)).packet_code == PacketCode.ACCESS_ACCEPT
        assert other.ask(repeat_of(typed, b"10.0.0.2", 3)).packet_code == PacketCode.ACCESS_REJECT
        assert nas.ask(access_request("alice", typed, identifier=4)).packet_code == PacketCode.ACCESS_REJECT


def test_a_challenge_goes_on_at_another_node_once(alice, serve):
    first, second = serve("first", inputs=["challenge"]), serve("second")
    with Nas(first.port) as nas, Nas(second.port) as other:
        state = (24, nas.ask(access_request("alice", alice.password)).first(24))
        answer = access_request("alice", alice.code(), identifier=2, extra=(state,))
        assert other.ask(answer).packet_code == PacketCode.ACCESS_ACCEPT
        again = access_request("alice", alice.code(30), identifier=3, extra=(state,))
        assert nas.ask(again).packet_code == PacketCode.ACCESS_REJECT


def test_a_learning_client_is_promoted_in_the_database(alice, serve, installation):
    from store.nas_clients import NasClients

    daemon = serve(message_authenticator=MessageAuthenticatorRule.LEARN)
    assert radclient(daemon.port, "alice", alice.typed(), signed=False).reply == "Access-Accept"
    with Nas(daemon.port) as nas:
        for identifier in range(20):
            nas.send(access_request("alice", "x", identifier=identifier))
    daemon.wait_for("unsigned ones are dropped from now on")
    rules = NasClients(installation, "test").show("kind").rules
    assert rules.message_authenticator is MessageAuthenticatorRule.REQUIRE
    assert radclient(daemon.port, "alice", alice.typed(30), signed=False, timeout_s=1).reply is None
    daemon.wait_for("ALARM")


def test_rotation_through_the_command_line(alice, serve, folder, run_twinward):
    daemon = serve()
    made = run_twinward("client", "rotate-secret", "loopback")["shared_secret"].encode()
    daemon.wait_for("read the NAS clients again")
    assert radclient(daemon.port, "alice", alice.typed(-30)).reply == "Access-Accept"
    assert radclient(daemon.port, "alice", alice.typed(), shared_secret=made).reply == "Access-Accept"
    run_twinward("client", "rotate-secret", "loopback", "--end-old")
    until = time.monotonic() + 5
    while daemon.log.count("read the NAS clients again") < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert radclient(daemon.port, "alice", alice.typed(30), timeout_s=1).reply is None
    assert radclient(daemon.port, "alice", alice.typed(30), shared_secret=made).reply == "Access-Accept"
    daemon.stop()
    report = run_twinward("client", "audit", "loopback")
    assert (report["signed"], report["safe_to_require"], report["secret_strength"]) == (3, "enforced", "strong")
    assert [one["number"] for one in report["secrets"]] == [2]


def test_who_still_types_the_old_way_is_told(alice, serve, run_twinward):
    daemon = serve(inputs=["suffix", "prefix"])
    assert radclient(daemon.port, "alice", alice.code() + alice.password).reply == "Access-Accept"
    modes = {
        one["mode"]: [use["user"] for use in one["users"]]
        for one in run_twinward("client", "audit", "kind")["input_modes"]
    }
    assert modes == {"suffix": [], "prefix": ["alice"]}


@pytest.mark.parametrize(
    "password",
    ["fünf€ und mehr", "back\\slash \"quotes\" 'too'", "123456", "x", "SCRV1:", "\b\n\r\x7fINCORRECT", "y" * 122],
)
def test_passwords_as_people_have_them(serve, installation, password):
    person = installations.add_person(installation, "Jürgen", password)
    daemon = serve()
    with Nas(daemon.port) as nas:
        reply = nas.ask(access_request("JU\u0308RGEN", person.typed()))
        assert reply.packet_code == PacketCode.ACCESS_ACCEPT
        wrong = nas.ask(access_request("jürgen", "z" + person.typed(30)[1:], identifier=2))
        assert wrong.packet_code == PacketCode.ACCESS_REJECT
