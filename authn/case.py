"""One login with all that is known of it: what the rules of `decide.py` look at."""

import hmac
import re
from dataclasses import dataclass, replace

from authn.account import Account, RecoveryCode
from authn.client import InputMode
from authn.credentials import Credentials
from authn.decision import NO_TRACE, SpendExemption, Trace, WithoutSpend
from authn.exemption import Exemption, ExemptionKind
from authn.first_factor import OWN_STORE, CheckedPassword, Keeper
from authn.instants import UnixSeconds
from authn.matching import Match, find_code, guess_fingerprint, typed_codes
from authn.places import place_of
from authn.policy import KeeperRule, Policy, Rule
from authn.recovery import TypedRecoveryCode, find, readings
from authn.request import AccessRequest
from authn.verdict import Exempted, Notice

_PLAIN_NAME = re.compile(r"\w([\w.-]*\w)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class RecoveryMatch:
    """An unused recovery code that was typed."""

    code: RecoveryCode
    typed: TypedRecoveryCode


@dataclass(frozen=True, slots=True)
class Alone:
    """Why the password alone lets this login in, and what the Accept takes out of use."""

    because: SpendExemption | WithoutSpend
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A login at the moment of judging."""

    request: AccessRequest
    account: Account
    checked: CheckedPassword | None
    policy: Policy
    modes: tuple[InputMode, ...]
    rule: Rule
    keeper_rule: KeeperRule
    match: Match | None
    recovery: RecoveryMatch | None

    @property
    def now(self) -> UnixSeconds:
        """A code that was good when it arrived stays good while its password is being checked."""
        return self.request.received

    @property
    def window(self) -> int:
        """Steps to each side in which a code is good."""
        return _window(self.policy, self.rule)

    @property
    def is_shadowed(self) -> bool:
        """Whether the client does not enforce codes yet, and no rule insists."""
        return self.request.client.rules.shadows_at(self.now) and not self.rule.requires_code

    @property
    def keeper(self) -> Keeper | None:
        """Who keeps the password; None where nobody does."""
        name = self.keeper_rule.keeper
        if name != OWN_STORE:
            return Keeper(name)
        return None if self.account.verifier is None else Keeper(OWN_STORE, self.account.verifier)

    @property
    def is_kept_elsewhere(self) -> bool:
        """Whether another first factor knows this user's password."""
        return self.keeper_rule.keeper != OWN_STORE

    @property
    def has_token(self) -> bool:
        """Whether this user has a token; the decoy's is none."""
        return self.account.id is not None and bool(self.account.tokens)

    @property
    def is_enrolled(self) -> bool:
        """Whether this user has, or ever had, a token."""
        return self.has_token or self.account.enrolled or self.account.broken_seals

    @property
    def is_asked_elsewhere(self) -> bool:
        """Whether another first factor is asked about a name that is not known here."""
        return self.account.id is None and self.is_kept_elsewhere and self.alone() is not None

    @property
    def is_stranger(self) -> bool:
        """Whether this user has never come from here."""
        return not self.account.is_known_place

    @property
    def is_delayed(self) -> bool:
        """Whether failures at this place make this login wait."""
        return self.account.tally.is_delayed(self.now, self.policy.lockout)

    @property
    def is_shut_out(self) -> bool:
        """Whether this is a stranger, and strangers have failed too often at this name or from this place."""
        return self.full_bucket is not None

    @property
    def full_bucket(self) -> str | None:
        """Which bucket of strangers' failures is full for this login: that of the user, or of the network."""
        if not self.is_stranger:
            return None
        lockout = self.policy.lockout
        if self.account.strangers.is_full(self.now, lockout.strangers_per_user):
            return "user"
        if place_of(self.request.station) and self.account.place_strangers.is_full(
            self.now, lockout.strangers_per_network
        ):
            return "network"
        return None

    @property
    def failures_left(self) -> int:
        """How many more failures are let through here before logins wait; at least the one that is being judged."""
        account, lockout, now = self.account, self.policy.lockout, self.now
        left = [
            lockout.free_failures + 1 - account.tally.failures,
            account.tally.day.room_at(now, lockout.failures_per_day),
        ]
        if self.is_stranger:
            left.append(account.strangers.room_at(now, lockout.strangers_per_user))
            left.append(account.place_strangers.room_at(now, lockout.strangers_per_network))
        return max(1, min(left))

    @property
    def is_shut_out_for_good(self) -> bool:
        """Whether strangers have shown two codes in a row, and a wrong password, so often that this opens no more."""
        return self.is_stranger and self.account.strangers.is_heaped(self.now, self.policy.lockout.strangers_per_user)

    @property
    def is_same_guess(self) -> bool:
        """Whether this is the wrong guess of just now once more."""
        last = self.account.tally.last_guess
        return bool(last) and hmac.compare_digest(last, guess_fingerprint(self.request, self.account))

    def alone(self) -> Alone | None:
        """Why the password alone lets in here, or None: a code is needed."""
        if self.rule.requires_code:
            return None
        if InputMode.PASSWORD_ONLY in self.modes:
            return Alone(WithoutSpend.PASSWORD_ONLY)
        exemption = self._exemption()
        if exemption is not None:
            left = None if exemption.logins is None else exemption.logins - exemption.used - 1
            notice = Exempted(exemption.kind, exemption.until, left)
            return Alone(SpendExemption(exemption.id, exemption.kind, self.now), notice)
        until = self.keeper_rule.alone_until
        is_due = until is not None and self.now < until
        if is_due and self.is_kept_elsewhere and not self.is_enrolled and self._is_no_alias:
            return Alone(WithoutSpend.UPSTREAM)
        return Alone(WithoutSpend.SHADOW) if self.is_shadowed else None

    @property
    def is_asked_at_a_prompt(self) -> bool:
        """Whether this is a first round whose code comes at a prompt."""
        return self.request.conversation is None and InputMode.CHALLENGE in self.modes

    @property
    def unlock_modes(self) -> tuple[InputMode, ...]:
        """How a code may be shown by who must wait: where one is asked for at a prompt, behind the password, too."""
        return (*self.modes, InputMode.SUFFIX) if self.is_asked_at_a_prompt else self.modes

    def trace(self) -> Trace:
        """What is worth telling, as far as it is known before the verdict."""
        checked = self.checked
        if checked is None and self.match is None and self.recovery is None and not self.rule.name:
            return NO_TRACE
        offset = period_s = split = None
        if self.match is not None:
            offset = self.match.offset_at(self.now)
            period_s = self.match.token.parameters.period_s
            split = _split(self.match.credentials)
        elif self.recovery is not None:
            split = _split(self.recovery.typed)
        return Trace(
            self.rule.name,
            "" if checked is None else checked.keeper.name,
            None if checked is None else checked.finding,
            split,
            offset,
            period_s,
            alerts=self.rule.alerts,
        )

    def split_of_wrong_code(self) -> tuple[int, int] | None:
        """How a field without a right code would be read, in octets."""
        typed = next(typed_codes(self.request, self.account, self.modes), None)
        return None if typed is None else _split(typed[1])

    @property
    def _is_no_alias(self) -> bool:
        """Whether a name that is not known here is plain: an address may be another name of somebody enrolled."""
        return self.account.id is not None or _PLAIN_NAME.fullmatch(self.request.username) is not None

    def _exemption(self) -> Exemption | None:
        """The exemption that holds; grace only as long as there is no token."""
        for one in self.account.exemptions:
            if one.kind is ExemptionKind.GRACE and self.is_enrolled:
                continue
            if one.holds(self.request.client.id, self.now):
                return one
        return None


def open_case(request: AccessRequest, account: Account, checked: CheckedPassword | None, policy: Policy) -> Case:
    """Look at everything that does not depend on the password."""
    client = request.client
    modes = client.rules.modes_at(request.received)
    rule = policy.rule_for(
        request.username,
        account.groups,
        client.name,
        request.station,
        request.received,
        is_known_place=account.is_known_place,
    )
    match = find_code(request, account, modes, policy, _window(policy, rule))
    if account.id is None:
        match = None  # the decoy's code was looked for, for the time it takes; it is worth nothing
    recovery = None
    if match is None and account.recovery_codes and rule.allows_recovery_codes and client.rules.recovery_codes:
        recovery = _recovery(request, account, modes)
    keeper_rule = policy.keeper_for(request.username, account.groups, client.name)
    case = Case(request, account, checked, policy, modes, rule, keeper_rule, match, recovery)
    if match is None and account.id is not None and case.is_asked_at_a_prompt and (case.is_delayed or case.is_shut_out):
        return replace(case, match=find_code(request, account, case.unlock_modes, policy, case.window))
    return case


def _split(typed: Credentials | TypedRecoveryCode) -> tuple[int, int]:
    """Octets of the password, and of the code."""
    return (0 if typed.password is None else len(typed.password), len(typed.code))


def _window(policy: Policy, rule: Rule) -> int:
    return policy.window if rule.window is None else min(policy.window, rule.window)


def _recovery(request: AccessRequest, account: Account, modes: tuple[InputMode, ...]) -> RecoveryMatch | None:
    if account.id is None or request.code_proof is not None:
        return None
    if request.conversation is not None and InputMode.CHALLENGE in modes:
        modes = (InputMode.CODE_ONLY,)  # the answer to a prompt is the code and nothing else
    for typed in readings(request.password, modes, request.client.rules.separator):
        code = find(account.recovery_codes, account.id, typed.code)
        if code is not None:
            return RecoveryMatch(code, typed)
    return None
