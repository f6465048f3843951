"""A served installation with a user and clients, shared by the tests of a module."""

import json
import subprocess
import sys

import pytest
from support import installations
from support.daemon import Daemon, write_config


@pytest.fixture
def folder(tmp_path):
    """An installation with client 127.0.0.1 and ::1, configured but not served."""
    installation = installations.create(tmp_path)
    installations.add_client(installation, "loopback", "127.0.0.0/8")
    installations.add_client(installation, "loopback6", "::1")
    installation.close()
    write_config(tmp_path)
    return tmp_path


@pytest.fixture
def installation(folder):
    """The installation of the folder, opened beside the server."""
    opened = installations.reopen(folder, "test/cli")
    yield opened
    opened.close()


@pytest.fixture
def daemon(folder):
    """The server over the folder."""
    running = Daemon(folder)
    yield running
    running.stop()


@pytest.fixture
def run_twinward(folder):
    """The command line over the folder: what it prints as JSON."""

    def run(*arguments):
        command = [sys.executable, "-m", "twinward", "--config", folder / "twinward.toml", *arguments, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
