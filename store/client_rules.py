"""The rules of a NAS client as text in its row, and back.

The text is part of what its shared secrets are sealed to, so it is written in
one way only: keys sorted, defaults left out.
"""

import json
from typing import Any

from authn.client import AcceptedInput, ClientRules, InputMode, MessageAuthenticatorRule, Method, OnFailure
from authn.instants import UnixSeconds

_DEFAULTS = ClientRules()
_PLAIN = (
    "separator",
    "sign_replies",
    "status_server",
    "prompt",
    "uniform_challenge",
    "timeout_s",
    "tries",
    "accept_repeats",
    "charset",
    "max_logins_per_s",
    "disconnect_port",
    "recovery_codes",
    "shadow_until",
)


def to_text(rules: ClientRules) -> str:
    """The rules as they are stored."""
    told: dict[str, Any] = {
        "inputs": [[one.mode.value, one.until] for one in rules.inputs],
        "methods": sorted(method.value for method in rules.methods),
        "message_authenticator": rules.message_authenticator.value,
        "on_failure": rules.on_failure.value,
    }
    for name in _PLAIN:
        if getattr(rules, name) != getattr(_DEFAULTS, name):
            told[name] = getattr(rules, name)
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def from_text(text: str) -> ClientRules:
    """The stored rules. Raises ValueError for a text that `to_text` does not write."""
    told = json.loads(text)
    try:
        return ClientRules(
            inputs=tuple(
                AcceptedInput(InputMode(mode), None if until is None else UnixSeconds(until))
                for mode, until in told.pop("inputs")
            ),
            methods=frozenset(map(Method, told.pop("methods"))),
            message_authenticator=MessageAuthenticatorRule(told.pop("message_authenticator")),
            on_failure=OnFailure(told.pop("on_failure")),
            **told,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("these are no client rules") from error
