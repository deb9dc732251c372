"""The API's schema, as far as kubectl needs it: to explain kinds, to check what is applied, to know what may be tried.

What it is: OpenAPI v3 for each version of each group, and v2 for everything, made of the same few field trees.
What it will not do: know every field. What is not named here may still be sent.
Implements: OpenAPI 3.0 and 2.0 with the Kubernetes extensions that kubectl reads.
"""

import hashlib
import json
from typing import Any, Final

from doorward_demo.cluster_kinds import KINDS, Kind, of_version

_STRING: Final = {"type": "string"}
_INTEGER: Final = {"type": "integer", "format": "int32"}
_STRINGS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_ANY: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def _list(items: dict[str, Any], key: str = "") -> dict[str, Any]:
    merged = {"x-kubernetes-patch-merge-key": key, "x-kubernetes-patch-strategy": "merge"} if key else {}
    return {"type": "array", "items": items, **merged}


def _tree(description: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "description": description, "properties": properties}


_ENV: Final = _tree("EnvVar is a variable of a container.", name=_STRING, value=_STRING, valueFrom=_ANY)
_PORT: Final = _tree("A port of a container.", name=_STRING, containerPort=_INTEGER, protocol=_STRING)
_CONTAINER: Final = _tree(
    "A container that runs within a pod.",
    name=_STRING, image=_STRING, command=_list(_STRING), args=_list(_STRING), env=_list(_ENV, "name"),
    ports=_list(_PORT, "containerPort"), resources=_ANY, volumeMounts=_list(_ANY, "mountPath"), imagePullPolicy=_STRING,
    stdin={"type": "boolean"}, tty={"type": "boolean"}, workingDir=_STRING, securityContext=_ANY,
    targetContainerName=_STRING, terminationMessagePolicy=_STRING, terminationMessagePath=_STRING,
)  # fmt: skip
_POD_SPEC: Final = _tree(
    "PodSpec is a description of a pod.",
    containers=_list(_CONTAINER, "name"), initContainers=_list(_CONTAINER, "name"),
    ephemeralContainers=_list(_CONTAINER, "name"), volumes=_list(_ANY, "name"), nodeName=_STRING, hostPID={
        "type": "boolean"
    }, hostNetwork={"type": "boolean"}, restartPolicy=_STRING, serviceAccountName=_STRING,
    terminationGracePeriodSeconds=_INTEGER, dnsPolicy=_STRING, securityContext=_ANY, schedulerName=_STRING,
)  # fmt: skip
_METADATA: Final = _tree(
    "ObjectMeta is metadata that all persisted resources must have.",
    name=_STRING, generateName=_STRING, namespace=_STRING, labels=_STRINGS, annotations=_STRINGS, uid=_STRING,
    resourceVersion=_STRING, generation=_INTEGER, creationTimestamp=_STRING, deletionTimestamp=_STRING,
    managedFields=_list(_ANY), ownerReferences=_list(_ANY, "uid"), finalizers=_list(_STRING),
)  # fmt: skip
_TEMPLATE: Final = _tree("The pods to make.", metadata=_METADATA, spec=_POD_SPEC)
_SPECS: Final[dict[str, dict[str, Any]]] = {
    "Pod": {"spec": _POD_SPEC},
    "Deployment": {
        "spec": _tree(
            "DeploymentSpec is the specification of the desired behavior of the Deployment.",
            replicas=_INTEGER,
            selector=_ANY,
            template=_TEMPLATE,
            strategy=_ANY,
            revisionHistoryLimit=_INTEGER,
            progressDeadlineSeconds=_INTEGER,
            minReadySeconds=_INTEGER,
            paused={"type": "boolean"},
        )
    },
    "Secret": {"data": _STRINGS, "stringData": _STRINGS, "type": _STRING, "immutable": {"type": "boolean"}},
    "ConfigMap": {"data": _STRINGS, "binaryData": _STRINGS, "immutable": {"type": "boolean"}},
    "Service": {
        "spec": _tree(
            "ServiceSpec describes the attributes of a service.",
            type=_STRING,
            clusterIP=_STRING,
            clusterIPs=_list(_STRING),
            selector=_STRINGS,
            sessionAffinity=_STRING,
            ipFamilies=_list(_STRING),
            ipFamilyPolicy=_STRING,
            internalTrafficPolicy=_STRING,
            ports=_list(_tree("A port.", name=_STRING, port=_INTEGER, targetPort=_ANY, protocol=_STRING), "port"),
        )
    },
    "Voucher": {"spec": _tree("A voucher of the shop.", code=_STRING, owner=_STRING, amount=_INTEGER)},
}
_QUERY: Final = tuple(
    {"name": name, "in": "query", "schema": _STRING, "uniqueItems": True}
    for name in ("dryRun", "fieldManager", "fieldValidation", "pretty")
)


