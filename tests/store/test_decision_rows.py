"""What the decision engine keeps in the database: places, buckets, recovery codes, exemptions, better verifiers."""

import dataclasses
import json
import sqlite3

import pytest
from support import installations

from authn.authenticate import Login, authenticate
from authn.client import AcceptedInput, InputMode
from authn.decide import decide
from authn.errors import OperationError
from authn.exemption import ExemptionKind
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding, Keeper
from authn.instants import UnixSeconds
from authn.lockout import LockoutPolicy
from authn.policy import KeeperRule, Policy
from authn.ports import Settlement
from authn.request import AccessRequest, canonical_username
from authn.secret import Password, Verifier
from authn.verdict import Accept, Challenge, Exempted, Reason, RecoveryCodeUsed, Reject
from store import audit
from store.attempts import SqliteAttempts
from store.exemptions import MAX_BYPASS_S, Exemptions
from store.fleet_clock import ENOUGH_USERS, fleet_clock
from store.nas_clients import NasClients
from store.recovery_codes import RecoveryCodes
from store.shadow_report import shadow_outcomes
from store.standing import Standing
from store.tokens import NewToken, Tokens, new_seed
from store.users import NewUser, Users

HOME, ABROAD = "192.0.2.7", "198.51.100.7"
GRACE, BYPASS = ExemptionKind.GRACE, ExemptionKind.BYPASS


class Desk:
    """Logins against a real database at a held clock; the first factor knows one password."""

    def __init__(self, installation, folder):
        self.installation, self._folder = installation, folder
        installations.add_client(installation, "lab", "192.0.2.0/24")
        installations.add_client(installation, "other", "198.51.100.0/24")
        installations.add_client(installation, "asks", "203.0.113.0/24", inputs=["challenge"])
        clients = NasClients(installation, "test")
        self.lab, self.other, self.asks = (clients.show(name) for name in ("lab", "other", "asks"))
        self.attempts = SqliteAttempts(installation.database, installation.keyring, installation.audit)
        self.policy = Policy()
        self.now = installations.now()
        self.renewed = None
        self.asked = []

    def request(self, name, typed, client=None, **more):
        field = Password(typed if isinstance(typed, bytes) else typed.encode())
        return AccessRequest(canonical_username(name.encode()), field, client or self.lab, self.now, **more)

    def login(self, name, typed, client=None, **more):
        return self.judge([self.request(name, typed, client, **more)])[0]

    def judge(self, requests):
        logins = [Login(request) for request in requests]
        while True:
            outcomes = authenticate(logins, self.attempts, self.policy)
            if not any(isinstance(one, AskFirstFactor) for one in outcomes):
                return outcomes
            assert len(logins) == 1
            [question] = outcomes
            self.asked.append(question)
            right = question.password.reveal() == b"correct horse"
            finding = Finding.PASSED if right else Finding.FAILED
            logins = [Login(requests[0], CheckedPassword(finding, question.keeper, self.renewed))]

    def edit(self, statement, *values):
        with sqlite3.connect(self._folder / "twinward.db") as connection:
            connection.execute(statement, values)
        connection.close()

    def rows(self, query):
        with sqlite3.connect(self._folder / "twinward.db") as connection:
            found = connection.execute(query).fetchall()
        connection.close()
        return found

    def story(self):
        with self.installation.database.read() as connection:
            return audit.newest(connection, 1)[0].body


@pytest.fixture
def desk(installation, tmp_path):
    made = Desk(installation, tmp_path)
    yield made
    made.attempts.close()


@pytest.fixture
def alice(desk):
    return desk_person(desk, "alice")


def desk_person(desk, name):
    person = installations.add_person(desk.installation, name)
    person.typed = lambda offset_s=0.0: person.password + person.code(offset_s, at=desk.now)
    return person


# Places and strangers


def test_failures_count_per_user_client_and_network(desk, alice):
    for guess in range(6):
        desk.login("alice", f"correct horse00000{guess}", station=ABROAD)
    assert desk.login("alice", alice.typed(), station="198.51.100.200") == Reject(Reason.LOCKED)
    assert desk.login("alice", alice.typed(), desk.other, station=ABROAD) == Accept()
    desk.now += 60
    assert desk.login("alice", alice.typed(), station=HOME) == Accept()
    assert desk.rows("SELECT place, failures FROM tallies") == [("198.51.100.0/24", 6)]


