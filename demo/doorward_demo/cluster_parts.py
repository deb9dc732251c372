"""Parts of objects with paths of their own, and questions that are asked by making an object.

What it is: scale, status, eviction, tokens, ephemeral containers, approvals of certificates, and who may do what.
Implements: these subresources and reviews of the Kubernetes API.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from doorward_demo import cluster_write as writes
from doorward_demo.cluster_calls import Call, User
from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_patch import merge_patch, strategic
from doorward_demo.cluster_store import Store

Allows = Callable[[User, str, str], bool]


def part_of(store: Store, call: Call, allows: Allows) -> tuple[int, dict[str, Any]]:
    """Answer a call of a subresource, or of a kind that is never kept. Raises ApiError."""
    if not call.kind.stored:
        return 201, _review(call, allows)
    assert call.subresource is not None
    match call.subresource.name:
        case "scale":
            return 200, _scale(store, call)
        case "eviction":
            writes.delete(store, call.kind, call.key, dry_run=call.dry_run)
            return 201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
        case "token":
            return 201, _token(store, call)
    old = store.get(call.kind, call.key).document
    if call.verb == "get":
        return 200, old
    new = call.document() if call.verb == "update" else _patched(call, old)
    write = writes.Write(
        call.dry_run, call.one("fieldManager") or "unknown", status=call.subresource.name != "ephemeralcontainers"
    )
    return 200, writes.update(store, call.kind, call.key, new, write)


def _patched(call: Call, old: dict[str, Any]) -> Any:
    patch = call.document() if not call.body.startswith(b"[") else None
    kind = call.header(b"content-type")
    if "json-patch" in kind:
        raise ApiError(415, "UnsupportedMediaType", "parts of objects take merge patches")
    return strategic(old, patch) if "strategic" in kind else merge_patch(old, patch)


def _scale(store: Store, call: Call) -> dict[str, Any]:
    old = store.get(call.kind, call.key).document
    if call.verb != "get":
        sent = call.document() if call.verb == "update" else _patched(call, {"spec": {"replicas": 0}})
        changed = {**old, "spec": {**old["spec"], "replicas": int(sent["spec"]["replicas"])}}
        old = writes.update(store, call.kind, call.key, changed, writes.Write(call.dry_run, "scale"))
    metadata = {name: old["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")}
    replicas = old["spec"]["replicas"]
    return {
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": {"replicas": replicas},
        "status": {"replicas": replicas},
    }  # fmt: skip


def _token(store: Store, call: Call) -> dict[str, Any]:
    store.get(call.kind, call.key)
    sent = call.document()
    seconds = int(sent.get("spec", {}).get("expirationSeconds") or 3600)
    expires = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = {"token": f"demo.{secrets.token_urlsafe(24)}", "expirationTimestamp": expires}
    return {
        "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", **sent,
        "metadata": {"name": call.name, "namespace": call.namespace}, "status": status,
    }  # fmt: skip


def _review(call: Call, allows: Allows) -> dict[str, Any]:
    sent = {"kind": call.kind.kind, "apiVersion": call.kind.api_version, "metadata": {}, **call.document()}
    if call.kind.kind == "SelfSubjectReview":
        return {**sent, "status": {"userInfo": call.user.info()}}
    asked = sent.get("spec", {}).get("resourceAttributes", {})
    part = asked.get("subresource")
    plural = asked.get("resource", "") + (f"/{part}" if part else "")
    return {**sent, "status": {"allowed": allows(call.user, asked.get("verb", ""), plural)}}
