"""Passwords that others keep, and hashes that others made, through the real server.

The directory is a slapd, the other RADIUS server a FreeRADIUS, the host this one.
"""

import base64
import contextlib
import time

import bcrypt
import pytest
from sqlalchemy import select
from support import installations
from support.daemon import Daemon, write_config
from support.freeradius_upstream import ALICE, BOB, CAROL, JUERGEN, UPSTREAM_SECRET, FreeradiusUpstream
from support.garbage import Garbage
from support.host import host_user, pam_service, run
from support.lossy import LossyPath
from support.nas import Nas, access_request
from support.nas_at import NasAt, ask_at_once, form_of
from support.pam_radius import PamService
from support.radclient import radclient
from support.slapd import BASE_DN, PASSWORDS, PEOPLE_DN, SEARCH_DN, SEARCH_PASSWORD, Authority, Slapd

from authn.client import MessageAuthenticatorRule, OnFailure
from radius_wire.attributes import MESSAGE_AUTHENTICATOR, REPLY_MESSAGE, STATE
from radius_wire.packet import PacketCode, parse
from store import schema
from store.contexts import verifier_context
from store.tokens import NewToken, new_seed
from store.users import NewUser, Users

pytestmark = pytest.mark.timeout(60)

ACCEPT, REJECT, CHALLENGE = PacketCode.ACCESS_ACCEPT, PacketCode.ACCESS_REJECT, PacketCode.ACCESS_CHALLENGE
FLOOR_S = 0.7  # of refusals; a first factor may take four fifths of it
NAS_TIMEOUT_S = 1.5
ASKING, REFUSING = "127.0.0.2", "127.0.0.3"  # clients beside that of 127.0.0.1, which appends the code


@pytest.fixture
def serve(folder):
    """Start the server with these tables at the end of its configuration."""
    running = []

    def start(more="", reject_delay_s=FLOOR_S):
        write_config(folder, reject_delay_s=reject_delay_s, more=more)
        running.append(Daemon(folder))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def member(installation):
    """Add users with a token and no password of ours."""

    def add(name, password, *groups):
        person = installations.Person(name, password, new_seed(), installations.TotpParameters())
        token = NewToken(person.seed, person.parameters, confirmed=True)
        Users(installation, "test").add(NewUser(name, None, groups, token), installations.now())
        return person

    return add


def ask(nas, name, typed, state=None, timeout_s=5.0):
    extra = () if state is None else ((STATE, state),)
    return nas.ask(access_request(name, typed, extra=extra), timeout_s)


def failures(installation):
    """The names of those with failures on record."""
    query = select(schema.users.c.username).join_from(schema.tallies, schema.users).where(schema.tallies.c.failures > 0)
    with installation.database.read() as connection:
        return connection.execute(query).scalars().all()


# A directory


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("directory")
    slapd = Slapd(folder / "slapd", Authority.create(folder))
    yield slapd
    slapd.stop()


def by_template(directory, folder):
    return f"""
[first_factors.corp]
kind = "ldap"
servers = ["{directory.url}"]
bind_dn = "uid={{username}},{PEOPLE_DN}"
[[password]]
group = "staff"
by = "corp"
"""


def by_search(directory, folder):
    secret = folder / "search.secret"
    secret.touch(0o600)
    secret.write_bytes(SEARCH_PASSWORD + b"\n")
    return f"""
[first_factors.corp]
kind = "ldap"
servers = ["{directory.tls_url}"]
ca_file = "{directory.folder}/ca.pem"
base_dn = "{BASE_DN}"
user_filter = "(uid={{username}})"
search_dn = "{SEARCH_DN}"
search_password_file = "search.secret"
[[password]]
group = "staff"
by = "corp"
"""


@pytest.fixture
def alice(member):
    """Somebody whose password the directory keeps."""
    return member("alice", PASSWORDS["alice"], "staff")


