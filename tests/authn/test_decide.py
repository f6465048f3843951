"""The login rules, in a world with a hand-wound clock."""

import dataclasses
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulator import CODE_ONLY, LAB, OTHER, START, World, make_client

from authn.account import DECOY
from authn.authenticate import Login, authenticate
from authn.client import InputMode
from authn.decide import decide
from authn.decision import NO_TRACE, Decision
from authn.first_factor import AskFirstFactor, CheckedPassword, Finding, Keeper
from authn.lockout import UNLOCK_WITHIN_S, Tally
from authn.otp import TimeStep, TotpParameters, code_at
from authn.policy import Policy
from authn.secret import Password, Seed, Verifier
from authn.verdict import Accept, Inability, Reason, Reject, Unavailable, Verdict


def wrong_code(guess):
    """A code that none of the worlds' users has near the present; another one for each guess."""
    return b"00000%d" % guess if guess < 10 else b"0000%d" % guess


def test_password_and_code_let_in(world):
    alice = world.enrol("alice")
    assert world.login("alice", alice.password + alice.code_at()) == Accept()


def test_a_spent_step_is_refused(world):
    """A code that was accepted once is refused, though its window is still open."""
    alice = world.enrol("alice")
    typed = alice.password + alice.code_at()
    assert world.login("alice", typed) == Accept()
    assert world.login("alice", typed) == Reject(Reason.CODE_REPLAYED)


def test_a_code_older_than_the_last_spent_one_is_refused(world):
    alice = world.enrol("alice")
    before, now = alice.code_at(-30), alice.code_at()
    assert world.login("alice", alice.password + now) == Accept()
    assert world.login("alice", alice.password + before) == Reject(Reason.CODE_REPLAYED)


def test_digits_that_a_later_step_shows_again_by_chance_are_not_taken_twice(world):
    """This seed shows one code in two steps running; as drift is learned, the second comes into the window."""
    alice = world.enrol("alice")
    alice.seed = Seed((210372).to_bytes(20, "big"))
    [token] = world.attempts.accounts["alice"].tokens
    world.change(alice, tokens=(dataclasses.replace(token, seed=alice.seed, drift=-1),))
    assert alice.code_at() == alice.code_at(30)
    typed = alice.password + alice.code_at()
    assert world.login("alice", typed) == Accept()
    for _ in range(3):
        assert world.login("alice", typed) == Reject(Reason.CODE_REPLAYED)
        world.pass_time(30)


def test_a_spent_code_asks_no_first_factor(world):
    """Who replays a code cannot try passwords with it, nor a directory's patience."""
    alice = world.enrol("alice")
    world.login("alice", alice.password + alice.code_at())
    assert world.login("alice", b"guess" + alice.code_at()) == Reject(Reason.CODE_REPLAYED)
    assert world.checks == [alice.password]


def test_a_wrong_password_does_not_burn_the_code(world):
    alice = world.enrol("alice")
    assert world.login("alice", b"wrong" + alice.code_at()) == Reject(Reason.WRONG_PASSWORD)
    assert world.login("alice", alice.password + alice.code_at()) == Accept()


def test_a_wrong_code_asks_no_first_factor(world):
    """A directory must not count a wrong code as a wrong password of its own."""
    alice = world.enrol("alice")
    assert world.login("alice", alice.password + alice.code_at(3000)) == Reject(Reason.WRONG_CODE)
    assert world.checks == []


def test_a_good_login_asks_the_first_factor_once(world):
    alice = world.enrol("alice")
    world.login("alice", alice.password + alice.code_at())
    assert world.checks == [alice.password]


@pytest.mark.parametrize(("offset_s", "lets_in"), [(-61, False), (-30, True), (0, True), (30, True), (61, False)])
def test_the_window_is_one_step_to_each_side(world, offset_s, lets_in):
    alice = world.enrol("alice")
    verdict = world.login("alice", alice.password + alice.code_at(offset_s))
    assert verdict == (Accept() if lets_in else Reject(Reason.CLOCK_OFF))


def test_unknown_and_disabled_users_are_refused(world):
    alice = world.enrol("alice")
    assert world.login("mallory", alice.password + alice.code_at()) == Reject(Reason.UNKNOWN_USER)
    assert world.login("", alice.password + alice.code_at()) == Reject(Reason.UNKNOWN_USER)
    world.change(alice, enabled=False)
    assert world.login("alice", alice.password + alice.code_at()) == Reject(Reason.USER_DISABLED)


