"""Every way a field may be read, and no other."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authn.client import InputMode
from authn.credentials import answer, readings
from authn.secret import Password

SUFFIX, PREFIX, SEPARATOR = InputMode.SUFFIX, InputMode.PREFIX, InputMode.SEPARATOR

codes = st.integers(6, 8).flatmap(lambda digits: st.text("0123456789", min_size=digits, max_size=digits))


def read(typed, *modes, digits=6, separator=","):
    return [(one.mode, one.password and one.password.reveal(), one.code)
            for one in readings(Password(typed), modes, separator, digits)]  # fmt: skip


@given(st.binary(min_size=1, max_size=120).filter(lambda octets: not octets.startswith(b"SCRV1:")), codes)
def test_suffix_and_prefix_leave_every_octet_of_the_password(password, code):
    assert read(password + code.encode(), SUFFIX, digits=len(code)) == [(SUFFIX, password, code)]
    if not code.encode().startswith(b"SCRV1:"):
        assert read(code.encode() + password, PREFIX, digits=len(code)) == [(PREFIX, password, code)]


@given(st.binary(min_size=1, max_size=100).filter(lambda octets: not octets.startswith(b"SCRV1:")), codes)
def test_a_separator_may_stand_in_the_password_too(password, code):
    assert read(password + b"," + code.encode(), SEPARATOR, digits=len(code)) == [(SEPARATOR, password, code)]


@pytest.mark.parametrize(
    "typed", [b"", b"12345", b"123456", b"password", b"pw12345x", "pw１２３４５６".encode(), b"pw-12345 "]
)
def test_suffix_refuses_what_holds_no_password_and_code(typed):
    """A code without a password too: an empty password is an anonymous bind to a directory."""
    assert read(typed, SUFFIX) == []


@pytest.mark.parametrize("typed", [b",123456", b"pw,12345", b"pw,1234567", b"pw123456", b"pw,123456 "])
def test_a_separator_refuses_what_is_not_parted_by_it(typed):
    assert read(typed, SEPARATOR) == []


def test_code_only_takes_a_code_and_nothing_else():
    assert read(b"123456", InputMode.CODE_ONLY) == [(InputMode.CODE_ONLY, None, "123456")]
    for typed in (b"", b"12345", b"1234567", b"x123456", b"12345x", scrv1(b"pw", b"123456")):
        assert read(typed, InputMode.CODE_ONLY) == []


def test_several_modes_give_several_readings_in_their_order():
    assert read(b"111111pw222222", SUFFIX, PREFIX) == [
        (SUFFIX, b"111111pw", "222222"),
        (PREFIX, b"pw222222", "111111"),
    ]


@pytest.mark.parametrize("mode", [InputMode.CHALLENGE, InputMode.PASSWORD_ONLY])
def test_a_password_alone_has_no_code_in_it(mode):
    assert read(b"pw123456", mode) == []


def scrv1(password, code):
    return b"SCRV1:" + base64.b64encode(password) + b":" + base64.b64encode(code)


@given(st.binary(min_size=1, max_size=60).filter(lambda octets: b"\0" not in octets))
def test_openvpns_static_challenge_is_read_wherever_password_and_code_are(password):
    expected = [(InputMode.STATIC_CHALLENGE, password, "123456")]
    for mode in (SUFFIX, PREFIX, SEPARATOR, InputMode.CHALLENGE):
        assert read(scrv1(password, b"123456"), mode) == expected


@pytest.mark.parametrize(
    "typed",
    [b"SCRV1:", b"SCRV1:cHc=:", b"SCRV1:cHc=:MTIz", b"SCRV1:%%:MTIzNDU2", scrv1(b"", b"123456"), b"SCRV1:a:b:c"],
)
def test_a_broken_static_challenge_is_none(typed):
    assert read(typed, SEPARATOR) == []


def test_the_answer_to_a_challenge_is_a_code():
    assert answer(Password(b"123456"), 6).code == "123456"
    assert answer(Password(b"123 456"), 6).code == "123456"
    for typed in (b"", b"12345", b"pw123456", b"1234567", "１２３４５６".encode()):
        assert answer(Password(typed), 6) is None
