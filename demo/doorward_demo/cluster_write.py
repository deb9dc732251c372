"""Objects made, changed and deleted: what the API server adds to what a client sends, and what it refuses.

What it is: create, update, patch, apply and delete over the store, each also as a dry run.
What it will not do: run controllers. A deployment is ready as soon as it is written, a pod runs as soon as it is made,
and what a namespace holds goes with it.
Implements: the write half of the Kubernetes API as far as kubectl looks at it.
"""

import base64
import binascii
import copy
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_kinds import BY_PATH, Kind
from doorward_demo.cluster_patch import fields_of, fields_v1, from_fields_v1, read, remove, strategic
from doorward_demo.cluster_store import Key, Store, Stored

_SERVERS: Final = ("uid", "creationTimestamp", "resourceVersion", "generation", "managedFields", "selfLink")
_NOT_OWNED: Final = ("f:apiVersion", "f:kind", "f:status")
NAMESPACE: Final = BY_PATH["", "v1", "namespaces"]
_MAX_DATA_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Write:
    """How a change is meant. `status` says that it is to the status alone."""

    dry_run: bool = False
    manager: str = "unknown"
    force: bool = False
    status: bool = False


def now() -> str:
    """As the API says times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def create(store: Store, kind: Kind, namespace: str, sent: dict[str, Any], write: Write) -> dict[str, Any]:
    """Make an object. Raises ApiError."""
    document = copy.deepcopy(sent)
    metadata = document.setdefault("metadata", {})
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
    name = metadata.get("name")
    if not name:
        raise ApiError(422, "Invalid", f"{kind.kind} is invalid: metadata.name: Required value: name is required")
    if kind.namespaced:
        metadata["namespace"] = metadata.get("namespace") or namespace
        if metadata["namespace"] != namespace:
            raise ApiError(400, "BadRequest", "the namespace of the provided object does not match the namespace sent")
        store.get(NAMESPACE, ("", namespace))
    key = (namespace if kind.namespaced else "", name)
    if store.has(kind, key):
        raise ApiError(409, "AlreadyExists", f'{kind.plural} "{name}" already exists')
    metadata.update(uid=str(uuid.uuid4()), creationTimestamp=now(), generation=1)
    metadata.pop("managedFields", None)
    return _keep(store, kind, key, _ready(kind, document), write)


def update(store: Store, kind: Kind, key: Key, sent: dict[str, Any], write: Write) -> dict[str, Any]:
    """Put another version in an object's place. Raises ApiError, so where another was faster."""
    old = store.get(kind, key).document
    document = copy.deepcopy(sent)
    metadata = document.setdefault("metadata", {})
    version = metadata.get("resourceVersion")
    if version and version != old["metadata"]["resourceVersion"]:
        raise ApiError(
            409, "Conflict", f'Operation cannot be fulfilled on {kind.plural} "{key[1]}": the object has been modified'
        )
    said = metadata.setdefault("name", key[1]), (metadata.setdefault("namespace", key[0]) if key[0] else "")
    if said != (key[1], key[0]):
        raise ApiError(400, "BadRequest", "the name of the object does not match the name on the URL")
    for name in _SERVERS:
        if name in old["metadata"]:
            metadata[name] = copy.deepcopy(old["metadata"][name])
    if write.status:
        document = {**old, "status": document.get("status", {})}
    elif kind.plural not in ("pods", "deployments"):
        document.setdefault("status", old.get("status"))
        if document["status"] is None:
            del document["status"]
    if document.get("spec") != old.get("spec"):
        document["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1
    return _keep(store, kind, key, _ready(kind, document), write)


def apply(store: Store, kind: Kind, key: Key, sent: dict[str, Any], write: Write) -> dict[str, Any]:
    """Server-side apply: what this manager said before and says no more goes; what others own is in conflict."""
    service = kind.plural == "services"
    document = copy.deepcopy(sent)
    document.setdefault("metadata", {}).setdefault("name", key[1])
    if not store.has(kind, key):
        return create(store, kind, key[0], document, Write(write.dry_run, write.manager, status=True))
    old = store.get(kind, key).document
    live = copy.deepcopy(old)
    mine = _owned(sent, service=service)
    for entry in live["metadata"].get("managedFields", []):
        theirs = from_fields_v1(entry["fieldsV1"])
        if entry["manager"] == write.manager and entry["operation"] == "Apply":
            for path in sorted(theirs - mine, key=len, reverse=True):
                remove(live, path)
        elif not write.force:
            _refuse_conflicts(
                entry["manager"], [path for path in theirs & mine if read(live, path) != read(sent, path)]
            )
    merged = strategic(live, {name: value for name, value in document.items() if name != "status"}, service=service)
    return update(store, kind, key, merged, Write(write.dry_run, write.manager, force=True))


def _refuse_conflicts(manager: str, paths: list[tuple[str, ...]]) -> None:
    if paths:
        fields = ["." + ".".join(part.partition(":")[2] for part in path) for path in sorted(paths)]
        causes = tuple(
            {"reason": "FieldManagerConflict", "message": f'conflict with "{manager}"', "field": one} for one in fields
        )
        words = f'Apply failed with {len(fields)} conflict(s): conflicts with "{manager}": {", ".join(fields)}'
        raise ApiError(409, "Conflict", words, causes)


def _owned(document: dict[str, Any], *, service: bool = False) -> set[tuple[str, ...]]:
    """The leaves that whoever sends this owns."""
    metadata = {k: v for k, v in document.get("metadata", {}).items() if k in ("labels", "annotations", "finalizers")}
    said = {**{name: value for name, value in document.items() if name != "metadata"}, "metadata": metadata}
    return {path for path in fields_of(said, service=service) if path[0] not in _NOT_OWNED and path != ("f:metadata",)}


def _keep(store: Store, kind: Kind, key: Key, document: dict[str, Any], write: Write) -> dict[str, Any]:
    """Note who owns what, and keep the document unless it is a trial."""
    old = store.get(kind, key).document if store.has(kind, key) else None
    document = {"kind": kind.kind, "apiVersion": kind.api_version, **document}
    _manage(kind, document, old, write)
    if write.dry_run:
        return document
    return store.put(kind, key, document).document


def _manage(kind: Kind, document: dict[str, Any], old: dict[str, Any] | None, write: Write) -> None:
    applied = write.force or (old is None and write.status)
    service = kind.plural == "services"
    before = _owned(old, service=service) if old is not None else set()
    mine = _owned(document, service=service)
    if old is not None:
        mine = {path for path in mine if path not in before or read(document, path) != read(old, path)}
    operation = "Apply" if applied else "Update"
    entries = []
    for entry in (old or {}).get("metadata", {}).get("managedFields", []):
        fields = from_fields_v1(entry["fieldsV1"])
        if entry["manager"] == write.manager and entry["operation"] == operation:
            mine |= {path for path in fields if read(document, path) is not None}
            continue
        left = {path for path in fields - mine if read(document, path) is not None}
        if left:
            entries.append({**entry, "fieldsV1": fields_v1(left)})
    if mine:
        entries.append({
            "manager": write.manager, "operation": operation, "apiVersion": kind.api_version, "time": now(),
            "fieldsType": "FieldsV1", "fieldsV1": fields_v1(mine),
        })  # fmt: skip
    document["metadata"]["managedFields"] = entries


def delete(store: Store, kind: Kind, key: Key, *, dry_run: bool) -> Stored:
    """Forget an object, and what it holds. Raises ApiError."""
    found = store.get(kind, key)
    if dry_run:
        return found
    if kind is NAMESPACE:
        for other in store.kinds():
            for inner in [inner for inner in store.keys(other) if inner[0] == key[1]]:
                store.remove(other, inner)
    return store.remove(kind, key)


# --- what the server adds ---------------------------------------------------------------------------------------------


def _ready(kind: Kind, document: dict[str, Any]) -> dict[str, Any]:
    """The document as its kind's defaults and controllers would have it."""
    match kind.plural:
        case "secrets":
            _secret(document)
        case "pods":
            _pod(document)
        case "deployments" | "replicasets":
            _deployment(document)
        case "namespaces":
            document.setdefault("spec", {"finalizers": ["kubernetes"]})
            document["status"] = {"phase": "Active"}
        case "services":
            spec = document.setdefault("spec", {})
            spec.setdefault("type", "ClusterIP")
            spec.setdefault("clusterIP", "10.96.0.7")
            for port in spec.get("ports", []):
                port.setdefault("protocol", "TCP")
                port.setdefault("targetPort", port.get("port"))
    return document


def _secret(document: dict[str, Any]) -> None:
    data = document.get("data") or {}
    for name, value in data.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            words = 'Secret in version "v1" cannot be handled as a Secret: illegal base64 data'
            raise ApiError(400, "BadRequest", f"{words}, error found in data.{name}") from error
    for name, value in (document.pop("stringData", None) or {}).items():
        data[name] = base64.b64encode(str(value).encode()).decode()
    if sum(map(len, data.values())) > _MAX_DATA_BYTES:
        words = f'Secret "{document["metadata"].get("name")}" is invalid: data: Too long: may not be more than 1048576'
        raise ApiError(422, "Invalid", words)
    if data:
        document["data"] = data
    document.setdefault("type", "Opaque")


def _pod(document: dict[str, Any]) -> None:
    spec = document.setdefault("spec", {})
    spec.setdefault("nodeName", "node-1")
    spec.setdefault("restartPolicy", "Always")
    started = document["metadata"].get("creationTimestamp") or now()
    status = document["status"] = {"podIP": "10.244.0.7", "hostIP": "192.0.2.1", **(document.get("status") or {})}
    status.update(phase="Running", startTime=started)
    status["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": started}]
    for listed, told in (
        ("containers", "containerStatuses"),
        ("initContainers", "initContainerStatuses"),
        ("ephemeralContainers", "ephemeralContainerStatuses"),
    ):
        if spec.get(listed):
            status[told] = [_container(one, started) for one in spec[listed]]


def _container(container: dict[str, Any], started: str) -> dict[str, Any]:
    container.setdefault("image", "none")
    return {
        "name": container["name"], "image": container["image"], "imageID": "", "ready": True, "started": True,
        "restartCount": 0, "containerID": f"local://{container['name']}", "state": {"running": {"startedAt": started}},
    }  # fmt: skip


def _deployment(document: dict[str, Any]) -> None:
    spec = document.setdefault("spec", {})
    replicas = spec.setdefault("replicas", 1)
    ready = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas", "updatedReplicas"), replicas)
    at = document["metadata"].get("creationTimestamp") or now()
    document["status"] = {
        "observedGeneration": document["metadata"].get("generation", 1), **ready,
        "conditions": [{
            "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "it is available",
            "lastTransitionTime": at, "lastUpdateTime": at,
        }],
    }  # fmt: skip
