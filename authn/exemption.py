"""Exemptions: somebody may log in without a code, for a while.

Grace is for who has no token yet, until a date or a number of logins; a bypass
for who has lost it. Each has an end, an owner and a reason, and none renews
itself.

    GRANTED --login--> GRANTED     while logins are left
    GRANTED --until passed, logins used up, ended--> OVER
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from authn.client import ClientId
from authn.instants import UnixSeconds

ExemptionId = NewType("ExemptionId", int)


class ExemptionKind(StrEnum):
    """Why no code is asked for."""

    GRACE = "grace"  # no token yet; it ends with the first token
    BYPASS = "bypass"  # the token is lost


@dataclass(frozen=True, slots=True)
class Exemption:
    """One exemption of one user. `logins` and `client_id` are None where they do not limit it."""

    id: ExemptionId
    kind: ExemptionKind
    until: UnixSeconds
    logins: int | None
    used: int
    client_id: ClientId | None

    def holds(self, client_id: ClientId, now: UnixSeconds) -> bool:
        """Whether a login at a client is exempt at `now`."""
        has_logins = self.logins is None or self.used < self.logins
        return now < self.until and has_logins and self.client_id in (None, client_id)
