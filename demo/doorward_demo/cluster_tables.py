"""Objects as a client asks to see them: whole, their metadata alone, or as rows of a table.

What it is: the columns of the kinds that the cluster knows, and what is made of one object or many for an Accept.
Implements: `Table` and `PartialObjectMetadata` of meta.k8s.io/v1, and the API's content negotiation between them.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_kinds import Kind
from doorward_demo.cluster_store import Stored

Cell = Callable[[dict[str, Any]], object]
_META: Final = "meta.k8s.io/v1"
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86_400
JSON: Final = "application/json"


def age(document: dict[str, Any]) -> str:
    """`5m`, as tables show it."""
    created = document["metadata"].get("creationTimestamp")
    if not created:
        return "<unknown>"
    seconds = int((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds())
    for size, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def _at(*path: str) -> Cell:
    def read(document: dict[str, Any]) -> object:
        value: Any = document
        for part in path:
            value = value.get(part, "") if isinstance(value, dict) else ""
        return value

    return read


def _ports(document: dict[str, Any]) -> str:
    return ",".join(f"{port.get('port')}/{port.get('protocol', 'TCP')}" for port in document["spec"].get("ports", []))


def _data(document: dict[str, Any]) -> int:
    return len(document.get("data") or {}) + len(document.get("binaryData") or {})


def _ready(document: dict[str, Any]) -> str:
    wanted = len(document["spec"].get("containers", [])) if "containers" in document["spec"] else 0
    if wanted:
        return f"{wanted}/{wanted}"
    return f"{document['status'].get('readyReplicas', 0)}/{document['spec'].get('replicas', 0)}"


_AGE: Final = ("Age", "string", age)
_COLUMNS: Final[dict[str, tuple[tuple[str, str, Cell], ...]]] = {
    "pods": (
        ("Ready", "string", _ready), ("Status", "string", _at("status", "phase")),
        ("Restarts", "string", lambda _: "0"), _AGE, ("IP", "string", _at("status", "podIP")),
        ("Node", "string", _at("spec", "nodeName")),
    ),
    "namespaces": (("Status", "string", _at("status", "phase")), _AGE),
    "secrets": (("Type", "string", _at("type")), ("Data", "string", _data), _AGE),
    "configmaps": (("Data", "string", _data), _AGE),
    "services": (
        ("Type", "string", _at("spec", "type")), ("Cluster-IP", "string", _at("spec", "clusterIP")),
        ("External-IP", "string", lambda _: "<none>"), ("Port(s)", "string", _ports), _AGE,
    ),
    "deployments": (
        ("Ready", "string", _ready), ("Up-to-date", "integer", _at("status", "updatedReplicas")),
        ("Available", "integer", _at("status", "availableReplicas")), _AGE,
    ),
    "events": (
        ("Last Seen", "string", age), ("Type", "string", _at("type")), ("Reason", "string", _at("reason")),
        ("Object", "string", _at("involvedObject", "name")), ("Message", "string", _at("message")),
    ),
    # As a CRD's additionalPrinterColumns: any member may be shown.
    "vouchers": (("Code", "string", _at("spec", "code")), ("Owner", "string", _at("spec", "owner")), _AGE),
}  # fmt: skip
_WIDE: Final = frozenset({"IP", "Node"})


class Shape:
    """What a client asked for: by its Accept, and `includeObject` for tables. Raises ApiError (406)."""

    def __init__(self, accept: str, include: str = "") -> None:
        self.kind, self.media = _negotiate(accept)
        self._include = include or "Metadata"

    def one(self, kind: Kind, stored: Stored) -> bytes:
        """One object."""
        if self.kind == "Table":
            version = {"resourceVersion": stored.document["metadata"].get("resourceVersion", "")}
            return self._table(kind, [stored], version)
        if self.kind == "PartialObjectMetadata":
            return json.dumps(_metadata(stored.document)).encode()
        return stored.raw

    def many(self, kind: Kind, items: Sequence[Stored], metadata: dict[str, Any]) -> bytes:
        """A list."""
        if self.kind == "Table":
            return self._table(kind, items, metadata)
        if self.kind:
            head = {"kind": "PartialObjectMetadataList", "apiVersion": _META, "metadata": metadata}
            raws = [json.dumps(_metadata(one.document)).encode() for one in items]
        else:
            head = {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata}
            # Lists of the API's own kinds leave out the kind of each item; those of other groups say it.
            raws = [one.raw if kind.group.endswith(".example") else one.item for one in items]
        return json.dumps(head)[:-1].encode() + b',"items":[' + b",".join(raws) + b"]}\n"

    def _table(self, kind: Kind, items: Sequence[Stored], metadata: dict[str, Any]) -> bytes:
        columns = _COLUMNS.get(kind.plural, (_AGE,))
        definitions = [
            {"name": name, "type": type_, "format": "name" if name == "Name" else "", "description": "",
             "priority": 1 if name in _WIDE else 0}
            for name, type_ in (("Name", "string"), *((name, type_) for name, type_, _ in columns))
        ]  # fmt: skip
        rows = [
            {
                "cells": [one.document["metadata"]["name"], *(read(one.document) for _, _, read in columns)],
                **self._row_object(one),
            }
            for one in items
        ]
        table = {
            "kind": "Table", "apiVersion": _META, "metadata": metadata, "columnDefinitions": definitions, "rows": rows,
        }  # fmt: skip
        return json.dumps(table).encode() + b"\n"

    def _row_object(self, stored: Stored) -> dict[str, Any]:
        if self._include == "None":
            return {}
        return {"object": stored.document if self._include == "Object" else _metadata(stored.document)}


def _metadata(document: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "PartialObjectMetadata", "apiVersion": _META, "metadata": document["metadata"]}


def _negotiate(accept: str) -> tuple[str, str]:
    """The first shape that can be given, and the media type that it is said to be."""
    for item in (accept or "*/*").split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        pairs = dict(part.partition("=")[::2] for part in parameters)
        shape = pairs.get("as", "").removesuffix("List")
        if name not in (JSON, "application/yaml", "*/*", "application/*"):
            continue
        if not shape or (shape in ("Table", "PartialObjectMetadata") and pairs.get("v") == "v1"):
            return shape, name if name == "application/yaml" else JSON
    raise ApiError(406, "NotAcceptable", "only the following media types are accepted: application/json")
