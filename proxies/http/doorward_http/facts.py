"""What policy may look at beside method and path: queries, headers, form fields, and JSON bodies by path.

What it is: `facts`, from a request and the names that policy asks for to values (docs/http.md, "Facts").
What it will not do: decide. A fact that it cannot be sure of is left out, and so counts as not known.

Invariants: pure. Where readers differ, every reading is a value: names of queries and forms without regard to case and
to brackets (`limit[]`, `[limit]`) and dots, headers whether spelt with `-` or `_`, keys of JSON objects without regard
to case, and all of those that stand twice. So an allow, which wants every value to match, is as strict as the strictest
reader, and a block, which wants one, as the loosest. A body in another charset than UTF-8 is not known: in UTF-7 or in
EBCDIC the same bytes say something else.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from doorward_core.http.fields import look_alike
from doorward_core.http.messages import Headers, get_all

UNKNOWABLE: Final = frozenset({b"authorization", b"cookie", b"proxy-authorization"})  # they are replaced, or dropped
FORM: Final = "application/x-www-form-urlencoded"
MAX_FIELDS: Final = 1000  # of a form, as common servers bound them
MAX_VALUES: Final = 1000  # of one fact: a path with `..` over a large document finds many
MAX_DEPTH: Final = 64  # of a document that a fact is looked up in
_CHARSET: Final = re.compile(rb"(?i)charset[ \t]*\*?[ \t]*=[ \t]*[\"']?([^\"';, \t]*)")
_PLAIN_CHARSETS: Final = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_CHARSET_FIELD: Final = "_charset_"  # of a form, by which some servers read the rest of it
_BRACKET: Final = re.compile(r"[\[\]]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_STEP: Final = re.compile(r"(\.\.?)([^.\[\]]+)|\[(\*|[0-9]+)\]|\['([^'\\]+)'\]")


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body as policy sees it: all of it, or None where it was not looked at whole.

    `coded` says that its bytes are not what they stand for: compressed, or in another charset (`is_coded`).
    """

    content: bytes | None
    media_type: str = ""
    coded: bool = False


@dataclass(frozen=True, slots=True)
class _Object:
    """A JSON object with all of its members, those included that stand twice."""

    members: tuple[tuple[str, Any], ...]


def about_bodies(key: str) -> bool:
    """Whether a fact of this name is found in bodies."""
    return key.startswith(("body.", "form."))


def is_coded(headers: Headers) -> bool:
    """Whether a body with these headers has to be decoded before it can be read."""
    if get_all(headers, b"content-encoding"):
        return True
    for value in get_all(headers, b"content-type"):
        declared = _CHARSET.findall(value)
        if any(charset.lower() not in _PLAIN_CHARSETS for charset in declared):
            return True
    return False


def facts(
    wanted: Iterable[str], query: tuple[tuple[str, str], ...], headers: Headers, body: Body
) -> dict[str, tuple[str, ...]]:
    """The facts that are asked for, as far as they can be known."""
    found: dict[str, tuple[str, ...]] = {}
    documents: list[tuple[Any, ...] | None] = []
    for key in wanted:
        family, _, name = key.partition(".")
        values: tuple[str, ...] | None = None
        if family == "query":
            values = _fields(query, name)
        elif family == "header":
            values = _header(headers, name)
        elif family == "form":
            values = _form(body, name)
        elif family == "body":
            if not documents:
                documents.append(_document(body))
            values = None if documents[0] is None else _path(documents[0], name)
        if values is not None:
            found[key] = values
    return found


def form_fields(body: Body) -> tuple[tuple[str, str], ...] | None:
    """The fields of a form; None where they cannot be known."""
    if body.content == b"":
        return ()
    if body.content is None or body.coded or body.media_type != FORM or b";" in body.content:
        return None  # of a `;`, some say that it separates fields
    try:
        text = body.content.decode("utf-8")
        fields = tuple(
            parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS, strict_parsing=False)
        )
    except ValueError:
        return None
    return None if any(_loose(name) == _CHARSET_FIELD for name, _ in fields) else fields


def _fields(pairs: tuple[tuple[str, str], ...], name: str) -> tuple[str, ...]:
    meant = {_loose(name), _loose(name.partition("[")[0])}
    return tuple([value for key, value in pairs if not meant.isdisjoint(_readings(key))])


