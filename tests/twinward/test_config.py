"""One file, typed keys, and every default written down."""

import tomllib
from pathlib import Path

import pytest

from authn.errors import ConfigError
from radius_server.udp import ListenAddress
from twinward import config
from twinward.addresses import parse_address
from twinward.sections import File

SHIPPED = Path(__file__).parents[2] / "conf" / "twinward.toml"


def test_the_shipped_file_shows_every_key_with_its_default():
    shipped = tomllib.loads(SHIPPED.read_text())
    defaults = File().model_dump()
    defaults["node"].pop("name")  # the host's; shown as a comment
    for name in ("reply", "password", "policy", "policy_case", "first_factors"):  # likewise
        assert not defaults.pop(name)
    shipped.setdefault("node", {})
    assert shipped == defaults
    assert "# name =" in SHIPPED.read_text()


def test_an_empty_file_is_all_defaults(tmp_path):
    settings = config.parse_config("", tmp_path / "twinward.toml")
    assert settings.database_path == tmp_path / "twinward.db"
    assert [str(address) for address in settings.listen] == ["0.0.0.0:1812", "[::]:1812"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[radius]\nreject_delay_s = 0.0", 2),
        ("[radius]\nreject_delay_s = 11", 2),
        ("# a\n[tokens]\n\ndigits = 9", 4),
        ("[tokens]\nissuer = 'a:b'", 2),
        ("[tokens]\nalgorithm = 'md5'", 2),
        ("[passwords]\nmemory_kib = 1", 2),
        ("[passwords]\ntime_cost = '2'", 2),
        ("unknown = 1", 1),
        ("[radius]\nlisten = []", 2),
        ("[radius]\nlisten = ['127.0.0.1:99999']", 2),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, line):
    path = tmp_path / "twinward.toml"
    with pytest.raises(ConfigError, match=rf"{path}:{line}: "):
        config.parse_config(text, path)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1", "127.0.0.1", 1812),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("[::1]:2", "::1", 2),
        ("[::1]", "::1", 1812),
        ("localhost:3", "localhost", 3),
    ],
)
def test_addresses(text, host, port):
    assert parse_address(text) == ListenAddress(host, port)


@pytest.mark.parametrize("text", ["", "::1", "a b", "1.2.3.4:x", "[::1"])
def test_what_is_no_address(text):
    with pytest.raises(ValueError):
        parse_address(text)


def test_the_file_is_looked_for_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(config.CONFIG_VARIABLE, raising=False)
    monkeypatch.setattr(config, "SYSTEM_CONFIG", tmp_path / "none")
    with pytest.raises(ConfigError, match="twinward init"):
        config.find_config(None)
    (tmp_path / "twinward.toml").touch()
    assert config.find_config(None) == Path("twinward.toml")
    monkeypatch.setenv(config.CONFIG_VARIABLE, "/named/by/variable.toml")
    assert config.find_config(None) == Path("/named/by/variable.toml")
    assert config.find_config(Path("given.toml")) == Path("given.toml")
