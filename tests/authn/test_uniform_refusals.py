"""No refusal tells why: whatever was wrong, the NAS hears the same octets at the same time.

Each cause is staged in a world of its own, its login goes through the real handler, and the audit's reason shows that
the cause was the one that was meant. What may differ between two replies is the identifier and the authenticators.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.handled import Nas
from support.simulator import LAB, START, make_client

from authn.conditions import Conditions
from authn.exemption import ExemptionKind
from authn.lockout import Bucket
from authn.otp import HotpParameters, TotpParameters
from authn.policy import Policy, Rule
from authn.verdict import Challenge, Reason
from radius_wire import attributes
from radius_wire.authenticators import verify_reply
from radius_wire.packet import PacketCode, parse

FLOOR_S, JITTER_S = 1.0, 0.1
STATION = "203.0.113.9"
SUFFIX = LAB
PREFIX = make_client(61, "prefix", inputs=["prefix"])
SHADOW = make_client(62, "shadow", shadow_until=START + 86400)
ASKS = make_client(63, "asks", inputs=["challenge"])
ALSO_ASKS = make_client(64, "also-asks", inputs=["suffix", "challenge"])
UNIFORM = make_client(65, "uniform", inputs=["challenge"], uniform_challenge=True)
UNIFORM_TOO = make_client(66, "uniform-too", inputs=["suffix", "challenge"], uniform_challenge=True)
CODES = make_client(67, "codes", inputs=["code-only"])
WORDS = (b"correct horse", b"a", b"hunter222222", b"p" * 100)


class Scene:
    """A handler, its user, and the way to type a password and a code at its client."""

    def __init__(self, client, password, jitter=0.0, parameters=None):
        self.nas = Nas(client, jitter=jitter)
        self.world, self.client, self.password = self.nas.world, client, password
        self.alice = self.world.enrol("alice", password, parameters)
        self.name = "alice"
        self.before: list[tuple[str, bytes]] = []

    def field(self, password: bytes, code: bytes) -> bytes:
        modes = [one.mode for one in self.client.rules.inputs]
        if "prefix" in modes:
            return code + password
        return code if "code-only" in modes else password + code

    def right(self) -> bytes:
        return self.field(self.password, self.alice.code_at())

    def token(self, **changes) -> None:
        [token] = self.world.attempts.accounts["alice"].tokens
        self.world.change(self.alice, tokens=(replace(token, **changes),))

    def policy(self, *rules) -> None:
        self.world.policy = Policy(rules=rules)
        self.nas.handler._desk.policy = self.world.policy

    def login(self, typed: bytes):
        """A login behind the handler's back, at this client and station."""
        return self.world.login(self.name, typed, self.client, station=STATION)

    def octets(self, typed: bytes, identifier: int, name: str) -> bytes:
        return self.nas.request(name, typed, identifier, extra=[(31, STATION.encode())])


# Each stages a cause and returns the field to type; the reason is what the audit must say.


def unknown_user(scene):
    scene.name = "mallory"
    return scene.right()


def nobody(scene):
    scene.name = "not\ta name"
    return scene.right()


def wrong_password(scene):
    return scene.field(b"wrong", scene.alice.code_at())


def wrong_code(scene):
    return scene.field(scene.password, b"000000")


def clock_off(scene):
    return scene.field(scene.password, scene.alice.code_at(600))


def wrong_period(scene):
    parameters = TotpParameters(60)
    scene.token(parameters=parameters)
    scene.alice.parameters = TotpParameters(30)
    return scene.right()


def old_code(scene):
    typed = scene.right()
    scene.login(typed)
    scene.world.pass_time(3600)
    return typed


def replayed(scene):
    typed = scene.right()
    scene.login(typed)
    scene.world.pass_time(20)
    return typed


def locked(scene):
    for number in range(6):
        scene.login(scene.field(scene.password, b"00000%d" % number))
    return scene.right()


def strangers(scene):
    scene.world.change(scene.alice, strangers=Bucket(50.0, scene.world.now))
    return scene.right()


def network(scene):
    place = (scene.client.id, "203.0.113.0/24")
    scene.world.attempts.place_strangers[place] = Bucket(200.0, scene.world.now)
    return scene.right()


def disabled(scene):
    scene.world.change(scene.alice, enabled=False)
    return scene.right()


def no_token(scene):
    scene.world.change(scene.alice, tokens=())
    return scene.right()