def _readings(key: str) -> tuple[str, str, str]:
    """A field's name as some framework reads it: whole, or as an object's that the rest names a member of."""
    bare = key.strip().lstrip("[]")  # Rack and qs take `[limit]` for `limit`
    return _loose(bare.rstrip("]")), _loose(_BRACKET.split(bare, maxsplit=1)[0]), _loose(bare.partition(".")[0])


def _loose(name: str) -> str:
    """One spelling for all that some framework takes for one name."""
    return name.strip().casefold().replace(".", "_").replace(" ", "_")


def _header(headers: Headers, name: str) -> tuple[str, ...] | None:
    meant = look_alike(name.encode("utf-8", "replace"))
    if meant in UNKNOWABLE:
        return None
    values: list[str] = []
    for key, value in headers:
        if look_alike(key) == meant:
            text = value.decode("latin-1")
            values.append(text)
            if "," in text:
                values += [part.strip() for part in text.split(",")]
    return tuple(values)


def _form(body: Body, name: str) -> tuple[str, ...] | None:
    fields = form_fields(body)
    return None if fields is None else _fields(fields, name)


def _document(body: Body) -> tuple[Any, ...] | None:
    """The JSON document of a body, in a tuple; empty where there is no body, None where it cannot be known."""
    if body.content == b"":
        return ()
    if body.content is None or body.coded or not _is_json(body.media_type):
        return None
    try:
        text = body.content.decode("utf-8")
        document = json.loads(
            text, object_pairs_hook=lambda pairs: _Object(tuple(pairs)), parse_int=_Number, parse_float=_Number
        )
    except (ValueError, RecursionError):
        return None
    return (document,) if _shallow(document) else None


def _shallow(document: Any) -> bool:
    """Whether it is nested no deeper than is looked."""
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _below(node)]
        if not level:
            return True
    return False


def _below(node: Any) -> Iterable[Any]:
    if isinstance(node, _Object):
        return [value for _, value in node.members]
    return node if isinstance(node, list) else ()


class _Number(str):
    """A number as it was written: 1.0 and 1e0 are told apart, as strings are from numbers."""

    __slots__ = ()


def _is_json(media_type: str) -> bool:
    return media_type in {"application/json", "text/json"} or media_type.endswith("+json")


def _path(documents: tuple[Any, ...], path: str) -> tuple[str, ...] | None:
    """Every value at a path; None where the path, or what it finds, is out of bounds."""
    steps = _steps(path)
    if steps is None:
        return None
    nodes = list(documents)
    for deep, key in steps:
        found: list[Any] = []
        for node in nodes:
            for one in _all_below(node) if deep else (node,):
                found += _children(one, key)
                if len(found) > MAX_VALUES:
                    return None
        nodes = found
    values = tuple([_text(node) for node in nodes])
    return None if any(map(_SURROGATE.search, values)) else values  # half a character: nobody agrees on it


def _steps(path: str) -> list[tuple[bool, str | int]] | None:
    """The steps of a path: whether at any depth, and a name, a place, or `*`."""
    if not path.startswith("$"):
        return None
    place, steps = 1, list[tuple[bool, str | int]]()
    while place < len(path):
        match = _STEP.match(path, place)
        if match is None:
            return None
        dots, name, index, quoted = match.groups()
        step: str | int = name or quoted or (index if index == "*" else int(index))
        steps.append((dots == "..", step))
        place = match.end()
    return steps


def _children(node: Any, key: str | int) -> list[Any]:
    if isinstance(node, _Object):
        if key == "*":
            return [value for _, value in node.members]
        meant = str(key).casefold()
        # What is written in C takes a NUL for the end of a name.
        return [value for name, value in node.members if name.casefold().partition("\0")[0] == meant]
    if isinstance(node, list):
        if key == "*":
            return list(node)
        return [node[key]] if isinstance(key, int) and key < len(node) else []
    return []


def _all_below(node: Any) -> Iterator[Any]:
    """A node and all below it; what is too deep for that was not taken for a document."""
    yield node
    for child in _below(node):
        yield from _all_below(child)


def _text(node: Any) -> str:
    """A value as patterns see it: text as it is, everything else as JSON writes it."""
    if isinstance(node, str):
        return str(node)
    return json.dumps(_plain(node), ensure_ascii=False, separators=(",", ":"))


def _plain(node: Any) -> Any:
    if isinstance(node, _Object):
        return {name: _plain(value) for name, value in node.members}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return node


def readable(found: Mapping[str, tuple[str, ...]], *, room: int = 256) -> dict[str, str]:
    """Facts for people and for the record: one line each, bounded."""
    return {key: ", ".join(values)[:room] for key, values in found.items()}
