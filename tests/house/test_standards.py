"""docs/standards.md names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = sorted(set(re.findall(r"[\w/]+/test_\w+\.py(?:::\w+)?|(?<=, )::\w+", (ROOT / "docs/standards.md").read_text())))


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_the_standards_name_exists(name):
    file, _, function = name.partition("::")
    path = ROOT / "tests" / file
    assert path.exists()
    assert not function or f"def {function}(" in path.read_text()


def test_the_standards_name_many():
    assert len(NAMED) > 50