def test_the_decoy_is_never_let_in_even_with_its_own_code(world):
    token = DECOY.tokens[0]
    code = code_at(token.seed, token.parameters.step_at(world.now), token.parameters).encode()
    for client in (LAB, CODE_ONLY):
        for typed in (code, b"password" + code):
            decision = decide(world.request("mallory", typed, client), DECOY, None, Policy())
            assert decision.verdict == Reject(Reason.UNKNOWN_USER)


def test_a_user_without_token_or_password_is_refused(world):
    alice = world.enrol("alice")
    world.change(alice, verifier=None)
    assert world.login("alice", alice.password + alice.code_at()) == Reject(Reason.NO_PASSWORD)
    world.change(alice, tokens=())
    assert world.login("alice", alice.password + alice.code_at()) == Reject(Reason.NO_TOKEN)
    world.change(alice, broken_seals=True)
    assert world.login("alice", alice.password + alice.code_at()) == Reject(Reason.SEAL_BROKEN)


def test_code_only_clients_send_the_code_alone(world):
    alice = world.enrol("alice")
    assert world.login("alice", alice.password + alice.code_at(), CODE_ONLY) == Reject(Reason.UNREADABLE_FIELD)
    assert world.login("alice", alice.code_at(), CODE_ONLY) == Accept()
    assert world.checks == []


def test_an_unusable_request_is_refused_even_with_good_credentials(world):
    alice = world.enrol("alice")
    typed = alice.password + alice.code_at()
    assert world.login("alice", typed, unusable=Reason.UNSUPPORTED_METHOD) == Reject(Reason.UNSUPPORTED_METHOD)


def test_failures_delay_the_user_at_this_client_only(world):
    alice = world.enrol("alice")
    for guess in range(6):
        assert world.login("alice", alice.password + wrong_code(guess)) == Reject(Reason.WRONG_CODE)
    typed = alice.password + alice.code_at()
    assert world.login("alice", typed) == Reject(Reason.LOCKED)
    assert world.login("alice", typed, OTHER) == Accept()
    world.pass_time(31)
    assert world.login("alice", alice.password + alice.code_at(30)) == Accept()
    assert world.attempts.tallies[1, LAB.id, ""].failures == 0


def test_logins_while_delayed_do_not_lengthen_the_delay(world):
    alice = world.enrol("alice")
    for guess in range(50):
        world.login("alice", alice.password + wrong_code(guess))
    assert world.attempts.tallies[1, LAB.id, ""].failures == 6


def test_a_wrong_password_counts_and_a_replay_does_not(world):
    alice = world.enrol("alice")
    world.login("alice", b"wrong" + alice.code_at())
    assert world.attempts.tallies[1, LAB.id, ""].failures == 1
    world.login("alice", alice.password + alice.code_at())
    for _ in range(20):
        assert world.login("alice", alice.password + alice.code_at()) == Reject(Reason.CODE_REPLAYED)
    assert world.attempts.tallies[1, LAB.id, ""].failures == 0


@pytest.mark.parametrize(
    ("finding", "verdict"),
    [
        (Finding.CANNOT_TELL, Unavailable(Inability.FIRST_FACTOR_UNAVAILABLE)),
        (Finding.OVERLOADED, Unavailable(Inability.OVERLOADED)),
        (Finding.SEAL_BROKEN, Reject(Reason.SEAL_BROKEN)),
    ],
)
def test_a_first_factor_that_cannot_tell_never_counts_against_the_user(world, finding, verdict):
    alice = world.enrol("alice")
    request = world.request("alice", alice.password + alice.code_at())
    [account] = world.attempts.load([request])
    decision = decide(request, account, CheckedPassword(finding, Keeper(verifier=account.verifier)), Policy())
    assert dataclasses.replace(decision, trace=NO_TRACE) == Decision(verdict)


def test_a_finding_against_an_old_password_is_asked_again(world):
    """The password was changed while the old one was being checked."""
    alice = world.enrol("alice")
    request = world.request("alice", alice.password + alice.code_at())
    [account] = world.attempts.load([request])
    old = CheckedPassword(Finding.PASSED, Keeper(verifier=Verifier(b"an older verifier")))
    assert isinstance(decide(request, account, old, Policy()), AskFirstFactor)


def test_time_is_that_of_the_request_not_of_the_check(world):
    """A password that took a minute to check does not make its code late."""
    alice = world.enrol("alice")
    login = Login(world.request("alice", alice.password + alice.code_at()))
    [question] = authenticate([login], world.attempts, world.policy)
    world.pass_time(600)
    [verdict] = authenticate([Login(login.request, world.check(question))], world.attempts, world.policy)
    assert verdict == Accept()


