"""Prompts beyond the plain one: two codes in a row, recovery codes, and what another server asks."""

import pytest
from support.simulator import LAB, make_client

from authn.challenge import MAX_RELAYED_STATE_OCTETS, Relay
from authn.decision import WithoutSpend
from authn.exemption import ExemptionKind
from authn.first_factor import CheckedPassword, Finding, FurtherQuestion
from authn.otp import HotpParameters
from authn.policy import KeeperRule, Policy
from authn.verdict import Accept, Challenge, Prompt, Reason, RecoveryCodeUsed, Reject, Unavailable

ASKS = make_client(11, "asks", inputs=["challenge"])
ASKS_TOO = make_client(11, "asks", inputs=["suffix", "challenge"])
UNIFORM = make_client(11, "asks", inputs=["challenge"], uniform_challenge=True)


def prompted(world, person, client=ASKS):
    return world.login(person.name, person.password, client)


# Two codes in a row


@pytest.fixture
def known(world, alice):
    """Somebody who has come from here before, an hour ago."""
    assert world.login("alice", alice.password + alice.code_at(), ASKS_TOO) == Accept()
    world.pass_time(3600)
    return alice


def test_two_codes_in_a_row_at_a_prompt_teach_the_clock(world, known):
    alice = known
    asked = world.answer("alice", alice.code_at(-300), prompted(world, alice), ASKS)
    assert (asked.prompt, asked.because) == (Prompt.NEXT_CODE, Reason.CLOCK_OFF)
    assert world.answer("alice", alice.code_at(-270), asked, ASKS) == Accept()
    assert world.attempts.accounts["alice"].tokens[0].drift == -9
    world.pass_time(30)
    assert world.login("alice", alice.password + alice.code_at(-270)) == Accept()


def test_the_second_code_must_be_the_very_next(world, known):
    alice, last_step = known, world.attempts.accounts["alice"].tokens[0].last_step
    asked = world.answer("alice", alice.code_at(-300), prompted(world, alice), ASKS)
    assert world.answer("alice", alice.code_at(-240), asked, ASKS) == Reject(Reason.CLOCK_OFF)
    again = Challenge(Prompt.NEXT_CODE)  # under the State that was answered
    assert world.answer("alice", alice.code_at(-270), again, ASKS) == Reject(Reason.CHALLENGE_USED)
    assert world.attempts.accounts["alice"].tokens[0].last_step == last_step


def test_a_code_of_another_time_counts_like_every_wrong_one(world, known):
    world.answer("alice", known.code_at(-300), prompted(world, known), ASKS)
    assert world.attempts.tallies[1, ASKS.id, ""].failures == 1


def test_a_code_of_the_future_is_not_told_from_a_wrong_one(world, known):
    """Else a guesser would learn which code to come back with."""
    asked = world.answer("alice", known.code_at(300), prompted(world, known), ASKS)
    assert asked.prompt is Prompt.CODE_AGAIN


def test_a_stranger_teaches_no_clock(world, known):
    """Two codes that were seen over a shoulder are in a row, too."""
    prompt = world.login("alice", known.password, ASKS, station="198.51.100.1")
    asked = world.answer("alice", known.code_at(-300), prompt, ASKS, station="198.51.100.1")
    assert asked.prompt is Prompt.CODE_AGAIN


def test_a_spent_step_teaches_nothing(world, alice):
    assert world.login("alice", alice.password + alice.code_at(), ASKS_TOO) == Accept()
    old, older = alice.code_at(-270), alice.code_at(-300)
    again = world.answer("alice", older, prompted(world, alice), ASKS)
    assert again.prompt is Prompt.CODE_AGAIN
    assert world.answer("alice", old, again, ASKS).prompt is Prompt.CODE_AGAIN


def test_a_code_beyond_reach_is_wrong(world, known):
    alice = known
    far = -30 * (world.policy.reach + 1)
    assert world.answer("alice", alice.code_at(far), prompted(world, alice), ASKS).because is Reason.WRONG_CODE


def test_a_uniform_prompt_does_not_tell_a_code_of_another_time(world, known):
    alice = known
    asked = world.answer("alice", alice.code_at(-300), prompted(world, alice, UNIFORM), UNIFORM)
    assert asked.prompt is Prompt.CODE_AGAIN


def test_a_counted_code_far_ahead_is_not_told_from_a_wrong_one(world):
    """It will be good one day. An operator finds such a token again by two codes."""
    bob = world.enrol("bob", parameters=HotpParameters())
    assert world.login("bob", bob.password + bob.counted_code(0), ASKS_TOO) == Accept()
    asked = world.answer("bob", bob.counted_code(40), prompted(world, bob), ASKS)
    assert (asked.prompt, asked.because) == (Prompt.CODE_AGAIN, Reason.CLOCK_OFF)


# Counted tokens


