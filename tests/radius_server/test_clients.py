"""The longest prefix wins; order never matters; strangers are nobody."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.simulator import LAB

from radius_server.clients import MAX_REMEMBERED, Clients

networks = st.one_of(
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)), st.tuples(st.ip_addresses(v=6), st.integers(0, 128))
).map(lambda pair: ip_network(f"{pair[0]}/{pair[1]}", strict=False))


def client(network):
    return replace(LAB, name=str(network), network=ip_network(network))


@given(st.lists(networks, unique=True, max_size=12), st.ip_addresses(), st.randoms())
def test_the_longest_network_that_holds_the_address_wins_in_any_order(found, address, chance):
    holding = [one for one in found if one.version == address.version and address in one]
    if getattr(address, "ipv4_mapped", None) is not None:
        return
    chance.shuffle(found)
    got = Clients(client(one) for one in found).lookup(str(address))
    assert (got[0].network if got else None) == max(holding, key=lambda one: one.prefixlen, default=None)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("192.0.2.1", "192.0.2.1/32"),
        ("::ffff:192.0.2.1", "192.0.2.1/32"),
        ("fe80::1%eth0", "fe80::/64"),
        ("198.51.100.1", None),
        ("2001:db8::1", None),
    ],
)
def test_addresses_as_sockets_spell_them(host, name):
    clients = Clients(map(client, ["192.0.2.0/24", "192.0.2.1/32", "fe80::/64"]))
    for _ in range(2):  # searched, then remembered
        found = clients.lookup(host)
        assert (found[0].name if found else None) == name


def test_a_flood_of_strangers_does_not_fill_the_memory():
    clients = Clients([client("192.0.2.0/24")])
    for number in range(MAX_REMEMBERED * 3):
        assert not clients.lookup(str(ip_address(0x0A000000 + number)))
    assert len(clients._remembered) <= MAX_REMEMBERED
    assert clients.lookup("192.0.2.1")


def test_several_clients_of_one_network_are_all_found():
    twins = [replace(LAB, name=name) for name in ("one", "two")]
    clients = Clients(twins)
    assert [found.name for found in clients.lookup("192.0.2.9")] == ["one", "two"]
    assert len(clients) == 2
