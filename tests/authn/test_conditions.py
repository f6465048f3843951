"""What a rule asks of a login, and which rule counts."""

from ipaddress import ip_address, ip_network

import pytest
from support.simulator import LAB, World, make_client

from authn.conditions import Circumstances, Conditions, Hours
from authn.exemption import ExemptionKind
from authn.policy import NO_RULE, KeeperRule, Policy, Rule
from authn.verdict import Accept, Reason, Reject

HOME, ABROAD = "192.0.2.7", "198.51.100.7"
NIGHT = Hours(22 * 60, 6 * 60)


def seen(**changes):
    usual = {
        "username": "alice",
        "groups": ("staff",),
        "client": "lab",
        "address": ip_address(HOME),
        "country": "DE",
        "weekday": 0,
        "minute": 600,
        "is_known_place": True,
    }
    return Circumstances(**(usual | changes))


@pytest.mark.parametrize(
    ("conditions", "holds"),
    [
        (Conditions(), True),
        (Conditions(users=frozenset(["alice"]), groups=frozenset(["staff", "x"])), True),
        (Conditions(users=frozenset(["alice"]), groups=frozenset(["x"])), False),
        (Conditions(users=frozenset(["bob"])), False),
        (Conditions(clients=frozenset(["lab"])), True),
        (Conditions(clients=frozenset(["vpn"])), False),
        (Conditions(networks=(ip_network("192.0.2.0/24"),)), True),
        (Conditions(networks=(ip_network("2001:db8::/32"),)), False),
        (Conditions(outside_networks=(ip_network("192.0.2.0/24"),)), False),
        (Conditions(countries=frozenset(["DE", "FR"])), True),
        (Conditions(outside_countries=frozenset(["DE"])), False),
        (Conditions(outside_countries=frozenset(["FR"])), True),
        (Conditions(hours=Hours(540, 601)), True),
        (Conditions(hours=Hours(540, 600)), False),
        (Conditions(hours=NIGHT), False),
        (Conditions(weekdays=frozenset([0])), True),
        (Conditions(weekdays=frozenset([5, 6])), False),
        (Conditions(known_place=False), False),
    ],
)
def test_every_condition_must_hold(conditions, holds):
    assert conditions.hold(seen()) is holds


def test_where_nobody_knows_the_place_only_outside_holds():
    """A rule that lets in from somewhere must not hold for nowhere, one that keeps out from elsewhere must."""
    nowhere = seen(address=None, country=None)
    assert not Conditions(networks=(ip_network("0.0.0.0/0"),)).hold(nowhere)
    assert Conditions(outside_networks=(ip_network("0.0.0.0/0"),)).hold(nowhere)
    assert not Conditions(countries=frozenset(["DE"])).hold(nowhere)
    assert Conditions(outside_countries=frozenset(["DE"])).hold(nowhere)


@pytest.mark.parametrize(("minute", "holds"), [(0, True), (359, True), (360, False), (1319, False), (1320, True)])
def test_hours_may_pass_midnight(minute, holds):
    assert NIGHT.holds(minute) is holds


def policy(*rules, **more):
    return Policy(rules=rules, **more)


def rule(name="rule", conditions=None, **effects):
    return Rule(name, conditions or Conditions(), **effects)


def test_the_first_rule_that_holds_counts():
    only_bob = Conditions(users=frozenset(["bob"]))
    rules = policy(rule("bob", only_bob, refuses=True), rule("all", window=0), rule("never", refuses=True))
    assert rules.rule_that_holds(seen()).name == "all"
    assert rules.rule_that_holds(seen(username="bob")).name == "bob"
    assert policy().rule_that_holds(seen()) is NO_RULE


def test_a_rule_refuses_before_a_code_is_spent_or_a_password_checked_and_does_not_count():
    world = World(policy(rule(refuses=True)))
    alice = world.enrol("alice")
    assert world.login("alice", alice.password + alice.code_at()) == Reject(Reason.POLICY)
    assert world.checks == []
    assert world.attempts.accounts["alice"].tokens[0].last_step == 0
    assert world.attempts.tallies == {}