def test_a_counted_code_lets_in_once_and_so_do_those_within_the_look_ahead(world):
    bob = world.enrol("bob", parameters=HotpParameters())
    assert world.login("bob", bob.password + bob.counted_code(0)) == Accept()
    assert world.login("bob", bob.password + bob.counted_code(0)) == Reject(Reason.CODE_REPLAYED)
    assert world.login("bob", bob.password + bob.counted_code(11)) == Accept()
    assert world.login("bob", bob.password + bob.counted_code(5)) == Reject(Reason.CODE_REPLAYED)
    assert world.login("bob", bob.password + bob.counted_code(23)) == Reject(Reason.CLOCK_OFF)


# Recovery codes


def test_a_recovery_code_lets_in_once_in_the_place_of_a_code(world, alice):
    typed = alice.password + world.recovery_code(alice).lower()
    assert world.login("alice", typed) == Accept(notice=RecoveryCodeUsed(0))
    assert world.login("alice", typed) == Reject(Reason.UNREADABLE_FIELD)


def test_a_wrong_password_does_not_spend_a_recovery_code(world, alice):
    code = world.recovery_code(alice)
    assert world.login("alice", b"wrong" + code) == Reject(Reason.WRONG_PASSWORD)
    assert isinstance(world.login("alice", alice.password + code), Accept)


def test_a_recovery_code_answers_a_prompt_without_its_hyphens(world, alice):
    world.recovery_code(alice)
    assert isinstance(world.answer("alice", b"k7qm 2f8d 9xwb 3trn", prompted(world, alice), ASKS), Accept)


def test_a_client_may_not_take_recovery_codes(world, alice):
    closed = make_client(14, "closed", recovery_codes=False)
    assert world.login("alice", alice.password + world.recovery_code(alice), closed) == Reject(Reason.UNREADABLE_FIELD)


def test_the_recovery_code_of_another_user_is_worth_nothing(world, alice):
    bob = world.enrol("bob")
    code = world.recovery_code(alice)
    world.change(bob, recovery_codes=world.attempts.accounts["alice"].recovery_codes)
    assert world.login("bob", bob.password + code) == Reject(Reason.UNREADABLE_FIELD)


# What another server asks


class OldServer:
    """Asks `rounds` questions after a right password; each State is its own."""

    def __init__(self, world, rounds):
        self._rounds, self.asked = rounds, []
        world.policy = Policy(keepers=(KeeperRule("old"),))
        world.elsewhere = self.check

    def check(self, question):
        self.asked.append((question.password.reveal(), question.relay))
        done = 0 if question.relay is None else int(question.relay.state)
        right = question.password.reveal() == (b"theirs" if question.relay is None else b"answer %d" % done)
        if not right:
            return CheckedPassword(Finding.FAILED, question.keeper)
        if done == self._rounds:
            return CheckedPassword(Finding.PASSED, question.keeper)
        further = FurtherQuestion(f"Question {done + 1}", Relay(1, b"%d" % (done + 1)))
        return CheckedPassword(Finding.ASKS_MORE, question.keeper, further=further)


def test_questions_of_another_server_are_handed_on_and_the_code_is_spent_at_the_end(world, alice):
    server = OldServer(world, rounds=2)
    code = alice.code_at()
    first = world.login("alice", b"theirs" + code)
    assert (first.prompt, first.text) == (Prompt.RELAYED, "Question 1")
    assert world.attempts.accounts["alice"].tokens[0].last_step == 0
    second = world.answer("alice", b"answer 1", first, LAB)
    assert second.text == "Question 2"
    world.pass_time(60)  # the code was good when it was typed
    assert world.answer("alice", b"answer 2", second, LAB) == Accept()
    assert server.asked[1:] == [(b"answer 1", Relay(1, b"1")), (b"answer 2", Relay(1, b"2"))]
    assert world.answer("alice", b"answer 2", Challenge(Prompt.RELAYED), LAB) == Reject(Reason.CHALLENGE_USED)
    assert world.attempts.accounts["alice"].tokens[0].last_step > 0


def test_a_code_spent_between_the_rounds_lets_nobody_in(world, alice):
    OldServer(world, rounds=1)
    first = world.login("alice", b"theirs" + alice.code_at())
    other = world.login("alice", b"theirs" + alice.code_at())
    state = world.state
    assert world.answer("alice", b"answer 1", other, LAB) == Accept()
    world.state = state
    assert world.answer("alice", b"answer 1", first, LAB) == Reject(Reason.CODE_REPLAYED)


def test_a_wrong_answer_spends_no_code_and_its_state_is_over(world, alice):
    OldServer(world, rounds=1)
    code = alice.code_at()
    first = world.login("alice", b"theirs" + code)
    assert world.answer("alice", b"wrong", first, LAB) == Reject(Reason.WRONG_PASSWORD)
    assert world.answer("alice", b"answer 1", Challenge(Prompt.RELAYED), LAB) == Reject(Reason.CHALLENGE_USED)
    again = world.login("alice", b"theirs" + code)
    assert world.answer("alice", b"answer 1", again, LAB) == Accept()


