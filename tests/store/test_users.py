"""Users and tokens as an operator handles them."""

import pytest
from support import installations

from authn.errors import OperationError
from authn.instants import UnixSeconds
from authn.secret import Seed
from authn.totp import TimeStep, TotpParameters, code_at
from store.users import NewToken, NewUser, Users, new_seed

NOW = UnixSeconds(1_800_000_000.0)
PARAMETERS = TotpParameters()


@pytest.fixture
def users(installation):
    return Users(installation, "test")


def code(seed, offset_s=0.0):
    return code_at(seed, PARAMETERS.step_at(UnixSeconds(NOW + offset_s)), PARAMETERS)


def test_a_name_is_taken_in_every_spelling(users):
    assert users.add(NewUser("Alice", groups=("b", "a", "a")), NOW) == "alice"
    with pytest.raises(OperationError, match="already"):
        users.add(NewUser("ALICE"), NOW)
    assert users.show("aLiCe").groups == ("a", "b")


@pytest.mark.parametrize("name", ["", " x", "a\nb", "x" * 254])
def test_impossible_names_are_refused(users, name):
    with pytest.raises(OperationError):
        users.add(NewUser(name), NOW)


def test_many_users_are_added_all_or_none(users):
    with pytest.raises(OperationError):
        users.add_all([NewUser("a"), NewUser("b"), NewUser("A")], NOW)
    assert list(users.all()) == []


def test_a_token_is_pending_until_a_code_confirms_it_and_the_code_is_spent(users, installation):
    users.add(NewUser("alice"), NOW)
    seed = new_seed()
    assert len(seed) == 20
    serial = users.add_token("alice", NewToken(seed), NOW)
    assert users.token(serial)[1].phase == "pending"
    with pytest.raises(OperationError, match="does not belong"):
        users.confirm_token(serial, "000000" if code(seed) != "000000" else "111111", NOW)
    users.confirm_token(serial, code(seed, 30), NOW)
    assert users.token(serial)[1].phase == "active"
    with installation.database.read() as connection:
        assert connection.exec_driver_sql("SELECT last_step FROM tokens").scalar() == NOW // 30 + 1
    with pytest.raises(OperationError, match="not pending"):
        users.confirm_token(serial, code(seed), NOW)


def test_a_revoked_token_has_no_seed_any_more(users, installation):
    users.add(NewUser("alice", token=NewToken(new_seed(), confirmed=True)), NOW)
    [token] = users.tokens("alice")
    users.revoke_token(token.serial.lower(), NOW)
    with installation.database.read() as connection:
        assert connection.exec_driver_sql("SELECT sealed_seed FROM tokens").scalar() is None
    for again in (users.revoke_token, lambda serial, now: users.resync_token(serial, ("1", "2"), now)):
        with pytest.raises(OperationError):
            again(token.serial, NOW)


@pytest.mark.parametrize("octets", [0, 9, 129])
def test_seeds_of_impossible_length_are_refused(users, octets):
    users.add(NewUser("alice"), NOW)
    with pytest.raises(OperationError):
        users.add_token("alice", NewToken(Seed(bytes(octets))), NOW)


def test_two_codes_in_a_row_teach_the_drift_and_are_spent(users):
    seed = new_seed()
    users.add(NewUser("alice", token=NewToken(seed, confirmed=True)), NOW)
    [token] = users.tokens("alice")
    assert users.resync_token(token.serial, (code(seed, -600), code(seed, -570)), NOW) == -19
    assert users.token(token.serial)[1].drift == -19
    for codes in ((code(seed, -600), code(seed, -570)), (code(seed), code(seed, 60)), ("x", "y")):
        with pytest.raises(OperationError):
            users.resync_token(token.serial, codes, NOW)


def test_who_is_unknown_is_told_so(users):
    for operation in (
        lambda: users.show("zed"),
        lambda: users.remove("zed", NOW),
        lambda: users.unlock("zed", NOW),
        lambda: users.set_enabled("zed", True, NOW),
        lambda: users.revoke_token("ZED", NOW),
    ):
        with pytest.raises(OperationError, match="there is no"):
            operation()


def test_a_removed_user_leaves_nothing_but_the_audit(users, installation):
    installations.add_person(installation, "alice")
    users.remove("alice", NOW)
    with installation.database.read() as connection:
        for table in ("users", "tokens", "user_groups", "tallies"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0
        events = connection.exec_driver_sql("SELECT event FROM audit ORDER BY seq").scalars().all()
    assert events == ["installation.created", "user.added", "token.active", "user.removed"]


def test_the_step_of_time_zero_is_zero():
    assert PARAMETERS.step_at(UnixSeconds(29.9)) == TimeStep(0)
