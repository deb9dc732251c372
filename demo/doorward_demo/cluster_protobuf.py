r"""Objects in protobuf, as `kubectl create` and its kin send them, read as the JSON that they would be.

What it is: the API's envelope, and the fields of the few kinds that kubectl has no other way to send.
What it will not do: write protobuf: whoever sends it takes JSON too.
Implements: the Kubernetes API's `k8s\0` envelope (`runtime.Unknown`) and protobuf's wire format.
"""

import base64
from typing import Any, Final

from doorward_demo.cluster_errors import ApiError

MEDIA: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\0"
_VARINT, _BYTES = 0, 2
_LAST: Final = 0x80

# A message is its fields by number: a name and what it holds: `str`, `int`, `map` of texts, `data` (a map of bytes,
# which JSON says in base64), a message, or a list of one of them.
_META: Final = {
    1: ("name", "str"), 2: ("generateName", "str"), 3: ("namespace", "str"), 11: ("labels", "map"),
    12: ("annotations", "map"),
}  # fmt: skip
_ENV: Final = {1: ("name", "str"), 2: ("value", "str")}
_PORT: Final = {1: ("name", "str"), 3: ("containerPort", "int"), 4: ("protocol", "str")}
_CONTAINER: Final = {
    1: ("name", "str"), 2: ("image", "str"), 3: ("command", ["str"]), 4: ("args", ["str"]), 6: ("ports", [_PORT]),
    7: ("env", [_ENV]),
}  # fmt: skip
_TEMPLATE: Final = {1: ("metadata", _META), 2: ("spec", {2: ("containers", [_CONTAINER])})}
_ATTRIBUTES: Final = {
    1: ("namespace", "str"), 2: ("verb", "str"), 3: ("group", "str"), 4: ("version", "str"), 5: ("resource", "str"),
    6: ("subresource", "str"), 7: ("name", "str"),
}  # fmt: skip
_RULE: Final = {
    1: ("verbs", ["str"]),
    2: ("apiGroups", ["str"]),
    3: ("resources", ["str"]),
    4: ("resourceNames", ["str"]),
}
_SUBJECT: Final = {1: ("kind", "str"), 2: ("apiGroup", "str"), 3: ("name", "str"), 4: ("namespace", "str")}
_ROLE_REF: Final = {1: ("apiGroup", "str"), 2: ("kind", "str"), 3: ("name", "str")}
_BINDING: Final = {1: ("metadata", _META), 2: ("subjects", [_SUBJECT]), 3: ("roleRef", _ROLE_REF)}
_ROLE: Final = {1: ("metadata", _META), 2: ("rules", [_RULE])}
_MESSAGES: Final[dict[str, dict[int, tuple[str, Any]]]] = {
    "Namespace": {1: ("metadata", _META)},
    "ServiceAccount": {1: ("metadata", _META)},
    "ConfigMap": {1: ("metadata", _META), 2: ("data", "map"), 3: ("binaryData", "data")},
    "Secret": {1: ("metadata", _META), 2: ("data", "data"), 3: ("type", "str"), 4: ("stringData", "map")},
    "Deployment": {
        1: ("metadata", _META),
        2: ("spec", {1: ("replicas", "int"), 2: ("selector", {1: ("matchLabels", "map")}), 3: ("template", _TEMPLATE)}),
    },
    "Role": _ROLE, "ClusterRole": _ROLE, "RoleBinding": _BINDING, "ClusterRoleBinding": _BINDING,
    "TokenRequest": {1: ("metadata", _META)},
    "SelfSubjectReview": {1: ("metadata", _META)},
    "SelfSubjectAccessReview": {2: ("spec", {1: ("resourceAttributes", _ATTRIBUTES)})},
}  # fmt: skip


def read_object(body: bytes) -> dict[str, Any]:
    """The object within the envelope. Raises ApiError."""
    if not body.startswith(_MAGIC):
        raise ApiError(400, "BadRequest", "the object provided is unrecognized: it is no protobuf of the API")
    try:
        envelope = dict(_fields(body[len(_MAGIC) :]))
        kind = _message(envelope[1], {1: ("apiVersion", "str"), 2: ("kind", "str")})
        message = _MESSAGES.get(kind["kind"])
        if message is not None:
            return {**kind, **_message(envelope[2], message)}
    except (KeyError, IndexError, UnicodeError, AttributeError) as error:
        raise ApiError(400, "BadRequest", "the object provided is unrecognized") from error
    raise ApiError(415, "UnsupportedMediaType", f"{kind['kind']} is read here as application/json alone")


def _message(data: Any, message: dict[int, tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, value in _fields(data):
        name, holds = message.get(number, ("", ""))
        if isinstance(holds, list):
            found.setdefault(name, []).append(_value(value, holds[0]))
        elif holds in ("map", "data"):
            entry = dict(_fields(value))
            text = entry.get(2, b"")
            shown = base64.b64encode(text).decode() if holds == "data" else text.decode()
            found.setdefault(name, {})[entry[1].decode()] = shown
        elif name and value:  # what is empty is not said
            found[name] = _value(value, holds)
    return found


def _value(value: Any, holds: Any) -> Any:
    if isinstance(holds, dict):
        return _message(value, holds)
    return value.decode() if holds == "str" else int(value)


def _fields(data: Any) -> list[tuple[int, Any]]:
    """The fields of a message, in order: numbers, and bytes that hold whatever the field's type says."""
    found: list[tuple[int, Any]] = []
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        value, place = _varint(data, place)
        if tag & 7 == _BYTES:
            found.append((tag >> 3, data[place : place + value]))
            place += value
        elif tag & 7 == _VARINT:
            found.append((tag >> 3, value))
        else:
            raise IndexError(tag)
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & ~_LAST) << shift
        if byte < _LAST:
            return value, place
        shift += 7
