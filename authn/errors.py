"""The faults that cross rooms.

A refusal is a value (`verdict.Reject`); a fault is raised. Each room lets only
its own errors out, and every one of them is a `TwinwardError`, so that a shell
can turn any fault into one line or into silence.
"""


class TwinwardError(Exception):
    """Base of every fault that twinward raises on purpose."""


class ConfigError(TwinwardError):
    """The configuration cannot be used. The message names file and key, and the cure."""


class StoreError(TwinwardError):
    """The store answered, and what it said cannot be right."""


class StoreUnavailableError(StoreError):
    """The store could not be asked: nothing is known about the user."""


class KeyRingError(TwinwardError):
    """Sealed values cannot be handled with the keys at hand."""


class UnknownKeyError(KeyRingError):
    """The value was sealed under a key that this ring does not hold."""


class BrokenSealError(KeyRingError):
    """The value was altered, or moved to a place it was not sealed for."""


class OperationError(TwinwardError):
    """The operator asked for something that cannot be done. CLI exit 1, HTTP 409."""
