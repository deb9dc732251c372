"""Standing access on the control port: asked for by whoever wants it, listed, taken back.

    POST /v1/access               {"resource": "...", "account": "...", "actions": ["read"], "seconds": 7200,
                                   "reason": "..."}
    GET  /v1/access               what stands now, as far as it is yours, yours to decide, or you are an operator
    POST /v1/access/{id}/revoke   {"reason": "..."}

A request for it is one like any other (`/v1/approvals`): the same card, votes and quorum, the same four eyes.
It may be asked past those holds alone whose rule says so (`approve.standing`, docs/policy.md), and for no longer.
It is taken back by whoever has it, by who answers for them, by people who decide on it, and by operators.

What it will not do: grant anything, or decide on an operation.
"""

from typing import Final

import trio

from doorward_core.access import events
from doorward_core.approvals.answers import detail
from doorward_core.approvals.desk import Desk
from doorward_core.approvals.request import ApprovalRequest, Case, RequestState, canonical_id
from doorward_core.approvals.standing import ASKABLE, Stands, Wish, binding, standing_request
from doorward_core.approvals.store import RequestRefused
from doorward_core.approvals.votes import may_see
from doorward_core.gate import Gate
from doorward_core.model import Action, Approve, Effect, Identity, PrincipalKind, Resource
from doorward_core.net.control import Call, Problem, Reply, Route, json_reply, read_json
from doorward_core.operators import REASON_CHARACTERS, is_operator
from doorward_core.people import fold

MEMBERS: Final = frozenset({"resource", "account", "actions", "seconds", "reason"})


def access_routes(gate: Gate, operators: frozenset[str]) -> tuple[Route, ...]:
    """The routes; `operators` are the groups whose people may see and take back everything."""
    api = _Api(gate, operators)
    return (
        Route("POST", "/v1/access", api.ask),
        Route("GET", "/v1/access", api.list),
        Route("POST", "/v1/access/{id}/revoke", api.revoke),
    )


class _Api:
    def __init__(self, gate: Gate, operators: frozenset[str]) -> None:
        self._gate = gate
        self._desk: Desk = gate.desk
        self._operators = operators

    async def ask(self, call: Call) -> Reply:
        wish = self._wish(call.who, read_json(call))
        holds = self._holds(wish)
        now = self._gate.clock()
        request = standing_request(
            wish,
            holds,
            name=self._desk.new_id(),
            digest=binding(self._gate.binding_key, wish),
            origin=self._gate.origin,
            now_unix_ns=now,
        )
        try:
            asked = await self._desk.ask(request)
        except RequestRefused as error:
            raise Problem(429, str(error)) from None
        return json_reply(detail(await self._desk.get(asked.id) or Case(asked, RequestState.PENDING, now)))

    async def list(self, call: Call) -> Reply:
        if call.query:
            raise Problem(400, "there is no filter")
        await trio.lowlevel.checkpoint()
        now = self._gate.clock()
        standing = [one for one in self._desk.standing if now < one.until_unix_ns]
        return json_reply({"access": [_line(one) for one in standing if self._sees(call.who, one.request)]})

    async def revoke(self, call: Call) -> Reply:
        body = read_json(call)
        reason = _text(body, "reason")
        if set(body) != {"reason"} or not reason:
            raise Problem(400, 'say why: {"reason": "..."}')
        name = canonical_id(call.parameters["id"]) or ""
        stands = self._desk.standing.get(name)
        case = None if stands is not None else await self._desk.get(name)
        request = stands.request if stands is not None else case.request if case is not None else None
        if request is None or not request.standing or not self._sees(call.who, request):
            raise Problem(404, "there is no such access, or it is over")
        if case is not None and case.state is not RequestState.PENDING:
            raise Problem(409, f"it does not stand: the request is {case.state.value}")
        log = self._gate.log
        said = events.standing_revoked(name, call.who, call.peer, reason)
        with trio.CancelScope(shield=True):
            await log.durable(log.append(said, self._gate.clock()))
            why = f"taken back by {call.who.subject}"
            if stands is None:
                await self._desk.withdraw(name, why)
            else:
                await self._desk.end_standing(request, why)
        return json_reply({"id": name, "revoked": True})

    def _wish(self, who: Identity, body: dict[str, object]) -> Wish:
        resource, account, reason = (_text(body, name) for name in ("resource", "account", "reason"))
        actions, seconds = body.get("actions"), body.get("seconds")
        if set(body) - MEMBERS or not resource or not reason or type(seconds) is not int or seconds < 1:
            raise Problem(400, "say which resource, which actions, for how many seconds, and why")
        askable = sorted(action.value for action in ASKABLE)
        if not isinstance(actions, list) or not actions or not all(item in askable for item in actions):
            raise Problem(400, f"actions are some of {', '.join(askable)}")
        at = self._place(who, resource, account)
        return Wish(who, at, frozenset(map(Action, actions)), seconds, reason)

    def _place(self, who: Identity, resource: str, account: str) -> Resource:
        gate, setting = self._gate, self._gate.resources.get(resource)
        revoked = gate.ledger.refusing(who) is not None
        if setting is None or revoked or setting.lacks(account):
            raise Problem(403, f"nothing is granted to you on {resource[:64]!a}")
        at, _ = gate.account_of(who, setting, account)
        if account and at.account != account:
            raise Problem(403, f"your sessions on {resource[:64]} use the account {at.account}")
        if gate.policy.connect(who, setting.at(account), gate.clock()).effect is not Effect.PERMIT:
            raise Problem(403, f"nothing is granted to you on {resource[:64]!a}")
        return at

    def _holds(self, wish: Wish) -> tuple[Approve, ...]:
        policy, who, at = self._gate.policy, wish.identity, wish.resource
        for action in sorted(wish.actions):
            if not policy.could(who, at, frozenset({action})):
                raise Problem(403, f"policy lets you do no {action.value} there, whoever approves")
        holds = policy.askable(who, at, wish.actions, self._gate.clock())
        if not holds:
            raise Problem(403, "no rule that holds these actions lets standing access be asked for")
        found = tuple(hold for hold in holds if wish.seconds <= hold.standing_s)
        if not found:
            longest = max(hold.standing_s for hold in holds)
            raise Problem(403, f"standing access may be asked for {longest} s at most here")
        return found

    def _sees(self, who: Identity, request: ApprovalRequest) -> bool:
        """The one whose it is, who answers for them, people who decide on it, and operators."""
        human = who.kind is PrincipalKind.HUMAN and not who.actor_chain
        answers = human and bool(request.sponsor) and fold(who.subject) == fold(request.sponsor)
        decides = may_see(request, subject=who.subject, issuer=who.issuer, kind=who.kind, groups=who.groups)
        return answers or decides or is_operator(who, self._operators)


def _text(body: dict[str, object], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > REASON_CHARACTERS:
        raise Problem(400, f"{name} is a text of at most {REASON_CHARACTERS} characters")
    return value.strip()


def _line(one: Stands) -> dict[str, object]:
    request = one.request
    return {
        "id": request.id,
        "subject": request.subject,
        "issuer": request.issuer,
        "display": request.display,
        "sponsor": request.sponsor,
        "resource": request.resource,
        "account": request.account,
        "actions": [atom.action.value for atom in request.atoms],
        "rules": [rule.rule for rule in request.rules],
        "reason": request.text,
        "until_unix_ns": one.until_unix_ns,
        "by": list(one.by),
    }