def no_password(scene):
    scene.world.change(scene.alice, verifier=None)
    return scene.right()


def broken_seal(scene):
    scene.world.change(scene.alice, tokens=(), broken_seals=True)
    return scene.right()


def policy(scene):
    scene.policy(Rule("closed", Conditions(), refuses=True))
    return scene.right()


def same_guess(scene):
    typed = scene.field(scene.password, b"000000")
    scene.login(typed)
    return typed


def dummy_password(scene):
    return b"\b\n\r\x7fINCORRECT"


def wrong_recovery_code(scene):
    scene.world.recovery_code(scene.alice)
    return scene.field(scene.password, b"0000-2F8D-9XWB-3TRN")


def recovery_code_with_wrong_password(scene):
    return scene.field(b"wrong", scene.world.recovery_code(scene.alice))


def recovery_code_twice(scene):
    typed = scene.field(scene.password, scene.world.recovery_code(scene.alice))
    scene.login(typed)
    return typed


def empty(scene):
    return b""


def unreadable(scene):
    return b"\xff\xfe\x00"


def password_alone(scene):
    return scene.password.rstrip(b"0123456789")


def over_bypass(scene):
    scene.world.exempt(scene.alice, ExemptionKind.BYPASS, 3600, 1)
    return b"wrong"


FIELD_CAUSES = {
    unknown_user: {Reason.UNKNOWN_USER},
    nobody: {Reason.UNKNOWN_USER},
    wrong_code: {Reason.WRONG_CODE},
    clock_off: {Reason.CLOCK_OFF},
    wrong_period: {Reason.WRONG_PERIOD},
    old_code: {Reason.OLD_CODE},
    replayed: {Reason.CODE_REPLAYED},
    locked: {Reason.LOCKED},
    strangers: {Reason.STRANGERS},
    network: {Reason.STRANGERS},
    disabled: {Reason.USER_DISABLED},
    no_token: {Reason.NO_TOKEN},
    broken_seal: {Reason.SEAL_BROKEN},
    policy: {Reason.POLICY},
    same_guess: {Reason.SAME_GUESS},
    dummy_password: {Reason.DUMMY_PASSWORD},
    empty: {Reason.UNREADABLE_FIELD},
    unreadable: {Reason.UNREADABLE_FIELD},
    wrong_recovery_code: {Reason.UNREADABLE_FIELD, Reason.WRONG_CODE},
    recovery_code_twice: {Reason.UNREADABLE_FIELD, Reason.WRONG_CODE},
}
"""Causes at clients where password, or not, and code share the field."""
PASSWORD_CAUSES = {
    wrong_password: {Reason.WRONG_PASSWORD},
    no_password: {Reason.NO_PASSWORD},
    recovery_code_with_wrong_password: {Reason.WRONG_PASSWORD},
    password_alone: {Reason.UNREADABLE_FIELD, Reason.WRONG_CODE},
    over_bypass: {Reason.WRONG_PASSWORD},
}
SHADOW_CAUSES = {
    unknown_user: {Reason.UNKNOWN_USER},
    wrong_password: {Reason.WRONG_PASSWORD},
    wrong_code: {Reason.WRONG_PASSWORD},
    replayed: {Reason.CODE_REPLAYED},
    disabled: {Reason.USER_DISABLED},
    strangers: {Reason.STRANGERS},
    policy: {Reason.POLICY},
    dummy_password: {Reason.DUMMY_PASSWORD},
    over_bypass: {Reason.WRONG_PASSWORD},
    empty: {Reason.UNREADABLE_FIELD},
}
PROMPT_CAUSES = {
    unknown_user: {Reason.UNKNOWN_USER},
    nobody: {Reason.UNKNOWN_USER},
    wrong_password: {Reason.WRONG_PASSWORD},
    strangers: {Reason.STRANGERS},
    network: {Reason.STRANGERS},
    disabled: {Reason.USER_DISABLED},
    no_token: {Reason.NO_TOKEN},
    no_password: {Reason.NO_PASSWORD},
    broken_seal: {Reason.SEAL_BROKEN},
    policy: {Reason.POLICY},
    dummy_password: {Reason.DUMMY_PASSWORD},
    over_bypass: {Reason.WRONG_PASSWORD},
    empty: {Reason.UNREADABLE_FIELD},
    locked: {Reason.LOCKED},
    wrong_code: {Reason.WRONG_PASSWORD},
}
"""Causes in the first round where the code is asked for at a prompt."""
CAUSES_AT = {
    SUFFIX.name: FIELD_CAUSES | PASSWORD_CAUSES,
    PREFIX.name: FIELD_CAUSES | PASSWORD_CAUSES,
    CODES.name: FIELD_CAUSES,
    SHADOW.name: SHADOW_CAUSES,
    ASKS.name: PROMPT_CAUSES,
    ALSO_ASKS.name: PROMPT_CAUSES | {replayed: {Reason.CODE_REPLAYED}},
    UNIFORM.name: PROMPT_CAUSES,
    UNIFORM_TOO.name: PROMPT_CAUSES | {replayed: {Reason.CODE_REPLAYED}},
}
CLIENTS = {one.name: one for one in (SUFFIX, PREFIX, CODES, SHADOW, ASKS, ALSO_ASKS, UNIFORM, UNIFORM_TOO)}


