"""Which client a peer is: the longest network that holds its address.

The order of definition never matters. An address that no network holds belongs
to nobody, and there is no default client for it.
"""

from collections.abc import Iterable
from ipaddress import ip_address

from authn.client import NasClient

MAX_REMEMBERED = 4096


class Clients:
    """An unchanging set of NAS clients; a reload makes a new one."""

    def __init__(self, clients: Iterable[NasClient]) -> None:
        self._by_prefix: dict[tuple[int, int], dict[int, NasClient]] = {}
        for client in clients:
            network = client.network
            key = (network.version, network.prefixlen)
            self._by_prefix.setdefault(key, {})[int(network.network_address)] = client
        self._prefixes = sorted(self._by_prefix, reverse=True)
        self._remembered: dict[str, NasClient | None] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_prefix.values()))

    def lookup(self, host: str) -> NasClient | None:
        """The client at an address, as the socket spells it, or None for a stranger."""
        try:
            return self._remembered[host]
        except KeyError:
            client = self._search(host)
        if len(self._remembered) >= MAX_REMEMBERED:  # a spoofed flood must not fill the memory
            self._remembered.clear()
        self._remembered[host] = client
        return client

    def _search(self, host: str) -> NasClient | None:
        address = ip_address(host.partition("%")[0])
        if address.version == 6 and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        number, bits = int(address), address.max_prefixlen
        for version, prefix_length in self._prefixes:
            if version == address.version:
                network = number >> (bits - prefix_length) << (bits - prefix_length)
                client = self._by_prefix[version, prefix_length].get(network)
                if client is not None:
                    return client
        return None
