"""What can keep a client from getting an answer."""


class RadiusClientError(Exception):
    """Base of this room's errors."""


class NoReplyError(RadiusClientError):
    """No server gave a reply that could be believed in time."""


class UnusableCredentialsError(RadiusClientError):
    """The name or password cannot be carried by RADIUS; nothing was sent."""
