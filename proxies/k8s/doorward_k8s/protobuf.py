r"""Objects in protobuf, as `kubectl create` and its kin send them, read as the JSON that they are.

| bytes | what |
|---|---|
| 4 | `k8s\0` |
| rest | `Unknown`: 1 `TypeMeta` (1 apiVersion, 2 kind), 2 the object's own message, 3 and 4 how it is coded |

What it is: `as_json`; what it gives is decided on, shown, and sent in place of what came, so that no reader sees more
in it than another.
What it will not do: read kinds, or fields of kinds, that are not in its tables. Whoever sends those can send JSON.

Implements: the Kubernetes API's protobuf envelope (`runtime.Unknown`), the numbers of `generated.proto` of its groups,
and protobuf's wire format.
Invariants: pure; bounded by its input; a field that is not known and says something makes it unreadable.
"""

import base64
import json
from typing import Final, TypeAlias

from doorward_k8s.documents import Unreadable

Shape: TypeAlias = "str | list[Shape] | dict[int, tuple[str, Shape]]"
Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value]"

MEDIA: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\0"
_TWICE: Final = "a field of the body stands twice"
_MAPS: Final = frozenset({"map", "data", "amounts"})
_VARINT, _BYTES = 0, 2
_SIGN: Final = 1 << 63
_MAX_DEPTH: Final = 32
_MORE: Final = 0x80
_MAX_VARINT_BITS: Final = 63

