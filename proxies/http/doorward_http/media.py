"""What a body says it is: its media type, and which way of masking that means.

What it will not do: look into the body. A type that nobody knows is opaque, and opaque is refused where a mask is owed.
Implements: RFC 9110 section 8.3 (Content-Type); the suffixes of RFC 6838 (+json, +xml).

Invariants:

- A Content-Type that is said twice, or that can be read in two ways, is none.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.http.messages import Headers, get_all


class Kind(StrEnum):
    """How a body is read."""

    JSON = "json"
    EVENTS = "events"
    TABLE = "table"
    FORM = "form"
    MULTIPART = "multipart"
    MARKUP = "markup"
    TEXT = "text"
    OPAQUE = "opaque"


_KINDS: Final = {
    "application/json": Kind.JSON, "text/json": Kind.JSON, "application/x-json": Kind.JSON,
    "application/ndjson": Kind.JSON, "application/x-ndjson": Kind.JSON, "application/jsonl": Kind.JSON,
    "application/x-jsonlines": Kind.JSON, "application/json-lines": Kind.JSON, "application/json-seq": Kind.JSON,
    "text/event-stream": Kind.EVENTS,
    "text/csv": Kind.TABLE, "application/csv": Kind.TABLE, "text/tab-separated-values": Kind.TABLE,
    "application/x-www-form-urlencoded": Kind.FORM,
    "application/xml": Kind.MARKUP, "text/xml": Kind.MARKUP, "text/html": Kind.MARKUP,
    "application/javascript": Kind.TEXT, "application/yaml": Kind.TEXT, "application/x-yaml": Kind.TEXT,
    "application/x-sh": Kind.TEXT, "application/sql": Kind.TEXT, "application/graphql": Kind.TEXT,
}  # fmt: skip
_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_TYPE: Final = re.compile(rb"(" + _TOKEN + rb")/(" + _TOKEN + rb")")
_PARAMETER: Final = re.compile(rb"[ \t]*;[ \t]*(?:(" + _TOKEN + rb")=(?:(" + _TOKEN + rb')|"((?:[^"\\]|\\.)*)"))?')


@dataclass(frozen=True, slots=True)
class Media:
    """A media type in lower case, without its parameters, and those."""

    name: str
    kind: Kind
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def charset(self) -> str:
        """As declared; empty where it is not."""
        return self.parameters.get("charset", "")


def media_of(headers: Headers) -> Media:
    """What a body says it is. Raise UnreadableBody where it says nothing, or not one thing."""
    values = set(get_all(headers, b"content-type"))
    if len(values) != 1:
        raise UnreadableBody("the body does not say what it is (Content-Type)")
    return read_media(values.pop())


def read_media(value: bytes) -> Media:
    """The same for the value of one Content-Type."""
    value = value.strip(b" \t")
    found = _TYPE.match(value)
    rest = value[found.end() :] if found else b""
    parameters: dict[str, str] = {}
    while found and rest:
        parameter = _PARAMETER.match(rest)
        if parameter is None:
            found = None
            break
        rest = rest[parameter.end() :]
        if parameter[1] is None:
            continue
        name = parameter[1].decode().lower()
        text = parameter[2] if parameter[2] is not None else re.sub(rb"\\(.)", rb"\1", parameter[3])
        if parameters.setdefault(name, text.decode("latin-1")) != text.decode("latin-1"):
            found = None
    if found is None:
        raise UnreadableBody("the Content-Type of the body cannot be read")
    name = found[0].decode().lower()
    return Media(name, _kind(name), parameters)


def _kind(name: str) -> Kind:
    known = _KINDS.get(name)
    if known is not None:
        return known
    if name.endswith("+json"):
        return Kind.JSON
    if name.endswith("+xml"):
        return Kind.MARKUP
    if name.startswith("multipart/"):
        return Kind.MULTIPART
    return Kind.TEXT if name.startswith("text/") else Kind.OPAQUE
