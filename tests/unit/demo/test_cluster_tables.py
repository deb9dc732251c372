"""Objects as a client asks to see them."""

import json
from typing import Any

import pytest

from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_kinds import BY_PATH
from doorward_demo.cluster_store import Store, Stored
from doorward_demo.cluster_tables import Shape

SECRETS = BY_PATH["", "v1", "secrets"]
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.fixture
def secret() -> Stored:
    document: dict[str, Any] = {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "db", "namespace": "default"},
        "type": "Opaque",
        "data": {"a": "eA=="},
    }
    return Store().put(SECRETS, ("default", "db"), document)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "Secret"),
        ("*/*", "Secret"),
        (f"{TABLE},application/json", "Table"),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", "Secret"),
        ("application/vnd.kubernetes.protobuf,application/json", "Secret"),
        ("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "PartialObjectMetadata"),
    ],
)
def test_one_object_has_the_first_shape_that_can_be_given(secret: Stored, accept: str, kind: str) -> None:
    assert json.loads(Shape(accept).one(SECRETS, secret))["kind"] == kind


def test_what_cannot_be_given_is_not_acceptable() -> None:
    with pytest.raises(ApiError) as error:
        Shape("application/vnd.kubernetes.protobuf")
    assert error.value.code == 406


def test_items_of_a_list_leave_out_their_kind_as_the_api_does(secret: Stored) -> None:
    found = json.loads(Shape("").many(SECRETS, [secret], {"resourceVersion": "7"}))
    assert (found["kind"], found["metadata"]) == ("SecretList", {"resourceVersion": "7"})
    assert "kind" not in found["items"][0]
    assert found["items"][0]["data"] == {"a": "eA=="}


@pytest.mark.parametrize(("include", "kind"), [("", "PartialObjectMetadata"), ("Object", "Secret")])
def test_rows_hold_what_was_asked_for(secret: Stored, include: str, kind: str) -> None:
    table = json.loads(Shape(TABLE, include).many(SECRETS, [secret], {}))
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Type", "Data", "Age"]
    assert table["rows"][0]["cells"][:3] == ["db", "Opaque", 1]
    assert table["rows"][0]["object"]["kind"] == kind
    assert "object" not in json.loads(Shape(TABLE, "None").many(SECRETS, [secret], {}))["rows"][0]