def test_drift_is_learned_one_step_at_a_time(world):
    """A clock that falls behind slowly is followed far beyond the window, up to the bound."""
    alice = world.enrol("alice")
    for behind in range(15):
        world.pass_time(600)
        verdict = world.login("alice", alice.password + alice.code_at(-30 * behind))
        assert verdict == (Accept() if behind <= world.policy.max_drift + 1 else Reject(Reason.CLOCK_OFF))


@given(st.integers(-12, 12), st.integers(0, 3), st.sampled_from([30, 60]), st.data())
def test_no_code_passes_twice_whatever_drift_and_clock(drift, window, period_s, data):
    """Codes from near and far, a clock that jumps both ways: each step is accepted once at most."""
    world = World(Policy(window=window, max_drift=12))
    alice = world.enrol("alice", parameters=TotpParameters(period_s))
    token = world.attempts.accounts["alice"].tokens[0]
    world.change(alice, tokens=(dataclasses.replace(token, drift=drift),))
    accepted = []
    for _ in range(12):
        world.pass_time(data.draw(st.integers(-200, 200)))
        offset_s = period_s * (drift + data.draw(st.integers(-window - 1, window + 1)))
        code = alice.code_at(offset_s)
        if world.login("alice", alice.password + code) == Accept():
            accepted.append(world.attempts.accounts["alice"].tokens[0].last_step)
    assert len(set(accepted)) == len(accepted)
    assert accepted == sorted(accepted)


@given(
    st.binary(max_size=20),
    st.binary(max_size=40),
    st.sampled_from([mode for mode in InputMode if mode is not InputMode.STATIC_CHALLENGE]),
)
def test_whatever_is_typed_comes_to_a_verdict(name, typed, mode):
    world = World()
    world.enrol("alice")
    client = make_client(9, "any", inputs=[mode])
    verdict = world.login(name.decode("latin-1"), typed, client)
    assert isinstance(verdict, get_args(Verdict))
    assert verdict != Accept()


def test_two_tokens_of_different_length_both_work(world):
    alice = world.enrol("alice")
    [short] = world.attempts.accounts["alice"].tokens
    long = dataclasses.replace(short, id=99, seed=type(short.seed)(b"x" * 20), parameters=TotpParameters(digits=8))
    world.change(alice, tokens=(short, long))
    code = code_at(long.seed, long.parameters.step_at(world.now), long.parameters).encode()
    assert world.login("alice", alice.password + code) == Accept()
    assert world.login("alice", alice.password + alice.code_at()) == Accept()


def test_a_user_stands_in_a_batch_once(world):
    alice = world.enrol("alice")
    login = Login(world.request("alice", alice.password + alice.code_at()))
    with pytest.raises(ValueError):
        authenticate([login, login], world.attempts, world.policy)


@pytest.mark.parametrize("verdict", [Accept(), Reject(Reason.LOCKED), Unavailable(Inability.BUG)])
def test_a_verdict_has_no_truth_value(verdict):
    with pytest.raises(TypeError):
        bool(verdict)


def test_the_store_has_the_last_word(world):
    """Another node spent the step between reading and writing: the Accept turns into a replay."""
    alice = world.enrol("alice")
    request = world.request("alice", alice.password + alice.code_at())
    [account] = world.attempts.load([request])
    checked = CheckedPassword(Finding.PASSED, Keeper(verifier=account.verifier))
    spent = dataclasses.replace(account.tokens[0], last_step=TimeStep(2**40))

    class Racing(type(world.attempts)):
        def settle(self, settlements):
            world.change(alice, tokens=(spent,))
            return super().settle(settlements)

    racing = Racing()
    racing.accounts = world.attempts.accounts
    assert authenticate([Login(request, checked)], racing, world.policy) == [Reject(Reason.CODE_REPLAYED)]


def test_the_password_stays_hidden_on_its_way(world):
    alice = world.enrol("alice", password=b"canary")
    login = Login(world.request("alice", alice.password + alice.code_at()))
    [question] = authenticate([login], world.attempts, world.policy)
    assert question.password == Password(b"canary")
    assert "canary" not in repr((login, question))


@pytest.fixture
def delayed(world):
    """Somebody who has to wait for 30 seconds."""
    alice = world.enrol("alice")
    for guess in range(6):
        world.login("alice", alice.password + wrong_code(guess))
    return alice