def test_a_rule_narrows_the_window_and_never_widens_it():
    world = World(policy(rule(window=0)))
    alice = world.enrol("alice")
    assert world.login("alice", alice.password + alice.code_at(-30)) == Reject(Reason.CLOCK_OFF)
    world.policy = policy(rule(window=9))
    assert world.login("alice", alice.password + alice.code_at(-60)) == Reject(Reason.CLOCK_OFF)
    assert world.login("alice", alice.password + alice.code_at(-30)) == Accept()


def test_a_rule_that_requires_a_code_turns_every_exemption_off():
    world = World(policy(rule(requires_code=True)))
    alice = world.enrol("alice")
    world.exempt(alice, ExemptionKind.BYPASS)
    assert world.login("alice", alice.password) == Reject(Reason.UNREADABLE_FIELD)
    shadow = make_client(9, "shadow", shadow_until=world.now + 3600)
    assert world.login("alice", alice.password, shadow) == Reject(Reason.UNREADABLE_FIELD)
    password_only = make_client(8, "password-only", inputs=["password-only"])
    assert world.login("alice", alice.password, password_only) == Reject(Reason.POLICY)
    assert world.checks == []
    assert world.login("alice", alice.password + alice.code_at()) == Accept()


def test_a_rule_may_forbid_recovery_codes():
    world = World(policy(rule(allows_recovery_codes=False)))
    alice = world.enrol("alice")
    typed = alice.password + world.recovery_code(alice)
    assert world.login("alice", typed) == Reject(Reason.UNREADABLE_FIELD)
    world.policy = policy()
    world.pass_time(30)
    assert isinstance(world.login("alice", typed), Accept)


def test_rules_see_groups_station_country_and_whether_the_place_is_known():
    def country_of(address):
        return "DE" if str(address) == HOME else "FR"

    abroad = rule("abroad", Conditions(outside_countries=frozenset(["DE"])), refuses=True)
    strange = rule("strange", Conditions(known_place=False, groups=frozenset(["admins"])), refuses=True)
    world = World(policy(abroad, strange, country_of=country_of))
    alice = world.enrol("alice")
    assert world.login("alice", alice.password + alice.code_at(), station=ABROAD) == Reject(Reason.POLICY)
    assert world.login("alice", alice.password + alice.code_at()) == Reject(Reason.POLICY)
    assert world.login("alice", alice.password + alice.code_at(), station=HOME) == Accept()
    world.change(alice, groups=("admins",))
    world.pass_time(60)
    assert world.login("alice", alice.password + alice.code_at(), station=HOME) == Accept(("admins",))
    bob = world.enrol("bob")
    world.change(bob, groups=("admins",))
    assert world.login("bob", bob.password + bob.code_at(), station=HOME) == Reject(Reason.POLICY)


def test_who_keeps_a_password_is_told_by_the_first_rule():
    rules = (
        KeeperRule("corp", groups=frozenset(["staff"])),
        KeeperRule("old", clients=frozenset(["lab"]), alone_until=5.0),
        KeeperRule("host", users=frozenset(["alice"])),
    )
    policy = Policy(keepers=rules)
    assert policy.keeper_for("alice", ("staff",), "lab").keeper == "corp"
    assert policy.keeper_for("alice", (), "lab").keeper == "old"
    assert policy.keeper_for("alice", (), "vpn").keeper == "host"
    assert policy.keeper_for("bob", (), "vpn").keeper == "store"


def test_hours_count_where_the_policy_says():
    def local(now):
        return 0, 23 * 60

    world = World(policy(rule("night", Conditions(hours=NIGHT), refuses=True), local_time=local))
    alice = world.enrol("alice")
    assert world.login("alice", alice.password + alice.code_at(), LAB) == Reject(Reason.POLICY)
