"""The command line over a fresh installation, for the tests of this room."""

import json

import pytest
from click.testing import CliRunner

from twinward.cli import cli


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command in a fresh installation; returns its JSON. Raises what the command raises."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TWINWARD_CONFIG", raising=False)

    def call(*arguments, typed="", as_json=True, status=0):
        words = [*arguments, "--json"] if as_json else list(arguments)
        result = CliRunner().invoke(cli, words, input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return json.loads(result.stdout) if as_json else result.output

    call.init = call("init")
    return call
