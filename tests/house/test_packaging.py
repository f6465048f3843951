"""The wheel holds the rooms and nothing else, and the lock files pin what the project asks for, by hash."""

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ROOMS = {"authn", "radius_client", "radius_server", "radius_wire", "store", "twinward"}
LOCKS = ("requirements.lock", "requirements-dev.lock")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel as a release would hold it: built from the source archive, and that from a clean copy of the tree."""
    work = tmp_path_factory.mktemp("build")
    leave_out = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "bench-work")
    shutil.copytree(ROOT, work / "tree", ignore=leave_out, symlinks=True)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", work / "out", work / "tree"]
    built = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    (path,) = (work / "out").glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_the_wheel_holds_exactly_the_rooms(wheel: zipfile.ZipFile) -> None:
    """Tests, conf, docs and benchmarks stay out."""
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == ROOMS


def test_the_wheel_holds_every_module(wheel: zipfile.ZipFile) -> None:
    """A folder forgotten in the list of packages would be missing after an installation only."""
    modules = {path.relative_to(ROOT).as_posix() for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert {name for name in wheel.namelist() if name.endswith(".py")} == modules


def test_the_wheel_holds_the_data_that_rooms_read(wheel: zipfile.ZipFile) -> None:
    """Type markers, the template for migrations, the commented configuration and the licence."""
    names = set(wheel.namelist())
    assert {f"{room}/py.typed" for room in ROOMS} | {"store/migrations/script.py.mako"} <= names
    assert wheel.read("twinward/twinward.toml") == (ROOT / "conf/twinward.toml").read_bytes()
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_is_imported_from_where_this_run_says(room: str) -> None:
    """`make test-wheel` tests the wheel, `make test` the checkout, and neither the other by mistake."""
    spec = importlib.util.find_spec(room)
    assert spec is not None
    assert spec.origin is not None
    expected = Path(os.environ.get("TWINWARD_IMPORTED_FROM", ROOT))
    assert Path(spec.origin).is_relative_to(expected)


@pytest.mark.parametrize("room", ["authn", "radius_client", "radius_wire"])
def test_a_room_needs_the_standard_library_only(room: str) -> None:
    """PAM carries these beside sshd and sudo; import-linter can only forbid the packages it is told of."""
    allowed = set(sys.stdlib_module_names) | {room} | ({"radius_wire"} if room == "radius_client" else set())
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                tops = {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                tops = {(node.module or "").split(".")[0]}
            else:
                continue
            assert tops <= allowed, f"{path.relative_to(ROOT)}:{node.lineno}"


def locked(lock: str) -> dict[str, Requirement]:
    """The requirements of a lock file by name, each seen to carry a hash."""
    found = {}
    for entry in re.split(r"(?<!\\)\n", (ROOT / lock).read_text().rstrip("\n")):
        pin, *hashes = re.split(r"\s*\\\n\s*", entry)
        assert hashes, f"{lock}: {pin} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), f"{lock}: {pin}"
        requirement = Requirement(pin)
        found[canonicalize_name(requirement.name)] = requirement
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address(lock: str) -> None:
    """Where packages come from is the machine's business."""
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_answers_what_the_project_asks(lock: str) -> None:
    """`make lock` was not forgotten after a change of pyproject.toml."""
    groups = PYPROJECT["dependency-groups"]
    asked = PYPROJECT["project"]["dependencies"] + groups["build"]
    if lock == "requirements-dev.lock":
        asked += [each for each in groups["dev"] if isinstance(each, str)]
    pins = locked(lock)
    for requirement in map(Requirement, asked):
        name = canonicalize_name(requirement.name)
        assert name in pins, name
        (pin,) = pins[name].specifier
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version), name


def test_both_locks_agree() -> None:
    """What is tested is what is installed."""
    runtime, dev = (locked(lock) for lock in LOCKS)
    assert {name: dev[name] for name in runtime} == runtime


def test_the_wheel_asks_for_no_build_tools() -> None:
    """What only builds or tests the project is a dependency group, which a wheel does not carry."""
    names = {canonicalize_name(Requirement(each).name) for each in PYPROJECT["project"]["dependencies"]}
    assert not names & {"setuptools", "wheel", "build", "pytest", "pyrad"}
