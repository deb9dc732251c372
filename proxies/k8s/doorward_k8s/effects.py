"""What a call does, whatever its method: read, write, run something, tunnel, or take power.

| class | action | calls |
|---|---|---|
| discovery | session | what there is, health, questions about oneself |
| read, secret-read | read | get, list, watch, logs; reviews of others' rights |
| write | write | create, update, patch, delete, deletecollection |
| exec | execute | exec, attach, ephemeralcontainers |
| forward | forward | portforward, and HTTP through pods and services |
| privilege | admin | what gives power: RBAC, tokens, certificates, webhooks, CRDs, nodes, namespaces, whatever has no
namespace, and pods that reach into their node |
| unknown | unknown | what the rules of the API do not name, or what cannot be read |

What it will not do: read a request (`calls`), or decide.
Invariants: pure; what has several effects has an action for each; a doubt makes a call stricter, never looser.
"""

from dataclasses import dataclass
from typing import Final

from doorward_core.model import Action
from doorward_k8s.calls import Call, Kind
from doorward_k8s.documents import Json, privileges

READING: Final = frozenset({"get", "list", "watch"})
# Groups that the API server serves itself.
BUILT_IN: Final = frozenset({
    "", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps",
    "authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io",
    "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "extensions", "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io", "policy", "rbac.authorization.k8s.io",
    "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
})  # fmt: skip
# To write in these is to take power, with a namespace or without.
_POWERFUL: Final = frozenset({
    "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "certificates.k8s.io",
    "flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "node.k8s.io", "rbac.authorization.k8s.io",
})  # fmt: skip
# The subresources of built-in resources that are written to take power; `eviction` ends pods that are not one's own.
_POWERS: Final = frozenset({
    ("pods", "binding"), ("pods", "eviction"), ("serviceaccounts", "token"), ("namespaces", "finalize"),
})  # fmt: skip
PARTS: Final = frozenset({"status", "scale", "log", "binding", "eviction", "token", "approval", "resize",
                           "ephemeralcontainers", "finalize"})  # fmt: skip
_EVERYWHERE: Final = frozenset({"status", "scale"})
# Questions, asked by POST.
_ABOUT_ONESELF: Final = frozenset({
    ("authorization.k8s.io", "selfsubjectaccessreviews"), ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
})  # fmt: skip
_ABOUT_OTHERS: Final = frozenset({
    ("authorization.k8s.io", "subjectaccessreviews"), ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authentication.k8s.io", "tokenreviews"),
})  # fmt: skip
WORKLOADS: Final = frozenset({
    "pods", "podtemplates", "replicationcontrollers", "deployments", "statefulsets", "daemonsets", "replicasets",
    "jobs", "cronjobs",
})  # fmt: skip
_FIXED: Final = {
    "exec": Action.EXECUTE,
    "attach": Action.EXECUTE,
    "portforward": Action.FORWARD,
    "proxy": Action.FORWARD,
}


@dataclass(frozen=True, slots=True)
class Effects:
    """What a call does: its actions, the strictest first; its class, in a word; and what keeps it from being known."""

    actions: tuple[Action, ...]
    label: str
    problem: str = ""
    powers: tuple[str, ...] = ()


def effects(call: Call, document: Json = None, media: str = "") -> Effects:
    """What a call does, with what it carries."""
    if call.kind is not Kind.OBJECT:
        return _NO_OBJECT.get(call.kind) or Effects((Action.UNKNOWN,), "unknown", call.problem)
    if call.connects:
        return _connecting(call)
    problem = _unnamed(call)
    if problem:
        return Effects((Action.UNKNOWN,), "unknown", problem)
    if call.verb in READING:
        secret = not call.group and call.resource == "secrets"
        return Effects((Action.READ,), "secret-read" if secret else "read")
    return _written(call, document, media)


_NO_OBJECT: Final = {
    Kind.DISCOVERY: Effects((Action.SESSION,), "discovery"),
    Kind.URL: Effects((Action.READ,), "read"),
}


def _connecting(call: Call) -> Effects:
    if call.resource == "nodes":  # the kubelet's own API: it runs anything, in any pod
        return Effects((Action.ADMIN, Action.FORWARD), "privilege")
    action = _FIXED[call.sub]
    return Effects((action,), "exec" if action is Action.EXECUTE else "forward")


def _unnamed(call: Call) -> str:
    """Why the rules of the API do not say what this does; empty where they do."""
    if call.sub and call.sub not in (PARTS if call.group in BUILT_IN else _EVERYWHERE):
        return f"nothing says what the subresource {call.sub} does"
    if call.sub == "log" and call.verb not in READING:
        return "logs are read"
    return ""


def _written(call: Call, document: Json, media: str) -> Effects:
    key = (call.group, call.resource)
    if call.verb == "create" and key in _ABOUT_ONESELF:
        return Effects((Action.SESSION,), "discovery")
    if call.verb == "create" and key in _ABOUT_OTHERS:
        return Effects((Action.READ,), "read")
    powers = privileges(document, media, call.resource, workload=call.resource in WORKLOADS)
    if not call.group and call.resource == "pods" and call.sub == "ephemeralcontainers":
        return Effects((*((Action.ADMIN,) if powers else ()), Action.EXECUTE, Action.WRITE), "exec", powers=powers)
    powerful = (
        call.group in _POWERFUL
        or not call.namespace
        or call.resource in {"namespaces", "bindings"}
        or (not call.group and (call.resource, call.sub) in _POWERS)
        or key == ("policy", "podsecuritypolicies")
    )
    if powerful or powers:
        return Effects((Action.ADMIN, Action.WRITE), "privilege", powers=powers)
    return Effects((Action.WRITE,), "write")