def test_a_place_is_known_from_the_first_accept_and_a_new_one_is_told(desk, alice):
    assert desk.login("alice", alice.typed(), station=HOME) == Accept()
    assert "new_place" not in desk.story()
    desk.now += 30
    assert desk.login("alice", alice.typed(), station="192.0.2.99") == Accept()
    assert "new_place" not in desk.story()
    desk.now += 30
    assert desk.login("alice", alice.typed(), station=ABROAD) == Accept()
    assert desk.story()["new_place"] is True
    places = [one.place for one in Users(desk.installation, "test").show("alice").places]
    assert sorted(places) == ["192.0.2.0/24", "198.51.100.0/24"]


def test_a_client_without_stations_is_a_place_of_its_own(desk, alice):
    assert desk.login("alice", alice.typed()) == Accept()
    assert desk.rows("SELECT place FROM user_places") == [(f"client {desk.lab.id}",)]


def test_strangers_fill_the_bucket_of_a_user_and_known_places_go_on(desk, alice):
    desk.policy = Policy(lockout=LockoutPolicy(strangers_per_user=4))
    assert desk.login("alice", alice.typed(), station=HOME) == Accept()
    for guess in range(4):
        verdict = desk.login("alice", "correct horse000000", station=f"203.0.{guess}.1")
        assert verdict == Reject(Reason.WRONG_CODE)
    desk.now += 30
    assert desk.login("alice", alice.typed(), station=ABROAD) == Reject(Reason.STRANGERS)
    assert desk.login("alice", alice.typed(), station=HOME) == Accept()
    Users(desk.installation, "test").unlock("alice", desk.now)
    desk.now += 30
    assert desk.login("alice", alice.typed(), station=ABROAD) == Accept()


def test_failures_of_one_batch_at_one_place_all_count(desk):
    for name in ("a", "b", "c"):
        desk_person(desk, name)
    desk.judge([desk.request(name, "correct horse000000", station=ABROAD) for name in ("a", "b", "c", "nobody")])
    assert desk.rows("SELECT place, level FROM place_strangers") == [("198.51.100.0/24", 4.0)]


def test_one_network_that_fails_at_many_names_is_shut_out_of_names_that_never_came_from_there(desk, alice):
    desk.policy = Policy(lockout=LockoutPolicy(strangers_per_network=3))
    bob = desk_person(desk, "bob")
    assert desk.login("bob", bob.typed(), station=ABROAD) == Accept()
    for name in ("x", "y", "z"):
        assert desk.login(name, "guess", station=ABROAD) == Reject(Reason.UNKNOWN_USER)
    assert desk.login("alice", alice.typed(), station=ABROAD) == Reject(Reason.STRANGERS)
    desk.now += 30
    assert desk.login("bob", bob.typed(), station=ABROAD) == Accept()


def test_the_same_wrong_guess_counts_once_and_leaves_nothing_of_it(desk, alice):
    guess = "correct horse999999"
    assert desk.login("alice", guess) == Reject(Reason.WRONG_CODE)
    assert desk.login("alice", guess) == Reject(Reason.SAME_GUESS)
    assert desk.story()["reason"] == "same_guess"
    [(failures, kept)] = desk.rows("SELECT failures, last_guess FROM tallies")
    assert failures == 1
    assert len(kept) == 16


def test_the_owner_gets_in_by_two_codes_in_a_row(desk, alice):
    for guess in range(6):
        desk.login("alice", f"correct horse00000{guess}")
    assert desk.login("alice", alice.typed(-30)) == Reject(Reason.LOCKED)
    assert desk.login("alice", alice.typed()) == Accept()
    assert desk.rows("SELECT failures, locked_until, round(day_level) FROM tallies") == [(0, 0.0, 6.0)]


# Recovery codes


