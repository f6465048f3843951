"""The associated data of each sealed column: what a value is bound to.

Whatever a rule reads from a row besides the sealed value belongs in here, so
that changing it in the database makes the value fail to open.
"""

from authn.otp import OtpParameters
from store.keyring import context


def seed_context(user_id: int, username: str, serial: str, phase: str, parameters: OtpParameters) -> bytes:
    """A seed belongs to one token of one user, in one phase, with its parameters."""
    shape = f"{parameters.period_s or 'counter'}/{parameters.digits}/{parameters.algorithm}"
    return context("tokens", "sealed_seed", user_id, username, serial, phase, shape)


def verifier_context(user_id: int, username: str) -> bytes:
    """A password verifier belongs to one user."""
    return context("users", "sealed_verifier", user_id, username)


def standing_context(user_id: int, username: str) -> bytes:
    """Whether somebody may log in, and their groups, belong to one user."""
    return context("users", "sealed_standing", user_id, username)


def shared_secret_context(name: str, network: str, rules: str, number: int, until: int | None) -> bytes:
    """A shared secret belongs to one client at one network, with its rules, as one of several, until its end.

    Else who can write to the database could take the password away from a login.
    """
    return context("nas_client_secrets", "sealed_shared_secret", name, network, rules, number, until or "")


def state_context(username: str, client_id: int) -> bytes:
    """The State of a challenge belongs to one user at one client."""
    return context("conversations", "state", username, client_id)


def recovery_code_context(user_id: int, username: str, serial: str) -> bytes:
    """A recovery code belongs to one user, and is one."""
    return context("recovery_codes", "sealed_digest", user_id, username, serial)


def exemption_context(
    user_id: int, username: str, serial: str, kind: str, client_id: int | None, until: int, logins: int | None
) -> bytes:
    """An exemption is of one user, at one client or all, until its end, for so many logins."""
    where = "everywhere" if client_id is None else client_id
    often = "any" if logins is None else logins
    return context("exemptions", "sealed_mark", user_id, username, serial, kind, where, until, often)
