"""What a JSON Patch takes from where a mask is: copied, moved, or asked about."""

import json

import pytest

from doorward_core.model import Mask, Transform
from doorward_k8s.documents import JSON_PATCH
from doorward_k8s.object_paths import LAST_APPLIED, ObjectPaths, Resource
from doorward_k8s.objects import ObjectMasks
from doorward_k8s.patches import takes_hidden

SECRETS, DEPLOYMENTS = Resource("", "secrets"), Resource("apps", "deployments")
HIDE = Mask("hide", ("secrets", "env", "deployments:$.metadata.labels.x"), (), Transform.REDACT, "secret")
FIND = Mask("find", (), ("email",), Transform.REDACT, "email")
APPLIED = "/metadata/annotations/" + LAST_APPLIED.replace("/", "~1")
CONTAINER = "/spec/template/spec/containers/0"


def paths(resource: Resource, *masks: Mask) -> ObjectPaths:
    return ObjectMasks(masks or (HIDE,), b"k" * 32).of(resource).paths


def taken(resource: Resource, *operations: object) -> bool:
    return takes_hidden(json.dumps(list(operations)).encode(), JSON_PATCH, paths(resource))


@pytest.mark.parametrize("op", ["copy", "move"])
@pytest.mark.parametrize(
    ("resource", "place", "hidden"),
    [
        (SECRETS, "/data/password", True),
        (SECRETS, "/DATA/password", True),
        (SECRETS, "/data", True),
        (SECRETS, "", True),
        (SECRETS, "x/data/password", True),
        (SECRETS, APPLIED, True),
        (SECRETS, "/metadata/annotations", True),
        (SECRETS, "/metadata/annotations/mine", True),  # variables are hidden at any depth of what makes no pods
        (DEPLOYMENTS, f"{CONTAINER}/env/0/value", True),
        (DEPLOYMENTS, f"{CONTAINER}/env/0", True),
        (DEPLOYMENTS, CONTAINER, True),
        (DEPLOYMENTS, "/spec/template", True),
        (DEPLOYMENTS, f"{CONTAINER}/env/0/name", False),
        (DEPLOYMENTS, f"{CONTAINER}/image", False),
        (DEPLOYMENTS, "/metadata/labels/x", True),
        (DEPLOYMENTS, "/metadata/labels/y", False),
        (Resource("shop.example", "shops"), "/spec/env/0/value", True),
        (Resource("shop.example", "shops"), "/metadata/uid", False),
    ],
)
def test_what_is_copied_or_moved_from_a_hidden_place_is_seen(
    op: str, resource: Resource, place: str, hidden: bool
) -> None:
    assert taken(resource, {"op": op, "from": place, "path": "/metadata/annotations/x"}) is hidden


def test_what_lies_beside_a_hidden_place_may_be_copied() -> None:
    alone = paths(SECRETS, Mask("hide", ("secrets",), (), Transform.REDACT, "secret"))
    for place in ("/metadata/labels/mine", "/type"):
        body = json.dumps([{"op": "copy", "from": place, "path": "/metadata/annotations/x"}]).encode()
        assert not takes_hidden(body, JSON_PATCH, alone)


def test_a_hidden_value_cannot_be_guessed_at() -> None:
    assert taken(SECRETS, {"op": "test", "path": "/data/password", "value": "eA=="})
    assert not taken(SECRETS, {"op": "test", "path": "/metadata/resourceVersion", "value": "7"})


def test_what_only_writes_takes_nothing() -> None:
    operations = [{"op": op, "path": "/data/password", "value": "eA=="} for op in ("add", "replace", "remove")]
    assert not taken(SECRETS, *operations)
    assert taken(SECRETS, *operations, {"op": "copy", "from": "/data/a", "path": "/type"})


@pytest.mark.parametrize(
    "body", [b"{}", b"[1]", b"[{}]", b'[{"op":"copy"}]', b'[{"op":"Copy","from":"/type"}]', b'[{"op":["x"]}]', b"[",
             b'[{"op":"add","op":"copy","from":"/data/a","path":"/type"}]'],
)  # fmt: skip
def test_what_cannot_be_read_is_taken_for_one_that_does(body: bytes) -> None:
    assert takes_hidden(body, JSON_PATCH, paths(SECRETS))


def test_where_nothing_is_hidden_and_in_other_patches_nothing_is_looked_for() -> None:
    body = b'[{"op":"copy","from":"/data/a","path":"/type"}]'
    assert not takes_hidden(
        body, JSON_PATCH, paths(Resource("", "configmaps"), Mask("x", ("secrets",), (), Transform.REDACT, "x"))
    )
    assert not takes_hidden(body, "application/merge-patch+json", paths(SECRETS))


def test_base64_that_detectors_look_into_is_not_taken_to_where_they_do_not() -> None:
    body = b'[{"op":"copy","from":"/data/a","path":"/metadata/annotations/x"}]'
    assert takes_hidden(body, JSON_PATCH, paths(SECRETS, FIND))
