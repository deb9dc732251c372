"""What names of this protocol may be doubted in a policy: resources, places, facts and masks that nothing here has.

What it is: the words for a second look at what loads and could still match nothing (`doorward_core.policy.lint`).
What it will not do: refuse anything, or ask a cluster what it has: every doubt may be wrong.

Implements: the groups and resources that the API server of Kubernetes 1.34 serves itself; docs/k8s.md, the facts.
Invariants: pure; where a wildcard stands, or a group that has a dot, nothing is doubted: that may be anybody's.
"""

import re
from collections.abc import Iterable
from typing import Final

from doorward_core.config_types import Vocabulary, nearest
from doorward_core.mask.json_paths import is_path
from doorward_core.policy.objects import CORE, NOWHERE, split_object
from doorward_k8s.calls import STREAMING
from doorward_k8s.effects import PARTS
from doorward_k8s.facts import FACTS, VALUES
from doorward_k8s.object_paths import SETS, is_foreign
from doorward_k8s.reviews import CLUSTER_WIDE

_SERVED: Final = {
    group: frozenset(names.split())
    for group, names in {
        CORE: "bindings componentstatuses configmaps endpoints events limitranges namespaces nodes"
        " persistentvolumeclaims persistentvolumes pods podtemplates replicationcontrollers resourcequotas secrets"
        " serviceaccounts services",
        "admissionregistration.k8s.io": "mutatingadmissionpolicies mutatingadmissionpolicybindings"
        " mutatingwebhookconfigurations validatingadmissionpolicies validatingadmissionpolicybindings"
        " validatingwebhookconfigurations",
        "apiextensions.k8s.io": "customresourcedefinitions",
        "apiregistration.k8s.io": "apiservices",
        "apps": "controllerrevisions daemonsets deployments replicasets statefulsets",
        "authentication.k8s.io": "selfsubjectreviews tokenreviews",
        "authorization.k8s.io": "localsubjectaccessreviews selfsubjectaccessreviews selfsubjectrulesreviews"
        " subjectaccessreviews",
        "autoscaling": "horizontalpodautoscalers",
        "batch": "cronjobs jobs",
        "certificates.k8s.io": "certificatesigningrequests clustertrustbundles podcertificaterequests",
        "coordination.k8s.io": "leasecandidates leases",
        "discovery.k8s.io": "endpointslices",
        "events.k8s.io": "events",
        "flowcontrol.apiserver.k8s.io": "flowschemas prioritylevelconfigurations",
        "networking.k8s.io": "ingressclasses ingresses ipaddresses networkpolicies servicecidrs",
        "node.k8s.io": "runtimeclasses",
        "policy": "poddisruptionbudgets podsecuritypolicies",
        "rbac.authorization.k8s.io": "clusterrolebindings clusterroles rolebindings roles",
        "resource.k8s.io": "deviceclasses devicetaintrules resourceclaims resourceclaimtemplates resourceslices",
        "scheduling.k8s.io": "priorityclasses",
        "storage.k8s.io": "csidrivers csinodes csistoragecapacities storageclasses volumeattachments"
        " volumeattributesclasses",
    }.items()
}
_SHORT: Final = {
    "po": "pods", "svc": "services", "cm": "configmaps", "ns": "namespaces", "no": "nodes", "sa": "serviceaccounts",
    "pvc": "persistentvolumeclaims", "pv": "persistentvolumes", "ep": "endpoints", "ev": "events",
    "deploy": "deployments", "rs": "replicasets", "ds": "daemonsets", "sts": "statefulsets", "cj": "cronjobs",
    "hpa": "horizontalpodautoscalers", "ing": "ingresses", "netpol": "networkpolicies",
    "crd": "customresourcedefinitions",
    "pdb": "poddisruptionbudgets", "sc": "storageclasses", "quota": "resourcequotas", "rc": "replicationcontrollers",
}  # fmt: skip
_VERSION: Final = re.compile(r"v[0-9]+(?:(?:alpha|beta)[0-9]+)?\Z")
_WILD: Final = re.compile(r"[*?]")
_SUBRESOURCES: Final = PARTS | {sub for _, sub in STREAMING} | {"proxy"}
_CONNECTED: Final = frozenset({"exec", "attach", "portforward"})
_PLACE, _PART = 4, 5


