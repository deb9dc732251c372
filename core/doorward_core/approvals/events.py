"""What the desk writes into the event log (docs/spec/event-log.md): votes, and how a request ended.

It is pure, and writes nothing itself.
The header names who asked, who voted, the verdict and the rules; reasons, statements and proofs are payload.
"""

from doorward_core.approvals.codec import card_bytes
from doorward_core.approvals.request import ApprovalRequest, RequestState, Vote
from doorward_core.approvals.webauthn import CLONED
from doorward_core.event import Event, EventKind, Value

ENDINGS = {
    RequestState.GRANTED: EventKind.APPROVAL_GRANTED,
    RequestState.REJECTED: EventKind.APPROVAL_REJECTED,
    RequestState.EXPIRED: EventKind.APPROVAL_EXPIRED,
    RequestState.WITHDRAWN: EventKind.APPROVAL_WITHDRAWN,
}


def asked(request: ApprovalRequest) -> Event:
    """Standing access was asked for; `card` is what approvers are shown, whose digest their votes name."""
    header: dict[str, Value] = {
        **_about(request),
        "actions": [atom.action.value for atom in request.atoms],
        "expires_unix_ns": request.expires_unix_ns,
    }
    return Event(EventKind.ACCESS_REQUESTED, header, {"card": card_bytes(request)})


def voted(request: ApprovalRequest, vote: Vote, refusal: str = "") -> Event:
    """A vote, before it counts; `refusal` says why it does not.

    The card is kept beside it, so that an auditor can compute again what the statement names.
    """
    header: dict[str, Value] = {
        **_about(request),
        "approver": vote.approver_subject,
        "approver_issuer": vote.approver_issuer,
        "approver_principal": vote.approver_kind.value,
        "verdict": vote.verdict.value,
        "proof": vote.proof_kind,
        "counted": not refusal,
        **({} if vote.retry is None else {"retry": vote.retry}),
        "reason": refusal,
        **({"alarm": "passkey-copied"} if refusal == CLONED else {}),
    }
    groups: list[Value] = [*sorted(vote.approver_groups)]
    payload: dict[str, Value] = {
        "reason": vote.reason,
        "groups": groups,
        "display": vote.approver_display,
        "statement": vote.statement,
        "proof": vote.proof,
        "card": card_bytes(request),
    }
    return Event(EventKind.APPROVAL_VOTED, header, payload, request.session_id, request.operation_id)


def ended(request: ApprovalRequest, state: RequestState, votes: tuple[Vote, ...], why: str = "") -> Event:
    """A request left the state PENDING, or an unused grant ran out."""
    approvers: list[Value] = [f"{vote.approver_issuer}#{vote.approver_subject}" for vote in votes]
    header: dict[str, Value] = {**_about(request), "approvers": approvers, "reason": why}
    return Event(ENDINGS[state], header, {}, request.session_id, request.operation_id)


def _about(request: ApprovalRequest) -> dict[str, Value]:
    rules: list[Value] = [rule.rule for rule in request.rules]
    return {
        "request": request.id,
        "subject": request.subject,
        "issuer": request.issuer,
        "principal": request.kind.value,
        "sponsor": request.sponsor,
        "resource": request.resource,
        "account": request.account,
        "verb": request.verb,
        "rules": rules,
        **({"standing_s": request.grant_s} if request.standing else {}),
    }
