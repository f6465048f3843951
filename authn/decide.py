"""The login decision: one function, pure, the only place that says yes.

Rules, in the order they speak:

1. A field the door could not read is refused, and so is what sshd sends for a
   user that its host does not know.
2. An unknown name, a disabled user, a login that a rule of the policy refuses, a
   delayed one, and a user without a token are refused; their codes are looked at
   all the same, for the time it takes. The wrong guess of just now is refused
   once more without asking anybody.
3. The code is looked at before the password, so a wrong code costs no password
   check. A spent code is refused as replayed, and so are its digits where a later
   step happens to show them again while they are fresh in mind (once in a million).
   Only the very attempt that spent it, asked again by a NAS that lost its reply,
   gets its verdict once more. A recovery code stands in for a code.
4. The password is checked once, by who keeps it, and for our own store against
   the verifier on record at the moment of judging. A wrong one is refused and does
   not spend the code. Where another server keeps it and asks on, its questions are
   handed on.
5. Where no code is needed (a client without second factor or in shadow mode,
   grace, a bypass, a migration), a right password lets in, and the audit trail
   says why.
6. Where the client asks for the code at a prompt, a right password is answered
   with a challenge, and its answer is judged as the code (`answers.py`).
7. Only then is the login accepted, and what let it in is spent with it.

A wrong code, a wrong password and an unreadable field count as failures. A
replayed code does not: it is no guess, and a NAS that repeats itself must not
delay its user.
"""

from dataclasses import replace

from authn.account import Account
from authn.answers import decide_answer, decide_relayed_answer
from authn.case import Case, open_case
from authn.client import InputMode
from authn.decision import Decision
from authn.first_factor import AskFirstFactor, CheckedPassword
from authn.first_round import decide_first
from authn.outcomes import asked_for_nothing_that_helps, refused
from authn.policy import Policy
from authn.request import AccessRequest
from authn.verdict import Reject


def decide(
    request: AccessRequest, account: Account, checked: CheckedPassword | None, policy: Policy
) -> Decision | AskFirstFactor:
    """Judge one login. `checked` is None until a first factor has been asked.

    Time is `request.received`. Never raises for what a user or peer sent.
    """
    case = open_case(request, account, checked, policy)
    if request.unusable is not None:
        return refused(case, request.unusable)
    conversation = request.conversation
    if conversation is not None and conversation.opening.relay is not None:
        return decide_relayed_answer(case, conversation)
    if conversation is not None and InputMode.CHALLENGE in case.modes:
        return decide_answer(case, conversation)
    decided = decide_first(case)
    if request.client.rules.uniform_challenge and isinstance(decided, Decision):
        return _uniform(case, decided)
    return decided


def _uniform(case: Case, decided: Decision) -> Decision:
    """Ask for a code whatever the password was: every refusal becomes a challenge that cannot be passed."""
    if not isinstance(decided.verdict, Reject):
        return decided
    return replace(decided, verdict=asked_for_nothing_that_helps(case, decided.verdict.reason))
