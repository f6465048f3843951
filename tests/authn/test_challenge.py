"""The code at a prompt: rounds, what ends them, and what the prompt may tell."""

from dataclasses import replace

import pytest
from support.simulator import LAB, OTHER, World, make_client

from authn.client import InputMode
from authn.policy import Policy
from authn.secret import Verifier
from authn.verdict import Accept, Challenge, Prompt, Reason, Reject

ASKS = make_client(11, "asks", inputs=["challenge"])
BOTH = make_client(12, "both", inputs=["suffix", "challenge"])
UNIFORM = make_client(13, "uniform", inputs=["challenge"], uniform_challenge=True)


def is_first_prompt(verdict):
    return isinstance(verdict, Challenge) and verdict.prompt is Prompt.CODE and verdict.opening.password_held


def is_another_try(verdict):
    return isinstance(verdict, Challenge) and verdict.prompt is Prompt.CODE_AGAIN and verdict.opening is None


def test_a_right_password_is_asked_for_the_code_and_a_right_code_lets_in(world, alice):
    prompt = world.login("alice", alice.password, ASKS)
    assert is_first_prompt(prompt)
    assert world.answer("alice", alice.code_at(), prompt, ASKS) == Accept()
    assert world.checks == [alice.password]


def test_a_wrong_password_is_refused_and_counted(world, alice):
    assert world.login("alice", b"wrong", ASKS) == Reject(Reason.WRONG_PASSWORD)
    assert world.attempts.tallies[1, ASKS.id, ""].failures == 1


def test_an_empty_field_never_asks_a_first_factor(world, alice):
    assert world.login("alice", b"", ASKS) == Reject(Reason.UNREADABLE_FIELD)
    assert world.checks == []


def test_where_both_are_accepted_an_appended_code_needs_no_prompt(world, alice):
    assert world.login("alice", alice.password + alice.code_at(), BOTH) == Accept()
    world.pass_time(30)
    prompt = world.login("alice", alice.password, BOTH)
    assert is_first_prompt(prompt)
    assert world.answer("alice", alice.code_at(), prompt, BOTH) == Accept()
    assert world.checks == [alice.password, alice.password]


def test_where_both_are_accepted_a_password_that_ends_in_digits_works(world):
    bob = world.enrol("bob", b"hunter222222")
    prompt = world.login("bob", bob.password, BOTH)
    assert world.answer("bob", bob.code_at(), prompt, BOTH) == Accept()


def test_a_spent_code_appended_is_a_replay_and_asks_no_password(world, alice):
    typed = alice.password + alice.code_at()
    assert world.login("alice", typed, BOTH) == Accept()
    world.checks.clear()
    assert world.login("alice", typed, BOTH) == Reject(Reason.CODE_REPLAYED)
    assert world.checks == []


def test_a_mistyped_code_may_be_corrected_at_the_same_prompt(world, alice):
    prompt = world.login("alice", alice.password, ASKS)
    assert is_another_try(world.answer("alice", b"000000", prompt, ASKS))
    assert world.attempts.tallies[1, ASKS.id, ""].failures == 1
    assert world.answer("alice", alice.code_at(), Challenge(Prompt.CODE_AGAIN), ASKS) == Accept()


def test_the_answers_to_a_prompt_are_counted(world, alice):
    prompt = world.login("alice", alice.password, ASKS)
    assert is_another_try(world.answer("alice", b"000000", prompt, ASKS))
    again = Challenge(Prompt.CODE_AGAIN)
    assert is_another_try(world.answer("alice", b"000001", again, ASKS))
    assert world.answer("alice", b"000002", again, ASKS) == Reject(Reason.WRONG_CODE)
    assert world.answer("alice", alice.code_at(), again, ASKS) == Reject(Reason.CHALLENGE_USED)


def test_a_state_lets_in_once(world, alice):
    prompt = world.login("alice", alice.password, ASKS)
    assert world.answer("alice", alice.code_at(), prompt, ASKS) == Accept()
    world.pass_time(30)
    assert world.answer("alice", alice.code_at(), Challenge(Prompt.CODE_AGAIN), ASKS) == Reject(Reason.CHALLENGE_USED)


def test_an_answer_that_comes_too_late_is_refused_and_costs_nothing(world, alice):
    prompt = world.login("alice", alice.password, ASKS)
    world.pass_time(world.policy.challenge_lifetime_s)
    assert world.answer("alice", alice.code_at(), prompt, ASKS) == Reject(Reason.CHALLENGE_EXPIRED)
    assert (1, ASKS.id, "") not in world.attempts.tallies


