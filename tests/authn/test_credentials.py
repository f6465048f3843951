"""One field is read in one way only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authn.client import InputMode
from authn.credentials import split
from authn.secret import Password


@given(st.binary(min_size=1, max_size=120), st.integers(6, 8), st.data())
def test_suffix_takes_the_digits_and_leaves_every_octet_of_the_password(password, digits, data):
    code = data.draw(st.text("0123456789", min_size=digits, max_size=digits))
    credentials = split(Password(password + code.encode()), InputMode.SUFFIX, digits)
    assert credentials.password == Password(password)
    assert credentials.code == code


@pytest.mark.parametrize(
    "typed", [b"", b"12345", b"123456", b"password", b"pw12345x", "pw１２３４５６".encode(), b"pw-12345 "]
)
def test_suffix_refuses_what_holds_no_password_and_code(typed):
    """A code without a password too: an empty password is an anonymous bind to a directory."""
    assert split(Password(typed), InputMode.SUFFIX, 6) is None


def test_code_only_takes_a_code_and_nothing_else():
    assert split(Password(b"123456"), InputMode.CODE_ONLY, 6).code == "123456"
    assert split(Password(b"123456"), InputMode.CODE_ONLY, 6).password is None
    for typed in (b"", b"12345", b"1234567", b"x123456", b"12345x"):
        assert split(Password(typed), InputMode.CODE_ONLY, 6) is None
