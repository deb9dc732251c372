"""API objects as they stream: what stands in place of a value, by what its place says it is."""

import base64
import json
from typing import Any

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.model import Mask, Transform
from doorward_k8s.object_paths import LAST_APPLIED, Resource
from doorward_k8s.objects import ObjectMasks, Owed

KEY = b"k" * 32
SECRETS = Resource("", "secrets")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def owed(*masks: Mask, resource: Resource = SECRETS) -> Owed:
    return ObjectMasks(masks, KEY).of(resource)


def hide(*columns: str, transform: Transform = Transform.REDACT) -> Mask:
    return Mask("rule", columns, (), transform, "secret")


def find(*detectors: str) -> Mask:
    return Mask("found", (), detectors, Transform.REDACT, "found")


def through(item: Owed, document: Any) -> Any:
    return json.loads(item.masked_object(json.dumps(document).encode()))


def annotated(applied: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {LAST_APPLIED: applied}}}


def applied(document: Any) -> Any:
    return json.loads(document["metadata"]["annotations"][LAST_APPLIED])


@pytest.mark.parametrize(
    ("transform", "shown"),
    [
        (Transform.REDACT, b64("[masked:secret]")),
        (Transform.PARTIAL, b64("h***")),
        (Transform.NULL, None),
    ],
)
def test_what_stands_in_place_of_base64_is_base64(transform: Transform, shown: str | None) -> None:
    item = owed(hide("secrets", transform=transform))
    assert through(item, {"data": {"password": b64("hunter2")}})["data"]["password"] == shown


def test_one_value_has_one_token_in_data_and_in_string_data() -> None:
    item = owed(hide("secrets", transform=Transform.HASH))
    found = through(item, {"data": {"p": b64("hunter2")}, "stringData": {"p": "hunter2"}})
    assert base64.b64decode(found["data"]["p"]).decode() == found["stringData"]["p"] != "hunter2"


@pytest.mark.parametrize("value", [base64.b64encode(b"\xff\xfe\x00").decode(), "no base64 at all!"])
@pytest.mark.parametrize("transform", list(Transform))
def test_bytes_that_are_no_text_are_hidden_whole(value: str, transform: Transform) -> None:
    shown = through(owed(hide("secrets", transform=transform)), {"data": {"p": value}})["data"]["p"]
    assert shown is None or base64.b64decode(shown, validate=True).decode().startswith(("[masked", "secret_"))


def test_a_path_of_any_spelling_keeps_base64_where_it_is_due() -> None:
    found = through(owed(hide("$..password")), {"data": {"password": b64("x")}, "password": "x"})
    assert found == {"data": {"password": b64("[masked:secret]")}, "password": "[masked:secret]"}


def test_a_copy_of_the_object_in_any_annotation_is_masked_where_it_is_one() -> None:
    copy = json.dumps({"kind": "Secret", "data": {"p": b64("hunter2")}})
    kept = {"a": "text", "b": "{no object", "c": "[1]", "d": '{"note": "x"}'}
    document = {"metadata": {"annotations": {"kapp.k14s.io/original": "\n" + copy, **kept}}}
    found = through(owed(hide("secrets")), document)["metadata"]["annotations"]
    assert json.loads(found.pop("kapp.k14s.io/original"))["data"] == {"p": b64("[masked:secret]")}
    assert found == kept


def test_the_object_within_the_annotation_is_masked_and_stays_an_object() -> None:
    inner = json.dumps({"kind": "Secret", "data": {"p": b64("hunter2")}, "type": "Opaque"})
    found = applied(through(owed(hide("secrets")), annotated(inner + "\n")))
    assert found == {"kind": "Secret", "data": {"p": b64("[masked:secret]")}, "type": "Opaque"}


def test_an_annotation_without_a_value_in_it_leaves_as_it_was_spelt() -> None:
    inner = r'"{\u0022kind\u0022:\"Secret\",\"n\":1.50}"'
    body = f'{{"metadata":{{"annotations":{{"{LAST_APPLIED}":{inner}}}}}}}'.encode()
    assert owed(hide("secrets")).masked_object(body) == body


@pytest.mark.parametrize(
    "inner",
    [
        "{",
        "not json",
        '"hunter2"',
        '[{"data":{"p":"hunter2"}}]',
        "\ufeff{}",
        "7",
        '{"data":"' + "\\ud800" + '"}x',
        "[" * 2000,
    ],
)
def test_an_annotation_that_is_no_object_is_hidden_whole(inner: str) -> None:
    found = through(owed(hide("secrets")), annotated(inner))
    assert found["metadata"]["annotations"][LAST_APPLIED] == "[masked:last-applied]"


def test_annotations_within_annotations_end_somewhere() -> None:
    inner: Any = {"data": {"p": b64("hunter2")}}
    for _ in range(4):
        inner = annotated(json.dumps(inner))
    assert b64("hunter2") not in json.dumps(through(owed(hide("secrets")), inner))


def test_detectors_look_into_base64() -> None:
    found = through(owed(find("email")), {"data": {"a": b64("to jane@example.org!"), "b": b64("plain")}})
    assert base64.b64decode(found["data"]["a"]) == b"to [masked:email]!"
    assert found["data"]["b"] == b64("plain")


