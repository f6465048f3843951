"""What is wrong at the start gets one clear line and exit status 1, and nothing is overwritten."""

import re
import socket
import subprocess
import sys

import pytest


def run(folder, *arguments, typed=""):
    command = [sys.executable, "-m", "twinward", "--config", str(folder / "twinward.toml"), *arguments]
    return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60)


def test_a_port_in_use_names_the_address_and_the_cure(folder):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        path = folder / "twinward.toml"
        path.write_text(path.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        done = run(folder, "serve")
    assert done.returncode == 1
    assert re.fullmatch(rf"twinward: cannot listen on 127\.0\.0\.1:{port}/udp: the port is in use.*\n", done.stderr)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("[radius]\nlistem = []\n", ":2: unknown key radius.listem"),
        ("[radius]\n\nreject_delay_s = 'long'\n", ":3: radius.reject_delay_s:"),
        ("[login]\nwindow = 99\n", ":2: login.window:"),
        ("[radius]\nlisten = ['no address!']\n", ":2: radius.listen: 'no address!' is not an address"),
        ("nonsense\n", "line 1"),
        ("[logging]\n", ":1: unknown key logging"),
    ],
)
def test_a_faulty_configuration_names_file_and_line(folder, text, finding):
    (folder / "twinward.toml").write_text(text)
    for command in ("serve", "check-config"):
        done = run(folder, command)
        assert done.returncode == 1
        assert f"{folder / 'twinward.toml'}" in done.stderr
        assert finding in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "what", ["missing config", "wrong key", "missing key", "open key", "damaged database", "no database"]
)
def test_what_cannot_be_used_is_named_with_a_cure(folder, tmp_path_factory, what):
    key, database, config = (folder / name for name in ("twinward.key", "twinward.db", "twinward.toml"))
    guilty = {"missing config": config, "damaged database": database, "no database": database}.get(what, key)
    match what:
        case "missing config":
            config.unlink()
        case "wrong key":
            from store.keyring import create_key_file

            key.unlink()
            create_key_file(key)
        case "missing key":
            key.unlink()
        case "open key":
            key.chmod(0o644)
        case "damaged database":
            for path in folder.glob("twinward.db-*"):
                path.unlink()
            database.write_bytes(b"garbage" * 1000)
        case "no database":
            database.rename(folder / "elsewhere")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = run(folder, "serve")
    assert done.returncode == 1
    assert done.stderr.startswith("twinward: ")
    assert str(guilty) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_init_over_an_existing_installation_refuses(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = run(folder, "init", "--data-dir", str(folder))
    assert done.returncode == 1
    assert "installed here already" in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