def test_a_recovery_code_lets_in_once_and_is_gone(desk, alice):
    first, *others = RecoveryCodes(desk.installation, "test").renew("alice", desk.now, 3)
    assert desk.login("alice", alice.password + first) == Accept(notice=RecoveryCodeUsed(2))
    assert desk.story()["recovery_code"] is True
    assert desk.login("alice", alice.password + first) == Reject(Reason.UNREADABLE_FIELD)
    assert RecoveryCodes(desk.installation, "test").left("alice") == 2
    RecoveryCodes(desk.installation, "test").renew("alice", desk.now, 1)
    assert desk.login("alice", alice.password + others[0]) == Reject(Reason.UNREADABLE_FIELD)


def test_a_recovery_code_copied_to_another_user_is_none(desk, alice):
    desk_person(desk, "bob")
    [code] = RecoveryCodes(desk.installation, "test").renew("alice", desk.now, 1)
    desk.edit("UPDATE recovery_codes SET user_id = (SELECT id FROM users WHERE username = 'bob')")
    assert desk.login("bob", "correct horse" + code) == Reject(Reason.UNREADABLE_FIELD)
    assert desk.asked == []


def test_recovery_codes_lie_in_the_database_as_sealed_hashes(desk, alice, tmp_path):
    codes = RecoveryCodes(desk.installation, "test").renew("alice", desk.now, 5)
    octets = b"".join(path.read_bytes() for path in tmp_path.glob("twinward.db*"))
    for code in codes:
        for form in (code, code.replace("-", ""), code.lower()):
            assert form.encode() not in octets


# Exemptions


def test_a_bypass_is_counted_told_and_ended(desk, alice):
    exemptions = Exemptions(desk.installation, "operator")
    until = UnixSeconds(desk.now + 3600)
    serial = exemptions.grant("alice", BYPASS, until, "lost her phone", desk.now, logins=2, client="lab")
    told = Accept(notice=Exempted(BYPASS, UnixSeconds(int(until)), 1))
    assert desk.login("alice", "correct horse") == told
    assert desk.story()["without_code"] == "bypass"
    assert desk.login("alice", "correct horse", desk.other) == Reject(Reason.UNREADABLE_FIELD)
    [one] = exemptions.all(desk.now)
    assert (one.used, one.owner, one.reason, one.client) == (1, "operator", "lost her phone", "lab")
    assert exemptions.end(serial.lower(), desk.now) == "alice"
    desk.now += 60
    assert desk.login("alice", "correct horse") == Reject(Reason.UNREADABLE_FIELD)
    assert desk.rows("SELECT exempt_until FROM users") == [(None,)]


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE exemptions SET until = until + 1",
        "UPDATE exemptions SET logins = NULL",
        "UPDATE exemptions SET logins = 99",
        "UPDATE exemptions SET client_id = NULL",
        "UPDATE exemptions SET client_id = 2",
        "UPDATE exemptions SET kind = 'grace'",
        "UPDATE exemptions SET serial = 'AAAAAAAAAAAA'",
        "UPDATE exemptions SET user_id = (SELECT id FROM users WHERE username = 'bob')",
    ],
)
def test_an_exemption_altered_in_the_database_is_none(desk, alice, edit):
    desk_person(desk, "bob")
    end = UnixSeconds(desk.now + 3600)
    Exemptions(desk.installation, "test").grant("alice", BYPASS, end, "why", desk.now, logins=1, client="lab")
    desk.edit(edit)
    desk.edit("UPDATE users SET exempt_until = ?", desk.now + 9999)
    for name in ("alice", "bob"):
        for client in (desk.lab, desk.other):
            assert desk.login(name, "correct horse", client) == Reject(Reason.UNREADABLE_FIELD)


@pytest.mark.parametrize(
    ("kind", "lasting", "reason", "more"),
    [
        (BYPASS, MAX_BYPASS_S + 60, "why", {}),
        (BYPASS, 0, "why", {}),
        (BYPASS, 60, " ", {}),
        (BYPASS, 60, "x" * 401, {}),
        (GRACE, 181 * 86400, "why", {}),
        (GRACE, 60, "why", {"logins": 0}),
        (GRACE, 60, "why", {"client": "nowhere"}),
    ],
)
def test_an_exemption_without_end_or_reason_is_refused(desk, alice, kind, lasting, reason, more):
    until = UnixSeconds(desk.now + lasting)
    with pytest.raises(OperationError):
        Exemptions(desk.installation, "test").grant("alice", kind, until, reason, desk.now, **more)
    assert desk.rows("SELECT count(*) FROM exemptions") == [(0,)]


