"""What all tests share: where support code is found, and the rule that nothing is skipped in CI."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

_skipped: list[str] = []


def pytest_configure() -> None:
    """`make test-wheel` names the folder of the installed wheel: end the run if it would test the checkout instead."""
    expected = os.environ.get("TWINWARD_IMPORTED_FROM")
    spec = importlib.util.find_spec("twinward")
    if expected and (spec is None or not (spec.origin or "").startswith(f"{expected}/")):
        raise pytest.UsageError(f"twinward would be imported from {spec and spec.origin}, not from {expected}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember every skipped test. An expected failure ran, so it is none."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Remember a module that skipped itself whole."""
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With TWINWARD_FORBID_SKIPS set, a skipped test is a failed run."""
    if _skips_are_failures() and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why such a run failed."""
    if _skips_are_failures():
        terminalreporter.section("skipped, which TWINWARD_FORBID_SKIPS forbids")
        for nodeid in _skipped:
            terminalreporter.line(nodeid)


def _skips_are_failures() -> bool:
    return bool(_skipped) and os.environ.get("TWINWARD_FORBID_SKIPS") == "1"
