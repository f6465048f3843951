"""What an Access-Accept tells its user: one Reply-Message, since many NAS show one only."""

import time
from typing import assert_never

from authn.exemption import ExemptionKind
from authn.recovery import LOW_STOCK
from authn.verdict import Exempted, Notice, RecoveryCodeUsed
from radius_wire import attributes
from radius_wire.attributes import MAX_VALUE_OCTETS
from radius_wire.packet import Attribute


def notice_text(notice: Notice) -> str:
    """A notice in English."""
    match notice:
        case RecoveryCodeUsed(left):
            hint = " Ask for new ones." if left <= LOW_STOCK else ""
            return f"You used a recovery code; {_many(left, 'code')} left.{hint}"
        case Exempted(kind, until, logins_left):
            end = time.strftime("%Y-%m-%d %H:%M", time.localtime(until))
            more = "" if logins_left is None else f" and {_many(logins_left, 'more time')}"
            if kind is ExemptionKind.GRACE:
                return f"Set up your second factor: without it you can log in until {end}{more}."
            return f"No code was asked for; this ends at {end}{more}."
        case _:
            assert_never(notice)


def with_notice(told: list[Attribute], text: str) -> list[Attribute]:
    """The attributes with the notice in their one Reply-Message, behind what the reply rules say there."""
    octets = text.encode("utf-8")
    for at, (kind, value) in enumerate(told):
        if kind == attributes.REPLY_MESSAGE:
            joined = (value + b" " + octets)[:MAX_VALUE_OCTETS]
            return [*told[:at], (kind, joined.decode("utf-8", "ignore").encode("utf-8")), *told[at + 1 :]]
    return [(attributes.REPLY_MESSAGE, octets[:MAX_VALUE_OCTETS]), *told]


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
