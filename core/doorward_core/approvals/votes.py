"""Whose vote counts, and when enough have been cast.

It is pure: it sees a request, votes and the time, and knows neither tokens nor keys (`desk` verified the approver's
identity, `sshsig` the signature).
It implements "four eyes" (threat model AP-01) and quorum for everyone alike: administrators have no way round it.

Invariants:

- Agents never vote, and neither does a credential that someone holds on another's behalf (RFC 8693 `act`).
- Nobody votes on what they asked for: not the requester, not its sponsor, not anyone in its actor chain, under
  whichever issuer the same subject appears.
- Every rule that holds a request needs its own quorum of distinct people; one rejection rejects.
- A request that no rule holds, or a rule that names no group, can never be granted.
- An identical retry is let through only where the rule allows it, and every approval that counts does.
"""

import json
from collections.abc import Iterable

from doorward_core.approvals.codec import content_digest
from doorward_core.approvals.request import NS_PER_S, ApprovalRequest, HeldRule, RequestState, Verdict, Vote
from doorward_core.model import Actor, PrincipalKind
from doorward_core.people import fold, people

SSHSIG_NAMESPACE = "doorward-vote@1"
"""The namespace of the signature: one made for a commit or a mail is not a vote."""

PROOF_TOKEN = "token"  # noqa: S105 - the name of a kind of proof
PROOF_SSHSIG = "sshsig"
PROOF_WEBAUTHN = "webauthn"

MAX_REASON_CHARACTERS = 2_000
"""A reason is a sentence or two; the bound keeps one vote within one entry of the log."""


def statement(
    request: ApprovalRequest,
    verdict: Verdict,
    *,
    subject: str,
    issuer: str,
    reason: str,
    cast_unix_ns: int,
    retry: bool | None = None,
) -> bytes:
    """The text that a vote stands for, and that an SSH signature covers (namespace `doorward-vote@1`).

    One `name: value` per line; values that people chose are JSON strings in ASCII, so that none can forge a line.
    `retry: true` or `retry: false` is there where its caster said which; without it the text is that of older gateways.
    """
    lines = (
        "doorward-vote 1",
        f"origin: {json.dumps(request.origin)}",
        f"request: {request.id}",
        f"content: sha256:{content_digest(request).hex()}",
        f"verdict: {verdict.value}",
        *(() if retry is None else (f"retry: {json.dumps(retry)}",)),
        f"reason: {json.dumps(reason)}",
        f"approver: {json.dumps(subject)}",
        f"issuer: {json.dumps(issuer)}",
        f"cast_unix_ns: {cast_unix_ns}",
    )
    return ("\n".join(lines) + "\n").encode("ascii")


def check_vote(request: ApprovalRequest, vote: Vote, cast: Iterable[Vote] = ()) -> str | None:
    """Say why a vote may not count, in words for the one who cast it; None if it may."""
    groups = [rule for rule in request.rules if vote.approver_groups & rule.groups]
    person = fold(vote.approver_subject)
    proofs = ", ".join(sorted({rule.proof for rule in groups}))
    approves = vote.verdict is Verdict.APPROVE
    proved = [rule for rule in groups if _proves(rule, vote)]
    stale = [rule.fresh_s for rule in proved if not _fresh(rule, vote)]
    refusals = (
        (vote.request_id != request.id, "the vote is for another request"),
        (vote.approver_kind is not PrincipalKind.HUMAN, "an agent cannot approve or reject; a person must"),
        (
            bool(vote.approver_chain),
            "a credential that acts for someone else cannot approve or reject; use your own",
        ),
        (
            not request.opened_unix_ns <= vote.cast_unix_ns < request.expires_unix_ns,
            "the request is no longer open",
        ),
        (
            not people(vote.approver_subject, vote.approver_display).isdisjoint(_requesters(request)),
            "nobody decides on what they asked for themselves; another person must",
        ),
        (not groups, "you are in none of the groups that decide on this request"),
        (
            bool(vote.retry) and not (approves and request.retry),
            "the rule that holds this allows no identical retry; approve it for the one that waits",
        ),
        (approves and not proved, f"this request needs a stronger proof: {proofs}"),
        (
            approves and bool(stale),
            f"log in again: this may be approved for {min(stale, default=0)} s after a login, and yours is older",
        ),
        (
            any(fold(other.approver_subject) == person for other in cast),
            "you have already voted on this request",
        ),
    )
    return next((words for refused, words in refusals if refused), None)


def satisfied(request: ApprovalRequest, votes: Iterable[Vote]) -> bool:
    """True if every rule has its quorum of distinct approvers and nobody rejected.

    Each vote is judged again: a vote that got into the list by some other way than `check_vote` counts for nothing.
    """
    counted = counting(request, votes)
    if not request.rules or any(vote.verdict is Verdict.REJECT for vote in counted):
        return False
    return all(len(_approvers(rule, counted)) >= max(1, rule.quorum) for rule in request.rules)


