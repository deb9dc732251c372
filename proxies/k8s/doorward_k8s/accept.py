"""What a client may ask for where a mask is owed: answers in JSON, whole, in codings that can be undone.

What it will not do: answer. A client that takes nothing that can be masked is refused by who calls.
Implements: RFC 9110 section 12.5.1; the media types of the Kubernetes API: JSON, YAML, protobuf, CBOR, each
with `as=Table` or `as=PartialObjectMetadata`, and `stream=watch`; docs/k8s-masks.md, "Which answers can be masked".

Invariants:

- What is left of Accept names JSON alone: protobuf and CBOR cannot come back.
- YAML is asked for as JSON and handed on as what was asked for: a JSON text is a YAML text (YAML 1.2.2, section 1.2).
"""

import re
from dataclasses import dataclass
from typing import Final

from doorward_core.http.messages import Headers, get_all, without
from doorward_core.http.whole import ask_for_all

JSON: Final = b"application/json"
YAML: Final = b"application/yaml"
_ACCEPT: Final = frozenset({b"accept"})
_ANY: Final = frozenset({b"*/*", b"application/*"})
_YAMLS: Final = frozenset({YAML, b"application/x-yaml", b"text/yaml", b"text/x-yaml"})
_METADATA: Final = frozenset({b"partialobjectmetadata", b"partialobjectmetadatalist"})
_MAX_RANGES: Final = 32  # kubectl sends three
_TOKEN: Final = re.compile(rb"[!#$%&'+.^_`|~0-9A-Za-z-]+")  # RFC 9110's, without `*`: no name in another charset
_BLANKS: Final = b" \t"
_QUALITY: Final = re.compile(rb"[01](?:\.[0-9]{0,3})?")


class NotAcceptable(ValueError):
    """Nothing that the client takes can be masked (406). The message is for the client."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The headers to ask the server with. With `yaml`, JSON that comes back is told to the client as YAML."""

    headers: Headers
    yaml: bool = False


@dataclass(frozen=True, slots=True)
class _Range:
    """One media range: its type in lower case, its parameters as they were, its weight in thousandths."""

    name: bytes
    parameters: tuple[bytes, ...]
    weight: int

    @property
    def shape(self) -> bytes:
        """`table`, `partialobjectmetadata`, or nothing."""
        return next((one[3:].strip(b'"').lower() for one in self.parameters if one.lower().startswith(b"as=")), b"")


def prepare_accept(headers: Headers, method: str, *, tables: bool, objects: bool = True) -> Asked:
    """What to ask with, so that the answer can be masked.

    `tables` says whether a table can be; `objects` that the answer is an object at all, and no program's bytes.
    Raise NotAcceptable where nothing is left.
    """
    if not objects:
        return Asked(ask_for_all(headers, method))
    accepted = get_all(headers, b"accept")
    ranges = sorted(_ranges(b",".join(accepted) or JSON), key=lambda one: -one.weight)
    usable = [text for one in ranges if (text := _rewritten(one, tables=tables)) is not None]
    if not usable:
        raise NotAcceptable(
            "a mask is owed on this answer, so it can be had as application/json or application/yaml, "
            "and the client accepts neither"
        )
    first = next(one for one in ranges if _rewritten(one, tables=tables) is not None)
    kept = ask_for_all(without(headers, _ACCEPT), method)
    return Asked((*kept, (b"accept", b",".join(dict.fromkeys(usable)))), yaml=first.name in _YAMLS)


def _ranges(value: bytes) -> list[_Range]:
    items = [item for item in value.split(b",") if item.strip(b" \t")]
    if len(items) > _MAX_RANGES:
        raise NotAcceptable("Accept must be a short list")
    return [_range(item) for item in items]


def _range(item: bytes) -> _Range:
    name, *parameters = (part.strip(_BLANKS) for part in item.split(b";"))
    weight, kept = 1000, {}
    for one in parameters:
        key, equals, value = (part.strip(_BLANKS) for part in one.partition(b"="))
        if not one:
            continue
        if not _TOKEN.fullmatch(key) or key.lower() in kept:  # a server might read another one than we do
            raise NotAcceptable("Accept cannot be read")
        if key.lower() == b"q":
            if not _QUALITY.fullmatch(value):
                raise NotAcceptable("Accept cannot be read")
            weight = round(float(value) * 1000)
        else:
            kept[key.lower()] = key + equals + value
    return _Range(name.lower(), tuple(kept.values()), weight)


def _rewritten(one: _Range, *, tables: bool) -> bytes | None:
    """A range as it is passed on; None where what it names cannot be masked."""
    if not one.weight or one.name not in {JSON} | _YAMLS | _ANY:
        return None
    if one.shape and not (one.shape in _METADATA or (one.shape == b"table" and tables)):
        return None
    return b";".join([JSON, *one.parameters])