def test_the_last_login_of_an_exemption_is_used_once(desk, alice):
    """The condition in the statement decides, not what was read before."""
    end = UnixSeconds(desk.now + 3600)
    Exemptions(desk.installation, "test").grant("alice", BYPASS, end, "why", desk.now, logins=1)
    request = desk.request("alice", "correct horse")
    with desk.attempts.transaction() as transaction:
        [account] = transaction.load([request])
    desk.edit("UPDATE exemptions SET used = 1")
    checked = CheckedPassword(Finding.PASSED, Keeper(verifier=account.verifier))
    decision = decide(request, account, checked, Policy())
    assert isinstance(decision.verdict, Accept)
    with desk.attempts.transaction() as transaction:
        assert transaction.settle([Settlement(request, account, decision)]) == [Reject(Reason.NO_TOKEN)]


# First factors, verifiers, stories


def test_a_better_verifier_takes_the_place_of_the_one_that_was_checked(desk, alice):
    desk.renewed = Verifier(b"a better one")
    assert desk.login("alice", alice.typed()) == Accept()
    assert desk.rows("SELECT sealed_verifier FROM users") == [(b"a better one",)]


def test_a_better_verifier_is_not_written_over_a_password_set_meanwhile(desk, alice):
    request = desk.request("alice", alice.typed())
    [question] = authenticate([Login(request)], desk.attempts, desk.policy)
    desk.edit("UPDATE users SET sealed_verifier = x'aa'")
    checked = CheckedPassword(Finding.PASSED, question.keeper, Verifier(b"a better one"))
    [outcome] = authenticate([Login(request, checked)], desk.attempts, desk.policy)
    assert isinstance(outcome, AskFirstFactor)
    assert desk.rows("SELECT sealed_verifier FROM users") == [(b"\xaa",)]


def test_nor_where_it_was_set_between_reading_and_writing(desk, alice):
    """The condition in the statement decides."""
    request = desk.request("alice", alice.typed())
    with desk.attempts.transaction() as transaction:
        [account] = transaction.load([request])
    decision = decide(
        request, account, CheckedPassword(Finding.PASSED, Keeper(verifier=account.verifier), Verifier(b"new")), Policy()
    )
    desk.edit("UPDATE users SET sealed_verifier = x'aa'")
    with desk.attempts.transaction() as transaction:
        transaction.settle([Settlement(request, account, decision)])
    assert desk.rows("SELECT sealed_verifier FROM users") == [(b"\xaa",)]


def test_at_a_prompt_too_and_the_prompt_is_answered_with_it(desk, alice):
    desk.renewed = Verifier(b"a better one")
    prompt = desk.login("alice", "correct horse", desk.asks)
    assert isinstance(prompt, Challenge)
    assert desk.rows("SELECT sealed_verifier FROM users") == [(b"a better one",)]
    from authn.challenge import Conversation

    conversation = Conversation(bytes(12), prompt.opening)
    code = alice.code(at=desk.now)
    assert desk.login("alice", code, desk.asks, conversation=conversation) == Accept()


def test_groups_choose_who_keeps_the_password(desk, alice):
    desk.policy = Policy(keepers=(KeeperRule("corp", groups=frozenset(["staff"])),))
    assert desk.login("alice", alice.typed()) == Accept()
    Users(desk.installation, "test").set_groups("alice", ["staff"], desk.now)
    desk.now += 30
    assert desk.login("alice", alice.typed()) == Accept(("staff",))
    assert [question.keeper.name for question in desk.asked] == ["store", "corp"]


