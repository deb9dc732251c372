"""From a call to what is being asked: the operation that policy decides on, people read, and the log keeps.

What it is: `read`, from a `Request` to a `Reading`: the operation, and what the shell has to know of it.
What it will not do: read a byte from the wire, mask (it is given what does), or decide.

Invariants: pure. Atoms name the object by the API's own rules, whatever the method. The digest covers everything that
gives a call its meaning: where it goes, verb, path, query in its order, account, body, its type; so a dry run that was
approved is not the real thing (threat model K-09). What cannot be read is `unknown`, and stands beside what is known.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.http.messages import Head
from doorward_core.http.paths import CanonicalTarget
from doorward_core.model import Action, Atom, Operation, Target
from doorward_core.policy.objects import OBJECT
from doorward_core.shell.analyze import analyze_words
from doorward_core.shell.nouns import Transfer
from doorward_k8s.calls import Call, Kind, is_name
from doorward_k8s.documents import Json, Unreadable, member, read_document
from doorward_k8s.effects import Effects, effects
from doorward_k8s.exec_query import ExecQuery, read_exec
from doorward_k8s.facts import PORT_FORWARD, Carried, facts_of

SHOWN_BYTES: Final = 16 * 1024  # of what is written, to the people who are asked, and in the record
TEXT_CHARS: Final = 32 * 1024
COPY_FIRST: Final = "kubectl cp asks this before it copies into a pod, to know a folder; the copy is asked for after it"
DRY_RUNS: Final = "dryRun is said in the query and in the body, and not alike"

Show = Callable[[bytes, str], bytes]
"""A body in JSON, of a media type, as it may be shown. Raises UnreadableBody where nothing of it may be."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it came: its head, its target below the resource's place, its body, whole, and that body's type."""

    head: Head
    target: CanonicalTarget
    call: Call
    body: bytes = b""
    media: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """An operation; its effects; of an exec what it is asked for, and the transfer that it is, if it is one."""

    operation: Operation
    effects: Effects
    query: ExecQuery
    transfer: Transfer | None = None


def read(request: Request, *, identifier: bytes, seq: int, account: str, cluster: str, show: Show) -> Reading:
    """Say what a call asks for. Raises Unreadable for what says two things at once."""
    call = request.call
    document, unread = _document(request)
    dry = _dry_run(request, call, document)
    if call.verb == "create" and not call.name:
        call = _named(call, document)
    found = effects(call, document, request.media)
    query = read_exec(request.target.query) if call.connects else ExecQuery()
    atoms, transfer, problem, unseen = _atoms(call, found, query)
    if unread and found.actions[0] not in {Action.READ, Action.SESSION}:
        atoms = (Atom(Action.UNKNOWN, target_of(call)), *atoms)
        problem = problem or unread
    text, truncated = _text(request, call, found, query, show)
    action = Action.TRANSFER if transfer else found.actions[0]
    operation = Operation(
        id=identifier,
        seq=seq,
        action=action,
        verb=call.sub if call.connects else call.verb,
        atoms=atoms,
        text=text,
        digest=digest(request, cluster, account),
        pure=action in {Action.READ, Action.SESSION} and not request.body and not call.connects,
        text_truncated=truncated,
        unseen=unseen,
        attributes=_attributes(call, found, problem, dry=dry),
        facts=facts_of(call, found, query, request.target.query, Carried(document, request.media, bool(unread), dry)),
    )
    return Reading(operation, found, query, transfer)


def _document(request: Request) -> tuple[Json, str]:
    try:
        return read_document(request.body, request.media), ""
    except Unreadable as error:
        return None, f"{error}; send JSON, as `kubectl apply -f` does"


def _dry_run(request: Request, call: Call, document: Json) -> bool:
    """Whether nothing is to be kept. Of a DELETE the API server reads a body, where there is one, and then no query."""
    said: Json = [value for name, value in request.target.query if name == "dryRun"]
    if request.head.method == "DELETE" and request.body:
        inside = member(document, "dryRun") or []
        if said and inside != said:
            raise Unreadable(DRY_RUNS)
        said = inside
    # A tunnel is one all the same, and a token is a token.
    return said == ["All"] and not call.connects and call.sub != "token"


