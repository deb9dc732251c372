"""The approver's side of the control API: see what waits, and vote.

    GET  /v1/whoami                    who the gateway takes you for
    GET  /v1/approvals?state=pending   what you may see, newest first; state=all for every state
    GET  /v1/approvals/{id}            one request: the card, its votes, what is odd about its text
    POST /v1/approvals/{id}/vote       {"verdict": "approve"|"reject", "reason": "...",
                                        "proof": {"kind": "sshsig", "signature": "...", "cast_unix_ns": 0}}

It turns JSON into calls of the desk and back; it decides nothing, and every caller was authenticated before.
A request that someone may not see does not exist for them (404): only its requester and people in a deciding group may.
A vote names, in `content`, the digest of the card that its caster saw; where it is given, it must be this request's.
"""

from doorward_core.approvals.ballot import SshProof
from doorward_core.approvals.codec import card, content_digest
from doorward_core.approvals.desk import Desk
from doorward_core.approvals.flags import Flag, flags
from doorward_core.approvals.request import ApprovalRequest, Case, RequestState, Verdict, Vote, canonical_id
from doorward_core.approvals.votes import may_see, missing
from doorward_core.model import Identity
from doorward_core.net.control import Call, Problem, Reply, Route, json_reply, read_json

MAX_LISTED = 200
MAX_READ = 2_000
"""How many requests one question makes the store read; more than ever wait at once (`store.Quota`)."""
MAX_LISTED_TEXT_CHARACTERS = 400
"""A list is for finding a request; whoever decides reads the whole of it on its own."""


def approval_routes(desk: Desk) -> tuple[Route, ...]:
    """The routes of one desk."""
    api = _Api(desk)
    return (
        Route("GET", "/v1/whoami", api.whoami),
        Route("GET", "/v1/approvals", api.list),
        Route("GET", "/v1/approvals/{id}", api.show),
        Route("POST", "/v1/approvals/{id}/vote", api.vote),
    )


class _Api:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def whoami(self, call: Call) -> Reply:
        who = call.who
        return json_reply(
            {
                "subject": who.subject,
                "issuer": who.issuer,
                "kind": who.kind.value,
                "display": who.display,
                "groups": sorted(who.groups),
                "expires_unix_ns": who.expires_unix_ns,
            }
        )

    async def list(self, call: Call) -> Reply:
        unknown = set(call.query) - {"state"}
        wanted = call.query.get("state", "pending")
        if unknown or (wanted != "all" and wanted not in set(RequestState)):
            raise Problem(400, f"state is one of all, {', '.join(RequestState)}; there is no other filter")
        state = None if wanted == "all" else RequestState(wanted)
        cases = [case for case in await self._desk.list(state, MAX_READ) if _visible_to(call.who, case.request)]
        shown = [_summary(case) for case in cases[:MAX_LISTED]]
        return json_reply({"approvals": shown, "more": max(0, len(cases) - MAX_LISTED)})

    async def show(self, call: Call) -> Reply:
        return json_reply(_detail(await self._case(call)))

    async def vote(self, call: Call) -> Reply:
        verdict, reason, proof, content = _ballot(read_json(call))
        case = await self._case(call)
        if content not in ("", content_digest(case.request).hex()):
            raise Problem(409, "the vote is about another content than this request has")
        outcome = await self._desk.vote(call.who, case.request.id, verdict, reason, proof)
        if not outcome.found:
            raise Problem(404, "there is no such request")
        if outcome.refusal:
            undecided = outcome.state is RequestState.PENDING
            raise Problem(403 if undecided else 409, outcome.refusal)
        after = await self._case(call)
        return json_reply(_detail(after))

    async def _case(self, call: Call) -> Case:
        name = canonical_id(call.parameters["id"])
        case = await self._desk.get(name) if name else None
        if case is None or not _visible_to(call.who, case.request):
            raise Problem(404, "there is no such request")
        return case


def _visible_to(who: Identity, request: ApprovalRequest) -> bool:
    return may_see(request, subject=who.subject, issuer=who.issuer, kind=who.kind, groups=who.groups)


def _ballot(body: dict[str, object]) -> tuple[Verdict, str, SshProof | None, str]:
    unknown = set(body) - {"verdict", "reason", "proof", "content"}
    verdict, reason, content = body.get("verdict"), body.get("reason", ""), body.get("content", "")
    texts = isinstance(verdict, str) and isinstance(reason, str) and isinstance(content, str)
    if unknown or not texts or verdict not in set(Verdict):
        raise Problem(400, "a vote has a verdict (approve or reject), a reason, and at most a proof and a content")
    return Verdict(str(verdict)), str(reason), _proof(body.get("proof")), str(content)


def _proof(given: object) -> SshProof | None:
    if given is None:
        return None
    if isinstance(given, dict) and set(given) == {"kind", "signature", "cast_unix_ns"} and given["kind"] == "sshsig":
        signature, cast = given["signature"], given["cast_unix_ns"]
        if isinstance(signature, str) and signature.isascii() and type(cast) is int and cast > 0:
            return SshProof(signature.encode("ascii"), cast)
    raise Problem(400, "a proof has a kind (sshsig), a signature and a cast_unix_ns")


def _summary(case: Case) -> dict[str, object]:
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
        "verb": request.verb,
        "text": request.text[:MAX_LISTED_TEXT_CHARACTERS],
        "text_characters": len(request.text),
        "flags": [flag.kind.value for flag in _flags(request)],
        "rules": [rule.rule for rule in request.rules],
        "missing": missing(request, case.votes),
        "opened_unix_ns": request.opened_unix_ns,
        "expires_unix_ns": request.expires_unix_ns,
    }


def _detail(case: Case) -> dict[str, object]:
    return {
        "request": card(case.request),
        "content": content_digest(case.request).hex(),
        "state": case.state.value,
        "changed_unix_ns": case.changed_unix_ns,
        "granted_until_unix_ns": case.granted_until_unix_ns,
        "votes": [_vote(vote) for vote in case.votes],
        "missing": missing(case.request, case.votes),
        "flags": [
            {"kind": flag.kind.value, "count": flag.count, "first": flag.first, "words": flag.words}
            for flag in _flags(case.request)
        ],
    }


def _flags(request: ApprovalRequest) -> tuple[Flag, ...]:
    given = [parameter for parameter in request.parameters if parameter is not None]
    return flags("\n".join((request.text, request.context.get("stands_for", ""), *given)))


def _vote(vote: Vote) -> dict[str, object]:
    return {
        "approver": vote.approver_subject,
        "issuer": vote.approver_issuer,
        "display": vote.approver_display,
        "verdict": vote.verdict.value,
        "reason": vote.reason,
        "cast_unix_ns": vote.cast_unix_ns,
        "proof": vote.proof_kind,
    }