def test_the_story_tells_how_a_login_was_judged_and_nothing_typed(desk, alice):
    desk.login("alice", "wrong horse" + alice.code(-30, at=desk.now), station=HOME)
    story = desk.story()
    assert story["split"] == [11, 6]
    assert (story["offset"], story["period"]) == (-1, 30)
    assert (story["first_factor"], story["password"]) == ("store", "failed")
    assert "wrong horse" not in json.dumps(story)
    assert desk.login("alice", alice.typed(-30)) == Accept()
    assert desk.login("alice", alice.typed(-30)) == Reject(Reason.CODE_REPLAYED)
    assert 0 <= desk.story()["wait_s"] <= 31


def test_shadow_outcomes_are_kept_by_user(desk, alice):
    shadow = dataclasses.replace(desk.lab, rules=dataclasses.replace(desk.lab.rules, shadow_until=desk.now + 60))
    assert desk.login("alice", "correct horse", shadow) == Accept()
    [one] = shadow_outcomes(desk.installation.database, desk.lab.id)
    assert (one.username, one.outcome, one.is_ready, one.times) == ("alice", "unreadable_field", False, 1)
    assert desk.login("alice", alice.typed(), shadow) == Accept()
    [one] = shadow_outcomes(desk.installation.database, desk.lab.id)
    assert (one.outcome, one.is_ready, one.times) == ("accept", True, 2)


def test_an_altered_token_alarms(desk, alice, caplog):
    desk.edit("UPDATE tokens SET digits = 7")
    for _ in range(3):
        assert desk.login("alice", alice.typed()) == Reject(Reason.SEAL_BROKEN)
    assert [record.message.startswith("ALARM: a row of user alice was altered") for record in caplog.records] == [True]


# Counted tokens, clocks


def test_a_counted_token_is_kept_with_its_counter(desk):
    from authn.otp import HotpParameters, TimeStep, code_at

    seed, parameters = new_seed(), HotpParameters()
    token = NewToken(seed, parameters, confirmed=True, counter=5)
    Users(desk.installation, "test").add(NewUser("bob", token=token), desk.now)
    inputs = (AcceptedInput(InputMode.CODE_ONLY),)
    code_only = dataclasses.replace(desk.lab, rules=dataclasses.replace(desk.lab.rules, inputs=inputs))

    def code(counter):
        return code_at(seed, TimeStep(counter), parameters)

    assert desk.login("bob", code(4), code_only) == Reject(Reason.CODE_REPLAYED)
    assert desk.login("bob", code(5), code_only) == Accept()
    assert desk.login("bob", code(5), code_only) == Reject(Reason.CODE_REPLAYED)
    tokens = Tokens(desk.installation, "test")
    [one] = tokens.of("bob")
    assert one.parameters == parameters
    tokens.resync(one.serial, (code(60), code(61)), desk.now)
    assert desk.login("bob", code(62), code_only) == Accept()


def test_the_median_of_many_devices_tells_a_wrong_server_from_a_wrong_phone(desk):
    people = installations.add_people(desk.installation, [f"user{n}" for n in range(ENOUGH_USERS + 1)])
    assert fleet_clock(desk.installation.database, desk.now).median_s is None
    desk.edit("UPDATE tokens SET clock_off_s = 95 + id, spent_at = ?", desk.now)
    fleet = fleet_clock(desk.installation.database, desk.now)
    assert fleet.server_is_off
    assert "98 s behind" in fleet.sentence or "99 s behind" in fleet.sentence
    desk.edit("UPDATE tokens SET clock_off_s = -8 WHERE id > 1")
    fleet = fleet_clock(desk.installation.database, desk.now)
    assert not fleet.server_is_off
    assert [one.username for one in fleet.odd] == [people[0].name]
    desk.edit("UPDATE tokens SET spent_at = 0")
    assert fleet_clock(desk.installation.database, desk.now).devices == 0


def test_a_clock_that_jumped_is_told_by_the_codes_it_refuses(desk):
    people = installations.add_people(desk.installation, [f"user{n}" for n in range(ENOUGH_USERS)])
    for person in people[1:]:
        desk.login(person.name, person.password + person.code(-600, at=desk.now))
    assert not fleet_clock(desk.installation.database, desk.now).server_is_off
    desk.login(people[0].name, people[0].password + people[0].code(-600, at=desk.now))
    fleet = fleet_clock(desk.installation.database, desk.now)
    assert fleet.server_is_off
    assert "600 s ahead of theirs" in fleet.sentence
    assert not fleet_clock(desk.installation.database, desk.now + 3700).server_is_off


