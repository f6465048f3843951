"""Which clients a peer may be: those of the longest network that holds its address.

There is more than one where several NAS share an address; their signatures tell
them apart. The order of definition never matters. An address that no network holds belongs
to nobody, and there is no default client for it.
"""

from collections.abc import Iterable
from ipaddress import ip_address

from authn.client import NasClient

MAX_REMEMBERED = 4096


class Clients:
    """An unchanging set of NAS clients; a reload makes a new one."""

    def __init__(self, clients: Iterable[NasClient]) -> None:
        self._by_prefix: dict[tuple[int, int], dict[int, tuple[NasClient, ...]]] = {}
        for client in clients:
            network = client.network
            key = (network.version, network.prefixlen)
            of_prefix, address = self._by_prefix.setdefault(key, {}), int(network.network_address)
            of_prefix[address] = (*of_prefix.get(address, ()), client)
        self._prefixes = sorted(self._by_prefix, reverse=True)
        self._remembered: dict[str, tuple[NasClient, ...]] = {}

    def __len__(self) -> int:
        return sum(len(clients) for of_prefix in self._by_prefix.values() for clients in of_prefix.values())

    def lookup(self, host: str) -> tuple[NasClient, ...]:
        """The clients at an address, as the socket spells it; none for a stranger."""
        try:
            return self._remembered[host]
        except KeyError:
            clients = self._search(host)
        if len(self._remembered) >= MAX_REMEMBERED:  # a spoofed flood must not fill the memory
            self._remembered.clear()
        self._remembered[host] = clients
        return clients

    def _search(self, host: str) -> tuple[NasClient, ...]:
        address = ip_address(host.partition("%")[0])
        if address.version == 6 and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        number, bits = int(address), address.max_prefixlen
        for version, prefix_length in self._prefixes:
            if version == address.version:
                network = number >> (bits - prefix_length) << (bits - prefix_length)
                clients = self._by_prefix[version, prefix_length].get(network)
                if clients is not None:
                    return clients
        return ()
