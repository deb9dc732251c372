"""The objects of a small cluster: kept in memory, versioned, listed and watched.

What it is: a dictionary for each kind, one counter for the version of everything, and a bounded history for watches.
What it will not do: survive, or know HTTP. It belongs to one trio thread; `changed` wakes whoever watches.
Implements: resourceVersion, label and field selectors, limit and continue of the Kubernetes API.
"""

import base64
import binascii
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import trio

from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_kinds import Kind

HISTORY: Final = 20_000  # events; a watch that begins before them is told that it is too late
Key = tuple[str, str]  # namespace, name


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of one object, as it is said alone, and as it is said in a list (without its kind)."""

    document: dict[str, Any]
    raw: bytes
    item: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened: `ADDED`, `MODIFIED` or `DELETED`."""

    version: int
    type: str
    kind: Kind
    key: Key
    stored: Stored


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list or watch is about."""

    kind: Kind
    namespace: str = ""
    labels: str = ""
    fields: str = ""

    def takes(self, document: dict[str, Any]) -> bool:
        """Whether an object is selected."""
        metadata = document["metadata"]
        if self.namespace and metadata.get("namespace") != self.namespace:
            return False
        return _labels_match(self.labels, metadata.get("labels") or {}) and _fields_match(self.fields, document)


class Store:
    """Every object there is."""

    def __init__(self) -> None:
        self.version = 1
        self.changed = trio.Event()
        self.history: deque[Change] = deque(maxlen=HISTORY)
        self.marking = False  # whether who is woken is to be told how far it is
        self._objects: dict[Kind, dict[Key, Stored]] = {}

    def get(self, kind: Kind, key: Key) -> Stored:
        """One object. Raises ApiError."""
        found = self._objects.get(kind, {}).get(key)
        if found is None:
            group = f".{kind.group}" if kind.group else ""
            raise ApiError(404, "NotFound", f'{kind.plural}{group} "{key[1]}" not found')
        return found

    def has(self, kind: Kind, key: Key) -> bool:
        """Whether there is such an object."""
        return key in self._objects.get(kind, {})

    def put(self, kind: Kind, key: Key, document: dict[str, Any]) -> Stored:
        """Keep a new version of an object. The same document again is no new version."""
        objects = self._objects.setdefault(kind, {})
        old = objects.get(key)
        if old is not None and {**old.document, "metadata": _bare(old.document)} == {
            **document,
            "metadata": _bare(document),
        }:
            return old
        self.version += 1
        document["metadata"]["resourceVersion"] = str(self.version)
        stored = objects[key] = _stored(document)
        self._tell(Change(self.version, "MODIFIED" if old else "ADDED", kind, key, stored))
        return stored

    def remove(self, kind: Kind, key: Key) -> Stored:
        """Forget an object. Raises ApiError."""
        found = self.get(kind, key)
        del self._objects[kind][key]
        self.version += 1
        last = {**found.document, "metadata": {**found.document["metadata"], "resourceVersion": str(self.version)}}
        stored = _stored(last)
        self._tell(Change(self.version, "DELETED", kind, key, stored))
        return stored

    def _tell(self, change: Change) -> None:
        self.history.append(change)
        self._wake(marking=False)

    def mark(self) -> None:
        """Wake whoever watches, though nothing has happened."""
        self._wake(marking=True)

    def _wake(self, *, marking: bool) -> None:
        self.marking = marking
        changed, self.changed = self.changed, trio.Event()
        changed.set()

    def keys(self, kind: Kind) -> tuple[Key, ...]:
        """The objects of a kind, by namespace and name."""
        return tuple(self._objects.get(kind, {}))

    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of which there are objects."""
        return tuple(self._objects)

    def select(self, selection: Selection) -> list[tuple[Key, Stored]]:
        """What is selected, in the order of namespaces and names."""
        objects = self._objects.get(selection.kind, {})
        return [(key, objects[key]) for key in sorted(objects) if selection.takes(objects[key].document)]

    def since(self, version: int) -> list[Change]:
        """What happened after this version. Raises ApiError where that is too long ago."""
        if self.history and version < self.history[0].version - 1 and len(self.history) == HISTORY:
            raise ApiError(410, "Expired", f"too old resource version: {version}")
        newer: list[Change] = []
        for change in reversed(self.history):
            if change.version <= version:
                break
            newer.append(change)
        return newer[::-1]


def _bare(document: dict[str, Any]) -> dict[str, Any]:
    skipped = ("resourceVersion", "managedFields")
    return {name: value for name, value in document["metadata"].items() if name not in skipped}


def _stored(document: dict[str, Any]) -> Stored:
    raw = json.dumps(document, separators=(",", ":")).encode()
    item = {name: value for name, value in document.items() if name not in ("kind", "apiVersion")}
    return Stored(document, raw, json.dumps(item, separators=(",", ":")).encode())


def cut(
    found: list[tuple[Key, Stored]], limit: int, continued: str, version: int
) -> tuple[list[tuple[Key, Stored]], dict[str, Any]]:
    """One page of a list, and the list's metadata. Raises ApiError for a token that is none."""
    if continued:
        try:
            token = json.loads(base64.urlsafe_b64decode(continued + "=" * (-len(continued) % 4)))
            start, version = (str(token["ns"]), str(token["start"])), int(token["rv"])
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise ApiError(400, "BadRequest", "continue key is not valid") from error
        found = [one for one in found if one[0] > start]
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if limit and len(found) > limit:
        (namespace, name), _ = found[limit - 1]
        token = {"v": "meta.k8s.io/v1", "rv": version, "ns": namespace, "start": name}
        metadata["continue"] = base64.urlsafe_b64encode(json.dumps(token).encode()).rstrip(b"=").decode()
        metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    return found, metadata


def _labels_match(selector: str, labels: dict[str, str]) -> bool:
    return all(_label_matches(one.strip(), labels) for one in _split(selector) if one.strip())


def _split(selector: str) -> list[str]:
    """At commas, but for those in brackets."""
    parts, depth = [""], 0
    for char in selector:
        depth += (char == "(") - (char == ")")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _label_matches(one: str, labels: dict[str, str]) -> bool:
    tests: tuple[tuple[str, Callable[[str | None, str], bool]], ...] = (
        (" notin ", lambda value, wanted: value not in _listed(wanted)),
        (" in ", lambda value, wanted: value in _listed(wanted)),
        ("!=", lambda value, wanted: value != wanted),
        ("==", lambda value, wanted: value == wanted),
        ("=", lambda value, wanted: value == wanted),
    )
    for mark, test in tests:
        if mark in one:
            name, _, wanted = one.partition(mark)
            return test(labels.get(name.strip()), wanted.strip())
    return one[1:].strip() not in labels if one.startswith("!") else one in labels


def _listed(text: str) -> list[str]:
    return [one.strip() for one in text.strip("() ").split(",")]


def _fields_match(selector: str, document: dict[str, Any]) -> bool:
    for one in filter(None, selector.split(",")):
        name, _, wanted = one.partition("=")
        differs, wanted = name.endswith("!"), wanted.removeprefix("=")
        value: Any = document
        for part in name.rstrip("!").split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if (str(value or "") == wanted) == differs:
            return False
    return True