@pytest.mark.parametrize("way", [by_template, by_search])
def test_a_directory_is_asked_once_a_login_and_only_when_the_code_is_right(alice, serve, directory, folder, way):
    daemon = serve(way(directory, folder))
    before = len(directory.user_binds())

    def binds():
        return len(directory.user_binds()) - before

    with Nas(daemon.port) as nas:
        code = alice.code()
        assert ask(nas, "alice", alice.typed(3000)).packet_code == REJECT
        assert binds() == 0
        assert ask(nas, "alice", "wrong" + code).packet_code == REJECT
        assert binds() == 1
        assert ask(nas, "alice", alice.password + code).packet_code == ACCEPT  # so the wrong password did not burn it
        assert binds() == 2
        assert ask(nas, "alice", alice.password + code).packet_code == REJECT
        assert binds() == 2
        assert ask(nas, "ALICE", alice.typed(30)).packet_code == ACCEPT
        assert binds() == 3
    assert "Traceback" not in daemon.log


def test_a_client_that_asks_for_the_code_has_the_directory_asked_before(alice, installation, serve, directory, folder):
    installations.add_client(installation, "asking", ASKING, inputs=["challenge"])
    daemon = serve(by_template(directory, folder))
    before = len(directory.user_binds())
    with NasAt(daemon.port, ASKING) as nas:
        assert ask(nas, "alice", "wrong").packet_code == REJECT
        asked = ask(nas, "alice", alice.password)
        assert asked.packet_code == CHALLENGE
        again = ask(nas, "alice", alice.code(3000), asked.first(STATE))
        assert again.packet_code == CHALLENGE
        assert ask(nas, "alice", alice.code(), again.first(STATE)).packet_code == ACCEPT
        assert ask(nas, "alice", alice.code(30), again.first(STATE)).packet_code == REJECT
    assert len(directory.user_binds()) - before == 2


def test_who_is_not_in_the_group_has_a_password_of_ours(alice, installation, serve, directory, folder):
    bob = installations.add_person(installation, "bob", "a password of ours")
    daemon = serve(by_template(directory, folder))
    before = directory.user_binds()
    with Nas(daemon.port) as nas:
        assert ask(nas, "bob", PASSWORDS["bob"] + bob.code()).packet_code == REJECT
        assert ask(nas, "bob", bob.typed()).packet_code == ACCEPT
    assert directory.user_binds() == before


@contextlib.contextmanager
def hangs(directory):
    directory.freeze()
    try:
        yield
    finally:
        directory.thaw()


@contextlib.contextmanager
def is_dead(directory):
    directory.halt()
    try:
        yield
    finally:
        directory.start()


@contextlib.contextmanager
def lies(directory):
    with is_dead(directory), Garbage(directory.port) as garbage:
        yield
        assert garbage.connections > 0


@pytest.mark.parametrize("fault", [hangs, is_dead, lies])
def test_a_directory_that_cannot_tell_costs_nobody_anything(
    alice, installation, serve, directory, folder, run_twinward, fault
):
    """Silence for who asks elsewhere, a refusal for who wants one; no failure is counted and no code is burnt."""
    installations.add_client(installation, "silent", "127.0.0.1", timeout_s=NAS_TIMEOUT_S)
    installations.add_client(installation, "refusing", REFUSING, timeout_s=NAS_TIMEOUT_S, on_failure=OnFailure.REJECT)
    daemon = serve(by_template(directory, folder))
    typed = alice.typed()
    request = access_request("alice", typed)
    with Nas(daemon.port) as nas:
        with fault(directory):
            nas.send(request)
            names = ["alice", "mallory"]
            refusals = ask_at_once(daemon.port, [access_request(name, typed) for name in names], REFUSING)
            assert nas.receive(NAS_TIMEOUT_S - FLOOR_S) is None
        assert [parse(refusal).packet_code for refusal in refusals] == [REJECT, REJECT]
        assert form_of(refusals[0]) == form_of(refusals[1])
        assert failures(installation) == []
        assert run_twinward("user", "show", "alice")["standing"] == "enabled"
        assert nas.ask(request).packet_code == ACCEPT  # the NAS has sent it again, the code is good still
    assert "Traceback" not in daemon.log