def tally(request: ApprovalRequest, votes: Iterable[Vote], now_unix_ns: int) -> RequestState:
    """Where an unused request stands, given its votes: a rejection first, then a full quorum, then the time."""
    cast = tuple(votes)
    if any(vote.verdict is Verdict.REJECT for vote in counting(request, cast)):
        return RequestState.REJECTED
    if satisfied(request, cast):
        return RequestState.GRANTED
    return RequestState.EXPIRED if now_unix_ns >= request.expires_unix_ns else RequestState.PENDING


def counting(request: ApprovalRequest, votes: Iterable[Vote]) -> tuple[Vote, ...]:
    """The votes that may count, in the order they were cast, one a person."""
    kept: list[Vote] = []
    for vote in votes:
        if check_vote(request, vote, kept) is None:
            kept.append(vote)
    return tuple(kept)


def retriable(request: ApprovalRequest, votes: Iterable[Vote]) -> bool:
    """True if an identical retry may use the grant, once its requester is gone: the narrowest approval decides.

    An approval from before there was a choice says what its rule says.
    """
    approvals = [vote for vote in counting(request, votes) if vote.verdict is Verdict.APPROVE]
    return request.retry and all(vote.retry is not False for vote in approvals)


def in_vain(request: ApprovalRequest, votes: Iterable[Vote], *, attended: bool) -> str:
    """Why nobody could use what these votes would grant: its requester is gone, and no retry is allowed; "" if not."""
    cast = tuple(votes)
    if attended or request.standing or retriable(request, cast) or not satisfied(request, cast):
        return ""
    if cast[-1].retry:
        return "whoever asked is gone, and an approval before yours is for them alone; it can wait until they are back"
    return "whoever asked is gone; only an approval that allows an identical retry helps them"


def missing(request: ApprovalRequest, votes: Iterable[Vote]) -> dict[str, int]:
    """How many approvals each rule still needs."""
    counted = counting(request, votes)
    return {rule.rule: max(0, max(1, rule.quorum) - len(_approvers(rule, counted))) for rule in request.rules}


def progress(request: ApprovalRequest, votes: Iterable[Vote]) -> str:
    """How far people are, in words for whoever waits: `1 of 2 have approved`. It names nobody."""
    cast = tuple(votes)
    lacks = missing(request, cast)
    needed = {rule.rule: max(1, rule.quorum) for rule in request.rules}
    parts = [f"{quorum - lacks[name]} of {quorum}" for name, quorum in needed.items()]
    alone = request.retry and not retriable(request, cast)
    return f"{', and '.join(parts)} have approved{', for this connection alone' if alone else ''}"


def objections(votes: Iterable[Vote]) -> str:
    """What those who rejected a request said, for its requester to read; "" if nothing was said."""
    return "; ".join(vote.reason for vote in votes if vote.verdict is Verdict.REJECT and vote.reason)


def may_see(
    request: ApprovalRequest, *, subject: str, issuer: str, kind: PrincipalKind, groups: frozenset[str]
) -> bool:
    """True for the requester, and for people in a group that decides; a card is for nobody else."""
    if (subject, issuer) == (request.subject, request.issuer):
        return True
    return kind is PrincipalKind.HUMAN and any(groups & rule.groups for rule in request.rules)


def _requesters(request: ApprovalRequest) -> frozenset[str]:
    chain: tuple[Actor, ...] = request.actor_chain
    names = people(request.subject, request.display) | {fold(request.sponsor)}
    return frozenset((names | {fold(actor.subject) for actor in chain}) - {""})


def fresh_until_unix_ns(request: ApprovalRequest, groups: frozenset[str], logged_in_unix_ns: int) -> int:
    """Until when a login is fresh enough for every rule that these groups decide on; 0 where none asks for that."""
    bounds_s = [rule.fresh_s for rule in request.rules if rule.fresh_s and groups & rule.groups]
    return logged_in_unix_ns + min(bounds_s) * NS_PER_S if bounds_s else 0


def _proves(rule: HeldRule, vote: Vote) -> bool:
    return rule.proof == PROOF_TOKEN or vote.proof_kind in rule.proof.split(" or ")


def _counts(rule: HeldRule, vote: Vote) -> bool:
    return _proves(rule, vote) and _fresh(rule, vote)


def _fresh(rule: HeldRule, vote: Vote) -> bool:
    return not rule.fresh_s or vote.cast_unix_ns - vote.logged_in_unix_ns <= rule.fresh_s * NS_PER_S


def _approvers(rule: HeldRule, votes: Iterable[Vote]) -> frozenset[str]:
    return frozenset(
        fold(vote.approver_subject)
        for vote in votes
        if vote.verdict is Verdict.APPROVE and vote.approver_groups & rule.groups and _counts(rule, vote)
    )
