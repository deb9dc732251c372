from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from doorward_console.web.openapi import OBJECT, Entry, Parameter, document, schema_of


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    id: bytes
    colour: Colour


@dataclass(frozen=True)
class Outer:
    items: tuple[Inner, ...]
    words: Mapping[str, str]
    maybe: int | None
    ok: bool


async def _thing(_desk, _asked):
    return None


def test_a_schema_is_made_of_the_dataclass_of_the_answer():
    schemas = {}
    assert schema_of(Outer, schemas) == {"$ref": "#/components/schemas/Outer"}
    outer = schemas["Outer"]
    assert outer["required"] == ["items", "words", "maybe", "ok"]
    assert outer["properties"]["items"] == {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}}
    assert outer["properties"]["words"] == {"type": "object", "additionalProperties": {"type": "string"}}
    assert outer["properties"]["maybe"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    assert schemas["Inner"]["properties"]["colour"] == {"type": "string", "enum": ["red"]}


def test_an_entry_says_its_path_query_body_and_roles():
    entry = Entry(
        "POST", "/v1/things/{id}", "Do", _thing, OBJECT, query=(Parameter("how", "words", ("a", "b")),), body=OBJECT
    )
    made = document((entry,), "https://desk.test")
    operation = made["paths"]["/api/v1/things/{id}"]["post"]
    assert [one["name"] for one in operation["parameters"]] == ["id", "how"]
    assert operation["requestBody"]["required"] is True
    assert (made["openapi"], made["security"]) == ("3.1.0", [{"token": []}])
    assert "approver or auditor or operator" in operation["description"]
