"""API objects through the masker: nothing hidden leaves, everything else leaves as it came, however it was cut."""

import base64
import copy
import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from doorward_core.model import Mask, Transform
from doorward_k8s.object_paths import LAST_APPLIED, Resource
from doorward_k8s.objects import ObjectMasks

KEY = b"k" * 32
MASKS = ObjectMasks((Mask("hide", ("secrets", "env"), (), Transform.REDACT, "secret"),), KEY)
FINDING = ObjectMasks((Mask("find", (), ("email",), Transform.REDACT, "email"),), KEY)
SECRETS = MASKS.of(Resource("", "secrets"))
HIDDEN = "[masked:secret]"

names = st.text("abcdefg.-", min_size=1, max_size=8)
texts = st.text(max_size=12)
# What must not be seen: it begins as nothing else here does.
secrets = st.text('MNOPQRSTUVWXYZ0123456789µß"\\\n', max_size=40).map("MÜSS-{}".format)
others = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(names, below, max_size=3),
    max_leaves=8,
)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@st.composite
def objects(draw: st.DrawFn, value: str, depth: int = 0) -> dict[str, Any]:
    """A Secret, or what looks like one, with the value wherever a Secret may have it."""
    annotations = draw(st.dictionaries(names, texts, max_size=2))
    if depth == 0 and draw(st.booleans()):
        inner = draw(objects(value, depth + 1))
        annotations[LAST_APPLIED] = json.dumps(inner, ensure_ascii=draw(st.booleans())) + draw(
            st.sampled_from(["", "\n"])
        )
    document: dict[str, Any] = {
        "kind": "Secret",
        "metadata": {"name": draw(names), "annotations": annotations, "x": draw(others)},
    }
    if draw(st.booleans()):
        document["data"] = dict.fromkeys(draw(st.lists(names, max_size=3)), b64(value))
    if draw(st.booleans()):
        document["stringData"] = dict.fromkeys(draw(st.lists(names, max_size=3)), value)
    if draw(st.booleans()):
        document["spec"] = {"containers": [{"env": [{"name": "A", "value": value}, {"name": "B"}]}]}
    return document


def wrapped(shape: str, items: list[dict[str, Any]]) -> list[Any]:
    """The documents of one answer that holds these objects."""
    match shape:
        case "list":
            return [{"kind": "SecretList", "metadata": {"continue": "eyJ2Ijoi"}, "items": items}]
        case "table":
            return [{"kind": "Table", "rows": [{"cells": ["db", 1], "object": item} for item in items]}]
        case "watch":
            return [{"type": "ADDED", "object": item} for item in items]
        case "watched table":
            return [{"type": "ADDED", "object": {"rows": [{"cells": ["db"], "object": item}]}} for item in items]
    return items[:1]


def expected(item: dict[str, Any]) -> dict[str, Any]:
    """The object as it should leave, by reading it whole."""
    item = copy.deepcopy(item)
    item.update({name: dict.fromkeys(item[name], b64(HIDDEN)) for name in ("data",) if name in item})
    item.update({name: dict.fromkeys(item[name], HIDDEN) for name in ("stringData",) if name in item})
    if "spec" in item:
        item["spec"]["containers"][0]["env"][0]["value"] = HIDDEN
    annotations = item["metadata"]["annotations"]
    if LAST_APPLIED in annotations:
        annotations[LAST_APPLIED] = expected(json.loads(annotations[LAST_APPLIED]))
    return item


def read(item: dict[str, Any]) -> dict[str, Any]:
    annotations = item["metadata"]["annotations"]
    if LAST_APPLIED in annotations:
        annotations[LAST_APPLIED] = json.loads(annotations[LAST_APPLIED])
    return item


def objects_in(documents: list[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for one in documents:
        held = one.get("object", one) if "type" in one else one
        rows = [row["object"] for row in held.get("rows", [])]
        found += rows or held.get("items") or ([] if "rows" in held or "items" in held else [held])
    return found


@given(
    st.data(), secrets, st.sampled_from(["alone", "list", "table", "watch", "watched table"]), st.booleans(),
    st.lists(st.integers(0, 3000), max_size=6),
)  # fmt: skip
def test_k_06_no_hidden_value_leaves_and_everything_else_does(
    data: st.DataObject, value: str, shape: str, ascii_only: bool, cuts: list[int]
) -> None:
    items = data.draw(st.lists(objects(value), min_size=1, max_size=3))
    documents = wrapped(shape, items)
    body = "\n".join(json.dumps(one, ensure_ascii=ascii_only) for one in documents).encode() + b"\n"
    masker = SECRETS.json()
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    out = b"".join(masker.feed(body[start:end]) for start, end in pairwise(edges)) + masker.end()
    assert out == SECRETS.masked_object(body)
    for spelt in (value.encode(), json.dumps(value)[1:-1].encode(), b64(value).encode().rstrip(b"=")):
        assert spelt not in out
        assert json.dumps(spelt.decode())[1:-1].encode() not in out
    found = objects_in([json.loads(line) for line in out.splitlines()])
    assert [read(item) for item in found] == [expected(item) for item in objects_in(documents)]


@given(others, st.booleans(), st.integers(0, 200))
def test_an_object_without_a_hidden_value_leaves_byte_for_byte(document: Any, spaced: bool, cut: int) -> None:
    held = {"kind": "Secret", "metadata": {"annotations": {LAST_APPLIED: json.dumps({"x": document})}}, "x": document}
    body = json.dumps(held, indent=2 if spaced else None).encode()
    masker = MASKS.of(Resource("", "configmaps")).json()
    assert masker.feed(body[:cut]) + masker.feed(body[cut:]) + masker.end() == body


@given(st.sampled_from(["data", "stringData", "annotation", "last"]), texts, texts)
def test_detectors_find_a_value_plain_in_base64_and_in_text_within_text(place: str, before: str, after: str) -> None:
    value = f"{before} jane@example.org {after}"
    document: dict[str, Any] = {"kind": "Secret", "metadata": {"annotations": {}}}
    if place == "annotation":
        document["metadata"]["annotations"]["note"] = value
    elif place == "last":
        document["metadata"]["annotations"][LAST_APPLIED] = json.dumps({"data": {"a": b64(value)}, "b": value})
    else:
        document[place] = {"a": b64(value) if place == "data" else value}
    out = FINDING.of(Resource("", "secrets")).masked_object(json.dumps(document).encode())
    shown = json.dumps(read(json.loads(out)))
    assert "jane@example.org" not in shown
    assert b64("jane@example.org")[2:-4] not in shown
    for word in json.loads(out).get("data", {}).values():
        assert b"jane@example.org" not in base64.b64decode(word)
