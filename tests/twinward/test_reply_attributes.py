"""Reply rules are checked against the dictionary when the configuration is read."""

from pathlib import Path

import click
import pytest

from authn.errors import ConfigError, OperationError
from twinward.cli.session import _change
from twinward.config import parse_config

HEAD = "[radius]\n\n[[reply]]\nattributes = { Class = 'first' }\n\n[[reply]]\n"


def parse(text):
    return parse_config(text, Path("twinward.toml"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("attributes = { Session-Timeout = 'soon' }", "Session-Timeout takes a number"),
        ("attributes = { Session-Timout = 60 }", "Session-Timeout"),
        ("attributes = { Framed-IP-Address = '10.0.0' }", "Framed-IP-Address takes an IPv4 address"),
        ("attributes = { State = 'x' }", "State is made by the server"),
        ("attributes = { User-Password = 'x' }", "User-Password has no place in an Access-Accept"),
        ("attributes = { Filter-Id = '' }", "Filter-Id takes 1 to 253 octets"),
        ("attributes = { Tunnel-Type = '99:VLAN' }", "tag from 0 to 31"),
        (f"attributes = {{ Class = {['x' * 250] * 9} }}", "all reply rules together"),
        ("user = ' '\nattributes = { Class = 'x' }", "cannot be a user name"),
    ],
)
def test_a_faulty_rule_is_named_with_its_line(text, told):
    with pytest.raises(ConfigError, match=told) as refused:
        parse(HEAD + text)
    assert str(refused.value).startswith("twinward.toml:6: reply: ")


def test_rules_are_made_in_their_order_with_tags():
    rules = parse(
        HEAD + "user = 'CORP\\Alice'\ngroup = 'g'\nclient = 'c'\n"
        "attributes = { Tunnel-Private-Group-Id = ['1:42', '2:43'], Cisco-AVPair = 'shell:priv-lvl=15' }"
    ).handler.reply_rules
    first, second = rules.rules
    assert (second.user, second.group, second.client) == ("alice", "g", "c")
    assert [one.tag_octet for one in second.attributes] == [b"\1", b"\2", b""]
    assert first.attributes[0].octets == b"first"


def test_an_operators_dictionary_adds_attributes(tmp_path):
    (tmp_path / "dictionary.acme").write_text(
        "VENDOR Acme 99999\nBEGIN-VENDOR Acme\nATTRIBUTE Acme-Role 1 string\nEND-VENDOR Acme\n"
    )
    text = "[radius]\ndictionaries = ['dictionary.acme']\n[[reply]]\nattributes = { Acme-Role = 'boss' }\n"
    [rule] = parse_config(text, tmp_path / "twinward.toml").handler.reply_rules.rules
    assert rule.attributes[0].definition.vendor == 99999
    with pytest.raises(ConfigError, match=r"dictionary\.none"):
        parse_config(text.replace("acme'", "none'"), tmp_path / "twinward.toml")


def test_nothing_encrypted_goes_into_a_coa():
    settings = parse("")
    assert _change("Filter-Id=quarantine", settings) == [(11, b"quarantine")]
    with pytest.raises(OperationError, match="travels encrypted"):
        _change("Tunnel-Password=x", settings)
    with pytest.raises(OperationError, match="no attribute"):
        _change("No-Such-Thing=x", settings)
    with pytest.raises(click.UsageError):
        _change("Filter-Id", settings)
