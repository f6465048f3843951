"""Users as an operator handles them."""

import pytest
from support import installations

from authn.errors import OperationError
from authn.instants import UnixSeconds
from store.users import NewUser, Users

NOW = UnixSeconds(1_800_000_000.0)


@pytest.fixture
def users(installation):
    return Users(installation, "test")


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


def test_who_is_unknown_is_told_so(users):
    for operation in (
        lambda: users.show("zed"),
        lambda: users.remove("zed", NOW),
        lambda: users.unlock("zed", NOW),
        lambda: users.set_enabled("zed", True, NOW),
        lambda: users.set_groups("zed", ["x"], NOW),
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
