"""What a write changes, field by field: from an object before it and after it to lines that may be shown.

    changes(Seen(raw, shown), Seen(raw, shown))   -> (("spec.replicas", "1", "7"), …), and whether there were more

What it is: a comparison of the objects as they are, told in the words of the objects as they may be shown.
What it will not do: ask for an object, or decide what may be shown of one (`masking` does).

Implements: docs/spec/event-log.md, `changes` of `operation.finished`.
Invariants: pure; no value is told that does not stand in a shown object; that something hidden has changed is told, and
not what it was; bounded in number, in length and in depth.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, TypeAlias

from doorward_k8s.documents import MAX_DEPTH, Json, member
from doorward_k8s.objects import writes_hidden

Change: TypeAlias = tuple[str, str | None, str | None]
"""A field, what it was, and what it is: JSON, None where there is none."""

MAX_CHANGES: Final = 200
MAX_VALUE_CHARS: Final = 256
MAX_PATH_CHARS: Final = 256
HIDDEN: Final = "(hidden)"
_CUT: Final = "…"
_MISSING: Final = object()
_UNKNOWN: Final = object()  # it stands in the object, and not where it should in what may be shown
# The API server's own account of the same write, and kubectl's copy of the same object.
_LEFT_OUT: Final = frozenset({
    "metadata.managedFields", "metadata.resourceVersion", "metadata.generation",
    'metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]',
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it is, and as it may be shown; None where there is none."""

    raw: Json
    shown: Json


NOTHING: Final = Seen(None, None)


@dataclass(frozen=True, slots=True)
class _Pair:
    """One place: what is there before and after, and what may be shown of both."""

    path: str
    raw: tuple[object, object]
    shown: tuple[object, object]
    depth: int = 0

    def below(self, segment: str, keys: tuple[object, object], names: tuple[object, object]) -> "_Pair":
        """A place in it: `keys` say where it lies in the raw objects, `names` where in the shown ones."""
        raw = tuple(_at(value, key) for value, key in zip(self.raw, keys, strict=True))
        shown = tuple(
            _MISSING if there is _MISSING else _shown_at(value, name)
            for there, value, name in zip(raw, self.shown, names, strict=True)
        )
        if segment and any(one is _UNKNOWN for one in shown):
            segment = segment if all(isinstance(name, int) for name in names) else HIDDEN
        path = f"{self.path}.{segment}" if self.path and not segment.startswith("[") else self.path + segment
        return _Pair(path, (raw[0], raw[1]), (shown[0], shown[1]), self.depth + 1)


def changes(before: Seen, after: Seen) -> tuple[tuple[Change, ...], bool]:
    """What differs, and whether there was more of it than is told."""
    whole = _Pair(
        "",
        tuple(_MISSING if side.raw is None else side.raw for side in (before, after)),  # type: ignore[arg-type]  # two
        tuple(_MISSING if side.raw is None else side.shown for side in (before, after)),  # type: ignore[arg-type]  # two
    )
    found = tuple(islice(_walk(whole), MAX_CHANGES + 1))
    return found[:MAX_CHANGES], len(found) > MAX_CHANGES


def removed(document: Json) -> tuple[tuple[Change, ...], bool]:
    """What a deletion of many says that it removed: the names alone."""
    items = member(document, "items")
    names = [_name_of(item) for item in items] if isinstance(items, list) else []
    found = tuple((name, "{…}", None) for name in names[:MAX_CHANGES])
    return found, len(names) > MAX_CHANGES


def lines(found: tuple[Change, ...], *, more: bool) -> str:
    """The same for people: a field a line."""
    told = [f"{path or 'the object'}: {_or_nothing(old)} -> {_or_nothing(new)}" for path, old, new in found]
    return "\n".join([*told, *(["and more"] if more else [])])


def _or_nothing(value: str | None) -> str:
    return "(none)" if value is None else value


def _name_of(item: Json) -> str:
    namespace, name = member(item, "metadata", "namespace"), member(item, "metadata", "name")
    return _cut("/".join(part for part in (namespace, name) if isinstance(part, str)), MAX_PATH_CHARS)


def _walk(pair: _Pair) -> Iterator[Change]:
    before, after = pair.raw
    if before == after or pair.path in _LEFT_OUT:
        return
    kinds = {type(value) for value in pair.raw if value is not _MISSING}
    if len(kinds) == 1 and pair.depth < MAX_DEPTH and any(value for value in pair.raw if value is not _MISSING):
        if kinds == {dict}:
            yield from _members(pair)
            return
        if kinds == {list}:
            yield from _items(pair)
            return
    old, new = (_told(value) for value in pair.shown)
    if old == new:
        old = new = HIDDEN
    yield _cut(pair.path, MAX_PATH_CHARS), old, new


def _members(pair: _Pair) -> Iterator[Change]:
    keys = {key for value in pair.raw if isinstance(value, dict) for key in value}
    for key in sorted(keys):
        yield from _walk(pair.below(key if _plain(key) else f"[{_text(key)}]", (key, key), (key, key)))


def _items(pair: _Pair) -> Iterator[Change]:
    """A list by its items' names, where each has one of its own; else by their places."""
    named = [_named(value) for value in pair.raw]
    if named[0] is not None and named[1] is not None:
        for name in dict.fromkeys([*named[0], *named[1]]):
            places = (named[0].get(name), named[1].get(name))
            child = pair.below("[]", places, places)
            told = next((_at(one, "name") for one in child.shown if isinstance(one, dict)), None)
            shown = HIDDEN if told != name else name if _plain(name) else _text(name)
            yield from _walk(replace(child, path=f"{pair.path}[{shown}]"))
        return
    length = max(len(value) for value in pair.raw if isinstance(value, list))
    for place in range(length):
        yield from _walk(pair.below(f"[{place}]", (place, place), (place, place)))


def _named(value: object) -> dict[str, int] | None:
    if value is _MISSING:
        return {}
    assert isinstance(value, list)
    names = [item.get("name") if isinstance(item, dict) else None for item in value]
    found = {name: place for place, name in enumerate(names) if isinstance(name, str)}
    return found if len(found) == len(value) else None


def _at(value: object, key: object) -> object:
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key, _MISSING)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return _MISSING


def _shown_at(value: object, name: object) -> object:
    found = _at(value, name)
    return _UNKNOWN if found is _MISSING else found


def _told(value: object) -> str | None:
    if value is _MISSING:
        return None
    if value is _UNKNOWN:
        return HIDDEN
    text = _text(value)
    return HIDDEN if writes_hidden(text.encode()) else _cut(text, MAX_VALUE_CHARS)


def _plain(name: str) -> bool:
    return name.isascii() and name.replace("-", "").replace("_", "").isalnum()


def _text(value: object) -> str:
    """As JSON; half of a character, which JSON can say and UTF-8 cannot, is escaped."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + _CUT
