"""Where a login comes from."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authn.places import MAX_PLACE_OCTETS, address_of, place_of


@pytest.mark.parametrize(
    ("station", "address", "place"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.77:500", "192.0.2.77", "192.0.2.0/24"),
        ("192.0.2.77[4500]", "192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1:2::3", "2001:db8:1::/48"),
        ("[2001:db8:1:2::3]:500", "2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("AA-BB-CC-DD-EE-FF", None, "aa-bb-cc-dd-ee-ff"),
        ("192.0.2.999", None, "192.0.2.999"),
        ("", None, ""),
        (None, None, ""),
    ],
)
def test_an_address_counts_by_its_network_and_all_else_by_itself(station, address, place):
    assert address_of(station) == (None if address is None else ip_address(address))
    assert place_of(station) == place


@given(st.text())
def test_any_station_has_a_place_of_bounded_length(station):
    assert len(place_of(station)) <= MAX_PLACE_OCTETS
