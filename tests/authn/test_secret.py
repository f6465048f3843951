"""Secrets hide."""

import copy
import pickle

import pytest

from authn.secret import Password, Seed, SharedSecret


@pytest.mark.parametrize("kind", [Password, Seed, SharedSecret])
def test_a_secret_shows_itself_nowhere(kind):
    secret = kind(b"canary")
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r}", repr([secret]), repr(ValueError(secret))):
        assert "canary" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        hash(secret)
    assert copy.deepcopy(secret) is secret


def test_secrets_are_equal_by_kind_and_octets():
    assert Password(b"a") == Password(b"a")
    assert Password(b"a") != Password(b"b")
    assert Password(b"a") != Seed(b"a")
