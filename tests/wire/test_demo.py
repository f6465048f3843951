"""The first thing a newcomer sees."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def demo(*arguments, **more):
    return [sys.executable, "-m", "twinward", "demo", *arguments]


def test_the_demo_shows_an_accept_and_a_replay_and_cleans_up(tmp_path):
    done = subprocess.run(
        demo("--once", "--port", "0"),
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Access-Accept after") == 1
    assert done.stdout.count("Access-Reject after") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_demo_serves_on_until_it_is_stopped_and_its_commands_work(tmp_path):
    with subprocess.Popen(
        demo("--port", "0"),
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    ) as running:
        lines, until = [], time.monotonic() + 60
        while not any("radtest" in line for line in lines) and time.monotonic() < until:
            lines.append(running.stdout.readline())
        config = next(line.split("=", 1)[1].strip() for line in lines if "TWINWARD_CONFIG" in line)
        shown = subprocess.run(
            [sys.executable, "-m", "twinward", "user", "show", "alice"],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"TWINWARD_CONFIG": config},
        )
        assert "enabled" in shown.stdout
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
    assert not Path(config).exists()