# A message is its fields by number: a name, and what it holds: `str`, `int`, `bool`, `map` of texts, `data` (a map of
# bytes, which JSON says in base64), `port` (a number or a name), `amount` (a quantity), `amounts` (a map of them), a
# message, a list. A message by the name of `INLINE` has its fields where it stands.
INLINE: Final = "."
_OWNER: Final[Shape] = {
    1: ("kind", "str"), 3: ("name", "str"), 4: ("uid", "str"), 5: ("apiVersion", "str"), 6: ("controller", "bool"),
    7: ("blockOwnerDeletion", "bool"),
}  # fmt: skip
_META: Final[Shape] = {
    1: ("name", "str"), 2: ("generateName", "str"), 3: ("namespace", "str"), 5: ("uid", "str"),
    6: ("resourceVersion", "str"), 11: ("labels", "map"), 12: ("annotations", "map"), 13: ("ownerReferences", [_OWNER]),
    14: ("finalizers", ["str"]),
}  # fmt: skip
_PORT: Final[Shape] = {
    1: ("name", "str"), 2: ("hostPort", "int"), 3: ("containerPort", "int"), 4: ("protocol", "str"),
    5: ("hostIP", "str"),
}  # fmt: skip
_SECURITY: Final[Shape] = {
    1: ("capabilities", {1: ("add", ["str"]), 2: ("drop", ["str"])}), 2: ("privileged", "bool"),
    4: ("runAsUser", "int"), 5: ("runAsNonRoot", "bool"), 6: ("readOnlyRootFilesystem", "bool"),
    7: ("allowPrivilegeEscalation", "bool"), 8: ("runAsGroup", "int"), 9: ("procMount", "str"),
}  # fmt: skip
_CONTAINER: Final[Shape] = {
    1: ("name", "str"), 2: ("image", "str"), 3: ("command", ["str"]), 4: ("args", ["str"]), 5: ("workingDir", "str"),
    6: ("ports", [_PORT]), 7: ("env", [{1: ("name", "str"), 2: ("value", "str")}]),
    13: ("terminationMessagePath", "str"), 14: ("imagePullPolicy", "str"), 15: ("securityContext", _SECURITY),
    16: ("stdin", "bool"), 17: ("stdinOnce", "bool"), 18: ("tty", "bool"), 20: ("terminationMessagePolicy", "str"),
}  # fmt: skip
_POD: Final[Shape] = {
    2: ("containers", [_CONTAINER]), 3: ("restartPolicy", "str"), 4: ("terminationGracePeriodSeconds", "int"),
    5: ("activeDeadlineSeconds", "int"), 6: ("dnsPolicy", "str"), 7: ("nodeSelector", "map"),
    8: ("serviceAccountName", "str"), 9: ("serviceAccount", "str"), 10: ("nodeName", "str"),
    11: ("hostNetwork", "bool"), 12: ("hostPID", "bool"), 13: ("hostIPC", "bool"),
    15: ("imagePullSecrets", [{1: ("name", "str")}]), 16: ("hostname", "str"), 17: ("subdomain", "str"),
    19: ("schedulerName", "str"), 20: ("initContainers", [_CONTAINER]), 24: ("priorityClassName", "str"),
}  # fmt: skip
_TEMPLATE: Final[Shape] = {1: ("metadata", _META), 2: ("spec", _POD)}
_SELECTOR: Final[Shape] = {1: ("matchLabels", "map")}
_JOB: Final[Shape] = {
    1: ("parallelism", "int"), 2: ("completions", "int"), 3: ("activeDeadlineSeconds", "int"),
    4: ("selector", _SELECTOR), 5: ("manualSelector", "bool"), 6: ("template", _TEMPLATE), 7: ("backoffLimit", "int"),
    8: ("ttlSecondsAfterFinished", "int"),
}  # fmt: skip
_CRON: Final[Shape] = {
    1: ("schedule", "str"), 2: ("startingDeadlineSeconds", "int"), 3: ("concurrencyPolicy", "str"),
    4: ("suspend", "bool"), 5: ("jobTemplate", {1: ("metadata", _META), 2: ("spec", _JOB)}),
    6: ("successfulJobsHistoryLimit", "int"), 7: ("failedJobsHistoryLimit", "int"), 8: ("timeZone", "str"),
}  # fmt: skip
_SERVICE: Final[Shape] = {
    1: ("ports", [{1: ("name", "str"), 2: ("protocol", "str"), 3: ("port", "int"), 4: ("targetPort", "port"),
                   5: ("nodePort", "int"), 6: ("appProtocol", "str")}]),
    2: ("selector", "map"), 3: ("clusterIP", "str"), 4: ("type", "str"), 5: ("externalIPs", ["str"]),
    7: ("sessionAffinity", "str"), 8: ("loadBalancerIP", "str"), 10: ("externalName", "str"),
}  # fmt: skip
_RULE: Final[Shape] = {
    1: ("verbs", ["str"]), 2: ("apiGroups", ["str"]), 3: ("resources", ["str"]), 4: ("resourceNames", ["str"]),
    5: ("nonResourceURLs", ["str"]),
}  # fmt: skip
_SUBJECT: Final[Shape] = {1: ("kind", "str"), 2: ("apiGroup", "str"), 3: ("name", "str"), 4: ("namespace", "str")}
_BINDING: Final[Shape] = {
    1: ("metadata", _META), 2: ("subjects", [_SUBJECT]),
    3: ("roleRef", {1: ("apiGroup", "str"), 2: ("kind", "str"), 3: ("name", "str")}),
}  # fmt: skip
_ROLE: Final[Shape] = {1: ("metadata", _META), 2: ("rules", [_RULE])}
_ATTRIBUTES: Final[Shape] = {
    1: ("namespace", "str"), 2: ("verb", "str"), 3: ("group", "str"), 4: ("version", "str"), 5: ("resource", "str"),
    6: ("subresource", "str"), 7: ("name", "str"),
}  # fmt: skip
_BACKEND: Final[Shape] = {
    3: ("resource", {1: ("apiGroup", "str"), 2: ("kind", "str"), 3: ("name", "str")}),
    4: ("service", {1: ("name", "str"), 2: ("port", {1: ("name", "str"), 2: ("number", "int")})}),
}  # fmt: skip
_INGRESS: Final[Shape] = {
    1: ("defaultBackend", _BACKEND), 2: ("tls", [{1: ("hosts", ["str"]), 2: ("secretName", "str")}]),
    3: ("rules", [{1: ("host", "str"), 2: (INLINE, {
        1: ("http", {1: ("paths", [{1: ("path", "str"), 2: ("backend", _BACKEND), 3: ("pathType", "str")}])})})}]),
    4: ("ingressClassName", "str"),
}  # fmt: skip
_SCALED: Final[dict[int, tuple[str, Shape]]] = {
    1: ("scaleTargetRef", {1: ("kind", "str"), 2: ("name", "str"), 3: ("apiVersion", "str")}),
    2: ("minReplicas", "int"), 3: ("maxReplicas", "int"),
}  # fmt: skip
_METRIC: Final[Shape] = {
    1: ("type", "str"),
    4: ("resource", {1: ("name", "str"), 2: ("target", {
        1: ("type", "str"), 2: ("value", "amount"), 3: ("averageValue", "amount"), 4: ("averageUtilization", "int")})}),
}  # fmt: skip
_DELETE: Final[Shape] = {
    1: ("gracePeriodSeconds", "int"), 2: ("preconditions", {1: ("uid", "str"), 2: ("resourceVersion", "str")}),
    3: ("orphanDependents", "bool"), 4: ("propagationPolicy", "str"), 5: ("dryRun", ["str"]),
}  # fmt: skip