def test_a_prompt_goes_on_once_the_directory_is_back(alice, installation, serve, directory, folder):
    """Its answer needs no directory, so it is judged while that one is dead."""
    installations.add_client(installation, "asking", ASKING, inputs=["challenge"], timeout_s=NAS_TIMEOUT_S)
    daemon = serve(by_template(directory, folder))
    with NasAt(daemon.port, ASKING) as nas:
        with is_dead(directory):
            assert ask(nas, "alice", alice.password, timeout_s=1.0) is None
        asked = ask(nas, "alice", alice.password)
        assert asked.packet_code == CHALLENGE
        with is_dead(directory):
            assert ask(nas, "alice", alice.code(), asked.first(STATE)).packet_code == ACCEPT
    assert failures(installation) == []


def test_users_of_our_own_do_not_wait_for_a_directory_that_hangs(installation, member, serve, directory, folder):
    """More logins than the directory has threads, and none of them has been answered when ours are through."""
    installations.add_client(installation, "refusing", REFUSING, on_failure=OnFailure.REJECT)
    staff = [member(f"staff{number}", "some password", "staff") for number in range(8)]
    people = installations.add_people(installation, [f"own{number}" for number in range(4)])
    daemon = serve(by_template(directory, folder), reject_delay_s=1.6)
    with contextlib.ExitStack() as stack:
        stack.enter_context(hangs(directory))
        waiting = [stack.enter_context(NasAt(daemon.port, REFUSING)) for _ in staff]
        for nas, person in zip(waiting, staff, strict=True):
            nas.send(access_request(person.name, person.typed()))
        started = time.monotonic()
        with Nas(daemon.port) as nas:
            for person in people:
                assert ask(nas, person.name, person.typed()).packet_code == ACCEPT
        assert time.monotonic() - started < 1.0
        assert all(nas.receive(0.001) is None for nas in waiting)


def test_four_kinds_of_refusal_are_the_same_octets(alice, member, serve, directory, folder):
    zoe = member("zoë", PASSWORDS["zoë"], "staff")
    guest = member("bob", PASSWORDS["bob"], "staff")
    daemon = serve(by_template(directory, folder) + '[[policy]]\nname = "no guests"\nuser = "bob"\nrefuse = true\n')
    tries = {
        "wrong password": ("alice", "wrong" + alice.code()),
        "wrong code": ("zoë", zoe.typed(3000)),
        "unknown user": ("mallory", alice.typed()),
        "policy": ("bob", guest.typed()),
    }
    requests = [access_request(*tried, identifier=at) for at, tried in enumerate(tries.values(), 7)]
    refusals = ask_at_once(daemon.port, requests)
    assert [(refusal[0], refusal[1]) for refusal in refusals] == [(REJECT, at) for at in range(7, 11)]
    assert len({form_of(refusal) for refusal in refusals}) == 1
    daemon.stop()
    with Nas(serve(by_template(directory, folder)).port) as nas:  # without the rule, so it was the rule
        assert ask(nas, "bob", guest.typed()).packet_code == ACCEPT


# The host


def test_the_host_keeps_passwords(installation, member, serve):
    with host_user("correct horse battery") as name, pam_service() as service:
        person = member(name, "correct horse battery")
        daemon = serve(f"""
[first_factors.host]
kind = "pam"
service = "{service}"
[[password]]
user = "{name}"
by = "host"
""")
        code = person.code()
        with Nas(daemon.port) as nas:
            run("usermod", "-e", "1", name)
            assert ask(nas, name, person.password + code).packet_code == REJECT
            daemon.wait_for(f"the password of {name} is right, but the account is refused: PAM_ACCT_EXPIRED")
            run("usermod", "-e", "", name)
            assert ask(nas, name, "wrong" + code).packet_code == REJECT
            assert failures(installation) == [name]
            assert ask(nas, name, person.password + code).packet_code == ACCEPT
            assert failures(installation) == []
        daemon.stop()
        assert person.password not in daemon.log


