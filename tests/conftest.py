"""What all tests share: where support code is found, and the rule that nothing is skipped in CI."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember every skipped test."""
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With TWINWARD_FORBID_SKIPS set, a skipped test is a failed run."""
    if _skipped and os.environ.get("TWINWARD_FORBID_SKIPS") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why such a run failed."""
    if _skipped and os.environ.get("TWINWARD_FORBID_SKIPS"):
        terminalreporter.section("skipped, which TWINWARD_FORBID_SKIPS forbids")
        for nodeid in _skipped:
            terminalreporter.line(nodeid)