def _spec(spec: Shape) -> Shape:
    return {1: ("metadata", _META), 2: ("spec", spec)}


_MESSAGES: Final[dict[str, Shape]] = {
    "ClusterRole": _ROLE, "ClusterRoleBinding": _BINDING,
    "ConfigMap": {1: ("metadata", _META), 2: ("data", "map"), 3: ("binaryData", "data"), 4: ("immutable", "bool")},
    "CronJob": _spec(_CRON),
    "DeleteOptions": _DELETE,
    "Deployment": _spec({1: ("replicas", "int"), 2: ("selector", _SELECTOR), 3: ("template", _TEMPLATE)}),
    "Eviction": {1: ("metadata", _META), 2: ("deleteOptions", _DELETE)},
    "Ingress": _spec(_INGRESS),
    "Job": _spec(_JOB),
    "autoscaling/v1 HorizontalPodAutoscaler": _spec({**_SCALED, 4: ("targetCPUUtilizationPercentage", "int")}),
    "autoscaling/v2 HorizontalPodAutoscaler": _spec({**_SCALED, 4: ("metrics", [_METRIC])}),
    "Namespace": {1: ("metadata", _META)},
    "Pod": _spec(_POD),
    "PodDisruptionBudget": _spec({1: ("minAvailable", "port"), 2: ("selector", _SELECTOR),
                                  3: ("maxUnavailable", "port")}),
    "PriorityClass": {1: ("metadata", _META), 2: ("value", "int"), 3: ("globalDefault", "bool"),
                      4: ("description", "str"), 5: ("preemptionPolicy", "str")},
    "ResourceQuota": _spec({1: ("hard", "amounts"), 2: ("scopes", ["str"])}),
    "Role": _ROLE, "RoleBinding": _BINDING,
    "Scale": _spec({1: ("replicas", "int")}),
    "Secret": {1: ("metadata", _META), 2: ("data", "data"), 3: ("type", "str"), 4: ("stringData", "map"),
               5: ("immutable", "bool")},
    "SelfSubjectAccessReview": _spec({1: ("resourceAttributes", _ATTRIBUTES),
                                      2: ("nonResourceAttributes", {1: ("path", "str"), 2: ("verb", "str")})}),
    "SelfSubjectReview": {1: ("metadata", _META)},
    "SelfSubjectRulesReview": _spec({1: ("namespace", "str")}),
    "Service": _spec(_SERVICE),
    "ServiceAccount": {1: ("metadata", _META), 3: ("imagePullSecrets", [{1: ("name", "str")}]),
                       4: ("automountServiceAccountToken", "bool")},
    "TokenRequest": _spec({1: ("audiences", ["str"]), 4: ("expirationSeconds", "int"),
                           3: ("boundObjectRef", {1: ("kind", "str"), 2: ("apiVersion", "str"), 3: ("name", "str"),
                                                  4: ("uid", "str")})}),
}  # fmt: skip


def as_json(body: bytes) -> bytes:
    """The object of an envelope, as JSON. Raises Unreadable."""
    if not body.startswith(_MAGIC):
        raise Unreadable("the body is no protobuf of the API")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        about, inner = envelope.get(1, b""), envelope.get(2, b"")
        if not isinstance(about, bytes) or not isinstance(inner, bytes) or envelope.get(3):
            raise Unreadable("the body's envelope cannot be read")
        kind = _message(about, {1: ("apiVersion", "str"), 2: ("kind", "str")}, 0)
        shape = _MESSAGES.get(str(kind.get("kind"))) or _MESSAGES.get(f"{kind.get('apiVersion')} {kind.get('kind')}")
        if shape is None:
            raise Unreadable("objects of this kind are not read in protobuf")
        return json.dumps({**kind, **_message(inner, shape, 0)}, ensure_ascii=False).encode()
    except (IndexError, UnicodeError):
        raise Unreadable("the body is no protobuf that can be read") from None


