"""A login that might be: judged by the same rules over the same rows, with nothing written and nobody asked."""

from typing import Any

from authn.case import Case, open_case
from authn.decide import decide
from authn.decision import Decision, SpendExemption, WithoutSpend
from authn.errors import OperationError
from authn.first_factor import AskFirstFactor
from authn.policy import Policy
from authn.request import NOBODY, AccessRequest
from authn.secret import Password
from authn.standing import standing_refusal
from authn.verdict import Accept, Challenge, Reason, Reject, Unavailable
from store.attempts import SqliteAttempts
from store.nas_clients import NasClients
from twinward.cli.client_rules import inputs_text
from twinward.cli.context import Console, now, read_secret, time_text


def imagine(
    console: Console, user: str, client_name: str, station: str | None, typed_file: str | None
) -> dict[str, Any]:
    """What a login would come to at this moment, with all that it depends on."""
    settings = console.settings()
    typed = b"" if typed_file is None else read_secret(typed_file, "What is typed")
    username = console.username(user)
    if username == NOBODY:
        raise OperationError(f"{user!r} cannot be a user name")
    with console.installation() as installation:
        client = NasClients(installation, console.by).show(client_name)
        request = AccessRequest(username, Password(typed), client, now(), station)
        attempts = SqliteAttempts(installation.database, installation.keyring, installation.audit)
        try:
            attempts.accounts.with_unknown_names = True
            with attempts.transaction() as transaction:
                [account] = transaction.load([request])
        finally:
            attempts.close()
    case = open_case(request, account, None, settings.policy)
    outcome, reason = _outcome(case, typed_file is not None, settings.policy)
    facts: dict[str, Any] = {
        "user": username,
        "client": client.name,
        "outcome": outcome,
        "circumstances": _circumstances(case),
    }
    return facts | ({"reason": reason} if reason else {})


def _outcome(case: Case, is_typed: bool, policy: Policy) -> tuple[str, Reason | None]:
    if not is_typed:
        refusal = standing_refusal(case, case.alone())
        if refusal is None:
            return "not refused before anything is typed", None
        return _told(refusal)
    decided = decide(case.request, case.account, None, policy)
    if isinstance(decided, AskFirstFactor):
        return f"the first factor {decided.keeper.name} would be asked about the password", None
    return _told(decided)


def _told(decision: Decision) -> tuple[str, Reason | None]:
    match decision.verdict:
        case Accept():
            return "accept", None
        case Reject(reason):
            return f"reject, {reason}", reason
        case Challenge(prompt):
            return f"challenge, {prompt}", decision.verdict.because
        case Unavailable(inability):
            return f"no verdict, {inability}", None


def _circumstances(case: Case) -> dict[str, Any]:
    account, alone = case.account, case.alone()
    tally = account.tally
    return {
        "input": inputs_text(case.request.client.rules),
        "groups": ", ".join(account.groups) or "none",
        "rule": case.rule.name or "none",
        "first factor": case.keeper_rule.keeper,
        "tokens": len(account.tokens) if case.has_token else 0,
        "window": f"{case.window} steps to each side",
        "place": "known" if account.is_known_place else "new for this user",
        "failures": tally.failures,
        "delayed until": time_text(tally.waits_until(case.policy.lockout)) if case.is_delayed else "-",
        "no code for": "-" if alone is None else _because(alone.because),
    }


def _because(because: SpendExemption | WithoutSpend) -> str:
    return because.kind.value if isinstance(because, SpendExemption) else because.value
