"""What a small cluster knows: its kinds, and how it tells clients about them.

What it is: one row for each kind, and the discovery documents made of the rows, aggregated and legacy.
What it will not do: be complete. It knows what kubectl needs to work with, and one kind of a group of its own.
Implements: the Kubernetes API's discovery (`/api`, `/apis`, `APIGroupDiscoveryList` v2, `APIResourceList`).
"""

from dataclasses import dataclass
from typing import Any, Final

ALL: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CREATE: Final = ("create",)
CHANGE: Final = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """A part of an object with a path of its own. `kind` is what it is answered with, where that is another kind."""

    name: str
    verbs: tuple[str, ...]
    kind: str = ""
    group: str = ""
    version: str = "v1"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind, as its URL names it."""

    group: str
    version: str
    plural: str
    kind: str
    short: tuple[str, ...] = ()
    namespaced: bool = True
    verbs: tuple[str, ...] = ALL
    subresources: tuple[Subresource, ...] = ()
    stored: bool = True

    @property
    def api_version(self) -> str:
        """As objects say it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """Where its version lives."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


STATUS: Final = Subresource("status", CHANGE)
SCALE: Final = Subresource("scale", CHANGE, "Scale", "autoscaling")
_POD: Final = (
    STATUS,
    Subresource("log", ("get",)),
    Subresource("exec", ("create", "get"), "PodExecOptions"),
    Subresource("attach", ("create", "get"), "PodAttachOptions"),
    Subresource("portforward", ("create", "get"), "PodPortForwardOptions"),
    Subresource("eviction", CREATE, "Eviction", "policy"),
    Subresource("ephemeralcontainers", CHANGE),
)
_RBAC: Final = "rbac.authorization.k8s.io"

KINDS: Final = (
    Kind("", "v1", "namespaces", "Namespace", ("ns",), namespaced=False, subresources=(STATUS,)),
    Kind("", "v1", "nodes", "Node", ("no",), namespaced=False, subresources=(STATUS,)),
    Kind("", "v1", "pods", "Pod", ("po",), subresources=_POD),
    Kind("", "v1", "services", "Service", ("svc",), subresources=(STATUS,)),
    Kind("", "v1", "configmaps", "ConfigMap", ("cm",)),
    Kind("", "v1", "secrets", "Secret"),
    Kind("", "v1", "serviceaccounts", "ServiceAccount", ("sa",),
         subresources=(Subresource("token", CREATE, "TokenRequest", "authentication.k8s.io"),)),
    Kind("", "v1", "events", "Event", ("ev",)),
    Kind("apps", "v1", "deployments", "Deployment", ("deploy",), subresources=(STATUS, SCALE)),
    Kind("apps", "v1", "replicasets", "ReplicaSet", ("rs",), subresources=(STATUS, SCALE)),
    Kind("batch", "v1", "jobs", "Job", subresources=(STATUS,)),
    Kind(_RBAC, "v1", "roles", "Role"),
    Kind(_RBAC, "v1", "rolebindings", "RoleBinding"),
    Kind(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    Kind(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Kind("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest", ("csr",),
         namespaced=False, subresources=(STATUS, Subresource("approval", CHANGE))),
    Kind("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview",
         namespaced=False, verbs=CREATE, stored=False),
    Kind("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview",
         namespaced=False, verbs=CREATE, stored=False),
    Kind("shop.example", "v1", "vouchers", "Voucher", ("vo",), subresources=(STATUS,)),
)  # fmt: skip

BY_PATH: Final = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
_VERSIONS: Final = tuple(dict.fromkeys((kind.group, kind.version) for kind in KINDS))
VERSION: Final = {
    "major": "1", "minor": "32", "gitVersion": "v1.32.0", "gitCommit": "", "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.23", "compiler": "gc", "platform": "linux/amd64",
}  # fmt: skip


def of_version(group: str, version: str) -> list[Kind]:
    """The kinds of one version of one group."""
    return [kind for kind in KINDS if (kind.group, kind.version) == (group, version)]


def discover(path: str, *, aggregated: bool) -> Any | None:
    """The discovery document at this path; None where there is none."""
    if path in ("/api", "/apis"):
        return _aggregated(core=path == "/api") if aggregated else _LEGACY[path]
    parts = path.strip("/").split("/")
    match parts:
        case ["version"]:
            return VERSION
        case ["api", version] if of_version("", version):
            return _resources("", version)
        case ["apis", group] if any(group == known for known, _ in _VERSIONS if known):
            return _group(group)
        case ["apis", group, version] if group and of_version(group, version):
            return _resources(group, version)
    return None


def _group(group: str) -> dict[str, Any]:
    versions = [{"groupVersion": f"{group}/{v}", "version": v} for g, v in _VERSIONS if g == group]
    return {
        "kind": "APIGroup", "apiVersion": "v1", "name": group, "versions": versions, "preferredVersion": versions[0],
    }  # fmt: skip


def _resources(group: str, version: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    for kind in of_version(group, version):
        found.append({
            "name": kind.plural, "singularName": kind.kind.lower(), "namespaced": kind.namespaced, "kind": kind.kind,
            "verbs": list(kind.verbs), **({"shortNames": list(kind.short)} if kind.short else {}),
        })  # fmt: skip
        for sub in kind.subresources:
            other = {"group": sub.group, "version": sub.version} if sub.group else {}
            found.append({
                "name": f"{kind.plural}/{sub.name}", "singularName": "", "namespaced": kind.namespaced, **other,
                "kind": sub.kind or kind.kind, "verbs": list(sub.verbs),
            })  # fmt: skip
    api_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": found}


def _aggregated(*, core: bool) -> dict[str, Any]:
    groups: dict[str, list[str]] = {}
    for group, version in _VERSIONS:
        if core == (not group):
            groups.setdefault(group, []).append(version)
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None},
            "versions": [
                {
                    "version": version,
                    "freshness": "Current",
                    "resources": [_aggregated_kind(kind) for kind in of_version(group, version)],
                }
                for version in versions
            ],
        }
        for group, versions in groups.items()
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_kind(kind: Kind) -> dict[str, Any]:
    return {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.kind.lower(),
        "verbs": list(kind.verbs),
        "shortNames": list(kind.short),
        "subresources": [
            {
                "subresource": sub.name,
                "responseKind": {
                    "group": sub.group or kind.group, "version": sub.version, "kind": sub.kind or kind.kind,
                },
                "verbs": list(sub.verbs),
            }
            for sub in kind.subresources
        ],
    }  # fmt: skip


_LEGACY: Final[dict[str, Any]] = {
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/apis": {
        "kind": "APIGroupList", "apiVersion": "v1",
        "groups": [_group(group) for group in dict.fromkeys(group for group, _ in _VERSIONS) if group],
    },
}  # fmt: skip
