"""What the audit row of a login tells: who, through which client, how it was judged, with what outcome.

Nothing typed stands in it but the name, and how many octets were read as password and as code.
"""

from typing import Any

from authn.decision import SpendExemption, SpendRecoveryCode, SpendStep, Trace
from authn.ports import Settlement
from authn.verdict import Accept, Challenge, Reject, Unavailable, Verdict


def story(settlement: Settlement, verdict: Verdict, *, is_new_place: bool) -> dict[str, Any]:
    """The body of an audit row."""
    request, decision = settlement.request, settlement.decision
    modes = (decision.mode,) if decision.mode else request.client.rules.modes_at(request.received)
    told: dict[str, Any] = {"user": request.username, "client": request.client.name, "input_mode": ",".join(modes)}
    if request.station is not None:
        told["station"] = request.station
    match verdict:
        case Accept():
            told["verdict"] = "accept"
            if decision.without_spend is not None:
                told["without_code"] = decision.without_spend.value
        case Reject(reason):
            told["verdict"], told["reason"] = "reject", reason
        case Challenge(prompt, _, because):
            told["verdict"], told["prompt"] = "challenge", prompt
            if because is not None:
                told["reason"] = because
        case Unavailable(inability):
            told["verdict"], told["reason"] = "unavailable", inability
    match decision.spend:
        case SpendStep(token_id, step, drift):
            told |= {"token": token_id, "step": step, "drift": drift}
        case SpendRecoveryCode():
            told["recovery_code"] = True
        case SpendExemption(_, kind):
            told["without_code"] = kind
    if decision.tally is not None:
        told["failures"] = decision.tally.failures
    if is_new_place:
        told["new_place"] = True
    return told | _traced(decision.trace)


def _traced(trace: Trace) -> dict[str, Any]:
    told = {
        "rule": trace.rule or None,
        "first_factor": trace.keeper or None,
        "password": None if trace.finding is None else trace.finding.value,
        "split": None if trace.split is None else list(trace.split),
        "offset": trace.offset,
        "period": trace.period_s,
        "wait_s": trace.wait_s,
        "full_bucket": trace.bucket,
        "would_be": trace.would_be,
    }
    return {name: value for name, value in told.items() if value is not None}
