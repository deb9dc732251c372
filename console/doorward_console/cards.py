"""An approval request as an approver reads it.

It is pure: a document of the control API in, lines out.
Whatever the requester wrote is shown whole and harmless, and marked at its left edge, so that no line of it can pass
for one of ours (threat model AP-04).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from doorward_console.output import line, moment, shown, span
from doorward_core.approvals.codec import content_digest, read_card
from doorward_core.approvals.flags import flags
from doorward_core.approvals.request import NS_PER_S, ApprovalRequest
from doorward_core.model import Atom
from doorward_core.sql.layout import layout

MARGIN = "  | "
STANDS_FOR = "stands_for"
PREVIEW = "preview"
APART = frozenset({STANDS_FOR, PREVIEW})  # of an operation's context, what is shown in a place of its own


@dataclass(frozen=True, slots=True)
class Detail:
    """One request as the gateway sent it; `content` is computed here, over what is shown here.

    `attended` says whether the requester waits; None where the gateway is too old to say, and to know a choice.
    `retry` says whether an identical retry may use the grant, as the votes stand, and `until_unix_ns` until when.
    """

    request: ApprovalRequest
    state: str
    votes: tuple[Mapping[str, object], ...]
    missing: Mapping[str, int]
    content: str
    attended: bool | None = None
    retry: bool = False
    until_unix_ns: int = 0

    @property
    def choices(self) -> tuple[bool, ...]:
        """What an approver may say of an identical retry, the first where they say nothing; empty without a choice.

        Once an approval is for the one that waits alone, so is the grant; and where nobody waits, only a retry helps.
        """
        if not self.request.retry or self.attended is None:
            return ()
        if not self.retry:
            return (False,)
        return (False, True) if self.attended else (True,)

    @property
    def gone(self) -> bool:
        """Whether whoever asked waits no longer, and may only come back."""
        return self.state == "pending" and self.request.retry and self.attended is False


def read_detail(document: Mapping[str, object]) -> Detail:
    """Read an answer of `GET /v1/approvals/{id}`; ValueError if it is none, or contradicts itself."""
    request = read_card(document.get("request"))
    content = content_digest(request).hex()
    votes, missing, state = document.get("votes"), document.get("missing"), document.get("state")
    if not isinstance(votes, list) or not isinstance(missing, dict) or not isinstance(state, str):
        raise ValueError("the gateway's answer is not a request")  # noqa: TRY004 - its shape is wrong, not our call
    if document.get("content") != content:
        raise ValueError("the gateway's answer contradicts itself: its digest is of another request")
    attended, until = document.get("attended"), document.get("granted_until_unix_ns")
    return Detail(
        request,
        state,
        tuple(vote for vote in votes if isinstance(vote, dict)),
        missing,
        content,
        attended if isinstance(attended, bool) else None,
        document.get("retry") is True,
        until if isinstance(until, int) else 0,
    )


def card_lines(detail: Detail, now_unix_ns: int) -> list[str]:
    """Everything there is to know about a request."""
    request = detail.request
    left = request.expires_unix_ns - now_unix_ns
    until = f"{span(left)} left" if left > 0 and detail.state == "pending" else moment(request.expires_unix_ns)
    lines = [
        f"request   {request.id}   {line(detail.state)}   {until}",
        f"asks      {_who(request)}",
        f"on        {line(request.resource)} as {line(request.account)} ({line(request.origin)})",
        f"because   {line(request.reason) or '-'}",
        *(_rule_line(request, detail.missing)),
        *(_standing_line(request)),
        *(_retry_lines(detail)),
        "does      " + "\n          ".join(_atom(atom) for atom in request.atoms),
    ]
    if request.unseen:
        lines.append(f"unseen    {line(', '.join(request.unseen))}: streams in afterwards, and is not on this card")
    context = {name: value for name, value in request.context.items() if value and name not in APART}
    if context:
        lines.append("within    " + ", ".join(f"{line(name)}={line(value)}" for name, value in context.items()))
    lines += [f"{line(request.verb)}:", *_quoted(request.text)]
    if request.context.get(STANDS_FOR):
        lines += ["whose names stand for:", *_quoted(request.context[STANDS_FOR])]
    laid = layout(request.text) if "search_path" in request.context else None
    if laid is not None:
        lines += ["the same, laid out (what counts is the text above):", *_quoted(laid)]
    if request.text_truncated:
        lines.append("  THERE IS MORE: the statement or a parameter was cut, and you do not see all of it")
    lines += [f"  ${place} = {_value(value)}" for place, value in enumerate(request.parameters, start=1)]
    if request.context.get(PREVIEW):
        lines += ["preview, which is no promise:", *_quoted(request.context[PREVIEW])]
    lines += [f"  CAREFUL: {line(flag.words)}" for flag in flags(_all_text(request))]
    lines += [_vote_line(vote) for vote in detail.votes]
    return lines


def allowed(retry: object) -> str:
    """What an approver chose about an identical retry, in words behind their verdict; empty without a choice."""
    if not isinstance(retry, bool):
        return ""
    return ", and an identical retry" if retry else ", for the one that waits alone"


def _who(request: ApprovalRequest) -> str:
    who = f"{line(request.subject)} ({request.kind.value})"
    if request.display and request.display != request.subject:
        who += f" called {line(request.display)}"
    if request.sponsor:
        who += f", sponsor {line(request.sponsor)}"
    for actor in request.actor_chain:
        who += f", with {line(actor.subject)} of {line(actor.issuer)}"
    extra = ", ".join(f"{line(name)}={line(value)}" for name, value in sorted(request.attributes.items()))
    return f"{who}; {line(request.issuer)}{f'; {extra}' if extra else ''}"


def _rule_line(request: ApprovalRequest, missing: Mapping[str, int]) -> list[str]:
    lines = []
    for rule in request.rules:
        proof = "" if rule.proof == "token" else f", proof: {line(rule.proof)}"
        proof += f", within {span(rule.fresh_s * 1_000_000_000)} of a login" if rule.fresh_s else ""
        groups = line(", ".join(sorted(rule.groups)))
        left = missing.get(rule.rule, rule.quorum)
        lines.append(f"rule      {line(rule.rule)}: {rule.quorum} of {groups}{proof}; {left} missing")
    return lines


def _standing_line(request: ApprovalRequest) -> list[str]:
    if not request.standing:
        return []
    lasts = span(request.grant_s * NS_PER_S)
    return [f"stands    for {lasts} from the approval: all of this goes on without anybody being asked again"]


def _retry_lines(detail: Detail) -> list[str]:
    """Whether an identical retry may follow, where that is anybody's choice."""
    if detail.state == "granted" and detail.retry:
        return [f"retry     one identical retry may use it until {moment(detail.until_unix_ns)}"]
    if detail.state != "pending" or not detail.choices:
        return []
    within = span(detail.request.grant_s * NS_PER_S)
    may = f"may be allowed by its approvers: once, within {within} of the approval (--retry)"
    lines = [f"retry     {may if detail.retry else 'none: an approval is for the one that waits alone'}"]
    return [*lines, "gone      whoever asked waits no longer, and may come back"] if detail.gone else lines


def _atom(atom: Atom) -> str:
    target = atom.target
    columns = f" ({', '.join(target.columns)})" if target.columns else ""
    detail = f" [{target.detail}]" if target.detail else ""
    return line(f"{atom.action} {target.kind} {target.name}{columns}{detail}")


def _quoted(text: str) -> list[str]:
    return [f"{MARGIN}{part}" for part in shown(text).split("\n")]


def _value(value: str | None) -> str:
    return "NULL" if value is None else f"'{line(value)}'"


def _all_text(request: ApprovalRequest) -> str:
    return "\n".join(
        (
            request.text,
            request.context.get(STANDS_FOR, ""),
            *(value for value in request.parameters if value is not None),
        )
    )


def _vote_line(vote: Mapping[str, object]) -> str:
    reason = f': "{line(str(vote["reason"]))}"' if vote.get("reason") else ""
    cast = vote.get("cast_unix_ns")
    when = moment(cast) if isinstance(cast, int) else "-"
    says = f"{line(str(vote.get('verdict')))}s{allowed(vote.get('retry'))}"
    return f"vote      {line(str(vote.get('approver')))} {says}{reason} ({line(str(vote.get('proof')))}, {when})"
