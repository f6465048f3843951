"""An installation for each test of this room."""

import pytest
from support import installations


@pytest.fixture
def installation(tmp_path):
    """A new, empty installation."""
    made = installations.create(tmp_path)
    yield made
    made.close()
