"""Objects kept, versioned, selected and watched."""

from typing import Any

import pytest

from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_kinds import BY_PATH
from doorward_demo.cluster_store import HISTORY, Selection, Store, cut

PODS = BY_PATH["", "v1", "pods"]


def pod(name: str, namespace: str = "default", **labels: str) -> dict[str, Any]:
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace, "labels": labels}}


@pytest.fixture
def store() -> Store:
    kept = Store()
    for one in (pod("a", app="x"), pod("b", app="y", tier="front"), pod("c", namespace="other")):
        kept.put(PODS, (one["metadata"]["namespace"], one["metadata"]["name"]), one)
    return kept


def names(store: Store, **selection: str) -> list[str]:
    return [key[1] for key, _ in store.select(Selection(PODS, **selection))]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ("app=x", ["a"]),
        ("app==x", ["a"]),
        ("app!=x", ["b", "c"]),
        ("app in (x, y)", ["a", "b"]),
        ("app notin (x),tier", ["b"]),
        ("!app", ["c"]),
        ("", ["a", "b", "c"]),
    ],
)
def test_labels_select(store: Store, labels: str, found: list[str]) -> None:
    assert names(store, labels=labels) == found


def test_fields_and_namespaces_select(store: Store) -> None:
    assert names(store, fields="metadata.name=a") == ["a"]
    assert names(store, fields="metadata.namespace!=default") == ["c"]
    assert names(store, namespace="other") == ["c"]


def test_the_same_document_again_is_no_new_version(store: Store) -> None:
    version = store.version
    store.put(PODS, ("default", "a"), pod("a", app="x"))
    assert store.version == version
    store.put(PODS, ("default", "a"), pod("a", app="z"))
    assert store.version == version + 1


def test_what_happened_is_told_from_a_version_on(store: Store) -> None:
    version = store.version
    store.put(PODS, ("default", "a"), pod("a", app="z"))
    store.remove(PODS, ("default", "b"))
    assert [(one.type, one.key[1]) for one in store.since(version)] == [("MODIFIED", "a"), ("DELETED", "b")]
    assert store.since(store.version) == []


def test_a_version_that_is_too_old_is_told_so(store: Store) -> None:
    for number in range(HISTORY + 1):
        store.put(PODS, ("default", "a"), pod("a", app=str(number)))
    with pytest.raises(ApiError, match="too old"):
        store.since(1)


def test_a_list_is_cut_into_pages_of_one_version(store: Store) -> None:
    found = store.select(Selection(PODS))
    first, metadata = cut(found, 2, "", store.version)
    assert [key[1] for key, _ in first] == ["a", "b"]
    assert metadata["remainingItemCount"] == 1
    rest, last = cut(found, 2, metadata["continue"], store.version + 5)
    assert [key[1] for key, _ in rest] == ["c"]
    assert last == {"resourceVersion": metadata["resourceVersion"]}
    with pytest.raises(ApiError):
        cut(found, 2, "no token", store.version)


def test_what_is_not_there_is_not_found(store: Store) -> None:
    with pytest.raises(ApiError, match='pods "z" not found'):
        store.get(PODS, ("default", "z"))
