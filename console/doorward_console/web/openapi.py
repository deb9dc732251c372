"""The JSON API described: one table of entries in, an OpenAPI 3.1 document out.

What it is: the words for an entry of the API, and the document that is made of all of them; the routes are made of the
same table (`api`), so that neither can have what the other has not.
What it will not do: serve, or check what is sent: the schemas describe what the code does, taken from its own types.

Implements: OpenAPI Specification 3.1.0, JSON Schema 2020-12 (the few words of it that are needed), RFC 6750 (bearer).
Invariants: pure; an answer's schema is made of the dataclass that the answer is made of.
"""

import dataclasses
import types
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias, Union, get_args, get_origin, get_type_hints

from doorward_console.web.people import EVERYBODY, Person, Role

Schema: TypeAlias = dict[str, object]
OBJECT: Schema = {"type": "object"}
_PLAIN: Mapping[object, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    bytes: {"type": "string", "description": "hexadecimal"},
    object: {},
    Any: {},
    type(None): {"type": "null"},
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One call: who, the pieces of its path, its query, its JSON body (empty for GET), and where it comes from."""

    person: Person
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, object]
    peer: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value of the query."""

    name: str
    words: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `answer` is the dataclass that `handler` gives (or a schema); `body` is the schema of what is sent.

    `path` is below `/api`, as `/v1/things/{id}`.
    """

    method: str
    path: str
    summary: str
    handler: Callable[..., Awaitable[object]]
    answer: type | Schema
    roles: frozenset[Role] = EVERYBODY
    query: tuple[Parameter, ...] = ()
    body: Schema | None = None
    tags: tuple[str, ...] = field(default=())


def document(entries: Sequence[Entry], site: str) -> dict[str, object]:
    """The whole description."""
    paths: dict[str, dict[str, object]] = {}
    schemas: dict[str, object] = {"Problem": _PROBLEM}
    for entry in entries:
        paths.setdefault(f"/api{entry.path}", {})[entry.method.lower()] = _operation(entry, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Doorward desk",
            "version": "1",
            "summary": "What the desk's pages show, for programs: the same questions, with a token of the issuer.",
        },
        "servers": [{"url": site}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": schemas,
        },
    }


_PROBLEM: Schema = {
    "type": "object",
    "properties": {"status": {"type": "integer"}, "title": {"type": "string"}, "detail": {"type": "string"}},
    "required": ["status", "detail"],
}


def _operation(entry: Entry, schemas: dict[str, object]) -> dict[str, object]:
    pieces = [part[1:-1] for part in entry.path.split("/") if part.startswith("{")]
    parameters: list[object] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in pieces
    ]
    for one in entry.query:
        schema = {"type": "string", **({"enum": list(one.choices)} if one.choices else {})}
        parameters.append({"name": one.name, "in": "query", "description": one.words, "schema": schema})
    answer = entry.answer if isinstance(entry.answer, dict) else schema_of(entry.answer, schemas)
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    operation: dict[str, object] = {
        "operationId": f"{entry.handler.__module__.rpartition('.')[2]}.{entry.handler.__name__.strip('_')}",
        "summary": entry.summary,
        "description": f"For the role {' or '.join(sorted(entry.roles))}.",
        "parameters": parameters,
        "responses": {
            "200": {"description": "What was asked for.", "content": {"application/json": {"schema": answer}}},
            "default": {"description": "Why not.", "content": problem},
        },
    }
    if entry.tags:
        operation["tags"] = list(entry.tags)
    if entry.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": entry.body}}}
    return operation


def schema_of(kind: object, schemas: dict[str, object]) -> Schema:
    """The schema of a type; dataclasses get a name among `schemas`."""
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"type": "string", "enum": [str(member.value) for member in kind]}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _named(kind, schemas)
    return _composed(get_origin(kind), get_args(kind), schemas)


def _composed(origin: object, inner: tuple[object, ...], schemas: dict[str, object]) -> Schema:
    if origin in {Union, types.UnionType}:
        return {"anyOf": [schema_of(one, schemas) for one in inner]}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": schema_of(inner[1], schemas)}
    if isinstance(origin, type) and issubclass(origin, Sequence | frozenset | set):
        return {"type": "array", "items": schema_of(inner[0], schemas)}
    return {}


def _named(kind: type, schemas: dict[str, object]) -> Schema:
    if kind.__name__ not in schemas:
        schemas[kind.__name__] = {}  # its place, so that a type within itself ends
        hints = get_type_hints(kind)
        fields = [one.name for one in dataclasses.fields(kind)]
        properties = {name: schema_of(hints[name], schemas) for name in fields}
        schemas[kind.__name__] = {"type": "object", "properties": properties, "required": fields}
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
