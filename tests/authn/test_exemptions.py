"""Logins without a code: grace, bypass, shadow mode, migration. Each is named, and each ends."""

import dataclasses

import pytest
from support.simulator import LAB, OTHER, make_client

from authn.account import DECOY
from authn.decision import SpendExemption, WithoutSpend
from authn.exemption import ExemptionKind
from authn.first_factor import CheckedPassword, Finding
from authn.lockout import LockoutPolicy
from authn.otp import TotpParameters, code_at
from authn.policy import KeeperRule, Policy
from authn.verdict import Accept, Challenge, Exempted, Prompt, Reason, Reject

GRACE, BYPASS = ExemptionKind.GRACE, ExemptionKind.BYPASS


def last(world):
    return world.attempts.settled[-1][0].decision


def without_token(world, person):
    world.change(person, tokens=())


def test_grace_lets_in_who_has_no_token_and_counts_down(world, alice):
    without_token(world, alice)
    assert world.login("alice", alice.password) == Reject(Reason.NO_TOKEN)
    world.exempt(alice, GRACE, logins=2)
    until = world.now + 3600
    assert world.login("alice", alice.password) == Accept(notice=Exempted(GRACE, until, 1))
    assert isinstance(last(world).spend, SpendExemption)
    assert world.login("alice", alice.password) == Accept(notice=Exempted(GRACE, until, 0))
    assert world.login("alice", alice.password) == Reject(Reason.NO_TOKEN)


def test_grace_ends_by_itself(world, alice):
    without_token(world, alice)
    world.exempt(alice, GRACE, seconds=60)
    world.pass_time(60)
    assert world.login("alice", alice.password) == Reject(Reason.NO_TOKEN)


def test_grace_is_over_with_the_first_token(world, alice):
    world.exempt(alice, GRACE)
    assert world.login("alice", alice.password) == Reject(Reason.UNREADABLE_FIELD)
    assert world.checks == []


def test_a_user_whose_token_was_altered_is_not_one_without_token(world, alice):
    """Else who writes to the database could turn an enrolled user into one with grace."""
    world.exempt(alice, GRACE)
    world.change(alice, tokens=(), broken_seals=True)
    assert world.login("alice", alice.password) == Reject(Reason.SEAL_BROKEN)


def test_a_wrong_password_does_not_use_grace_up_and_counts(world, alice):
    without_token(world, alice)
    world.exempt(alice, GRACE, logins=1)
    assert world.login("alice", b"wrong") == Reject(Reason.WRONG_PASSWORD)
    assert world.attempts.accounts["alice"].exemptions[0].used == 0
    assert world.attempts.tallies[1, LAB.id, ""].failures == 1


def test_a_bypass_lets_in_who_has_lost_the_token_at_its_client_only(world, alice):
    world.exempt(alice, BYPASS, client=LAB)
    assert isinstance(world.login("alice", alice.password), Accept)
    assert world.login("alice", alice.password, OTHER) == Reject(Reason.UNREADABLE_FIELD)
    assert world.checks == [alice.password]


def test_a_code_is_spent_as_ever_while_a_bypass_goes_on(world, alice):
    world.exempt(alice, BYPASS, logins=1)
    assert world.login("alice", alice.password + alice.code_at()) == Accept()
    assert world.login("alice", alice.password + alice.code_at()) == Reject(Reason.CODE_REPLAYED)
    assert world.attempts.accounts["alice"].exemptions[0].used == 0


def test_a_bypass_asks_no_prompt(world, alice):
    asks = make_client(11, "asks", inputs=["challenge"])
    assert world.login("alice", alice.password, asks) == Challenge(Prompt.CODE, last(world).verdict.opening)
    world.exempt(alice, BYPASS)
    assert isinstance(world.login("alice", alice.password, asks), Accept)


def shadow_client(world, **rules):
    return make_client(12, "shadow", shadow_until=world.now + 3600, **rules)


@pytest.mark.parametrize(
    ("typed", "would_be"), [("right", "accept"), ("none", "unreadable_field"), ("no token", "no_token")]
)
def test_in_shadow_mode_the_password_stands_and_the_rest_is_noted(world, alice, typed, would_be):
    shadow = shadow_client(world)
    if typed == "no token":
        without_token(world, alice)
    field = alice.password + (alice.code_at() if typed == "right" else b"")
    assert world.login("alice", field, shadow) == Accept()
    assert world.attempts.shadow_outcomes == {(shadow.id, "alice"): would_be}
    assert last(world).without_spend is (None if typed == "right" else WithoutSpend.SHADOW)


def test_in_shadow_mode_a_wrong_password_is_wrong_and_a_spent_code_spent(world, alice):
    shadow = shadow_client(world)
    assert world.login("alice", b"wrong", shadow) == Reject(Reason.WRONG_PASSWORD)
    assert world.login("alice", alice.password + alice.code_at(), shadow) == Accept()
    assert world.login("alice", alice.password + alice.code_at(), shadow) == Reject(Reason.CODE_REPLAYED)
    world.change(alice, enabled=False)
    assert world.login("alice", alice.password, shadow) == Reject(Reason.USER_DISABLED)


