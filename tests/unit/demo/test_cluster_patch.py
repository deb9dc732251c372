"""Patches of API objects, of each kind that there is."""

import json

import pytest

from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_patch import (
    fields_of,
    fields_v1,
    from_fields_v1,
    json_patch,
    merge_patch,
    read,
    remove,
    strategic,
)

POD = {"spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]}}


def test_a_merge_patch_replaces_lists_and_takes_away_with_null() -> None:
    assert merge_patch({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": None}, "d": [2]}) == {"a": {"c": 2}, "d": [2]}


def test_a_json_patch_does_what_it_says_in_order() -> None:
    patch = [
        {"op": "test", "path": "/a/0", "value": 1},
        {"op": "add", "path": "/a/-", "value": 3},
        {"op": "replace", "path": "/b~1c", "value": "new"},
        {"op": "remove", "path": "/d"},
    ]
    assert json_patch({"a": [1, 2], "b/c": "old", "d": 0}, patch) == {"a": [1, 2, 3], "b/c": "new"}


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "replace", "path": "/no", "value": 1}],
        [{"op": "remove", "path": "/a/7"}],
        [{"op": "test", "path": "/a", "value": 2}],
        {"op": "add"},
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(patch: object) -> None:
    with pytest.raises(ApiError):
        json_patch({"a": [1]}, patch)


def test_a_strategic_patch_merges_lists_by_their_key() -> None:
    patch = {"spec": {"containers": [{"name": "a", "env": [{"name": "Y", "value": "3"}]}, {"name": "b"}]}}
    assert strategic(POD, patch) == {
        "spec": {
            "containers": [
                {"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "3"}]},
                {"name": "b"},
            ]
        }
    }
    ports = {"spec": {"ports": [{"port": 80, "name": "a"}]}}
    changed = strategic(ports, {"spec": {"ports": [{"port": 80, "name": "b"}]}}, service=True)
    assert changed == {"spec": {"ports": [{"port": 80, "name": "b"}]}}


def test_the_directives_of_a_strategic_patch_are_obeyed() -> None:
    env = [{"name": "X", "$patch": "delete"}]
    patch = {"spec": {"containers": [{"name": "a", "env": env, "$setElementOrder/env": [{"name": "Y"}]}]}}
    assert strategic(POD, patch)["spec"]["containers"] == [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]
    assert strategic({"a": {"b": 1, "c": 2}}, {"a": {"$retainKeys": ["c"]}}) == {"a": {"c": 2}}
    assert strategic({"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}) == {"a": {"c": 2}}
    kept = strategic({"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"]})
    assert kept == {"finalizers": ["b"]}
    assert strategic({"finalizers": ["a"]}, {"finalizers": ["a", "b"]}) == {"finalizers": ["a", "b"]}
    order = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    both = {"containers": [{"name": "a"}, {"name": "b"}]}
    assert strategic(both, order) == {"containers": [{"name": "b"}, {"name": "a"}]}


def test_fields_are_named_as_the_api_names_them_and_read_back() -> None:
    fields = fields_of(POD)
    nested = fields_v1(fields)
    assert from_fields_v1(nested) == fields
    env = nested["f:spec"]["f:containers"]['k:{"name":"a"}']["f:env"]
    assert set(env) == {'k:{"name":"X"}', 'k:{"name":"Y"}'}
    assert {read(POD, path) for path in fields} == {"a", "X", "Y", "1", "2"}


def test_a_field_is_taken_away_with_what_it_leaves_empty() -> None:
    document = json.loads(json.dumps(POD))
    item = ("f:spec", "f:containers", 'k:{"name":"a"}', "f:env", 'k:{"name":"X"}')
    remove(document, (*item, "f:value"))
    assert document["spec"]["containers"][0]["env"] == [{"name": "Y", "value": "2"}]