def _named(call: Call, document: Json) -> Call:
    """A creation, with the name that its body gives."""
    name = member(document, "metadata", "name")
    return replace(call, name=name) if isinstance(name, str) and is_name(name) else call


def target_of(call: Call) -> Target:
    """What a call is about, as policy names it."""
    if call.kind is Kind.OBJECT:
        return Target(OBJECT, call.place, (), call.verb)
    return Target("url", call.path) if call.kind is not Kind.DISCOVERY else Target("api", call.path)


def _atoms(
    call: Call, found: Effects, query: ExecQuery
) -> tuple[tuple[Atom, ...], Transfer | None, str, tuple[str, ...]]:
    """The atoms; the transfer that it is; why it could not be read whole; what streams in afterwards."""
    target = target_of(call)
    atoms = tuple(Atom(action, target) for action in found.actions)
    if not call.streams:
        return atoms, None, found.problem, ("tunnel",) if call.connects else ()
    if call.sub != "exec":
        return (
            atoms,
            None,
            found.problem,
            ("stdin",) if call.sub == "attach" and query.stdin else ("tunnel",) * (call.sub == PORT_FORWARD),
        )
    analysis = analyze_words(query.command)
    if not analysis.complete:
        atoms = (*atoms, Atom(Action.UNKNOWN, target))
    unseen = ("stdin",) if query.stdin else ()
    return (*atoms, *analysis.atoms), analysis.transfer, analysis.problem, unseen


def _attributes(call: Call, found: Effects, problem: str, *, dry: bool) -> Mapping[str, str]:
    said = {"class": found.label, "place": call.place, "path": call.path}
    said |= {"dry_run": "all"} if dry else {}
    said |= {"powers": ", ".join(found.powers)} if found.powers else {}
    return said | ({"problem": problem} if problem else {})


def digest(request: Request, cluster: str, account: str) -> bytes:
    """What a grant is bound to. Fields are length-prefixed, so that no two different calls read the same."""
    call = request.call
    fields = [
        "doorward-k8s/1",
        cluster,
        # A stream is the same stream, whichever method it begins with.
        call.verb if call.streams else request.head.method,
        call.path,
        request.target.raw_query,
        account,
        request.media,
        hashlib.sha256(request.body).hexdigest(),
    ]
    hashed = hashlib.sha256()
    for field in fields:
        data = field.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "big") + data)
    return hashed.digest()


def _text(request: Request, call: Call, found: Effects, query: ExecQuery, show: Show) -> tuple[str, bool]:
    """A call as people read it, and whether there was more."""
    lines = [
        f"{call.sub if call.connects else call.verb} {call.place}"
        + (f" ({', '.join(found.powers)})" if found.powers else "")
    ]
    lines.append(f"{request.head.method} {request.target.target.decode('ascii')}")
    if query.command:
        how = [word for word, on in (("stdin", query.stdin), ("tty", query.tty)) if on]
        place = f" in container {query.container}" if query.container else ""
        lines.append(f"runs{place}{' with ' + ' and '.join(how) if how else ''}: {_words(query.command)}")
    if query.command[:2] == ("test", "-d"):
        lines.append(COPY_FIRST)
    if request.body:
        lines += ["", _shown(request, show)]
    text = "\n".join(lines)
    return text[:TEXT_CHARS], len(text) > TEXT_CHARS


def _words(command: tuple[str, ...]) -> str:
    return " ".join(word if word.isalnum() else json.dumps(word, ensure_ascii=False) for word in command)


def _shown(request: Request, show: Show) -> str:
    """What is written, as it may be shown: indented, so that people can read it; cut, if it is long."""
    about = f"({len(request.body)} bytes of {request.media or 'no type'}, SHA-256 "
    about += f"{hashlib.sha256(request.body).hexdigest()})"
    try:
        text = json.dumps(json.loads(show(request.body, request.media)), indent=1, ensure_ascii=False)
    except (UnreadableBody, ValueError):
        return about
    return text if len(text) <= SHOWN_BYTES else f"{text[:SHOWN_BYTES]}\n… {about}"