def doubted_place(pattern: str) -> str:
    """What is doubtful about a pattern over objects; nothing where nothing is."""
    verbs, segments = split_object(pattern)
    namespace, group, resource, *rest = (*segments, "*", "*", "*")[: max(len(segments), _PLACE)]
    sub = rest[0] if len(segments) == _PART else ""
    told = (
        _misplaced(segments),
        _doubted_group(group),
        _doubted_resource(group, resource),
        _elsewhere(namespace, group, resource),
    )
    first = next((words for words in told if words), "")
    if not first and sub in _CONNECTED and verbs and "connect" not in verbs.split(","):
        return f"the verb of `{sub}` is `connect`, whatever its method"
    return first


def _misplaced(segments: tuple[str, ...]) -> str:
    """Parts of a path of the API that stand in another order here, or not at all."""
    if any(_VERSION.match(segment) for segment in segments[1:3]):
        return "a place has no version: it is NAMESPACE/GROUP/RESOURCE/NAME, and the group without a name is `core`"
    name, before = segments[-1], segments[-2] if len(segments) > 1 else ""
    if len(segments) < _PLACE or name not in _SUBRESOURCES or before in _SUBRESOURCES:
        return ""
    right = (*segments[:3], name, "*" if len(segments) == _PLACE else before)
    return f"this is an object of the name `{name}`; a subresource stands before the name: `{'/'.join(right)}`"


def _doubted_group(group: str) -> str:
    if group in _SERVED or "." in group or _WILD.search(group) or group == "**":
        return ""
    full = next((one for one in _SERVED if one.startswith(f"{group}.")), "")
    return f"there is no group `{group}`" + (f"; did you mean `{full}`?" if full else nearest(group, _SERVED))


def _doubted_resource(group: str, resource: str) -> str:
    if _WILD.search(resource):
        return ""
    if resource != resource.lower():
        return f"`{resource}` is a kind; resources are written small and in the plural{_meant(resource, _all())}"
    served = _SERVED.get(group)
    if served is None or resource in served:
        return ""
    others = [one for one, names in _SERVED.items() if resource in names]
    if others:
        return f"`{resource}` are in the group `{others[0]}`, not in `{group}`"
    return f"`{group}` has no resource `{resource}` that is known here{_meant(resource, served)}"


def _elsewhere(namespace: str, group: str, resource: str) -> str:
    if resource == "namespaces" or resource not in CLUSTER_WIDE or group not in _SERVED:
        return ""
    if namespace == NOWHERE or _WILD.search(namespace):
        return ""
    return f"`{resource}` are in no namespace: write `{NOWHERE}/{group}/{resource}/...`"


def _meant(word: str, known: Iterable[str]) -> str:
    small, names = word.lower(), frozenset(known)
    plurals = (_SHORT.get(small, ""), f"{small}s", f"{small}es", f"{small[:-1]}ies")
    found = next((one for one in plurals if one in names), "")
    return f"; did you mean `{found}`?" if found else nearest(small, names)


def _all() -> frozenset[str]:
    return frozenset().union(*_SERVED.values())


def doubted_fact(name: str, values: tuple[str, ...]) -> str:
    """What is doubtful about a fact that a rule looks at, and the values that it wants."""
    if name not in FACTS:
        return f"`{name}` is no fact of a call to Kubernetes{nearest(name, FACTS)}"
    known = VALUES.get(name)
    wrong = sorted(one for one in values if known and not _WILD.search(one) and one not in known)
    return f"`{name}` is never `{wrong[0]}`; it is {' or '.join(sorted(known or ()))}" if wrong else ""


def doubted_column(name: str) -> str:
    """What is doubtful about a name that a mask hides."""
    if name in SETS or is_path(name):
        return ""
    if is_foreign(name):
        named = ", ".join(sorted(SETS))
        return f"`{name}` names nothing in Kubernetes: write one of {named}, or a path as `secrets:$.data.password`"
    before = name.partition(":")[0]
    resource, _, sub = before.partition("/")
    plural, _, group = resource.partition(".")
    if _VERSION.match(plural) or sub.lower() in _all():
        return f"before `:$` stands RESOURCE, RESOURCE.GROUP or RESOURCE/SUBRESOURCE, and `{before}` is none of them"
    if group or _WILD.search(plural) or plural.lower() in _all():
        return ""
    meant = _meant(plural, _all())
    return f"there is no resource `{plural}` that is known here{meant}" if meant else ""


VOCABULARY: Final = Vocabulary(doubted_column, doubted_place, doubted_fact)