# Another RADIUS server


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    server = FreeradiusUpstream(tmp_path_factory.mktemp("upstream"))
    yield server
    server.stop()


@pytest.fixture
def serve_old(folder, upstream, serve):
    """Start the server, with all passwords at the other one, or at what stands at another port for it."""

    def start(more="", port=None):
        secret = folder / "old.secret"
        secret.touch(0o600)
        secret.write_bytes(UPSTREAM_SECRET)
        return serve(f"""
[first_factors.old]
kind = "radius"
servers = ["127.0.0.1:{port or upstream.port}"]
shared_secret_file = "old.secret"
[[password]]
by = "old"
{more}
""")

    return start


def question_of(reply):
    assert reply.packet_code == CHALLENGE
    return reply.first(REPLY_MESSAGE).decode()


def test_a_question_of_another_server_is_relayed_and_the_code_is_spent_with_its_yes(member, serve_old, upstream):
    bob = member(*BOB[:2])
    daemon = serve_old()
    before = upstream.requests
    typed, answer = bob.typed(), BOB[2]
    with Nas(daemon.port) as nas:
        assert ask(nas, "bob", bob.typed(3000)).packet_code == REJECT
        assert upstream.requests == before  # a wrong code asks nobody
        asked = ask(nas, "bob", typed)
        assert question_of(asked) == "Bobs Code: "
        assert ask(nas, "bob", "999999", asked.first(STATE)).packet_code == REJECT
        asked, beside = ask(nas, "bob", typed), ask(nas, "bob", typed)
        assert question_of(asked) == question_of(beside) == "Bobs Code: "  # so the wrong answer spent nothing
        accept = ask(nas, "bob", answer, asked.first(STATE))
        assert accept.packet_code == ACCEPT
        assert [kind for kind, _ in accept.attributes] == [MESSAGE_AUTHENTICATOR]  # nothing of that server's
        requests = [
            access_request("bob", typed),
            access_request("bob", answer, extra=((STATE, asked.first(STATE)),)),
            access_request("bob", answer, extra=((STATE, beside.first(STATE)),)),
        ]
        assert [parse(reply).packet_code for reply in ask_at_once(daemon.port, requests)] == [REJECT] * 3
        asked = ask(nas, "bob", bob.typed(30))
        assert ask(nas, "bob", answer, asked.first(STATE)).packet_code == ACCEPT
    assert "Traceback" not in daemon.log


def test_two_questions_of_another_server_are_relayed(member, serve_old):
    carol = member(*CAROL[:2])
    daemon = serve_old()
    with Nas(daemon.port) as nas:
        first = ask(nas, "carol", carol.typed())
        assert question_of(first) == "Erster Schlüssel: "
        second = ask(nas, "carol", CAROL[2], first.first(STATE))
        assert question_of(second) == "Zweiter Schlüssel: "
        assert first.first(STATE) != second.first(STATE)
        assert ask(nas, "carol", CAROL[3], second.first(STATE)).packet_code == ACCEPT
        assert ask(nas, "carol", carol.typed()).packet_code == REJECT


def test_a_question_of_another_server_through_radclient(member, serve_old):
    carol = member(*CAROL[:2])
    port = serve_old().port
    first = radclient(port, "carol", carol.typed())
    second = radclient(port, "carol", CAROL[2], extra=f"State = {first.value('State')}")
    assert (first.reply, second.reply) == ("Access-Challenge", "Access-Challenge")
    assert radclient(port, "carol", CAROL[3], extra=f"State = {second.value('State')}").reply == "Access-Accept"


