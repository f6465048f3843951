"""Who may ask, and how: the client that a login comes through."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import NewType

from authn.secret import SharedSecret

ClientId = NewType("ClientId", int)
Network = IPv4Network | IPv6Network


class InputMode(StrEnum):
    """How a client's users type their credentials into the one password field."""

    SUFFIX = "suffix"  # password, then the code: hunter2123456
    CODE_ONLY = "code-only"  # the client has checked the password itself


class MessageAuthenticatorRule(StrEnum):
    """What is demanded of a client's requests (CVE-2024-3596)."""

    REQUIRE = "require"  # unsigned requests are dropped
    ALLOW = "allow"  # unsigned requests are judged, unless they carry Proxy-State


@dataclass(frozen=True, slots=True)
class NasClient:
    """A NAS (RFC 2865 §1): a VPN concentrator, a switch, a host, and the network it asks from."""

    id: ClientId
    name: str
    network: Network
    shared_secret: SharedSecret
    input_mode: InputMode = InputMode.SUFFIX
    message_authenticator: MessageAuthenticatorRule = MessageAuthenticatorRule.REQUIRE
