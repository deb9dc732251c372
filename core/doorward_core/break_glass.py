"""Break-glass access on the control port: immediate, loud, for a short time, and reviewed by somebody else afterwards.

    POST /v1/break-glass               {"resource": "...", "reason": "...", "seconds": 900}
    GET  /v1/break-glass?state=owed    owed (the default), open, or all
    POST /v1/break-glass/{id}/review   {"words": "..."}

Only people in a group that the configuration names (`break_glass.groups`) may open, each for themselves; agents never.
What policy holds goes on for them on that one resource until the time is over; what it blocks stays blocked.
Each operation that went on so names the opening. A review is owed from then on, until one of `break_glass.reviewers`
has signed it who is another person.

What it will not do: let anybody in whom policy does not, or let agents go on, whoever answers for them.
"""

import secrets
from dataclasses import dataclass
from typing import Final

import trio

from doorward_core.access.codec import opening_out
from doorward_core.access.ledger import Opening, Review, may_review
from doorward_core.access.register import Register, RegisterFull
from doorward_core.gate import Gate
from doorward_core.model import Effect, Identity, PrincipalKind
from doorward_core.net.control import Call, Problem, Reply, Route, json_reply, read_json
from doorward_core.operators import REASON_CHARACTERS

NS_PER_S: Final = 1_000_000_000
RANDOM_BYTES: Final = 6
STATES: Final = ("owed", "open", "all")


@dataclass(frozen=True, slots=True)
class Glass:
    """Who may break it, for how long at most, and who reviews; without groups nobody may."""

    groups: frozenset[str] = frozenset()
    reviewers: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()
    longest_s: int = 0


def break_glass_routes(gate: Gate, register: Register, glass: Glass) -> tuple[Route, ...]:
    """The routes."""
    api = _Api(gate, register, glass)
    return (
        Route("POST", "/v1/break-glass", api.open),
        Route("GET", "/v1/break-glass", api.list),
        Route("POST", "/v1/break-glass/{id}/review", api.review),
    )


class _Api:
    def __init__(self, gate: Gate, register: Register, glass: Glass) -> None:
        self._gate = gate
        self._register = register
        self._glass = glass

    async def open(self, call: Call) -> Reply:
        who = call.who
        if not _is_one_of(who, self._glass.groups):
            raise Problem(403, "only people in a group of `break_glass` may, each for themselves")
        body = read_json(call)
        resource, reason, seconds = body.get("resource"), _words(body, "reason"), body.get("seconds")
        if set(body) != {"resource", "reason", "seconds"} or not isinstance(resource, str):
            raise Problem(400, 'say {"resource": "...", "reason": "...", "seconds": 900}')
        longest = self._glass.longest_s
        if type(seconds) is not int or not 1 <= seconds <= longest:
            raise Problem(400, f"seconds is a number from 1 to {longest}")
        self._let_in(who, resource)
        now = self._gate.clock()
        if self._gate.ledger.opening(who, resource, now) is not None:
            raise Problem(409, f"the glass of {resource} is broken for you already")
        one = Opening(
            f"bg-{secrets.token_hex(RANDOM_BYTES)}",
            who.subject,
            who.issuer,
            who.display,
            resource,
            reason,
            now,
            now + seconds * NS_PER_S,
        )
        try:
            await self._register.open(one, who, call.peer)
        except RegisterFull as error:
            raise Problem(409, str(error)) from None
        return json_reply(self._shown(one))

    async def list(self, call: Call) -> Reply:
        self._reader(call.who)
        state = call.query.get("state", "owed")
        if set(call.query) - {"state"} or state not in STATES:
            raise Problem(400, f"state is one of {', '.join(STATES)}; there is no other filter")
        await trio.lowlevel.checkpoint()
        now, ledger = self._gate.clock(), self._gate.ledger
        found = ledger.owed() if state == "owed" else tuple(ledger.openings.values())
        shown = [one for one in found if state != "open" or now < one.until_unix_ns]
        return json_reply({"openings": [self._shown(one) for one in shown]})

    async def review(self, call: Call) -> Reply:
        who = call.who
        self._reader(who)
        body = read_json(call)
        words = _words(body, "words")
        one = self._gate.ledger.openings.get(call.parameters["id"].lower())
        if set(body) != {"words"}:
            raise Problem(400, 'say what you found: {"words": "..."}')
        if one is None:
            raise Problem(404, "there is no such opening")
        if not _is_one_of(who, self._glass.reviewers):
            raise Problem(403, "only people in a group of `break_glass.reviewers` sign reviews")
        if not may_review(one, who):
            raise Problem(403, "nobody reviews what they opened themselves; another person must")
        now = self._gate.clock()
        if now < one.until_unix_ns:
            raise Problem(409, "it is still open; review it when it is over")
        review = Review(who.subject, who.issuer, words, now)
        if not await self._register.review(one, review, who, call.peer):
            raise Problem(409, "it is reviewed already")
        return json_reply(self._shown(self._gate.ledger.openings[one.id]))

    def _let_in(self, who: Identity, resource: str) -> None:
        """Broken glass opens what is held; it gives nobody a resource that policy does not."""
        gate, setting = self._gate, self._gate.resources.get(resource)
        if setting is None or gate.ledger.refusing(who) is not None:
            raise Problem(403, f"nothing is granted to you on {resource[:64]!a}")
        accounts = ("", *sorted(setting.accounts))
        now = gate.clock()
        if not any(gate.policy.connect(who, setting.at(at), now).effect is Effect.PERMIT for at in accounts):
            raise Problem(
                403, f"policy lets you into no session on {resource[:64]!a}, and broken glass changes that not"
            )

    def _reader(self, who: Identity) -> None:
        glass = self._glass
        if not _is_one_of(who, glass.groups | glass.reviewers | glass.operators):
            raise Problem(403, "only operators, and people in a group of `break_glass`, see what was broken open")

    def _shown(self, one: Opening) -> dict[str, object]:
        return {**opening_out(one), "open": self._gate.clock() < one.until_unix_ns, "owed": one.review is None}


def _is_one_of(who: Identity, groups: frozenset[str]) -> bool:
    human = who.kind is PrincipalKind.HUMAN and not who.actor_chain
    return human and not groups.isdisjoint(who.groups)


def _words(body: dict[str, object], name: str) -> str:
    words = body.get(name)
    if not isinstance(words, str) or not words.strip() or len(words) > REASON_CHARACTERS:
        raise Problem(400, f"{name} is a text of at most {REASON_CHARACTERS} characters, and not empty")
    return words.strip()
