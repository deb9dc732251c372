"""What a call does, whatever its method says."""

import pytest

from doorward_core.http.paths import canonical
from doorward_core.model import Action
from doorward_k8s.calls import read_call
from doorward_k8s.effects import effects


def of(method, target, document=None, media="application/json"):
    found = canonical(target.encode())
    return effects(read_call(method, found.path, found.query), document, media)


POD = "/api/v1/namespaces/shop/pods/web-0"


@pytest.mark.parametrize(
    ("method", "target", "label", "actions"),
    [
        ("GET", "/version", "discovery", "session"),
        ("GET", "/metrics", "read", "read"),
        ("GET", POD, "read", "read"),
        ("GET", f"{POD}/log", "read", "read"),
        ("GET", "/api/v1/namespaces/shop/secrets/db", "secret-read", "read"),
        ("GET", "/api/v1/secrets?watch=1", "secret-read", "read"),
        ("DELETE", POD, "write", "write"),
        ("DELETE", "/api/v1/namespaces/shop/pods", "write", "write"),
        ("PATCH", "/apis/x.example/v1/namespaces/shop/things/a", "write", "write"),
        ("GET", f"{POD}/exec", "exec", "execute"),
        ("POST", f"{POD}/exec", "exec", "execute"),
        ("GET", f"{POD}/attach", "exec", "execute"),
        ("PATCH", f"{POD}/ephemeralcontainers", "exec", "execute write"),
        ("GET", f"{POD}/portforward", "forward", "forward"),
        ("GET", f"{POD}/proxy/x", "forward", "forward"),
        ("GET", "/api/v1/namespaces/shop/services/web:80/proxy/", "forward", "forward"),
        ("GET", "/api/v1/nodes/n1/proxy/run/x", "privilege", "admin forward"),
        ("POST", f"{POD}/binding", "privilege", "admin write"),
        ("POST", f"{POD}/eviction", "privilege", "admin write"),
        ("POST", "/api/v1/namespaces/shop/bindings", "privilege", "admin write"),
        ("POST", "/api/v1/namespaces/shop/serviceaccounts/a/token", "privilege", "admin write"),
        ("PUT", "/apis/certificates.k8s.io/v1/certificatesigningrequests/a/approval", "privilege", "admin write"),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings", "privilege", "admin write"),
        ("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "privilege", "admin write"),
        ("PATCH", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/a", "privilege", "admin write"),
        ("PATCH", "/api/v1/nodes/n1", "privilege", "admin write"),
        ("DELETE", "/api/v1/namespaces/shop", "privilege", "admin write"),
        ("POST", "/apis/x.example/v1/clusterthings", "privilege", "admin write"),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "discovery", "session"),
        ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", "read", "read"),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", "read", "read"),
        ("GET", "/apis/subresources.kubevirt.io/v1/namespaces/shop/vms/a/console", "unknown", "unknown"),
        ("POST", f"{POD}/log", "unknown", "unknown"),
        ("GET", f"{POD}/checkpoint", "unknown", "unknown"),
        ("PUT", "/api/v1/namespaces/shop/pods", "unknown", "unknown"),
    ],
)
def test_a_call_has_the_class_of_what_it_does(method, target, label, actions):
    found = of(method, target)
    assert (found.label, " ".join(found.actions)) == (label, actions), found.problem


def test_a_pod_that_reaches_into_its_node_is_power_and_says_by_what():
    found = of("POST", "/api/v1/namespaces/shop/pods", {"spec": {"hostNetwork": True}})
    assert (found.label, found.actions, found.powers) == (
        "privilege",
        (Action.ADMIN, Action.WRITE),
        ("hostNetwork",),
    )
    debugging = {"spec": {"ephemeralContainers": [{"securityContext": {"privileged": True}}]}}
    found = of("PATCH", f"{POD}/ephemeralcontainers", debugging)
    assert found.actions == (Action.ADMIN, Action.EXECUTE, Action.WRITE)