def test_a_state_is_bound_to_user_and_client(world, alice):
    """Somebody else's State is no State: the field is read as a password, and a code is a wrong one."""
    bob = world.enrol("bob", b"another horse")
    prompt = world.login("alice", alice.password, ASKS)
    state = world.states.seal(prompt.opening, "alice", ASKS)
    assert world.states.open(state, "alice", ASKS) is not None
    assert world.states.open(state, "bob", ASKS) is None
    assert world.states.open(state, "alice", BOTH) is None
    assert world.login("bob", bob.code_at(), ASKS) == Reject(Reason.WRONG_PASSWORD)


def test_a_password_changed_between_prompt_and_answer_ends_the_conversation(world, alice):
    prompt = world.login("alice", alice.password, ASKS)
    world.change(alice, verifier=Verifier(b"a new one"))
    assert world.answer("alice", alice.code_at(), prompt, ASKS) == Reject(Reason.PASSWORD_CHANGED)


def test_a_user_disabled_between_prompt_and_answer_is_refused(world, alice):
    prompt = world.login("alice", alice.password, ASKS)
    world.change(alice, enabled=False)
    assert world.answer("alice", alice.code_at(), prompt, ASKS) == Reject(Reason.USER_DISABLED)


def test_a_state_at_a_client_that_does_not_ask_is_ignored(world, alice):
    prompt = world.login("alice", alice.password, ASKS)
    state = world.states.seal(prompt.opening, "alice", LAB)
    conversation = world.states.open(state, "alice", LAB)
    assert world.login("alice", alice.code_at(), LAB, conversation=conversation) == Reject(Reason.UNREADABLE_FIELD)


def test_a_uniform_challenge_asks_everybody_and_lets_in_only_who_had_the_password(world, alice):
    disabled = world.enrol("carol")
    world.change(disabled, enabled=False)
    for name, typed in (("alice", b"wrong"), ("mallory", b"x"), ("carol", disabled.password), ("alice", b"")):
        prompt = world.login(name, typed, UNIFORM)
        assert isinstance(prompt, Challenge)
        assert not prompt.opening.password_held
        assert is_another_try(world.answer(name, alice.code_at(), prompt, UNIFORM)), name
    prompt = world.login("alice", alice.password, UNIFORM)
    assert world.answer("alice", alice.code_at(), prompt, UNIFORM) == Accept()


def test_a_uniform_challenge_counts_a_wrong_password_once(world, alice):
    prompt = world.login("alice", b"wrong", UNIFORM)
    assert world.attempts.tallies[1, UNIFORM.id, ""].failures == 1
    world.answer("alice", alice.code_at(), prompt, UNIFORM)
    assert world.attempts.tallies[1, UNIFORM.id, ""].failures == 1


def test_one_answer_is_enough_where_the_policy_says_so():
    world = World(Policy(max_answers=1))
    alice = world.enrol("alice")
    prompt = world.login("alice", alice.password, ASKS)
    assert world.answer("alice", b"000000", prompt, ASKS) == Reject(Reason.WRONG_CODE)


def test_openvpns_static_challenge_is_taken_where_a_prompt_is_asked_for(world, alice):
    import base64

    typed = b":".join([b"SCRV1", base64.b64encode(alice.password), base64.b64encode(alice.code_at())])
    assert world.login("alice", typed, ASKS) == Accept()


@pytest.mark.parametrize(("mode", "form"), [("prefix", "{code}{password}"), ("separator", "{password},{code}")])
def test_the_other_input_modes_let_in(world, alice, mode, form):
    client = make_client(14, mode, inputs=[mode])
    typed = form.format(password=alice.password.decode(), code=alice.code_at().decode()).encode()
    assert world.login("alice", typed, client) == Accept()
    assert world.login("alice", alice.password + alice.code_at(30), client) == Reject(Reason.UNREADABLE_FIELD)


def test_one_login_asks_a_first_factor_once_however_many_modes_there_are(world, alice):
    client = make_client(15, "all", inputs=["suffix", "prefix", "separator", "challenge"])
    assert world.login("alice", alice.code_at() + alice.password, client) == Accept()
    world.login("alice", b"wrong" + alice.code_at(30), client)
    world.login("alice", b"wrong", client)
    assert world.checks == [alice.password, b"wrong", b"wrong"]


