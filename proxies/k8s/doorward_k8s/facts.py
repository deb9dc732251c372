"""What a rule's `when` can look at in a call, beside its objects: facts.

    dry-run, container, tty, port, power.hostPath, query.fieldManager     of how it is asked
    pod.serviceAccount, pod.image, pod.secret, ...                        of the pods that it makes, or has others make

What it is: `facts_of`, from a call and what it carries to names and values.
What it will not do: decide what any of them is worth, or ask a cluster what it would add by itself.

Implements: docs/k8s.md, "What is decided"; the PodSpec of the Kubernetes API.
Invariants: pure. A fact that could not be found out is left out, so that an allow does not match on it and a hold or a
block does; one without values is known to be absent. Pods are looked for at any depth and in any case, because custom
resources hold templates of pods as well.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from doorward_k8s.calls import PROXY, Call, Kind
from doorward_k8s.documents import JSON_PATCH, POWERS, Json, member, nested
from doorward_k8s.effects import BUILT_IN, WORKLOADS, Effects
from doorward_k8s.exec_query import ExecQuery

NO_PORT: Final = "none"
PORT_FORWARD: Final = "portforward"
DRY: Final = ("all",)
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_QUERIES: Final = ("fieldManager", "labelSelector", "fieldSelector", "propagationPolicy", "force")
_POD: Final = ("serviceAccount", "image", "secret", "priorityClass", "runtimeClass")
FACTS: Final = frozenset({
    "verb", "class", "dry-run", "container", "tty", "port", *(f"query.{name}" for name in _QUERIES),
    *(f"pod.{name}" for name in _POD), *(f"power.{word}" for word in POWERS),
})  # fmt: skip
"""The names of all facts."""
VALUES: Final = {"dry-run": frozenset({"all", "no"}), "tty": frozenset({"true", "false"})} | {
    f"power.{word}": frozenset({"true"}) for word in POWERS
}
"""The values that some can have, and no others."""
_TEXTS: Final = {
    "serviceaccountname": "serviceAccount", "serviceaccount": "serviceAccount", "image": "image",
    "secretname": "secret", "priorityclassname": "priorityClass", "runtimeclassname": "runtimeClass",
}  # fmt: skip
_WRITING: Final = frozenset({"create", "update", "patch"})
# Whole objects, in which what is not said is what a cluster says by itself: who names no account runs as this one.
_WHOLE: Final = frozenset({"create", "update"})
_APPLY: Final = "application/apply-patch+yaml"
_DEFAULT_ACCOUNT: Final = "default"
_ACCOUNTS: Final = ("serviceaccountname", "serviceaccount")  # the second is what it was called before
# Members, by the end of a JSON Patch's path, that hold pods and are put in place by it whole; the root has no name.
_HOLDERS: Final = frozenset({"", "spec", "template", "jobtemplate"})
# What they hold is nobody's template.
_NO_TEMPLATES: Final = frozenset({("", "configmaps"), ("", "secrets"), ("", "events"), ("events.k8s.io", "events")})
# Where a JSON Patch may copy something to without its becoming a part of a pod.
_ASIDE: Final = ("/metadata/labels/", "/metadata/annotations/", "/metadata/finalizers/")


@dataclass(frozen=True, slots=True)
class Carried:
    """What a call carries, which is not known where it is `unread`; and whether nothing of it is to be kept."""

    document: Json = None
    media: str = ""
    unread: bool = False
    dry: bool = False


def facts_of(
    call: Call, found: Effects, query: ExecQuery, asked: Sequence[tuple[str, str]], carried: Carried
) -> Mapping[str, tuple[str, ...]]:
    """The facts of a call. `asked` is its query."""
    facts: dict[str, tuple[str, ...]] = {
        "verb": (call.verb,),
        "class": (found.label,),
        "dry-run": DRY if carried.dry else ("no",),
        "container": (query.container,) if query.container else (),
        "tty": ("true",) if query.tty else ("false",),
    }
    facts |= {f"power.{word}": ("true",) for word in found.powers}
    facts |= _port(call, query)
    for name in _QUERIES:
        facts[f"query.{name}"] = tuple(value for key, value in asked if key == name)
    if call.verb.startswith("delete") and (carried.unread or carried.document is not None):
        # Of a deletion the API server reads a body, where there is one, and then nothing of this in the query.
        del facts["query.propagationPolicy"]
        facts |= {} if carried.unread else {"query.propagationPolicy": _propagation(carried.document)}
    return facts | _pods(call, carried)


def _port(call: Call, query: ExecQuery) -> Mapping[str, tuple[str, ...]]:
    """The port of a tunnel. A number in another spelling is not known: a server might read it."""
    if call.sub == PORT_FORWARD and all(_PORT.fullmatch(port) for port in query.ports):
        return {"port": query.ports or (NO_PORT,)}  # in a tunnel the ports are asked for later
    if call.sub == PROXY and _PORT.fullmatch(call.port):  # by name, or by none, it may be any
        return {"port": (call.port,)}
    return {}


def _propagation(document: Json) -> tuple[str, ...]:
    said, orphans = member(document, "propagationPolicy"), member(document, "orphanDependents")
    if isinstance(said, str) and said:
        return (said,)
    return ("Orphan" if orphans else "Background",) if isinstance(orphans, bool) else ()


def _pods(call: Call, carried: Carried) -> dict[str, tuple[str, ...]]:
    """What pods are made of, by what is written; nothing where that cannot be known."""
    document, media = carried.document, carried.media
    if call.kind is Kind.UNKNOWN:
        return {}
    known: dict[str, dict[str, None]] = {name: {} for name in _POD}
    if call.kind is Kind.OBJECT and call.verb in _WRITING and (call.group, call.resource) not in _NO_TEMPLATES:
        if carried.unread or (media == JSON_PATCH and _moves(document)):
            return {}
        whole = call.verb in _WHOLE or media == _APPLY
        holds = call.group not in BUILT_IN or call.resource in WORKLOADS
        told = _patched(document, holds=holds) if media == JSON_PATCH else _named(document, whole=whole)
        for name, value in told:
            known[name][value] = None
    return {f"pod.{name}": tuple(values) for name, values in known.items()}


def _moves(document: Json) -> bool:
    """Whether a JSON Patch puts something into place that it does not say."""
    for item in document if isinstance(document, list) else []:
        path = item.get("path") if isinstance(item, dict) else None
        if (
            isinstance(item, dict)
            and item.get("op") not in ("add", "replace", "remove", "test")
            and not (isinstance(path, str) and path.startswith(_ASIDE))
        ):
            return True
    return False


def _patched(document: Json, *, holds: bool) -> Iterator[tuple[str, str]]:
    """What a JSON Patch writes, and what it leaves unsaid where it stood; `holds`, the object may have pods in it."""
    for item in document if isinstance(document, list) else []:
        path, value = (item.get("path"), item.get("value")) if isinstance(item, dict) else (None, None)
        last = path.rpartition("/")[2].casefold() if isinstance(path, str) else ""
        if isinstance(item, dict) and item.get("op") == "remove" and last in _ACCOUNTS:
            yield "serviceAccount", _DEFAULT_ACCOUNT
        if isinstance(item, dict) and item.get("op") in ("add", "replace"):
            yield from _named(nested(path, value), whole=False)
            within = tuple(_named(value, whole=True))
            yield from within
            if holds and last in _HOLDERS and isinstance(value, dict) and "serviceAccount" not in dict(within):
                yield "serviceAccount", _DEFAULT_ACCOUNT  # what makes pods of it may be added piece by piece


def _named(document: Json, *, whole: bool) -> Iterator[tuple[str, str]]:
    """What an object, or a patch that is merged, says of pods; `whole`, what it does not say is not there."""
    left: list[tuple[str, Json, bool]] = [("", document, whole)]
    while left:
        at, value, complete = left.pop()
        if isinstance(value, list):
            left += [(at, inner, complete) for inner in value]
        if not isinstance(value, dict):
            continue
        folded = {key.casefold(): inner for key, inner in value.items()}
        complete = complete or folded.get("$patch") == "replace"
        left += [(key, inner, complete) for key, inner in folded.items()]
        for key, inner in folded.items():
            yield from _told(key, inner)
        if _unsaid(at, folded, complete=complete):
            yield "serviceAccount", _DEFAULT_ACCOUNT


def _unsaid(at: str, folded: dict[str, Json], *, complete: bool) -> bool:
    """Whether a part of an object, by its member's name, leaves pods with the account that nobody names."""
    if complete:
        return isinstance(folded.get("containers"), list) and not any(folded.get(name) for name in _ACCOUNTS)
    kept = folded.get("$retainkeys")
    return any(name in folded and folded[name] in (None, "") for name in _ACCOUNTS) or (
        at == "spec" and isinstance(kept, list) and not any(str(one).casefold() in _ACCOUNTS for one in kept)
    )


def _told(key: str, value: Json) -> Iterator[tuple[str, str]]:
    """What one member says of a pod."""
    if isinstance(value, str) and value and key in _TEXTS:
        yield _TEXTS[key], value
    if isinstance(value, dict):
        if key == "image" and isinstance(found := value.get("reference"), str):  # a volume's
            yield "image", found
        named = value.get("name")
        if isinstance(named, str) and key.endswith(("secret", "secretref", "secretkeyref")):
            yield "secret", named