def anonymous(octets: bytes) -> tuple:
    """A reply without identifier and authenticators; of a State its length alone, as it is sealed."""
    packet = parse(octets)
    told = [
        (kind, len(value) if kind in (attributes.MESSAGE_AUTHENTICATOR, attributes.STATE) else value)
        for kind, value in packet.attributes
    ]
    return octets[:1], octets[2:4], len(octets), told


def refusal(client, cause, password, identifier, jitter, more_after_s):
    """The reply to a staged login, anonymous, and when it left; the audit must name the cause."""
    scene = Scene(client, password, jitter)
    typed = cause(scene)
    request = scene.octets(typed, identifier, scene.name)
    assert scene.nas.turn(request) == [], f"{cause.__name__} was answered before its floor"
    settlement, verdict = scene.world.attempts.settled[-1]
    reason = verdict.because if isinstance(verdict, Challenge) else verdict.reason
    assert reason in CAUSES_AT[client.name][cause], f"{cause.__name__} came to {reason}"
    due = FLOOR_S + JITTER_S * jitter
    assert scene.nas.handler.wait_s(scene.nas.moment()) == pytest.approx(due)
    assert scene.nas.turn(seconds=due - 0.001) == [], f"{cause.__name__} left before its floor"
    [octets] = scene.nas.turn(seconds=0.001 + more_after_s)
    assert scene.nas.handler.is_idle()
    assert octets[1] == identifier
    reply = parse(octets)
    assert reply.attributes[0][0] == attributes.MESSAGE_AUTHENTICATOR
    verify_reply(reply, request[4:20], client.shared_secret.reveal())
    assert settlement.decision.spend is None
    return anonymous(octets)


def reference(client):
    """What every refusal at a client looks like."""
    prompt = (attributes.REPLY_MESSAGE, client.rules.prompt.encode())
    if client.rules.uniform_challenge:
        return PacketCode.ACCESS_CHALLENGE, [attributes.MESSAGE_AUTHENTICATOR, prompt, attributes.STATE]
    said = (attributes.REPLY_MESSAGE, b"Login refused.")
    return PacketCode.ACCESS_REJECT, [attributes.MESSAGE_AUTHENTICATOR, said]


EVERY_CAUSE = [(client, cause) for client in CLIENTS.values() for cause in CAUSES_AT[client.name]]


@pytest.mark.parametrize(
    ("client", "cause"), EVERY_CAUSE, ids=[f"{client.name}-{cause.__name__}" for client, cause in EVERY_CAUSE]
)
def test_every_cause_is_told_alike(client, cause):
    """Each cause at least once at every kind of client, against what the documents say is heard."""
    packet_code, _, _, told = refusal(client, cause, b"correct horse", 1, 0.0, 0.0)
    expected_code, expected = reference(client)
    assert packet_code[0] == expected_code
    bare = [one if one[0] == attributes.REPLY_MESSAGE else one[0] for one in told]
    assert bare == expected