def test_a_relayed_state_expires_and_ends_with_a_change_of_keeper(world, alice):
    OldServer(world, rounds=1)
    first = world.login("alice", b"theirs" + alice.code_at())
    world.policy = Policy(keepers=(KeeperRule("new"),))
    assert world.answer("alice", b"answer 1", first, LAB) == Reject(Reason.PASSWORD_CHANGED)
    world.pass_time(world.policy.challenge_lifetime_s)
    assert world.answer("alice", b"answer 1", first, LAB) == Reject(Reason.CHALLENGE_EXPIRED)


def test_at_a_client_that_asks_the_code_comes_after_the_questions(world, alice):
    OldServer(world, rounds=1)
    first = world.login("alice", b"theirs", ASKS)
    prompt = world.answer("alice", b"answer 1", first, ASKS)
    assert prompt.prompt is Prompt.CODE
    assert world.answer("alice", alice.code_at(), prompt, ASKS) == Accept()


def test_a_bypass_is_used_once_the_questions_are_answered(world, alice):
    OldServer(world, rounds=1)
    world.exempt(alice, ExemptionKind.BYPASS, logins=1)
    first = world.login("alice", b"theirs")
    assert world.attempts.accounts["alice"].exemptions[0].used == 0
    assert isinstance(world.answer("alice", b"answer 1", first, LAB), Accept)
    assert world.attempts.accounts["alice"].exemptions[0].used == 1


def test_a_migrating_user_is_let_in_by_the_answers_alone(world):
    OldServer(world, rounds=1)
    world.policy = Policy(keepers=(KeeperRule("old", alone_until=world.now + 999),))
    first = world.login("zoe", b"theirs")
    assert world.answer("zoe", b"answer 1", first, LAB) == Accept()
    assert world.attempts.settled[-1][0].decision.without_spend is WithoutSpend.UPSTREAM


@pytest.mark.parametrize("octets", [0, 1, MAX_RELAYED_STATE_OCTETS])
def test_another_servers_state_travels_in_ours(world, alice, octets):
    from authn.challenge import FoundCode, Opening

    opening = Opening(world.now, False, bytes(8), Relay(255, bytes(octets)), FoundCode(2**40, 2**40))
    state = world.states.seal(opening, "alice", LAB)
    assert len(state) <= 253
    assert b"\0" not in state
    assert world.states.open(state, "alice", LAB).opening == opening
    assert world.states.open(state, "bob", LAB) is None
    assert world.states.open(state, "alice", ASKS) is None


def test_a_state_that_does_not_fit_is_refused(world):
    from authn.challenge import Opening

    opening = Opening(world.now, False, bytes(8), Relay(0, bytes(MAX_RELAYED_STATE_OCTETS + 1)))
    with pytest.raises(ValueError, match="too long"):
        world.states.seal(opening, "alice", LAB)


def test_a_used_state_is_not_put_to_the_other_server_again(world, alice):
    server = OldServer(world, rounds=1)
    first = world.login("alice", b"theirs" + alice.code_at())
    assert world.answer("alice", b"wrong", first, LAB) == Reject(Reason.WRONG_PASSWORD)
    for guess in range(5):
        again = world.answer("alice", b"guess %d" % guess, Challenge(Prompt.RELAYED), LAB)
        assert again == Reject(Reason.CHALLENGE_USED)
    assert len(server.asked) == 2


def test_a_question_without_a_verdict_stays_open(world, alice):
    """The NAS sends its answer again after silence."""
    server = OldServer(world, rounds=1)
    first = world.login("alice", b"theirs" + alice.code_at())
    world.elsewhere = lambda question: CheckedPassword(Finding.CANNOT_TELL, question.keeper)
    assert isinstance(world.answer("alice", b"answer 1", first, LAB), Unavailable)
    world.elsewhere = server.check
    assert world.answer("alice", b"answer 1", Challenge(Prompt.RELAYED), LAB) == Accept()


def test_a_lost_accept_after_questions_is_given_again(world, alice):
    OldServer(world, rounds=1)
    first = world.login("alice", b"theirs" + alice.code_at(), station="192.0.2.1")
    assert world.answer("alice", b"answer 1", first, LAB, station="192.0.2.1") == Accept()
    again = Challenge(Prompt.RELAYED)
    assert world.answer("alice", b"answer 1", again, LAB, station="192.0.2.1") == Accept()
    assert world.attempts.settled[-1][0].decision.without_spend is WithoutSpend.REPEAT
    for typed, station in ((b"answer 2", "192.0.2.1"), (b"answer 1", "192.0.2.2"), (b"answer 1", None)):
        assert world.answer("alice", typed, again, LAB, station=station) == Reject(Reason.CHALLENGE_USED)
