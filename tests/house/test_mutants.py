"""Every protection has a test that fails when the protection is taken out."""

import os
import queue
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from house.mutants import MUTANTS

ROOT = Path(__file__).parents[2]
COPIED = [
    "authn",
    "first_factors",
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
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=100, env=environment)


def copy_tree(folder):
    """A copy of the tree to change."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
        else:
            shutil.copy(source, folder / name)
    return folder


def outcome_of(mutant, trees):
    """What the tests say of a tree without the protection."""
    tree = trees.get()
    path = tree / mutant.file
    text = path.read_text()
    try:
        path.write_text(text.replace(mutant.old, mutant.new))
        return run(tree, mutant.tests)
    finally:
        path.write_text(text)
        trees.put(tree)


@pytest.fixture(scope="module")
def outcomes(request, tmp_path_factory):
    """The outcomes of the chosen mutants, made side by side, as many as there are cores."""
    workers = len(os.sched_getaffinity(0))
    trees = queue.SimpleQueue()
    for _ in range(workers):
        trees.put(copy_tree(tmp_path_factory.mktemp("mutants")))
    chosen = [item.callspec.params["mutant"] for item in request.session.items if "mutant" in item.fixturenames]
    with ThreadPoolExecutor(workers) as pool:
        yield {mutant.protection: pool.submit(outcome_of, mutant, trees) for mutant in chosen}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.protection)
def test_without_the_protection_a_test_fails(outcomes, mutant):
    text = (ROOT / mutant.file).read_text()
    assert text.count(mutant.old) == 1, f"{mutant.file} does not hold the text once: bring the list up to date"
    done = outcomes[mutant.protection].result()
    assert done.returncode == 1, f"{mutant.tests} did not fail:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert "error" not in done.stdout.splitlines()[-1], (
        f"the change broke more than the protection:\n{done.stdout[-2000:]}"
    )


def test_unchanged_the_same_tests_pass(tmp_path):
    """Else a failure above would prove nothing."""
    every = sorted({word for mutant in MUTANTS for word in mutant.tests.split() if not word.startswith("--")})
    done = run(copy_tree(tmp_path), " ".join(every))
    assert done.returncode == 0, done.stdout[-3000:]


def test_every_protection_stands_in_the_list_once():
    names = [mutant.protection for mutant in MUTANTS]
    assert len(set(names)) == len(names)
