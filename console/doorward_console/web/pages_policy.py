"""Policy: the rules in force in words, why something would be decided so, and what a changed file would have done.

    GET  /policy            the rules of one gateway; with a sample operation, how it would be decided
    POST /policy/backtest   a changed text, tried on what is on record; nothing comes into force by it

A policy comes into force by its file at the gateway, where its operator puts it: the desk changes none.
"""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.index.times import NoTime, since
from doorward_console.policy_words import rules_in_words
from doorward_console.web.desk import Desk, Place
from doorward_console.web.library import Library, Unreadable
from doorward_console.web.people import READERS
from doorward_console.web.policies import InForce, changed, in_force, tried
from doorward_console.web.visits import Refusal, Visit, action, page
from doorward_core.errors import ConfigError
from doorward_core.model import Action, Atom, AuthMethod, Identity, Operation, PrincipalKind, Resource, Target
from doorward_core.policy.explain import Explanation, explain

PLACES = (Place("Policy", "/policy", READERS, order=60),)
MAX_VALUE: Final = 400
MAX_TEXT: Final = 60_000
TOO_LONG: Final = "this text is longer than the form takes; `doorward policy backtest` has no bound"
SAMPLE: Final = ("resource", "subject", "groups", "kind", "do", "on")
KINDS: Final = ("relation", "function", "setting", "command", "path", "request", "object", "opaque")
ACTIONS: Final = tuple(str(one) for one in Action)


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of the policy."""
    library = Library(desk.settings)

    async def try_out(visit: Visit) -> Response:
        return await _try(visit, library)

    return [
        page(desk, "/policy", _show, roles=READERS),
        action(desk, "/policy/backtest", try_out, roles=READERS),
    ]


async def standing(visit: Visit, name: str) -> InForce:
    """The policy of the gateway that is meant: the first one's where none is named. Raises Unreadable, Refusal."""
    gateways = visit.desk.settings.gateways
    chosen = name or next(iter(gateways))
    if chosen not in gateways:
        raise Refusal(404, "There is no such gateway.")
    return await in_force(chosen, gateways[chosen])


async def _show(visit: Visit) -> Response:
    sample = {name: visit.asked(name)[:MAX_VALUE] for name in SAMPLE}
    found, problem, told = None, "", None
    try:
        found = await standing(visit, visit.asked("g"))
        await visit.reading("policy", found.gateway)
        if sample["resource"] and sample["do"]:
            told = _explained(found, sample, visit.desk.clock())
    except Unreadable as error:
        problem = str(error)
    rules = rules_in_words(found.policy) if found is not None else ()
    text = found.policy.texts.get(str(found.path), "") if found is not None else ""
    return visit.render(
        "policy.html", gateways=tuple(visit.desk.settings.gateways), found=found, problem=problem, rules=rules,
        text=text, actions=ACTIONS, kinds=KINDS, sample=sample, told=told,
    )  # fmt: skip


def _explained(found: InForce, sample: Mapping[str, str], now_unix_ns: int) -> Explanation:
    kind, separator, name = sample["on"].partition(":")
    if sample["do"] not in ACTIONS or not separator or not name:
        raise Unreadable("say what it touches as kind:name, such as relation:public.customer")
    who = Identity(
        subject=sample["subject"] or "somebody",
        issuer="https://issuer.example",
        kind=PrincipalKind.HUMAN if sample["kind"] == "human" else PrincipalKind.AGENT,
        groups=frozenset(part.strip() for part in sample["groups"].split(",") if part.strip()),
        method=AuthMethod.JWT,
        credential_id="explained",
        authenticated_unix_ns=0,
        expires_unix_ns=0,
    )
    place = found.resources.get(sample["resource"]) or Resource(sample["resource"], "")
    program, _, arguments = name.partition(" ") if kind == "command" else (name, "", "")
    atom = Atom(Action(sample["do"]), Target(kind, program, detail=arguments))
    asked = Operation(b"", 0, atom.action, sample["do"].upper(), (atom,), "", b"")
    return explain(found.policy, who, place, asked, now_unix_ns=now_unix_ns)


async def _try(visit: Visit, library: Library) -> Response:
    """What a changed text would have done. Its faults are told with their lines."""
    text = visit.form.get("text", "").replace("\r\n", "\n")
    span = visit.form.get("since", "7d")[:MAX_VALUE] or "7d"
    found, trial, stopped = None, None, -1
    faults: tuple[str, ...] = ()
    problem = (
        ""
        if len(text) <= MAX_TEXT
        else "this text is longer than the form takes; `doorward policy backtest` has no bound"
    )
    try:
        found = await standing(visit, visit.form.get("g", ""))
        await visit.reading("policy", found.gateway, words="backtest")
        if not problem:
            begin = since(span, visit.desk.clock())
            trial, stopped = await tried(library, found, changed(found, text), since_unix_ns=begin)
    except (Unreadable, NoTime) as error:
        problem = str(error)
    except ConfigError as error:
        faults = error.problems
    return visit.render(
        "backtest.html", found=found, problem=problem, faults=faults, trial=trial, stopped=stopped, text=text,
        since=span, changes=_unlike(found, text),
    )  # fmt: skip


def _unlike(found: InForce | None, text: str) -> bool:
    return found is not None and found.policy.texts.get(str(found.path), "") != text
