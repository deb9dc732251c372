"""An API's own description, read for what it is good for here: which requests there are.

What it is: `read_api`, from an OpenAPI document to methods and path patterns, each with what it does.
What it will not do: check a request's or a response's shape, follow `$ref` to other files, or believe that something
only reads because its name says so.

Source: OpenAPI Specification 3.0 and 3.1 ("Paths Object"), and 2.0 (Swagger), whose paths look the same.
Invariants: pure; a document that cannot be read whole is refused with every fault; bounded by what the reader of our
own configuration is bounded by.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from doorward_core.config_yaml import Problem, read_document
from doorward_core.errors import ConfigError

METHODS: Final = ("get", "head", "options", "post", "put", "patch", "delete")
ACTIONS: Final = frozenset({"read", "write", "admin", "execute"})
ACTION_KEY: Final = "x-doorward-action"
"""In an operation, or in a path for all of its operations: what it does, where that is not what its method says."""
MAX_TEXT_CHARS: Final = 16 * 1024 * 1024  # the longest public description is 12 MB of JSON
MAX_REQUESTS: Final = 20_000
_PARAMETER: Final = re.compile(r"\{[^{}/]*\}")
_PLAIN: Final = re.compile(r"/[A-Za-z0-9._~!$&'()+,=:@%{}/-]*\Z")
_READS: Final = re.compile(
    r"(?:[Gg]et|[Ll]ist|[Ss]earch|[Ff]ind|[Qq]uery|[Ll]ookup|[Rr]ead|[Ff]etch|[Cc]ount)(?![a-z])|.*[-_/]search$"
)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request of an API: method and path pattern; `action` where the description says it; its own `name`."""

    method: str
    pattern: str
    action: str = ""
    name: str = ""

    @property
    def text(self) -> str:
        """As policy writes it."""
        return f"{self.method} {self.pattern}"

    @property
    def perhaps_reads(self) -> bool:
        """Whether its name says that it only reads although its method may change something: for a person to judge."""
        return self.method == "POST" and not self.action and bool(_READS.match(self.name))


@dataclass(frozen=True, slots=True)
class Api:
    """What a description says."""

    title: str
    requests: tuple[ApiRequest, ...]

    def patterns(self) -> tuple[str, ...]:
        """Every request as policy writes it; whoever may GET may also ask with HEAD."""
        found = dict.fromkeys(request.text for request in self.requests)
        for request in self.requests:
            if request.method == "GET":
                found.setdefault(f"HEAD {request.pattern}")
        return tuple(found)

    def actions(self) -> dict[str, tuple[str, ...]]:
        """The requests that do something else than their method says."""
        found: dict[str, list[str]] = {}
        for request in self.requests:
            if request.action:
                found.setdefault(request.action, []).append(request.text)
        return {action: tuple(texts) for action, texts in sorted(found.items())}


def read_api(text: str, name: str) -> Api:
    """Read a description, in JSON or YAML. Raises ConfigError with every fault."""
    data = load_description(text, name)
    if not isinstance(data, dict) or not isinstance(data.get("paths"), dict):
        raise ConfigError((f"{name}:1: not an OpenAPI document: it has no `paths`",))
    if not (str(data.get("openapi", "")).startswith("3.") or str(data.get("swagger", "")) == "2.0"):
        raise ConfigError((f'{name}:1: expected `openapi: 3.x`, or `swagger: "2.0"`',))
    faults: list[str] = []
    requests = tuple(_requests(data["paths"], name, faults))
    if len(requests) > MAX_REQUESTS:
        faults.append(f"{name}:1: more than {MAX_REQUESTS} requests")
    if faults:
        raise ConfigError(tuple(faults))
    info = data.get("info")
    title = info.get("title") if isinstance(info, dict) else ""
    return Api(title if isinstance(title, str) else "", requests)


def load_description(text: str, name: str) -> Any:
    """The document itself, JSON or YAML, unchecked. Raises ConfigError."""
    if len(text) > MAX_TEXT_CHARS:
        raise ConfigError((f"{name}:1: the file is larger than {MAX_TEXT_CHARS} characters",))
    if text.lstrip()[:1] == "{":
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", 1)
            raise ConfigError((Problem(line, (), "cannot be read as JSON").render(name),)) from None
    document = read_document(text, name)
    if document.problems:
        raise ConfigError(tuple(problem.render(name) for problem in document.problems))
    return document.data


def _requests(paths: Mapping[str, Any], name: str, faults: list[str]) -> Iterator[ApiRequest]:
    for path, item in paths.items():
        if path.startswith("x-"):
            continue
        pattern = _pattern(path)
        if pattern is None or not isinstance(item, dict):
            faults.append(f"{name}:1: paths: {path[:100]!r} is no path that could be asked for")
            continue
        for method in METHODS:
            operation = item.get(method)
            if isinstance(operation, dict):
                action = operation.get(ACTION_KEY, item.get(ACTION_KEY, ""))
                if action and action not in ACTIONS:
                    faults.append(f"{name}:1: paths: {path}: {method}: {ACTION_KEY}: expected one of {sorted(ACTIONS)}")
                    continue
                named = operation.get("operationId")
                yield ApiRequest(method.upper(), pattern, str(action), named if isinstance(named, str) else path)


def _pattern(path: str) -> str | None:
    """`/customers/{id}` as `/customers/*`; None for what is no canonical path."""
    if not _PLAIN.match(path) or "//" in path or {".", ".."} & set(path.split("/")):
        return None
    pattern = re.sub(r"\*+", "*", _PARAMETER.sub("*", path))
    return None if "{" in pattern or "}" in pattern else pattern
