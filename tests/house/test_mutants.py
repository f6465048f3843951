"""Every protection has a test that fails when the protection is taken out."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from house.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
COPIED = [
    "authn",
    "radius_client",
    "radius_server",
    "radius_wire",
    "store",
    "twinward",
    "tests",
    "conf",
    "pyproject.toml",
]


def run(tree, tests):
    """Run tests in a tree, with the tree's own rooms on the path."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests.split()]
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("TWINWARD_FORBID_SKIPS", None)
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=150, env=environment)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree to change."""
    copy = tmp_path_factory.mktemp("mutants")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
        else:
            shutil.copy(source, copy / name)
    return copy


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.protection)
def test_without_the_protection_a_test_fails(tree, mutant):
    path = tree / mutant.file
    text = path.read_text()
    assert text.count(mutant.old) == 1, f"{mutant.file} does not hold the text once: bring the list up to date"
    path.write_text(text.replace(mutant.old, mutant.new))
    try:
        done = run(tree, mutant.tests)
    finally:
        path.write_text(text)
    assert done.returncode == 1, f"{mutant.tests} did not fail:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert "error" not in done.stdout.splitlines()[-1], (
        f"the change broke more than the protection:\n{done.stdout[-2000:]}"
    )


def test_unchanged_the_same_tests_pass(tree):
    """Else a failure above would prove nothing."""
    every = sorted({word for mutant in MUTANTS for word in mutant.tests.split() if not word.startswith("--")})
    done = run(tree, " ".join(every))
    assert done.returncode == 0, done.stdout[-3000:]
