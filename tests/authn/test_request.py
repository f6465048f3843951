"""Names fold to one canonical form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authn.request import NOBODY, canonical_username


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        (b"alice", "alice"),
        (b"ALICE", "alice"),
        ("Jürgen".encode(), "jürgen"),
        ("ju\u0308rgen".encode(), "jürgen"),
        ("ＡＬＩＣＥ".encode(), "alice"),
        ("straße".encode(), "strasse"),
        (b"first last", "first last"),
    ],
)
def test_forms_of_one_name_are_one_name(typed, name):
    assert canonical_username(typed) == name


@pytest.mark.parametrize(
    "typed",
    [
        b"",
        b" alice",
        b"alice ",
        b"al\nice",
        b"al\0ice",
        b"\x1b[2J",
        b"\xff\xfe",
        b"a" * 254,
        "a\u202eb".encode(),
        b"\x7f",
    ],
)
def test_what_cannot_be_a_name_is_nobody(typed):
    assert canonical_username(typed) == NOBODY


@given(st.text(max_size=60))
def test_folding_twice_changes_nothing(text):
    name = canonical_username(text.encode("utf-8", "surrogatepass"))
    if name != NOBODY and len(name.encode()) <= 253:
        assert canonical_username(name.encode()) == name