def test_in_shadow_mode_a_code_of_another_time_is_told_from_the_password(world, alice):
    shadow = shadow_client(world)
    assert world.login("alice", alice.password + alice.code_at(-300), shadow) == Accept()
    assert world.attempts.shadow_outcomes == {(shadow.id, "alice"): "clock_off"}
    assert world.checks == [alice.password]


def test_where_a_prompt_would_follow_a_code_of_another_time_asks_nobody(world, alice):
    both = make_client(15, "both", inputs=["suffix", "challenge"])
    assert world.login("alice", alice.password + alice.code_at(-300), both) == Reject(Reason.CLOCK_OFF)
    assert world.checks == []


def test_a_shadow_client_that_asks_at_a_prompt_notes_that_it_would_have_asked(world, alice):
    shadow = shadow_client(world, inputs=["challenge"])
    assert world.login("alice", alice.password, shadow) == Accept()
    assert world.attempts.shadow_outcomes == {(shadow.id, "alice"): "prompt"}


def test_shadow_mode_ends_by_itself(world, alice):
    shadow = shadow_client(world)
    world.pass_time(3600)
    assert world.login("alice", alice.password, shadow) == Reject(Reason.UNREADABLE_FIELD)


def elsewhere(world, password=b"theirs"):
    """Another first factor that knows one password, for any name."""

    def check(question):
        right = question.password.reveal() == password
        return CheckedPassword(Finding.PASSED if right else Finding.FAILED, question.keeper)

    world.elsewhere = check


def test_in_shadow_mode_one_whom_only_a_directory_knows_gets_in_and_is_noted(world):
    world.policy = Policy(keepers=(KeeperRule("corp"),))
    elsewhere(world)
    shadow = shadow_client(world)
    assert world.login("zoe", b"theirs", shadow) == Accept()
    assert world.login("zoe", b"wrong", shadow) == Reject(Reason.WRONG_PASSWORD)
    assert world.attempts.shadow_outcomes == {(shadow.id, "zoe"): "unknown_user"}
    assert world.login("zoe", b"theirs") == Reject(Reason.UNKNOWN_USER)


def test_in_a_migration_another_server_alone_lets_in_who_has_no_token_until_its_day(world, alice):
    until = world.now + 86400
    world.policy = Policy(keepers=(KeeperRule("old", alone_until=until),))
    elsewhere(world)
    assert world.login("zoe", b"theirs") == Accept()
    assert last(world).without_spend is WithoutSpend.UPSTREAM
    assert world.login("zoe", b"wrong") == Reject(Reason.WRONG_PASSWORD)
    code = code_at(DECOY.tokens[0].seed, TotpParameters().step_at(world.now), TotpParameters())
    assert world.login("zoe", b"theirs" + code.encode()) == Reject(Reason.WRONG_PASSWORD)
    assert world.login("alice", b"theirs") == Reject(Reason.UNREADABLE_FIELD)  # enrolled: she needs her code
    assert world.login("alice", b"theirs" + alice.code_at()) == Accept()
    without_token(world, alice)
    assert world.login("alice", b"theirs") == Accept()
    world.pass_time(86400)
    assert world.login("alice", b"theirs") == Reject(Reason.NO_TOKEN)
    assert world.login("zoe", b"theirs") == Reject(Reason.UNKNOWN_USER)


def test_our_own_store_never_lets_in_alone_who_is_unknown(world):
    world.policy = dataclasses.replace(Policy(), keepers=(KeeperRule("store", alone_until=world.now + 99),))
    assert world.login("zoe", b"anything") == Reject(Reason.UNKNOWN_USER)


@pytest.mark.parametrize(
    "alias", ["alice@corp.example", "alicé", "alıce", "аlice", "alice.", ".alice", "alice-", "a lice"]
)
def test_a_migration_lets_in_no_alias_of_somebody_enrolled(world, alice, alias):
    """The other server may know alice by her mail address, too, and by a name that folds to hers."""
    world.policy = Policy(keepers=(KeeperRule("old", alone_until=world.now + 99),))
    elsewhere(world)
    assert world.login(alias, b"theirs") == Reject(Reason.UNKNOWN_USER)
    for plain in ("zoe", "zoe.zander", "z", "svc_backup-2"):
        assert world.login(plain, b"theirs") == Accept()


def test_guesses_at_a_name_that_only_another_server_knows_are_bounded(world):
    size = 4
    lockout = LockoutPolicy(strangers_per_user=size)
    world.policy = Policy(lockout=lockout, keepers=(KeeperRule("old", alone_until=world.now + 99999),))
    asked = []
    world.elsewhere = lambda question: asked.append(1) or CheckedPassword(Finding.FAILED, question.keeper)
    for guess in range(50):
        world.login("zoe", b"guess %d" % guess, station=f"203.0.{guess}.1")
    assert len(asked) == size


def test_who_had_a_token_once_needs_one(world, alice):
    world.change(alice, tokens=(), enrolled=True)
    world.exempt(alice, GRACE)
    world.policy = Policy(keepers=(KeeperRule("old", alone_until=world.now + 99),))
    assert world.login("alice", alice.password) == Reject(Reason.NO_TOKEN)
    world.exempt(alice, BYPASS)
    world.policy = Policy()
    assert isinstance(world.login("alice", alice.password), Accept)