def test_a_login_notes_how_far_the_device_seems_off(desk, alice):
    assert desk.login("alice", alice.typed(30)) == Accept()
    [(off_s,)] = desk.rows("SELECT clock_off_s FROM tokens")
    assert 0 < off_s <= 45


def test_what_has_run_out_is_forgotten(desk, alice):
    desk.login("alice", "correct horse000000", station=ABROAD)
    desk.attempts.prune(UnixSeconds(desk.now + 86400 * 2))
    assert desk.rows("SELECT count(*) FROM place_strangers") == [(0,)]
    assert desk.rows("SELECT count(*) FROM tallies") == [(1,)]
    desk.attempts.prune(UnixSeconds(desk.now + 86400 * 31))
    assert desk.rows("SELECT count(*) FROM tallies") == [(0,)]


# Who writes to the database


def test_names_swapped_in_the_database_log_nobody_in(desk, alice):
    """Else mallory's own password and code would let him in as alice."""
    mallory = desk_person(desk, "mallory")
    desk.edit("UPDATE users SET username = 'x' WHERE username = 'alice'")
    desk.edit("UPDATE users SET username = 'alice' WHERE username = 'mallory'")
    assert desk.login("alice", mallory.typed()) == Reject(Reason.SEAL_BROKEN)
    desk.edit("UPDATE users SET sealed_standing = NULL")
    assert desk.login("alice", mallory.typed()) == Reject(Reason.SEAL_BROKEN)


def test_a_seed_is_bound_to_the_name_by_itself(desk, alice):
    """Also where somebody should have made the standing fit."""
    mallory = desk_person(desk, "mallory")
    desk.edit("DELETE FROM tokens WHERE user_id = (SELECT id FROM users WHERE username = 'alice')")
    desk.edit("UPDATE users SET username = 'x' WHERE username = 'alice'")
    desk.edit("UPDATE users SET username = 'alice' WHERE username = 'mallory'")
    [(user_id,)] = desk.rows("SELECT id FROM users WHERE username = 'alice'")
    sealed = Standing(True, (), True).seal(desk.installation.keyring, user_id, "alice")
    desk.edit("UPDATE users SET sealed_standing = ? WHERE id = ?", sealed, user_id)
    assert desk.login("alice", mallory.typed()) == Reject(Reason.SEAL_BROKEN)


def test_enabled_and_groups_in_the_database_are_for_lists_alone(desk, alice):
    users = Users(desk.installation, "test")
    users.set_enabled("alice", False, desk.now)
    desk.edit("UPDATE users SET enabled = 1")
    desk.edit("INSERT INTO user_groups (user_id, name) VALUES (1, 'admins')")
    assert desk.login("alice", alice.typed()) == Reject(Reason.USER_DISABLED)
    users.set_enabled("alice", True, desk.now)
    assert desk.login("alice", alice.typed()) == Accept()


def test_a_standing_copied_from_another_user_opens_nothing(desk, alice):
    desk_person(desk, "bob")
    desk.edit(
        "UPDATE users SET sealed_standing = (SELECT sealed_standing FROM users WHERE username = 'bob') WHERE id = 1"
    )
    assert desk.login("alice", alice.typed()) == Reject(Reason.SEAL_BROKEN)


@pytest.mark.parametrize("edit", ["last_step = last_step - 9", "drift = 5", "step_mark = NULL", "last_step = 0"])
def test_a_spent_code_cannot_be_made_good_in_the_database(desk, alice, edit):
    assert desk.login("alice", alice.typed()) == Accept()
    desk.edit(f"UPDATE tokens SET {edit}")
    assert desk.login("alice", alice.typed()) == Reject(Reason.SEAL_BROKEN)