def test_a_question_of_another_server_through_pam_radius(member, installation, serve_old, tmp_path):
    installations.add_client(
        installation, "pam_radius", "127.0.0.1", message_authenticator=MessageAuthenticatorRule.ALLOW
    )
    bob, carol = member(*BOB[:2]), member(*CAROL[:2])
    service = PamService(tmp_path, serve_old().port)
    try:
        typed = bob.typed()
        assert not service.log_in("bob", typed, "999999").let_in
        told = service.log_in("bob", typed, BOB[2])
        assert told.let_in, told.text
        assert "Bobs Code: " in told.text
        told = service.log_in("carol", carol.typed(), *CAROL[2:])
        assert told.let_in, told.text
        assert "Erster Schlüssel: " in told.text
        assert "Zweiter Schlüssel: " in told.text
    finally:
        service.remove()


def test_the_state_of_another_user_is_ignored(member, serve_old):
    """Carol with Bob's State is asked her own first question, and Bob's State stays good for him."""
    bob, carol = member(*BOB[:2]), member(*CAROL[:2])
    daemon = serve_old()
    with Nas(daemon.port) as nas:
        state_of_bob = ask(nas, "bob", bob.typed()).first(STATE)
        assert question_of(ask(nas, "carol", carol.typed(), state_of_bob)) == "Erster Schlüssel: "
        assert ask(nas, "carol", BOB[2], state_of_bob).packet_code == REJECT
        assert ask(nas, "bob", BOB[2], state_of_bob).packet_code == ACCEPT


def test_another_server_that_is_silent_at_the_answer_costs_nobody_anything(member, installation, serve_old, upstream):
    bob = member(*BOB[:2])
    daemon = serve_old()
    typed = bob.typed()
    with Nas(daemon.port) as nas:
        asked = ask(nas, "bob", typed)
        upstream.freeze()
        try:
            assert ask(nas, "bob", BOB[2], asked.first(STATE), timeout_s=1.0) is None
            assert ask(nas, "bob", typed, timeout_s=1.0) is None
        finally:
            upstream.thaw()
        assert failures(installation) == []
        asked = ask(nas, "bob", typed)
        assert ask(nas, "bob", BOB[2], asked.first(STATE)).packet_code == ACCEPT


def test_an_answer_that_was_lost_on_its_way_is_taken_when_the_nas_sends_it_again(
    member, installation, serve_old, upstream
):
    """No reply is no verdict: the question stays open."""
    bob = member(*BOB[:2])
    with LossyPath(upstream.port) as path:
        daemon = serve_old(port=path.port)
        with Nas(daemon.port) as nas:
            asked = ask(nas, "bob", bob.typed())
            answer = access_request("bob", BOB[2], extra=((STATE, asked.first(STATE)),))
            path.is_cut = True
            assert nas.ask(answer, timeout_s=1.0) is None
            assert path.lost > 0
            path.is_cut = False
            assert nas.ask(answer).packet_code == ACCEPT
    assert failures(installation) == []


def test_a_question_that_was_answered_is_put_to_the_other_server_no_more(member, installation, serve_old, upstream):
    """Else who holds an old State could have answers counted there as often as they like."""
    bob = member(*BOB[:2])
    daemon = serve_old()
    with Nas(daemon.port) as nas:
        state = ask(nas, "bob", bob.typed()).first(STATE)
        assert ask(nas, "bob", BOB[2], state).packet_code == ACCEPT
        before = upstream.requests
        assert ask(nas, "bob", "999999", state).packet_code == REJECT
    assert upstream.requests == before
    assert failures(installation) == []