def _message(data: bytes, shape: Shape, depth: int) -> dict[str, Value]:
    if depth > _MAX_DEPTH or not isinstance(shape, dict):
        raise Unreadable("the body is nested too deeply")
    found: dict[str, Value] = {}
    for number, value in _fields(data):
        name, holds = shape.get(number, ("", ""))
        if not name:
            if not _says_nothing(value, depth):
                raise Unreadable("the body has a field that is not read in protobuf")
        elif name == INLINE:
            _joined(found, _message(_bytes(value), holds, depth + 1))
        elif isinstance(holds, list):
            listed = found.setdefault(name, [])
            assert isinstance(listed, list)
            listed.append(_value(value, holds[0], depth))
        elif isinstance(holds, str) and holds in _MAPS:
            mapped = found.setdefault(name, {})
            assert isinstance(mapped, dict)
            key, inner = _entry(value, holds, depth)
            mapped[key] = inner
        elif name in found:
            raise Unreadable(_TWICE)
        elif value != b"" or isinstance(holds, dict):  # an empty text is one that was not said
            found[name] = _value(value, holds, depth)
    return found


def _joined(found: dict[str, Value], inner: dict[str, Value]) -> None:
    if not found.keys().isdisjoint(inner):
        raise Unreadable(_TWICE)
    found |= inner


def _entry(value: "bytes | int", holds: str, depth: int) -> tuple[str, str]:
    """One entry of a map."""
    entry = dict(_fields(_bytes(value)))
    inner = _bytes(entry.get(2, b""))
    if holds == "data":
        shown = base64.b64encode(inner).decode("ascii")
    elif holds == "amounts":
        shown = _amount(inner, depth)
    else:
        shown = inner.decode()
    return _bytes(entry.get(1, b"")).decode(), shown


def _value(value: "bytes | int", holds: Shape, depth: int) -> Value:
    if isinstance(holds, dict):
        return _message(_bytes(value), holds, depth + 1)
    if holds == "port":
        said = _message(_bytes(value), {1: ("type", "int"), 2: ("number", "int"), 3: ("name", "str")}, depth + 1)
        return said.get("name", "") if said.get("type") == 1 else said.get("number", 0)
    if holds == "amount":
        return _amount(_bytes(value), depth)
    if holds == "str":
        return _bytes(value).decode()
    if not isinstance(value, int):
        raise Unreadable("a field of the body is of another type")
    return bool(value) if holds == "bool" else value - 2 * _SIGN if value >= _SIGN else value


def _amount(data: bytes, depth: int) -> str:
    return str(_message(data, {1: ("string", "str")}, depth + 1).get("string", ""))


def _bytes(value: "bytes | int") -> bytes:
    if isinstance(value, int):
        raise Unreadable("a field of the body is of another type")
    return value


def _says_nothing(value: "bytes | int", depth: int) -> bool:
    """Whether a field holds nothing but what it would hold if it were not there."""
    if isinstance(value, int):
        return value == 0
    if depth > _MAX_DEPTH:
        return False
    try:
        return all(_says_nothing(inner, depth + 1) for _, inner in _fields(value))
    except IndexError:
        return False


def _fields(data: bytes) -> "list[tuple[int, bytes | int]]":
    """The fields of a message, in order. Raises IndexError for what is no message."""
    found: list[tuple[int, bytes | int]] = []
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        value, place = _varint(data, place)
        if tag & 7 == _BYTES:
            if place + value > len(data):
                raise IndexError(tag)
            found.append((tag >> 3, data[place : place + value]))
            place += value
        elif tag & 7 == _VARINT:
            found.append((tag >> 3, value))
        else:
            raise IndexError(tag)
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value, shift = 0, 0
    while shift <= _MAX_VARINT_BITS:
        byte = data[place]
        place += 1
        value |= (byte & ~_MORE) << shift
        if byte < _MORE:
            return value, place
        shift += 7
    raise IndexError(place)