def _name(kind: Kind) -> str:
    group = kind.group.partition(".")[0] or "core"
    return f"io.k8s.api.{group}.{kind.version}.{kind.kind}"


def _gvk(kind: Kind) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _definition(kind: Kind) -> dict[str, Any]:
    members = _SPECS.get(kind.kind) or {"spec": _ANY, **_loose(kind)}
    return {
        **_tree(f"{kind.kind} of {kind.api_version}.", apiVersion=_STRING, kind=_STRING, metadata=_METADATA,
                **members, status=_ANY),
        "x-kubernetes-group-version-kind": [_gvk(kind)],
    }  # fmt: skip


def _loose(kind: Kind) -> dict[str, Any]:
    if kind.group == "rbac.authorization.k8s.io":
        return {"rules": _list(_ANY), "subjects": _list(_ANY), "roleRef": _ANY, "aggregationRule": _ANY}
    if kind.kind == "ServiceAccount":
        return {"secrets": _list(_ANY), "imagePullSecrets": _list(_ANY)}
    return {}


def path_of(kind: Kind) -> str:
    """The path of one object, as the schema names it."""
    return f"{kind.root}{'/namespaces/{namespace}' if kind.namespaced else ''}/{kind.plural}/{{name}}"


def _operation(action: str, kind: Kind, *, parameters: Any = _QUERY) -> dict[str, Any]:
    return {
        "operationId": f"{action}{kind.kind}", "x-kubernetes-action": action, "parameters": list(parameters),
        "x-kubernetes-group-version-kind": _gvk(kind), "responses": {"200": {"description": "OK"}},
    }  # fmt: skip


def _paths(kinds: list[Kind], parameters: Any = _QUERY) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for kind in kinds:
        whole, one = path_of(kind).removesuffix("/{name}"), path_of(kind)
        paths[whole] = {"get": _operation("list", kind), "post": _operation("post", kind, parameters=parameters)}
        if kind.stored:
            actions = (("get", "get"), ("put", "put"), ("patch", "patch"), ("delete", "delete"))
            paths[one] = {method: _operation(name, kind, parameters=parameters) for method, name in actions}
    return paths


def _v3(group: str, version: str) -> bytes:
    kinds = of_version(group, version)
    return json.dumps({
        "openapi": "3.0.0", "info": {"title": "Doorward demonstration", "version": "v1.32.0"},
        "paths": _paths(kinds), "components": {"schemas": {_name(kind): _definition(kind) for kind in kinds}},
    }).encode()  # fmt: skip


def _v2() -> bytes:
    parameters = [{"name": one["name"], "in": "query", "type": "string", "uniqueItems": True} for one in _QUERY]
    return json.dumps({
        "swagger": "2.0", "info": {"title": "Doorward demonstration", "version": "v1.32.0"},
        "paths": _paths(list(KINDS), parameters), "definitions": {_name(kind): _definition(kind) for kind in KINDS},
    }).encode()  # fmt: skip


def _documents() -> dict[str, bytes]:
    versions = {(kind.group, kind.version): kind.root.strip("/") for kind in KINDS}
    documents = {f"/openapi/v3/{root}": _v3(*version) for version, root in versions.items()}
    index = {
        path.removeprefix("/openapi/v3/"): {
            "serverRelativeURL": f"{path}?hash={hashlib.sha256(body).hexdigest().upper()}"
        }
        for path, body in documents.items()
    }
    return {**documents, "/openapi/v3": json.dumps({"paths": index}).encode(), "/openapi/v2": _v2()}


DOCUMENTS: Final = _documents()
"""Every schema document there is, by its path."""