def test_the_prompt_for_our_code_comes_after_the_questions_of_another_server(member, installation, serve_old):
    installations.add_client(installation, "asking", ASKING, inputs=["challenge"], prompt="Our code: ")
    carol = member(*CAROL[:2])
    daemon = serve_old()
    with NasAt(daemon.port, ASKING) as nas:
        asked, questions = ask(nas, "carol", CAROL[1]), []
        for typed in (CAROL[2], CAROL[3], carol.code()):
            questions.append(question_of(asked))
            asked = ask(nas, "carol", typed, asked.first(STATE))
        assert questions == ["Erster Schlüssel: ", "Zweiter Schlüssel: ", "Our code: "]
        assert asked.packet_code == ACCEPT


def test_until_a_date_the_old_server_alone_lets_in_who_has_no_token_here(member, installation, serve_old, upstream):
    """A name that is not plain may fold to one of somebody enrolled; it needs a user here, without a token."""
    alice = member(*ALICE)
    daemon = serve_old('alone_until = "2099-12-31"')
    with Nas(daemon.port) as nas:
        asked = ask(nas, "bob", BOB[1])
        assert question_of(asked) == "Bobs Code: "
        assert ask(nas, "bob", BOB[2], asked.first(STATE)).packet_code == ACCEPT
        before = upstream.requests
        assert ask(nas, *JUERGEN).packet_code == REJECT
        assert upstream.requests == before
        Users(installation, "test").add(NewUser(JUERGEN[0]), installations.now())
        assert ask(nas, *JUERGEN).packet_code == ACCEPT
        assert ask(nas, "bob", "wrong").packet_code == REJECT
        before = upstream.requests
        assert ask(nas, *ALICE).packet_code == REJECT  # enrolled, so the code belongs to it
        assert upstream.requests == before
        assert ask(nas, "alice", alice.typed()).packet_code == ACCEPT


def test_after_that_date_it_does_not(member, serve_old, upstream):
    alice = member(*ALICE)
    daemon = serve_old('alone_until = "2020-01-31"')
    before = upstream.requests
    requests = [access_request(*BOB[:2]), access_request(*JUERGEN), access_request(*ALICE)]
    assert [parse(reply).packet_code for reply in ask_at_once(daemon.port, requests)] == [REJECT] * 3
    assert upstream.requests == before
    with Nas(daemon.port) as nas:
        assert ask(nas, "alice", alice.typed()).packet_code == ACCEPT


# Hashes that others made


OF_PHP = "$2y$10$gDLRGrOH8I5W.VQ7nt.h0e7.hFrvA3SVwvFSPZHxFOBWw3i/JeB8G"  # password_hash() of PHP 8.2


def of_php(password):
    assert password == "correct horse"
    return OF_PHP


def of_python(password):
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode()


@pytest.mark.parametrize("make", [of_php, of_python])
def test_an_imported_hash_lets_in_and_gives_way_to_ours(folder, installation, serve, run_twinward, make):
    person = installations.Person("alice", "correct horse", new_seed(), installations.TotpParameters())
    made = make(person.password)
    seed = base64.b32encode(person.seed.reveal()).decode()
    users = folder / "users.csv"
    users.write_text(f"name,password,seed,password_hash\nalice,,{seed},{made}\n")
    assert run_twinward("user", "import", "--file", users) == {"added": 1}
    assert verifier_of(installation, "alice") == made
    daemon = serve()
    code = person.code()
    with Nas(daemon.port) as nas:
        assert ask(nas, "alice", "wrong" + code).packet_code == REJECT
        assert verifier_of(installation, "alice") == made
        assert ask(nas, "alice", person.password + code).packet_code == ACCEPT
        ours = verifier_of(installation, "alice")
        assert ours.startswith("$argon2id$")
        assert ask(nas, "alice", person.typed(30)).packet_code == ACCEPT
        assert verifier_of(installation, "alice") == ours


def verifier_of(installation, name):
    """The hash on record, opened."""
    with installation.database.read() as connection:
        row = connection.execute(select(schema.users).where(schema.users.c.username == name)).one()
    return installation.keyring.open(row.sealed_verifier, verifier_context(row.id, row.username)).decode()
