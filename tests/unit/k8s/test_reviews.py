"""What is asked about one's own rights becomes the call that it is about, and never a yes."""

import json

import pytest

from doorward_core.http.messages import Head
from doorward_core.http.paths import canonical
from doorward_k8s.calls import read_call
from doorward_k8s.operations import Request
from doorward_k8s.reviews import lists_rights, question, refused

PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def request(document, path=PATH, media="application/json"):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    head = Head("POST", path.encode(), "gw", "https", ())
    return Request(head, canonical(path.encode()), read_call("POST", path, ()), body, media)


def asked(**attributes):
    return question(request({"spec": {"resourceAttributes": attributes}}))


def atoms(found):
    return [[(str(atom.action), atom.target.name, atom.target.detail) for atom in call.atoms] for call in found.calls]


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"verb": "list", "resource": "pods", "namespace": "shop"}, [[("read", "shop/core/pods/", "list")]]),
        ({"verb": "delete", "resource": "deployments", "group": "apps", "namespace": "shop", "name": "web"},
         [[("write", "shop/apps/deployments/web", "delete")]]),
        ({"verb": "create", "resource": "pods", "subresource": "exec", "namespace": "shop"},
         [[("execute", "shop/core/pods/exec/", "connect")]]),
        ({"verb": "get", "resource": "nodes", "namespace": "shop"}, [[("read", "-/core/nodes/", "get")]]),
        ({"verb": "get", "resource": "namespaces", "namespace": "x", "name": "shop"},
         [[("read", "shop/core/namespaces/shop", "get")]]),
        ({"verb": "create", "resource": "serviceaccounts", "subresource": "token", "namespace": "shop", "name": "a"},
         [[("admin", "shop/core/serviceaccounts/token/a", "create"), ("write", "shop/core/serviceaccounts/token/a", "create")]]),
        ({"verb": "get", "resource": "things", "group": "x.example", "namespace": "shop"},
         [[("read", "shop/x.example/things/", "get")], [("read", "-/x.example/things/", "get")]]),
    ],
)  # fmt: skip
def test_a_question_is_about_the_call_that_it_names(attributes, found):
    assert atoms(asked(**attributes)) == found


def test_a_port_forward_is_asked_about_as_the_opening_of_a_tunnel():
    (call,) = asked(verb="create", resource="pods", subresource="portforward", namespace="shop").calls
    assert (call.verb, call.facts["port"]) == ("portforward", ("none",))


def test_a_url_is_one():
    found = question(request({"spec": {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}}))
    assert [call.atoms[0].target.name for call in found.calls] == ["/metrics"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"verb": "*", "resource": "pods"},
        {"verb": "get", "resource": "*"},
        {"verb": "get", "group": "*", "resource": "pods"},
        {"verb": "impersonate", "resource": "users"},
    ],
)
def test_what_policy_cannot_say_yes_to_is_a_no_in_words(attributes):
    found = asked(**attributes)
    assert not found.calls
    assert found.words


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"spec": {}},
        {"spec": {"resourceAttributes": {}, "nonResourceAttributes": {}}},
        {"spec": {"resourceAttributes": {"verb": "bind", "resource": "roles"}}},
        {"spec": {"resourceAttributes": {"verb": "get", "resource": "No Resource"}}},
        {"spec": {"nonResourceAttributes": {"path": "/a//b", "verb": "get"}}},
        [],
        b"k8s\0",
    ],
)
def test_what_says_nothing_that_policy_knows_is_the_clusters(document):
    assert question(request(document)) is None


def test_other_calls_are_none():
    assert question(request({"spec": {}}, "/apis/authorization.k8s.io/v1/subjectaccessreviews")) is None
    assert not lists_rights(request({}).call)
    assert lists_rights(request({}, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews").call)


def test_a_no_is_told_as_the_api_server_tells_it():
    found = asked(verb="list", resource="pods", namespace="shop")
    head, body = refused(found, "No rule.")
    told = json.loads(body)
    assert (head.status, told["kind"], told["spec"]) == (201, "SelfSubjectAccessReview", found.document["spec"])
    assert told["status"] == {"allowed": False, "reason": "doorward: No rule."}
    assert dict(head.headers)[b"content-length"] == str(len(body)).encode()
