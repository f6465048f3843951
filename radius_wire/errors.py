"""The one type of error for a peer's octets, so that a receiver can drop and count them all alike."""


class ProtocolError(Exception):
    """What a peer sent cannot be used. Messages name the rule, never a value."""


class MalformedPacketError(ProtocolError):
    """The lengths do not add up (RFC 6929 §2.8): the packet is dropped."""


class BadAuthenticatorError(ProtocolError):
    """The packet does not carry proof of the shared secret: it is dropped."""


class InvalidAttributeError(ProtocolError):
    """One attribute has a value that its type cannot have; the packet itself is fine (RFC 6929 §2.8)."""
