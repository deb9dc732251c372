"""What is in the demonstration's cluster: a small shop, its secrets, and as many pods as a measurement asks for.

What it is: documents for `Cluster.add`, the same at every start.
What it will not do: be a secret: the passwords here are made up, and in plain sight.
"""

import json
from typing import Any, Final

from doorward_demo.cluster_write import now

SHOP: Final = "shop"
PASSWORD: Final = "correct-horse-battery"  # noqa: S105 - made up, and what the demonstration shows to be hidden
_DATABASE_URL: Final = f"postgres://shop:{PASSWORD}@db.shop.svc:5432/shop"


def shop() -> tuple[dict[str, Any], ...]:
    """Namespace, deployment, its pods, service, settings and secrets, in the order to make them in."""
    return (
        {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": SHOP}},
        {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default", "namespace": SHOP}},
        _secret("db", {"password": PASSWORD, "url": _DATABASE_URL}),
        _secret("mail", {"from": "orders@shop.example", "api-key": "mk-2f61c9"}),
        {
            "kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "settings", "namespace": SHOP},
            "data": {"currency": "EUR", "contact": "maria@shop.example"},
        },
        {
            "kind": "Deployment", "apiVersion": "apps/v1",
            "metadata": {"name": "web", "namespace": SHOP, "labels": {"app": "web"}},
            "spec": {
                "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": _pod_spec()},
            },
        },
        {
            "kind": "Service", "apiVersion": "v1", "metadata": {"name": "web", "namespace": SHOP},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        *(pod(f"web-{number}", SHOP) for number in range(2)),
    )  # fmt: skip


def _secret(name: str, values: dict[str, str]) -> dict[str, Any]:
    """A Secret as `kubectl apply` leaves it: what was applied stands in its annotation once more."""
    document: dict[str, Any] = {
        "kind": "Secret", "apiVersion": "v1", "metadata": {"name": name, "namespace": SHOP}, "stringData": values,
    }  # fmt: skip
    applied = json.dumps(document, separators=(",", ":")) + "\n"
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": applied}
    return {**document, "metadata": {**document["metadata"], "annotations": annotations}}


def _pod_spec() -> dict[str, Any]:
    return {
        "containers": [{
            "name": "web", "image": "shop/web:1.4.2", "imagePullPolicy": "IfNotPresent",
            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
            "env": [
                {"name": "LOG_LEVEL", "value": "info"},
                {"name": "DATABASE_URL", "value": _DATABASE_URL},
                {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "mail", "key": "api-key"}}},
            ],
            "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "50m", "memory": "64Mi"}},
            "volumeMounts": [{
                "name": "kube-api-access", "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            }],
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        }],
        "volumes": [{
            "name": "kube-api-access",
            "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            ]},
        }],
        "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default", "schedulerName": "default-scheduler", "enableServiceLinks": True,
        "tolerations": [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in ("not-ready", "unreachable")
        ],
    }  # fmt: skip


def pod(name: str, namespace: str = "default") -> dict[str, Any]:
    """A pod of the size that pods have."""
    conditions = [
        {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": now()}
        for kind in ("PodReadyToStartContainers", "Initialized", "ContainersReady", "PodScheduled")
    ]
    return {
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": "web", "pod-template-hash": "5d4f8c7b9"}},
        "spec": _pod_spec(),
        "status": {"conditions": conditions, "qosClass": "Burstable"},
    }  # fmt: skip


def pods(count: int, namespace: str = "default") -> tuple[dict[str, Any], ...]:
    """Many of them, for measurements."""
    return tuple(pod(f"web-{number:05}", namespace) for number in range(count))