def test_detectors_look_at_what_should_be_base64_and_is_not() -> None:
    found = through(owed(find("email")), {"data": {"a": "jane@example.org"}})
    assert found["data"]["a"] == "[masked:email]"


def test_detectors_look_into_the_binary_data_of_a_config_map() -> None:
    item = owed(find("email"), resource=Resource("", "configmaps"))
    found = through(item, {"binaryData": {"a": b64("jane@example.org")}, "data": {"b": "jane@example.org"}})
    assert found == {"binaryData": {"a": b64("[masked:email]")}, "data": {"b": "[masked:email]"}}


def test_an_error_does_not_repeat_a_value() -> None:
    item = owed(hide("secrets"))
    message = 'Secret "db" is invalid: data[x]: Invalid value: "hunter2": no'
    found = through(item, {"kind": "Status", "message": message, "details": {"causes": [{"message": message}]}})
    assert found["message"] == 'Secret "db" is invalid: data[x]: Invalid value: [masked:value]'
    assert found["details"]["causes"][0]["message"] == found["message"]
    decoder = 'illegal base64 data at input byte 4, error found in #10 byte of ...|:"hunter2"|..., bigger context'
    assert "hunter2" not in json.dumps(through(item, {"type": "ERROR", "object": {"message": decoder}}))


def test_the_servers_own_numbers_are_kept_from_detectors() -> None:
    document = {
        "metadata": {"resourceVersion": "4111111111111111", "continue": "eyJ2" + "A" * 60},
        "items": [{"metadata": {"uid": "41111111-1111-1111-1111-111111111111", "resourceVersion": "4111111111111111"}}],
    }
    assert through(owed(find("card")), document) == document
    odd = {"metadata": {"resourceVersion": "jane@example.org"}}
    assert through(owed(find("email")), odd)["metadata"]["resourceVersion"] == "[masked:email]"


def test_numbers_and_objects_in_unexpected_places_are_looked_at_too() -> None:
    item = owed(hide("secrets"), find("card"))
    found = through(item, {"message": 4111111111111111, "data": {"a": 5, "b": {"c": True, "d": b64("x")}}})
    assert found == {"message": 0, "data": {"a": 0, "b": {"c": False, "d": b64("[masked:secret]")}}}


def test_cells_are_hidden_where_a_table_comes_though_none_was_asked_for() -> None:
    item = owed(hide("pods:$.status.podIP"), resource=Resource("", "pods"))
    table = {"kind": "Table", "rows": [{"cells": ["web", 1, "10.0.0.7"], "object": {"metadata": {"name": "web"}}}]}
    found = through(item, table)
    assert found["rows"][0]["cells"] == ["[masked:secret]", 0, "[masked:secret]"]
    assert found["rows"][0]["object"] == {"metadata": {"name": "web"}}


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(UnreadableBody):
        owed(hide("secrets")).masked_object(b'{"data": {"a": "b"')


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        (Resource("", "pods"), ("spec",)),
        (Resource("", "pods", "ephemeralcontainers"), ("spec",)),
        (Resource("apps", "deployments"), ("spec", "template", "spec")),
        (Resource("apps", "statefulsets"), ("spec", "template", "spec")),
        (Resource("batch", "jobs"), ("spec", "template", "spec")),
        (Resource("batch", "cronjobs"), ("spec", "jobTemplate", "spec", "template", "spec")),
        (Resource("example.com", "pods"), ("any", "place")),
        (Resource("serving.example.com", "services"), ("spec", "template")),
    ],
)
@pytest.mark.parametrize("listed", ["containers", "initContainers", "ephemeralContainers"])
def test_the_variables_of_containers_are_hidden_wherever_a_kind_has_them(
    resource: Resource, path: tuple[str, ...], listed: str
) -> None:
    document: Any = {listed: [{"env": [{"name": "A", "value": "hunter2"}, {"name": "B", "valueFrom": {"x": "y"}}]}]}
    for name in reversed(path):
        document = {name: document}
    hidden = json.loads(json.dumps(document).replace("hunter2", "[masked:secret]"))
    assert through(owed(hide("env"), resource=resource), document) == hidden


def test_an_annotation_that_is_no_object_is_looked_at_where_nothing_but_a_detector_is_owed() -> None:
    found = through(owed(find("email")), annotated("to jane@example.org"))
    assert found["metadata"]["annotations"][LAST_APPLIED] == "to [masked:email]"


@pytest.mark.parametrize("masks", [(find("email"),), (hide("secrets"),), (hide("secrets"), find("email"))])
def test_the_newline_behind_an_event_does_not_wait_for_the_next(masks: tuple[Mask, ...]) -> None:
    masker = owed(*masks).json()
    event = b'{"type":"ADDED","object":{"kind":"Secret"}}'
    assert masker.feed(event + b"\n") == event + b"\n"
    assert masker.feed(event) == event
    assert masker.feed(b"\n") == b"\n"
    assert masker.end() == b""
