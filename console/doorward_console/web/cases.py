"""One request with everything that helps to decide it, as its page and the JSON API both show it.

What it is: the gateway's card, checked against its own digest; the rules that hold it, in their author's words where
the settings name the policy; what the same agent asked before; and whether, and how, whoever looks may vote.
What it will not do: decide that a vote counts. What it says about voting spares people a refusal; the gateway judges.

Invariants: what is shown is what the digest covers, which a vote then names; a text is never shortened.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from doorward_console.cards import APART, PREVIEW, STANDS_FOR, Detail, read_detail
from doorward_console.web.desk import Desk
from doorward_console.web.people import Person, Role
from doorward_console.web.reach import Gateway, GatewayDown, GatewayRefused, Json, Told
from doorward_console.web.rule_texts import RuleText, rule_text
from doorward_console.web.waiting import Row, gathered
from doorward_core.approvals.flags import Flag, flags
from doorward_core.approvals.request import ApprovalRequest, HeldRule, Verdict, Vote
from doorward_core.approvals.votes import PROOF_TOKEN, PROOF_WEBAUTHN, check_vote, fresh_until_unix_ns
from doorward_core.errors import ConfigError
from doorward_core.people import fold
from doorward_core.policy.load import load_policy
from doorward_core.sql.layout import layout

SIMILAR_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Holding:
    """One rule that holds the request, how many approvals it still needs, and its text where that is known."""

    rule: HeldRule
    missing: int
    text: RuleText | None


@dataclass(frozen=True, slots=True)
class Voting:
    """Whether whoever looks may vote, and with what.

    `why_not` says why not, if so. `stale` means that a login from just now is needed; `passkeys` are theirs at this
    gateway; `needs_passkey` where no other proof that they could give would count.
    """

    why_not: str
    stale: bool
    passkeys: tuple[str, ...]
    rp_id: str
    needs_passkey: bool


@dataclass(frozen=True, slots=True)
class CaseShown:
    """A request, and what is shown beside it."""

    gateway: str
    detail: Detail
    granted_until_unix_ns: int
    holding: tuple[Holding, ...]
    flags: tuple[Flag, ...]
    laid_out: str | None
    similar: tuple[Row, ...]
    before: Mapping[str, int]
    voting: Voting

    @property
    def request(self) -> ApprovalRequest:
        """The request itself."""
        return self.detail.request

    @property
    def stands_for(self) -> str:
        """What the names in the text stand for, where its proxy says so."""
        return self.request.context.get(STANDS_FOR, "")

    @property
    def preview(self) -> str:
        """What the target itself said beforehand would come of it, where policy let the gateway ask."""
        return self.request.context.get(PREVIEW, "")

    @property
    def context(self) -> Mapping[str, str]:
        """Within what it would run: role, search_path, database."""
        return {name: value for name, value in self.request.context.items() if value and name not in APART}

    @property
    def text_lines(self) -> int:
        """How long the text is, for whoever might overlook its end."""
        return self.request.text.count("\n") + 1


async def case(desk: Desk, gateway: Gateway, person: Person, name: str) -> CaseShown:
    """Everything about one request. Raises GatewayDown, GatewayRefused."""
    answers: dict[str, Json] = {}

    async def ask(key: str, *parts: str, query: Mapping[str, str] | None = None) -> None:
        try:
            answers[key] = await gateway.get(person.token, *parts, query=query)
        except (GatewayDown, GatewayRefused):
            answers[key] = {}

    document = await gateway.get(person.token, "approvals", name)
    try:
        detail = read_detail(document)
    except ValueError as error:
        raise GatewayDown(f"what it says of this request cannot be trusted: {error}") from None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, "who", "whoami")
        nursery.start_soon(lambda: ask("all", "approvals", query={"state": "all"}))
    until = document.get("granted_until_unix_ns")
    like = _similar(gateway.name, answers["all"], detail.request)
    texts = await _texts(gateway.settings.policy, detail.request)
    return CaseShown(
        gateway=gateway.name,
        detail=detail,
        granted_until_unix_ns=until if isinstance(until, int) else 0,
        holding=tuple(_holding(detail, rule, texts) for rule in detail.request.rules),
        flags=flags(_all_text(detail.request)),
        laid_out=layout(detail.request.text) if "search_path" in detail.request.context else None,
        similar=like[:SIMILAR_SHOWN],
        before=Counter(row.state for row in like),
        voting=_voting(desk, person, detail, answers["who"]),
    )


def _holding(detail: Detail, rule: HeldRule, texts: Mapping[str, RuleText]) -> Holding:
    missing = detail.missing.get(rule.rule, rule.quorum)
    return Holding(rule, missing if isinstance(missing, int) else rule.quorum, texts.get(rule.rule))


def _similar(gateway: str, answer: Json, request: ApprovalRequest) -> tuple[Row, ...]:
    """What the same principal asked here, newest first, but for this very request."""
    rows = gathered([Told(gateway, answer)], ()).rows
    return tuple(row for row in rows if row.subject == request.subject and row.id != request.id)


async def _texts(policy: Path | None, request: ApprovalRequest) -> Mapping[str, RuleText]:
    if policy is None:
        return {}
    try:
        loaded = await trio.to_thread.run_sync(load_policy, policy)
    except ConfigError:
        return {}
    found = {rule.rule: rule_text(loaded, rule) for rule in request.rules}
    return {name: text for name, text in found.items() if text is not None}


def _voting(desk: Desk, person: Person, detail: Detail, who: Json) -> Voting:
    passkeys, rp_id, now = who.get("passkeys"), who.get("rp_id"), desk.clock()
    mine = tuple(str(one) for one in passkeys) if isinstance(passkeys, list) else ()
    request, identity = detail.request, person.identity
    by_token = _vote(request, person, PROOF_TOKEN, now)
    refused_by_token = check_vote(request, by_token)
    refused = check_vote(request, replace(by_token, proof_kind=PROOF_WEBAUTHN)) if mine else refused_by_token
    until = fresh_until_unix_ns(request, identity.groups, identity.logged_in_unix_ns)
    return Voting(
        why_not=_why_not(person, detail) or refused or "",
        stale=bool(until) and now >= until,
        passkeys=mine,
        rp_id=rp_id if isinstance(rp_id, str) else "",
        needs_passkey=bool(mine) and refused_by_token is not None and refused is None,
    )


def _vote(request: ApprovalRequest, person: Person, proof: str, now: int) -> Vote:
    """The vote that they might cast, as if they had logged in just now."""
    identity = person.identity
    return Vote(
        request_id=request.id,
        approver_subject=identity.subject,
        approver_issuer=identity.issuer,
        approver_groups=identity.groups,
        approver_kind=identity.kind,
        verdict=Verdict.APPROVE,
        reason="",
        cast_unix_ns=now,
        proof_kind=proof,
        proof=b"",
        statement=b"",
        approver_display=identity.display,
        approver_chain=identity.actor_chain,
        logged_in_unix_ns=now,
    )


def _why_not(person: Person, detail: Detail) -> str:
    if detail.state != "pending":
        return "it is decided, or over"
    if Role.APPROVER not in person.roles:
        return "none of your groups has the role of an approver at this desk"
    cast = {fold(str(vote.get("approver"))) for vote in detail.votes}
    return "you have already voted on this request" if fold(person.identity.subject) in cast else ""


def _all_text(request: ApprovalRequest) -> str:
    given = (value for value in request.parameters if value is not None)
    return "\n".join((request.text, request.context.get(STANDS_FOR, ""), *given))
