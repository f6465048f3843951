"""The policy of the configuration: what can be written, what is refused by line, and the cases that test it."""

from ipaddress import ip_address
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from authn.errors import ConfigError
from authn.instants import UnixSeconds
from twinward.config import parse_config
from twinward.geography import read_countries

CONTRACTORS = """
[[policy]]
name = "by day"
group = ["contractors", "guests"]
hours = "19:00-07:00"
days = "mon-fri"
refuse = true

[[policy]]
name = "abroad"
outside_network = ["192.0.2.0/24", "2001:db8::/32"]
known_place = false
require_code = true
window = 0
alert = true
"""
CASE = """
[[policy_case]]
user = "Bob"
groups = ["guests"]
client = "vpn"
day = "tue"
at = "23:00"
expect = "{expect}"
"""


def parse(text, folder=Path("/nowhere")):
    return parse_config(text, folder / "twinward.toml")


def test_rules_are_read_in_their_order():
    by_day, abroad = parse(CONTRACTORS).policy.rules
    assert (by_day.name, by_day.refuses, by_day.conditions.weekdays) == ("by day", True, frozenset(range(5)))
    assert (by_day.conditions.hours.begin, by_day.conditions.hours.end) == (19 * 60, 7 * 60)
    assert (abroad.requires_code, abroad.window, abroad.alerts, abroad.refuses) == (True, 0, True, False)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[[policy]]\nname = "x"\nhours = "7-19"\n', "twinward.toml:1: policy: '7' is no time of day"),
        ('[[policy]]\nname = "x"\nhours = "07:00"\n', "are no hours"),
        ('[[policy]]\nname = "x"\nhours = "07:00-24:01"\n', "no time of day"),
        ('[[policy]]\nname = "x"\ndays = "mon-funday"\n', "'funday' is no day"),
        ('[[policy]]\nname = "x"\nnetwork = "192.0.2.1/24"\n', "not a network"),
        ('[[policy]]\nname = "x"\ncountry = "Germany"\n', "two capital letters"),
        ('[[policy]]\nname = "x"\ncountry = "DE"\n', "countries need login.country_file"),
        ('[[policy]]\nname = "x"\nuser = "a\\nb"\n', "cannot be a user name"),
        ('[[policy]]\nname = "none"\n', "no name for a rule"),
        ('[[policy]]\nname = "x"\n\n[[policy]]\nname = "x"\n', "twinward.toml:4: policy: there are two rules 'x'"),
        ('[[policy]]\nname = "x"\nallow = true\n', "unknown key policy.allow"),
        ('[[password]]\nby = "corp"\n', "there is no first factor 'corp'"),
        ('[[password]]\nby = "store"\nalone_until = "2026-12-31"\n', "alone_until is for another first factor"),
        (
            '[first_factors.store]\nkind = "pam"\n',
            "toml:1: first_factors.store: this name is that of twinward's",
        ),
        ('[first_factors.x]\nkind = "kerberos"\n', "twinward.toml:1: first_factors.x"),
        (
            '[login]\n\n[first_factors.x]\nkind = "pam"\nworker = 2\n',
            "toml:5: unknown key first_factors.x.worker",
        ),
        ('[login]\ntime_zone = "Mars/Olympus"\n', "login.time_zone: 'Mars/Olympus' is not a time zone"),
        ('[login]\ncountry_file = "missing.mmdb"\n', "missing.mmdb: cannot read the country file"),
        (CONTRACTORS + CASE.format(expect="none"), "twinward.toml:17: policy_case: 'none' was expected"),
        (CONTRACTORS + CASE.format(expect="abroad"), "not 'by day'"),
        (CONTRACTORS + CASE.format(expect="by day").replace("tue", "someday"), "policy_case: 'someday' is no day"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_line(text, fault):
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert fault in str(refused.value)


def test_a_case_that_holds_is_counted():
    assert parse(CONTRACTORS + CASE.format(expect="by day")).policy_cases == 1
    weekend = CASE.format(expect="abroad").replace('"tue"', '"sun"\nknown_place = false\nstation = "198.51.100.1"')
    assert parse(CONTRACTORS + weekend).policy_cases == 1


def test_a_first_factor_slower_than_a_refusal_is_refused():
    slow = '[first_factors.host]\nkind = "pam"\ntimeout_s = 0.9\n'
    with pytest.raises(ConfigError, match=r"0\.9 s is more than 0\.8 s.*raise radius\.reject_delay_s to 1\.125 s"):
        parse(slow)
    assert parse(slow + "[radius]\nreject_delay_s = 3.0\n").first_factors["host"].timeout_s == 0.9


def test_hours_count_in_the_zone_that_is_named():
    at = UnixSeconds(1_798_761_600.0)  # 2027-01-01 00:00 UTC, a Friday
    assert parse('[login]\ntime_zone = "UTC"\n').policy.local_time(at) == (4, 0)
    assert parse('[login]\ntime_zone = "Europe/Berlin"\n').policy.local_time(at) == (4, 60)
    assert parse('[login]\ntime_zone = "America/New_York"\n').policy.local_time(at) == (3, 19 * 60)


@pytest.fixture
def countries(tmp_path):
    """A country file of three networks."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-Country")
    writer.insert_network(IPSet(["192.0.2.0/24", "2001:db8::/32"]), {"country": {"iso_code": "DE"}})
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"registered_country": {"iso_code": "FR"}})
    writer.to_db_file(str(tmp_path / "countries.mmdb"))
    return tmp_path / "countries.mmdb"


def test_a_country_file_tells_countries(countries):
    country_of = read_countries(countries)
    told = [country_of(ip_address(one)) for one in ("192.0.2.1", "2001:db8::1", "198.51.100.1", "203.0.113.1")]
    assert told == ["DE", "DE", None, None]


def test_rules_by_country_work_with_the_file(countries):
    rule = '[[policy]]\nname = "abroad"\noutside_country = "DE"\nrefuse = true\n'
    case = '[[policy_case]]\nuser = "bob"\nclient = "vpn"\nstation = "{}"\nexpect = "{}"\n'
    text = f'[login]\ncountry_file = "{countries.name}"\n' + rule
    text += case.format("192.0.2.9", "none") + case.format("198.51.100.9", "abroad")
    assert parse(text, countries.parent).policy_cases == 2


def test_what_is_no_country_file_is_refused(tmp_path):
    (tmp_path / "x.mmdb").write_bytes(b"not a database")
    with pytest.raises(ConfigError, match="not a country file"):
        read_countries(tmp_path / "x.mmdb")
