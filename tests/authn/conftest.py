"""What most tests of decisions begin with."""

import pytest
from support.simulator import World


@pytest.fixture
def world():
    """Users, a clock and a store in memory."""
    return World()


@pytest.fixture
def alice(world):
    """A user with password and token."""
    return world.enrol("alice")