@given(
    name=st.sampled_from(sorted(CLIENTS)),
    data=st.data(),
    passwords=st.tuples(*[st.sampled_from(WORDS)] * 2),
    identifiers=st.tuples(*[st.integers(0, 255)] * 2),
    jitter=st.sampled_from([0.0, 0.25, 1.0]),
    more_after_s=st.sampled_from([0.0, 0.3, 5.0]),
)
@settings(max_examples=400, derandomize=True)
def test_no_two_refusals_can_be_told_apart(name, data, passwords, identifiers, jitter, more_after_s):
    """Any two causes at one client, for users with any passwords: the same octets, after the same time."""
    client = CLIENTS[name]
    causes = data.draw(st.tuples(*[st.sampled_from(list(CAUSES_AT[client.name]))] * 2))
    heard = [
        refusal(client, cause, password, identifier, jitter, more_after_s)
        for cause, password, identifier in zip(causes, passwords, identifiers, strict=True)
    ]
    assert heard[0] == heard[1], [cause.__name__ for cause in causes]


@pytest.mark.parametrize("client", [UNIFORM, UNIFORM_TOO], ids=lambda client: client.name)
@pytest.mark.parametrize("cause", list(PROMPT_CAUSES), ids=lambda cause: cause.__name__)
def test_a_uniform_prompt_is_that_of_a_right_password(client, cause):
    """Text, length and time of the prompt are the same whether the password held or anything was wrong."""
    scene = Scene(client, b"correct horse")
    assert scene.nas.turn(scene.octets(scene.password, 7, "alice")) == []
    assert isinstance(scene.world.attempts.settled[-1][1], Challenge)
    assert scene.world.attempts.settled[-1][1].because is None
    assert scene.nas.turn(seconds=FLOOR_S - 0.001) == []
    [octets] = scene.nas.turn(seconds=0.001)
    assert anonymous(octets) == refusal(client, cause, b"correct horse", 9, 0.0, 0.0)


ANSWERS = (b"000000", b"not a code", b"", b"0000-2F8D-9XWB-3TRN", None)


@given(
    causes=st.tuples(*[st.sampled_from([None, *PROMPT_CAUSES])] * 2),
    answers=st.lists(st.sampled_from(ANSWERS), min_size=3, max_size=4),
)
@settings(max_examples=150, derandomize=True)
def test_all_rounds_of_a_uniform_challenge_are_told_alike(causes, answers):
    """Prompt, second and third one, the refusal at the end; None stands for a right password, and for a right code."""
    talks = []
    for cause in causes:
        scene = Scene(UNIFORM, b"correct horse")
        typed = scene.password if cause is None else cause(scene)
        state, talk = b"", []
        for number, said in enumerate([typed, *answers]):
            if said is None:  # the right code, where it cannot help
                said = b"000001" if cause is None else scene.alice.code_at()
            extra = [(31, STATION.encode())] + ([(attributes.STATE, state)] if state else [])
            assert scene.nas.turn(scene.nas.request(scene.name, said, number, extra=extra)) == []
            assert scene.nas.turn(seconds=FLOOR_S - 0.001) == []
            [octets] = scene.nas.turn(seconds=0.001)
            state = parse(octets).first(attributes.STATE) or state
            talk.append(anonymous(octets))
        talks.append(talk)
    assert talks[0] == talks[1]
    assert [one[0][0] for one in talks[0][:4]] == [PacketCode.ACCESS_CHALLENGE] * 3 + [PacketCode.ACCESS_REJECT]


@given(st.binary(max_size=128), st.binary(min_size=1, max_size=60), st.sampled_from(sorted(CLIENTS)))
@settings(max_examples=300, derandomize=True)
def test_whatever_is_typed_is_refused_alike_under_whatever_name(typed, name, client_name):
    """Octets that nobody staged: one who is here, one who is not, and one whose login is refused for another cause.

    What is no User-Password at all, such as octets with a NUL within, is refused at once where others are asked for a
    code. That tells what was typed, and nothing of who typed it.
    """
    client, heard = CLIENTS[client_name], []
    for who, is_enabled in (("alice", True), ("alice", False), (name.decode("latin-1"), True)):
        scene = Scene(client, b"correct horse", parameters=HotpParameters())
        scene.world.change(scene.alice, enabled=is_enabled)
        assert scene.nas.turn(scene.octets(typed, 3, who)) == []
        assert scene.nas.turn(seconds=FLOOR_S - 0.001) == []
        [octets] = scene.nas.turn(seconds=0.001)
        heard.append(anonymous(octets))
    assert heard[0] == heard[1] == heard[2]
    if b"\0" not in typed.rstrip(b"\0"):
        assert heard[0] == refusal(client, unknown_user, b"correct horse", 4, 0.0, 0.0)
