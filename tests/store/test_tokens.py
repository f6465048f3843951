"""Tokens as an operator handles them."""

import pytest

from authn.errors import OperationError
from authn.instants import UnixSeconds
from authn.otp import TimeStep, TotpParameters, code_at
from authn.secret import Seed
from store.tokens import NewToken, Tokens, new_seed
from store.users import NewUser, Users

NOW = UnixSeconds(1_800_000_000.0)
PARAMETERS = TotpParameters()


@pytest.fixture
def users(installation):
    return Users(installation, "test")


@pytest.fixture
def tokens(installation):
    return Tokens(installation, "test")


def code(seed, offset_s=0.0):
    return code_at(seed, PARAMETERS.step_at(UnixSeconds(NOW + offset_s)), PARAMETERS)


def test_a_token_is_pending_until_a_code_confirms_it_and_the_code_is_spent(users, tokens, installation):
    users.add(NewUser("alice"), NOW)
    seed = new_seed()
    assert len(seed) == 20
    serial = tokens.add("alice", NewToken(seed), NOW)
    assert tokens.show(serial)[1].phase == "pending"
    with pytest.raises(OperationError, match="does not belong"):
        tokens.confirm(serial, "000000" if code(seed) != "000000" else "111111", NOW)
    tokens.confirm(serial, code(seed, 30), NOW)
    assert tokens.show(serial)[1].phase == "active"
    with installation.database.read() as connection:
        assert connection.exec_driver_sql("SELECT last_step FROM tokens").scalar() == NOW // 30 + 1
    with pytest.raises(OperationError, match="not pending"):
        tokens.confirm(serial, code(seed), NOW)


def test_a_revoked_token_has_no_seed_any_more(users, tokens, installation):
    users.add(NewUser("alice", token=NewToken(new_seed(), confirmed=True)), NOW)
    [token] = tokens.of("alice")
    tokens.revoke(token.serial.lower(), NOW)
    with installation.database.read() as connection:
        assert connection.exec_driver_sql("SELECT sealed_seed FROM tokens").scalar() is None
    for again in (tokens.revoke, lambda serial, now: tokens.resync(serial, ("1", "2"), now)):
        with pytest.raises(OperationError):
            again(token.serial, NOW)


@pytest.mark.parametrize("octets", [0, 9, 129])
def test_seeds_of_impossible_length_are_refused(users, tokens, octets):
    users.add(NewUser("alice"), NOW)
    with pytest.raises(OperationError):
        tokens.add("alice", NewToken(Seed(bytes(octets))), NOW)


def test_two_codes_in_a_row_teach_the_drift_and_are_spent(users, tokens):
    seed = new_seed()
    users.add(NewUser("alice", token=NewToken(seed, confirmed=True)), NOW)
    [token] = tokens.of("alice")
    assert tokens.resync(token.serial, (code(seed, -600), code(seed, -570)), NOW) == -19
    assert tokens.show(token.serial)[1].drift == -19
    for codes in ((code(seed, -600), code(seed, -570)), (code(seed), code(seed, 60)), ("x", "y")):
        with pytest.raises(OperationError):
            tokens.resync(token.serial, codes, NOW)


def test_the_step_of_time_zero_is_zero():
    assert PARAMETERS.step_at(UnixSeconds(29.9)) == TimeStep(0)
