"""The options of `client add` and `client set`: the rules of a NAS client as an operator writes them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import click

from authn.client import AcceptedInput, ClientRules, InputMode, MessageAuthenticatorRule, Method, OnFailure
from authn.errors import OperationError
from authn.instants import UnixSeconds
from twinward.dates import end_of_day

Command = TypeVar("Command", bound=Callable[..., Any])

MAX_SHADOW_S = 90 * 86400
_MODES = [mode.value for mode in InputMode if mode is not InputMode.STATIC_CHALLENGE]

_OPTIONS = (
    click.option(
        "--input",
        "inputs",
        metavar="MODE[@DATE][,MODE[@DATE]]…",
        help=f"How users type: {', '.join(_MODES)}. Several are taken side by side,"
        " one with a date until that day ends.  [default: suffix]",
    ),
    click.option("--separator", metavar="C", help="The character of the input mode separator.  [default: ,]"),
    click.option(
        "--method",
        "methods",
        metavar="METHOD[,METHOD]…",
        help=f"What the NAS may use: {', '.join(method.value for method in Method)}."
        " chap and mschapv2 need --input code-only.  [default: pap]",
    ),
    click.option(
        "--message-authenticator",
        type=click.Choice([rule.value for rule in MessageAuthenticatorRule]),
        help="require: drop unsigned requests. learn: until the NAS has shown that it signs, take them."
        " allow: take them (CVE-2024-3596: an attacker on the path can forge them).  [default: require]",
    ),
    click.option("--prompt", metavar="TEXT", help="What the input mode challenge asks."),
    click.option(
        "--uniform-challenge/--no-uniform-challenge",
        default=None,
        help="Ask everybody for a code, so that the prompt does not tell a right password from a wrong one.",
    ),
    click.option(
        "--nas-timeout", "timeout_s", type=float, metavar="S", help="How long the NAS waits for a reply.  [default: 5]"
    ),
    click.option(
        "--nas-tries", "tries", type=int, metavar="N", help="How often the NAS sends a request.  [default: 3]"
    ),
    click.option(
        "--repeats/--no-repeats",
        "accept_repeats",
        default=None,
        help="Whether a new request for the same attempt within these tries gets the first verdict."
        "  [default: repeats]",
    ),
    click.option(
        "--on-failure",
        type=click.Choice([one.value for one in OnFailure]),
        help="What the NAS hears when no verdict can be reached.  [default: silence]",
    ),
    click.option("--charset", metavar="NAME", help="Charset of what is not UTF-8 in names and passwords, or none."),
    click.option(
        "--max-rate", "max_logins_per_s", type=int, metavar="N", help="Logins a second at most; 0 for no limit."
    ),
    click.option(
        "--recovery-codes/--no-recovery-codes",
        default=None,
        help="Whether a recovery code is taken in the place of a code.  [default: recovery-codes]",
    ),
    click.option(
        "--shadow-until",
        "shadow_until",
        metavar="DATE",
        help="Till the end of that day a right password alone lets in, and what a code would have done is noted"
        " (`client readiness`); `none` enforces codes at once.",
    ),
    click.option("--disconnect-port", type=int, metavar="PORT", help="Where the NAS hears us.  [default: 3799]"),
    click.option("--status-server/--no-status-server", default=None, help="Whether Status-Server is answered."),
    click.option(
        "--sign-replies/--no-sign-replies",
        default=None,
        help="Leave the Message-Authenticator out of replies, for a NAS that drops such (MIT Kerberos). It takes the"
        " protection against forged replies away.",
    ),
)  # fmt: skip


def rule_options(command: Command) -> Command:
    """Give a command an option for each rule; those that are left out come as None."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def changed_rules(name: str, rules: ClientRules, options: Mapping[str, Any]) -> ClientRules:
    """The rules of a client with what the options say.

    Raises UsageError for what is no rule, OperationError for what cannot work together.
    """
    given = {key: value for key, value in options.items() if value is not None}
    try:
        changes = {key: _CONVERSIONS[key](value) if key in _CONVERSIONS else value for key, value in given.items()}
    except ValueError as fault:
        raise click.UsageError(str(fault)) from fault
    try:
        return replace(rules, **changes)
    except ValueError as fault:
        raise OperationError(f"client {name}: {fault}") from fault


def warnings(rules: ClientRules) -> list[str]:
    """What an operator should know of rules that let the door stand open further."""
    found = []
    if rules.message_authenticator is not MessageAuthenticatorRule.REQUIRE:
        found.append("This client may send unsigned requests. Let the NAS sign them as soon as it can.")
    if not rules.sign_replies:
        found.append("Replies are not signed: who sits on the path can turn a refusal into an acceptance.")
    if rules.methods != {Method.PAP}:
        found.append("CHAP and MS-CHAPv2 give a code away to who listens; it is of no use once it was taken.")
    if rules.shadows_at(UnixSeconds(time.time())):
        end = time.strftime("%Y-%m-%d", time.localtime((rules.shadow_until or 0) - 1))
        found.append(f"Until the end of {end} this client lets in with the password alone: shadow mode.")
    if any(one.mode is InputMode.PASSWORD_ONLY for one in rules.inputs):
        found.append("This client has no second factor: the password alone lets its users in.")
    return found


def inputs_text(rules: ClientRules) -> str:
    """The input modes as `--input` takes them."""
    return ",".join(
        one.mode.value
        if one.until is None
        else f"{one.mode}@{time.strftime('%Y-%m-%d', time.localtime(one.until - 1))}"
        for one in rules.inputs
    )


def _shadow_end(day: str) -> UnixSeconds:
    """The end of shadow mode: it ends by itself, and soon enough to be remembered."""
    end = end_of_day(day)
    if end > time.time() + MAX_SHADOW_S:
        raise ValueError(f"shadow mode lasts {MAX_SHADOW_S // 86400} days at most; {day} is later")
    return end


def _inputs(text: str) -> tuple[AcceptedInput, ...]:
    found = []
    for piece in text.split(","):
        name, at, day = piece.strip().partition("@")
        if name not in _MODES:
            raise ValueError(f"{name!r} is not an input mode; there are {', '.join(_MODES)}")
        found.append(AcceptedInput(InputMode(name), end_of_day(day) if at else None))
    return tuple(found)


def _methods(text: str) -> frozenset[Method]:
    try:
        return frozenset(Method(piece.strip()) for piece in text.split(","))
    except ValueError as error:
        raise ValueError(f"{text!r}: the methods are {', '.join(method.value for method in Method)}") from error


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "inputs": _inputs,
    "methods": _methods,
    "message_authenticator": MessageAuthenticatorRule,
    "on_failure": OnFailure,
    "charset": lambda name: None if name == "none" else name,
    "max_logins_per_s": lambda number: number or None,
    "shadow_until": lambda day: None if day == "none" else _shadow_end(day),
}
