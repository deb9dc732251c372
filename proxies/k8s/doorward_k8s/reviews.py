"""Questions about one's own rights (`kubectl auth can-i`): what policy would say to the call that is asked about.

    question(request)              the calls that it asks about, or None for a request that is no such question
    refused(question, words)       "no", and why, as the API server would say it

What it is: from a SelfSubjectAccessReview to operations that policy can judge, and the answer where it refuses them.
What it will not do: decide, or say "yes": where policy does not refuse, the cluster is asked, whose own rules hold too.

Implements: `authorization.k8s.io/v1` (SelfSubjectAccessReview, SelfSubjectRulesReview).
Invariants: pure; nothing rests on these answers, the call itself is decided anew, whatever was said here. What a body
would add (images, privileges) and a command are not known yet, and not held against it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from doorward_core.http.messages import BadRequest, Header, ResponseHead
from doorward_core.http.paths import canonical
from doorward_core.http.problem import reason
from doorward_core.model import Atom, Operation
from doorward_k8s.calls import CONNECTING, Call, Kind, is_object, read_call
from doorward_k8s.documents import Json, Unreadable, member, read_document
from doorward_k8s.effects import BUILT_IN, effects
from doorward_k8s.exec_query import ExecQuery
from doorward_k8s.facts import Carried, facts_of
from doorward_k8s.operations import Request, target_of

CREATED: Final = 201
GROUP: Final = "authorization.k8s.io"
TOO_MUCH: Final = "policy decides on one verb and one resource at a time: ask about those"
IMPERSONATION: Final = "who asks is the gateway's to say, and nobody becomes somebody else through it"
LISTED: Final[Header] = (
    b"warning",
    b'299 - "this is what the cluster\'s own rules allow; ask for one verb and resource to hear what policy says"',
)
HELD: Final[Header] = (b"warning", b'299 - "policy has people asked before this is done"')
_ANY: Final = "*"
# The verbs that calls have; of any other only the cluster knows.
_VERBS: Final = frozenset({"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"})
# Of the API's own resources, those that lie in no namespace: kubectl says one all the same.
CLUSTER_WIDE: Final = frozenset({
    "apiservices", "certificatesigningrequests", "clusterrolebindings", "clusterroles", "componentstatuses",
    "csidrivers", "csinodes", "customresourcedefinitions", "deviceclasses", "flowschemas", "ingressclasses",
    "ipaddresses", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings", "mutatingwebhookconfigurations",
    "namespaces", "nodes", "persistentvolumes", "podsecuritypolicies", "priorityclasses",
    "prioritylevelconfigurations", "resourceslices", "runtimeclasses", "selfsubjectaccessreviews",
    "selfsubjectreviews", "selfsubjectrulesreviews", "servicecidrs", "storageclasses", "subjectaccessreviews",
    "tokenreviews", "validatingadmissionpolicies", "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations", "volumeattachments", "volumeattributesclasses",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: any of the calls, if policy lets it through, makes it a question for the cluster.

    `words` say why none does, where that is known beforehand.
    """

    document: dict[str, Json]
    calls: tuple[Operation, ...] = ()
    words: str = ""


def lists_rights(call: Call) -> bool:
    """Whether it asks for all that it may do, which the cluster can list and policy cannot."""
    return (call.verb, call.group, call.resource) == ("create", GROUP, "selfsubjectrulesreviews")


def question(request: Request) -> Question | None:
    """What a request asks about one's own rights; None where it asks nothing that policy has a word on."""
    call = request.call
    if (call.verb, call.group, call.resource, call.sub) != ("create", GROUP, "selfsubjectaccessreviews", ""):
        return None
    try:
        document = read_document(request.body, request.media)
    except Unreadable:
        return None
    spec = member(document, "spec")
    asked, url = member(spec, "resourceAttributes"), member(spec, "nonResourceAttributes")
    if not isinstance(document, dict) or isinstance(asked, dict) == isinstance(url, dict):
        return None  # the API server says what is wrong with it
    attributes = asked if isinstance(asked, dict) else url if isinstance(url, dict) else {}
    words = {key: value for key, value in attributes.items() if isinstance(value, str)}
    if words.get("verb") == "impersonate":
        return Question(document, words=IMPERSONATION)
    if _ANY in {words.get(key) for key in ("verb", "group", "resource", "subresource")} or _ANY in words.get(
        "path", ""
    ):
        return Question(document, words=TOO_MUCH)
    calls = _url(words) if isinstance(url, dict) else tuple(_calls(words))
    return Question(document, tuple(_operation(one) for one in calls)) if calls else None


def refused(asked: Question, words: str) -> tuple[ResponseHead, bytes]:
    """The answer: no, and why."""
    document: dict[str, Json] = {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": f"{GROUP}/v1",
        **asked.document,
        "status": {"allowed": False, "reason": f"doorward: {words}"},
    }
    body = json.dumps(document).encode("ascii") + b"\n"
    lines = (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-cache, private"),
    )
    return ResponseHead(CREATED, lines, reason(CREATED)), body


def _url(words: dict[str, str]) -> tuple[Call, ...]:
    method = {"get": "GET", "head": "HEAD"}.get(words.get("verb", "").lower(), "POST")
    try:
        return (read_call(method, canonical(words.get("path", "").encode()).path, ()),)
    except BadRequest:
        return ()


def _calls(words: dict[str, str]) -> Iterator[Call]:
    """The calls that an attribute set may mean: kubectl says a namespace where there is none, too."""
    verb, group, resource = words.get("verb", ""), words.get("group", ""), words.get("resource", "")
    if verb not in _VERBS:
        return  # `use`, `bind`, `sign`
    sub, name, namespace = words.get("subresource", ""), words.get("name", ""), words.get("namespace", "")
    if not group and (resource, sub) in CONNECTING:
        verb = "connect"
    wide = group in BUILT_IN and resource in CLUSTER_WIDE
    if wide:
        namespace = name if resource == "namespaces" else ""
    call = Call(Kind.OBJECT, verb, group, "v1", resource, sub, namespace, name)
    if not is_object(call):
        return
    yield call
    if namespace and group not in BUILT_IN:
        yield replace(call, namespace="")


def _operation(call: Call) -> Operation:
    found, target = effects(call), target_of(call)
    return Operation(
        id=b"",
        seq=0,
        action=found.actions[0],
        verb=call.sub if call.connects else call.verb,
        atoms=tuple(Atom(action, target) for action in found.actions),
        text=call.place,
        digest=b"",
        attributes={"problem": found.problem} if found.problem else {},
        facts=facts_of(call, found, ExecQuery(), (), Carried()),
    )
