"""What a rule can look at beside an object: what is not known is left out, and what pods name is found anywhere."""

import json

import pytest

from doorward_core.http.paths import canonical
from doorward_k8s.calls import read_call
from doorward_k8s.documents import JSON_PATCH
from doorward_k8s.effects import effects
from doorward_k8s.exec_query import read_exec
from doorward_k8s.facts import Carried, facts_of

PODS = "/api/v1/namespaces/shop/pods"
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
MERGE = "application/strategic-merge-patch+json"


def facts(method, target, document=None, media="application/json", *, unread=False):
    found = canonical(target.encode())
    call = read_call(method, found.path, found.query)
    query = read_exec(found.query)
    return facts_of(call, effects(call, document, media), query, found.query, Carried(document, media, unread))


def pods(method, target, document, media="application/json"):
    return {
        name[4:]: value
        for name, value in facts(method, target, document, media).items()
        if name.startswith("pod.") and value
    }


def template(**spec):
    return {"spec": {"template": {"spec": {"containers": [{"name": "a", "image": "web:1"}], **spec}}}}


def test_a_pod_is_known_by_what_it_names():
    volumes = [
        {"secret": {"secretName": "tls"}},
        {"projected": {"sources": [{"secret": {"name": "api"}}]}},
        {"image": {"reference": "models:1"}},
    ]
    container = {
        "image": "web:1",
        "envFrom": [{"secretRef": {"name": "all"}}],
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "p"}}}],
    }
    spec = {
        "serviceAccountName": "robot",
        "priorityClassName": "high",
        "runtimeClassName": "kata",
        "initContainers": [{"image": "init:1"}],
        "containers": [container],
        "volumes": volumes,
    }
    found = pods("POST", PODS, {"spec": spec})
    assert {name: set(values) for name, values in found.items()} == {
        "serviceAccount": {"robot"},
        "image": {"web:1", "init:1", "models:1"},
        "secret": {"tls", "api", "all", "db"},
        "priorityClass": {"high"},
        "runtimeClass": {"kata"},
    }


@pytest.mark.parametrize(
    ("method", "target", "media"),
    [
        ("POST", PODS, "application/json"),
        ("PUT", WEB, "application/json"),
        ("PATCH", WEB, "application/apply-patch+yaml"),
    ],
)
def test_a_pod_that_names_no_account_runs_as_the_default_one(method, target, media):
    assert pods(method, target, template(), media)["serviceAccount"] == ("default",)
    assert pods(method, target, template(serviceAccountName=""), media)["serviceAccount"] == ("default",)
    assert pods(method, target, template(serviceAccount="robot"), media)["serviceAccount"] == ("robot",)


def test_a_patch_names_what_it_changes_alone():
    assert pods("PATCH", WEB, template(), MERGE) == {"image": ("web:1",)}
    assert pods("PATCH", WEB, {"spec": {"replicas": 2}}, MERGE) == {}
    known = facts("PATCH", WEB, {"spec": {"replicas": 2}}, MERGE)
    assert known["pod.serviceAccount"] == ()


def test_a_patch_of_what_holds_no_pods_says_nothing_of_an_account():
    replaced = [{"op": "replace", "path": "/spec", "value": {"ports": []}}]
    assert pods("PATCH", "/api/v1/namespaces/shop/services/web", replaced, JSON_PATCH) == {}
    assert pods("PATCH", "/apis/x.example/v1/namespaces/shop/things/a", replaced, JSON_PATCH) == {
        "serviceAccount": ("default",)
    }


@pytest.mark.parametrize(
    ("operation", "found"),
    [
        ({"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:1"}, {"image": ("evil:1",)}),
        ({"op": "add", "path": "/a/env/-/valueFrom/secretKeyRef/name", "value": "db"}, {"secret": ("db",)}),
        ({"op": "add", "path": "", "value": template(serviceAccountName="x")}, {"serviceAccount": ("x",), "image": ("web:1",)}),
        ({"op": "remove", "path": "/spec/template/spec/serviceAccountName"}, {"serviceAccount": ("default",)}),
        ({"op": "replace", "path": "/spec", "value": {"paused": True}}, {"serviceAccount": ("default",)}),
        ({"op": "remove", "path": "/spec/paused"}, {}),
        ({"op": "copy", "from": "/metadata/labels/a", "path": "/metadata/labels/b"}, {}),
    ],
)  # fmt: skip
def test_a_json_patch_is_read_by_its_paths(operation, found):
    assert pods("PATCH", WEB, [operation], JSON_PATCH) == found
    assert "pod.image" in facts("PATCH", WEB, [operation], JSON_PATCH)


@pytest.mark.parametrize("op", ["copy", "move", "invented"])
def test_what_a_json_patch_moves_into_a_pod_is_not_known(op):
    moved = [{"op": op, "from": "/metadata/labels/a", "path": "/spec/template/spec/serviceAccountName"}]
    assert not [name for name in facts("PATCH", WEB, moved, JSON_PATCH) if name.startswith("pod.")]


def test_what_cannot_be_read_is_not_known():
    assert "pod.image" not in facts("POST", PODS, None, "application/cbor", unread=True)
    assert "pod.image" not in facts("PUT", f"{PODS}/a/b/c/d", {})


def test_what_makes_no_pods_names_nothing():
    assert facts("GET", PODS)["pod.image"] == ()
    held = json.loads('{"data": {"image": "x", "secretName": "y"}}')
    assert pods("POST", "/api/v1/namespaces/shop/configmaps", held) == {}


def test_a_custom_resource_makes_pods_too():
    document = {"spec": {"deeper": [{"Image": "evil:1", "serviceAccountName": "admin"}]}}
    found = pods("POST", "/apis/x.example/v1/namespaces/shop/things", document)
    assert found == {"image": ("evil:1",), "serviceAccount": ("admin",)}


def test_how_a_deletion_goes_on_is_what_its_body_says():
    target = f"{PODS}/a?propagationPolicy=Background"
    assert facts("DELETE", target)["query.propagationPolicy"] == ("Background",)
    assert facts("DELETE", target, {"propagationPolicy": "Orphan"})["query.propagationPolicy"] == ("Orphan",)
    assert facts("DELETE", target, {})["query.propagationPolicy"] == ()
    assert facts("DELETE", target, {"orphanDependents": True})["query.propagationPolicy"] == ("Orphan",)
    assert "query.propagationPolicy" not in facts("DELETE", target, unread=True)


def test_a_proxied_port_is_known_by_its_number():
    asked = "/api/v1/namespaces/shop/services/{}/proxy/".format
    assert facts("GET", asked("http:web:8080"))["port"] == ("8080",)
    for unknown in ("web", "web:http", "web:080"):
        assert "port" not in facts("GET", asked(unknown))