def test_two_codes_in_a_row_open_a_delay(world, delayed):
    assert world.login("alice", delayed.password + delayed.code_at()) == Reject(Reason.LOCKED)
    assert world.login("alice", delayed.password + delayed.code_at()) == Reject(Reason.LOCKED)  # the same is no second
    assert world.login("alice", delayed.password + wrong_code(1)) == Reject(Reason.LOCKED)  # and takes nothing away
    assert world.login("alice", delayed.password + delayed.code_at(30)) == Accept()
    assert world.attempts.tallies[1, LAB.id, ""].failures == 0


def test_two_codes_of_which_the_second_comes_late_open_nothing(world, delayed):
    first, second = delayed.code_at(), delayed.code_at(30)
    world.change(delayed, tokens=(dataclasses.replace(world.attempts.accounts["alice"].tokens[0], drift=-5),))
    world.attempts.tallies[1, LAB.id, ""] = Tally(9, world.now + 800)
    world.policy = Policy(window=9)
    assert world.login("alice", delayed.password + first) == Reject(Reason.LOCKED)
    world.pass_time(UNLOCK_WITHIN_S)
    assert world.login("alice", delayed.password + second) == Reject(Reason.LOCKED)


def test_who_holds_the_device_guesses_no_more_passwords_by_two_codes_in_a_row(world, delayed):
    """A wrong password spends no code, so the same two codes could be shown over and over."""
    for guess in range(20):
        world.login("alice", b"x" + delayed.code_at())
        world.login("alice", b"guess %d" % guess + delayed.code_at(30))
    assert len(world.checks) == 1


def test_codes_of_two_devices_are_not_two_in_a_row(world, delayed):
    [token] = world.attempts.accounts["alice"].tokens
    other = dataclasses.replace(token, id=99, seed=Seed(b"another"))
    world.change(delayed, tokens=(token, other))
    second = code_at(other.seed, TimeStep(token.parameters.step_at(world.now) + 1), token.parameters).encode()
    for typed in (delayed.code_at(), second):
        assert world.login("alice", delayed.password + typed) == Reject(Reason.LOCKED)


def test_at_a_prompt_too_the_owner_gets_in_by_two_codes_in_a_row(world):
    alice, asks = world.enrol("alice"), make_client(21, "asks", inputs=["challenge"])
    for guess in range(6):
        world.login("alice", b"wrong %d" % guess, asks)
    assert world.login("alice", alice.password, asks) == Reject(Reason.LOCKED)
    assert world.login("alice", alice.password + alice.code_at(), asks) == Reject(Reason.LOCKED)
    prompt = world.login("alice", alice.password, asks)
    assert world.answer("alice", alice.code_at(30), prompt, asks) == Accept()


def test_the_failures_of_a_day_are_bounded_though_the_owner_logs_in_between(world):
    """Who guesses where the owner logs in often gets no fresh guesses for it."""
    alice, judged = world.enrol("alice"), 0
    for minute in range(0, 24 * 60, 10):
        world.now = START + 60 * minute
        world.login("alice", alice.password + alice.code_at())
        for guess in range(5):
            verdict = world.login("alice", alice.password + wrong_code(guess))
            judged += verdict == Reject(Reason.WRONG_CODE)
    assert 100 < judged <= 200


def test_sshds_dummy_password_is_no_guess(world):
    """What sshd hands on for a user that its host will not have, cut or begun anew to the length of what was typed."""
    alice, asks = world.enrol("alice"), make_client(21, "asks", inputs=["challenge"])
    dummy = b"\b\n\r\x7fINCORRECT" * 3
    for length in (4, 13, 20, 39):
        assert world.login("alice", dummy[:length], asks) == Reject(Reason.DUMMY_PASSWORD)
    assert world.checks == []
    assert world.attempts.tallies == {}
    assert world.login("alice", dummy[:13] + alice.code_at()) == Reject(Reason.WRONG_PASSWORD)


def test_an_old_code_and_one_of_another_period_have_names_of_their_own(world):
    alice = world.enrol("alice")
    typed = alice.password + alice.code_at()
    assert world.login("alice", typed) == Accept()
    world.pass_time(3600)
    assert world.login("alice", typed) == Reject(Reason.OLD_CODE)
    assert (1, LAB.id, "") not in world.attempts.tallies
    bob = world.enrol("bob", parameters=TotpParameters(60))
    other = code_at(bob.seed, TotpParameters(30).step_at(world.now), TotpParameters(30)).encode()
    assert world.login("bob", bob.password + other) == Reject(Reason.WRONG_PERIOD)
