"""Addresses as people write them."""

import re

from radius_server.udp import ListenAddress

RADIUS_PORT = 1812
ACCOUNTING_PORT = 1813


def parse_address(text: str, default_port: int = RADIUS_PORT) -> ListenAddress:
    """`192.0.2.1:1812`, `[2001:db8::1]:1812`, or without the port. Raises ValueError."""
    parsed = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([0-9A-Za-z.-]+))(?::(\d{1,5}))?", text)
    if parsed is None:
        raise ValueError(f"{text!r} is not an address; write 192.0.2.1:1812 or [2001:db8::1]:1812")
    port = int(parsed[3] or default_port)
    if port > 65535:
        raise ValueError(f"{port} is not a port")
    return ListenAddress(parsed[1] or parsed[2], port)