def test_a_password_only_client_asks_for_no_code(world, alice):
    client = make_client(16, "password-only", inputs=["password-only"])
    world.change(alice, tokens=())
    assert world.login("alice", alice.password, client) == Accept()
    assert world.login("alice", alice.password, client) == Accept()
    assert world.login("alice", b"wrong", client) == Reject(Reason.WRONG_PASSWORD)
    assert world.login("alice", b"", client) == Reject(Reason.UNREADABLE_FIELD)


def test_a_new_request_for_the_same_attempt_gets_the_first_verdict(world, alice):
    typed = alice.password + alice.code_at()
    assert world.login("alice", typed, station="10.0.0.1") == Accept()
    world.pass_time(14)
    assert world.login("alice", typed, station="10.0.0.1") == Accept()
    assert len({settled.decision.spend for settled, _ in world.attempts.settled} - {None}) == 1


@pytest.mark.parametrize(
    ("change", "seconds"),
    [
        ({"station": "10.0.0.2"}, 0),
        ({"station": None}, 0),
        ({"client": OTHER}, 0),
        ({}, 15),
        ({"client": make_client(1, "lab", accept_repeats=False)}, 0),
    ],
)
def test_another_station_client_or_time_is_a_replay(world, alice, change, seconds):
    typed = alice.password + alice.code_at()
    assert world.login("alice", typed, station="10.0.0.1") == Accept()
    world.pass_time(seconds)
    again = {"station": "10.0.0.1"} | change
    assert world.login("alice", typed, **again) == Reject(Reason.CODE_REPLAYED)


def test_the_same_code_behind_another_password_is_a_replay(world, alice):
    assert world.login("alice", alice.password + alice.code_at(), station="10.0.0.1") == Accept()
    assert world.login("alice", b"wrong" + alice.code_at(), station="10.0.0.1") == Reject(Reason.CODE_REPLAYED)


def test_a_client_that_tells_no_station_has_no_repeats(world, alice):
    typed = alice.password + alice.code_at()
    assert world.login("alice", typed) == Accept()
    assert world.login("alice", typed) == Reject(Reason.CODE_REPLAYED)


def test_a_repeat_after_the_user_was_disabled_is_refused(world, alice):
    typed = alice.password + alice.code_at()
    assert world.login("alice", typed, station="10.0.0.1") == Accept()
    world.change(alice, enabled=False)
    assert world.login("alice", typed, station="10.0.0.1") == Reject(Reason.USER_DISABLED)


def test_the_answer_to_a_prompt_may_be_repeated_too(world, alice):
    prompt = world.login("alice", alice.password, ASKS, station="10.0.0.1")
    code = alice.code_at()
    assert world.answer("alice", code, prompt, ASKS, station="10.0.0.1") == Accept()
    again = Challenge(Prompt.CODE_AGAIN)  # the same State
    assert world.answer("alice", code, again, ASKS, station="10.0.0.1") == Accept()
    assert world.answer("alice", code, again, ASKS, station="10.0.0.2") == Reject(Reason.CHALLENGE_USED)


def test_a_code_proof_stands_for_the_code(world, alice):
    client = make_client(17, "chap", inputs=["code-only"])
    code = alice.code_at().decode()
    accepted = world.login("alice", b"", client, code_proof=lambda one: one == code)
    assert isinstance(accepted, Accept)
    assert accepted.code.reveal().decode() == code
    assert world.login("alice", b"", client, code_proof=lambda one: one == code) == Reject(Reason.CODE_REPLAYED)
    assert world.login("alice", b"", client, code_proof=lambda one: False) == Reject(Reason.WRONG_CODE)


def test_the_mode_of_a_login_is_told(world, alice):
    world.login("alice", alice.password + alice.code_at(), BOTH)
    assert world.attempts.settled[-1][0].decision.mode is InputMode.SUFFIX
    world.login("alice", alice.password, replace(BOTH))
    assert world.attempts.settled[-1][0].decision.mode is InputMode.CHALLENGE


def test_a_user_without_a_password_is_asked_by_a_uniform_challenge_and_never_let_in(world, alice):
    world.change(alice, verifier=None)
    prompt = world.login("alice", b"anything", UNIFORM)
    assert isinstance(world.answer("alice", alice.code_at(), prompt, UNIFORM), Challenge)
