"""The approver's side of the control API: see what waits, and vote.

    GET  /v1/whoami                     who the gateway takes you for
    GET  /v1/approvals?state=pending    what you may see, newest first; state=all for every state. `next` in an answer
                                        is where the list goes on: before=NEXT. With after=VERSION&wait=10 it waits for
                                        something to be opened, voted on or closed, and says `changed`
    GET  /v1/approvals/{id}             one request: the card, its votes, what is odd about its text
    POST /v1/approvals/{id}/statement   {"verdict": "approve"|"reject", "reason": "...", "retry": false}: what a vote
                                        would have to sign
    POST /v1/approvals/{id}/vote        {"verdict": "approve"|"reject", "reason": "...", "retry": false,
                                         "proof": {"kind": "sshsig", "signature": "...", "cast_unix_ns": 0}}; or
                                         {"kind": "webauthn", "credential": "...", "authenticator_data": "...",
                                         "client_data": "...", "signature": "...", "cast_unix_ns": 0}, in base64url

It turns JSON into calls of the desk and back; it decides nothing, and every caller was authenticated before.
A request that someone may not see does not exist for them (404): only its requester and people in a deciding group may.
An approval allows an identical retry, where its rule does, only if it says `"retry": true`.
A vote names, in `content`, the digest of the card that its caster saw; where it is given, it must be this request's.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from doorward_core.approvals.answers import detail, summary
from doorward_core.approvals.asked import Ballot, Listing, place, read_ballot, read_listing
from doorward_core.approvals.changes import MAX_WAITING
from doorward_core.approvals.codec import content_digest
from doorward_core.approvals.desk import Desk
from doorward_core.approvals.request import NS_PER_S, ApprovalRequest, Case, RequestState, canonical_id
from doorward_core.approvals.votes import fresh_until_unix_ns, may_see, statement
from doorward_core.approvals.webauthn import base64url
from doorward_core.model import Identity
from doorward_core.net.control import Call, Problem, Reply, Route, json_reply, read_json

MAX_LISTED = 200
MAX_EACH = 8
"""How many questions of one person may wait for changes at once: a browser, a terminal, and a few forgotten ones."""
MAX_READ = 2_000
"""How many requests one question makes the store read; more than ever wait at once (`store.Quota`)."""

Facts = Callable[[Identity], Mapping[str, object]]
"""What else a gateway tells somebody about themselves: what they may do."""


def approval_routes(desk: Desk, facts: Facts = lambda _: {}) -> tuple[Route, ...]:
    """The routes of one desk."""
    api = _Api(desk, facts)
    return (
        Route("GET", "/v1/whoami", api.whoami),
        Route("GET", "/v1/approvals", api.list),
        Route("GET", "/v1/approvals/{id}", api.show),
        Route("POST", "/v1/approvals/{id}/statement", api.statement),
        Route("POST", "/v1/approvals/{id}/vote", api.vote),
    )


class _Api:
    def __init__(self, desk: Desk, facts: Facts) -> None:
        self._desk = desk
        self._facts = facts
        self._waiting: Counter[tuple[str, str]] = Counter()

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
                "logged_in_unix_ns": who.logged_in_unix_ns,
                **self._passkeys(who),
                **self._facts(who),
            }
        )

    async def list(self, call: Call) -> Reply:
        try:
            wanted = read_listing(call.query)
        except ValueError as error:
            raise Problem(400, str(error)) from error
        if wanted.after is not None and not await self._changed(call.who, wanted, wanted.after):
            return json_reply({"version": wanted.after, "changed": False})
        # The version first: what changes while the list is read makes it old, and whoever waits reads again.
        version = self._desk.changes.version
        cases = await self._desk.list(wanted.state, MAX_READ, wanted.before)
        seen = [case for case in cases if _visible_to(call.who, case.request)]
        shown, more = seen[:MAX_LISTED], max(0, len(seen) - MAX_LISTED)
        last = shown[-1] if more else cases[-1] if len(cases) == MAX_READ else None
        return json_reply(
            {
                "version": version,
                "changed": True,
                "approvals": [summary(case, attended=self._attended(case)) for case in shown],
                "more": more,
                "next": place(last.request.opened_unix_ns, last.request.id) if last else "",
            }
        )

    async def show(self, call: Call) -> Reply:
        return self._detail(await self._case(call))

    async def statement(self, call: Call) -> Reply:
        ballot = _ballot(call, drafted=True)
        case, who, now = await self._case(call), call.who, self._desk.now_unix_ns()
        now -= now % NS_PER_S  # whole seconds survive a page's JSON, whose numbers have 53 bits
        draft = partial(statement, reason=ballot.reason, cast_unix_ns=now, retry=ballot.retry)
        text = draft(case.request, ballot.verdict, subject=who.subject, issuer=who.issuer)
        return json_reply(
            {
                "statement": text.decode("ascii"),
                "challenge": base64url(hashlib.sha256(text).digest()),
                "cast_unix_ns": now,
                "content": content_digest(case.request).hex(),
                "fresh_until_unix_ns": fresh_until_unix_ns(case.request, who.groups, who.logged_in_unix_ns),
                **self._passkeys(who),
            }
        )

    async def vote(self, call: Call) -> Reply:
        ballot = _ballot(call)
        case = await self._case(call)
        if ballot.content not in ("", content_digest(case.request).hex()):
            raise Problem(409, "the vote is about another content than this request has")
        said = (ballot.verdict, ballot.reason, ballot.proof)
        outcome = await self._desk.vote(call.who, case.request.id, *said, retry=ballot.retry)
        if not outcome.found:
            raise Problem(404, "there is no such request")
        if outcome.refusal:
            undecided = outcome.state is RequestState.PENDING
            raise Problem(403 if undecided else 409, outcome.refusal)
        return self._detail(await self._case(call))

    def _detail(self, case: Case) -> Reply:
        return json_reply(detail(case, attended=self._attended(case)))

    def _attended(self, case: Case) -> bool:
        """Whether somebody waits for it; nobody has to where standing access is asked for."""
        return case.request.standing or self._desk.attended(case.request.id)

    def _passkeys(self, who: Identity) -> dict[str, object]:
        passkeys = self._desk.trusted.passkeys
        mine = [base64url(item.credential) for item in passkeys.of(who.subject, who.issuer)]
        return {"passkeys": mine, "rp_id": passkeys.party.id if passkeys.party else ""}

    async def _changed(self, who: Identity, wanted: Listing, version: int) -> bool:
        changes, person = self._desk.changes, (who.issuer, who.subject)
        if wanted.wait_s and (changes.waiting >= MAX_WAITING or self._waiting[person] >= MAX_EACH):
            raise Problem(429, "too many wait for changes already; ask again in a few seconds, without `after`")
        self._waiting[person] += 1
        try:
            return await changes.after(version, wanted.wait_s)
        finally:
            self._waiting[person] -= 1
            if not self._waiting[person]:
                del self._waiting[person]

    async def _case(self, call: Call) -> Case:
        name = canonical_id(call.parameters["id"])
        case = await self._desk.get(name) if name else None
        if case is None or not _visible_to(call.who, case.request):
            raise Problem(404, "there is no such request")
        return case


def _visible_to(who: Identity, request: ApprovalRequest) -> bool:
    return may_see(request, subject=who.subject, issuer=who.issuer, kind=who.kind, groups=who.groups)


def _ballot(call: Call, *, drafted: bool = False) -> Ballot:
    try:
        return read_ballot(read_json(call), drafted=drafted)
    except ValueError as error:
        raise Problem(400, str(error)) from error
