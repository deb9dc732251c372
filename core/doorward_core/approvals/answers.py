"""What the control API says about requests and votes, as JSON values.

It is pure: a case in, a document out.
Whatever a requester wrote is sent as it is: whoever shows it makes it harmless, and `flags` says what is odd in it.
"""

from doorward_core.approvals.codec import card, content_digest
from doorward_core.approvals.flags import Flag, flags
from doorward_core.approvals.request import ApprovalRequest, Case, Vote
from doorward_core.approvals.votes import missing, retriable

MAX_LISTED_TEXT_CHARACTERS = 400
"""A list is for finding a request; whoever decides reads the whole of it on its own."""
MAX_FLAGGED_CHARACTERS = 20_000
"""Of a request in a list: each character is looked at, and a list of the longest would keep everyone waiting."""


def summary(case: Case, *, attended: bool = True) -> dict[str, object]:
    """One line of a list; `attended` says whether the requester waits for it."""
    request = case.request
    return {
        "id": request.id,
        "state": case.state.value,
        "resource": request.resource,
        "account": request.account,
        "subject": request.subject,
        "issuer": request.issuer,
        "sponsor": request.sponsor,
        "display": request.display,
        "kind": request.kind.value,
        "attributes": dict(request.attributes),
        "verb": request.verb,
        "text": request.text[:MAX_LISTED_TEXT_CHARACTERS],
        "text_characters": len(request.text),
        "flags": [flag.kind.value for flag in _flags(request, MAX_FLAGGED_CHARACTERS)],
        "rules": [rule.rule for rule in request.rules],
        "reason": request.reason,
        "attended": attended,
        "retry": retriable(request, case.votes),
        "missing": missing(request, case.votes),
        "voted": [vote.approver_subject for vote in case.votes],
        "opened_unix_ns": request.opened_unix_ns,
        "expires_unix_ns": request.expires_unix_ns,
        "changed_unix_ns": case.changed_unix_ns,
    }


def detail(case: Case, *, attended: bool = True) -> dict[str, object]:
    """One request whole, with its votes; `retry` says whether an identical retry may use the grant, as they stand."""
    return {
        "request": card(case.request),
        "content": content_digest(case.request).hex(),
        "state": case.state.value,
        "changed_unix_ns": case.changed_unix_ns,
        "granted_until_unix_ns": case.granted_until_unix_ns,
        "attended": attended,
        "retry": retriable(case.request, case.votes),
        "votes": [_vote(vote) for vote in case.votes],
        "missing": missing(case.request, case.votes),
        "flags": [
            {"kind": flag.kind.value, "count": flag.count, "first": flag.first, "words": flag.words}
            for flag in _flags(case.request)
        ],
    }


def _flags(request: ApprovalRequest, most: int | None = None) -> tuple[Flag, ...]:
    given = [parameter for parameter in request.parameters if parameter is not None]
    return flags("\n".join((request.text, request.context.get("stands_for", ""), *given))[:most])


def _vote(vote: Vote) -> dict[str, object]:
    return {
        "approver": vote.approver_subject,
        "issuer": vote.approver_issuer,
        "display": vote.approver_display,
        "verdict": vote.verdict.value,
        "reason": vote.reason,
        "cast_unix_ns": vote.cast_unix_ns,
        "proof": vote.proof_kind,
        **({} if vote.retry is None else {"retry": vote.retry}),
    }