@pytest.mark.parametrize("edit", ["UPDATE tokens SET phase = 'pending'", "DELETE FROM tokens"])
def test_who_had_a_token_is_not_taken_for_one_who_never_had(desk, alice, edit):
    """Else grace and a migration would let in with the password alone whom somebody has robbed of the token's row."""
    desk.policy = Policy(keepers=(KeeperRule("old", alone_until=UnixSeconds(desk.now + 60)),))
    desk.edit(edit)
    assert desk.login("alice", "correct horse") == Reject(Reason.NO_TOKEN)
    assert desk.asked == []


def test_grace_is_for_who_never_had_a_token(desk, alice):
    """For others it would be granted, and do nothing."""
    with pytest.raises(OperationError, match="alice has had a token"):
        Exemptions(desk.installation, "test").grant("alice", GRACE, UnixSeconds(desk.now + 60), "why", desk.now)


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE users SET enabled = 1 - enabled",
        "INSERT INTO user_groups (user_id, name) VALUES (1, 'admins')",
        "UPDATE users SET sealed_standing = NULL",
    ],
)
def test_lists_tell_of_users_who_were_altered(desk, alice, edit):
    users = Users(desk.installation, "test")
    assert [(one.enabled, one.groups, one.altered) for one in users.all()] == [(True, (), False)]
    desk.edit(edit)
    assert [one.altered for one in users.all()] == [users.show("alice").altered] == [True]
    assert users.show("alice").groups == ()


def test_a_recovery_code_copied_in_the_database_is_one(desk, alice):
    [code] = RecoveryCodes(desk.installation, "test").renew("alice", desk.now, 1)
    with pytest.raises(sqlite3.IntegrityError):
        desk.edit(
            "INSERT INTO recovery_codes SELECT 99, serial, user_id, sealed_digest, created_at FROM recovery_codes"
        )
    copy = "INSERT INTO recovery_codes SELECT 99, 'X', user_id, sealed_digest, created_at FROM recovery_codes"
    desk.edit(copy)
    assert isinstance(desk.login("alice", alice.password + code), Accept)
    assert desk.login("alice", alice.password + code) == Reject(Reason.UNREADABLE_FIELD)


def test_a_password_alone_makes_no_place_known_where_codes_are_asked_for(desk, alice):
    open_client = dataclasses.replace(desk.other, rules=dataclasses.replace(desk.other.rules, shadow_until=9e9))
    assert desk.login("alice", "correct horse", open_client, station=ABROAD) == Accept()
    [(place,)] = desk.rows("SELECT place FROM user_places")
    assert place == f"open client {desk.other.id} 198.51.100.0/24"
    with desk.attempts.transaction() as transaction:
        [account] = transaction.load([desk.request("alice", "x", station=ABROAD)])
    assert not account.is_known_place
    Exemptions(desk.installation, "test").grant("alice", BYPASS, UnixSeconds(desk.now + 60), "why", desk.now)
    assert isinstance(desk.login("alice", "correct horse", station=ABROAD), Accept)
    assert len(desk.rows("SELECT place FROM user_places")) == 1


def test_failures_at_a_name_that_only_another_server_knows_are_counted_by_name(desk):
    desk.policy = Policy(
        lockout=LockoutPolicy(strangers_per_user=3),
        keepers=(KeeperRule("old", alone_until=UnixSeconds(desk.now + 999)),),
    )
    desk.attempts.accounts.with_unknown_names = True
    for guess in range(3):
        assert desk.login("zoe", f"guess {guess}", station=f"203.0.{guess}.1") == Reject(Reason.WRONG_PASSWORD)
    assert desk.login("zoe", "correct horse") == Reject(Reason.STRANGERS)
    assert desk.login("yan", "correct horse") == Accept()
    assert len(desk.asked) == 4


def test_a_stranger_learns_no_names_by_the_bucket_of_a_place(desk, alice):
    """What is refused counts there alike, whether the name exists, is disabled or locked, or is nobody's."""
    Users(desk.installation, "test").set_enabled("alice", False, desk.now)
    for name in ("alice", "nobody"):
        for number in range(5):
            desk.login(name, f"guess{number}", station=ABROAD)
    assert desk.rows("SELECT level FROM place_strangers") == [(10.0,)]
