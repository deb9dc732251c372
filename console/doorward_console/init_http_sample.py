"""What the members of an API's JSON probably hold: from their names, from samples, from the API's own description.

What it is: `Members`, to which samples and descriptions are shown, and which proposes masks by path.
What it will not do: keep, print or hand on a value: only counts and the names of members stay.

A member is proposed at any depth (`$..email`): another answer of the same API has it elsewhere. That hides too much
rather than nothing, and an operator decides.

Invariants: pure; bounded in members, values and depth; names that the path language could misread are widened (`?`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from doorward_console.init_names import kind_of
from doorward_console.init_proposals import TRANSFORMS, Proposal, content, judged, note_within
from doorward_console.init_sample import NAMES, Share, count
from doorward_console.init_words import Family, Kind
from doorward_core.mask.detect import Detectors

MAX_MEMBERS: Final = 2_000
MAX_VALUES: Final = 50_000
MAX_DEPTH: Final = 64
VALUE_CHARS: Final = 256
ANY_TEXT: Final = "any text, header or stream"
_WIDENED: Final = re.compile(r"[^\w-]", re.UNICODE)
_JSON_FAMILIES: Final = {"string": Family.TEXT, "integer": Family.NUMBER, "number": Family.NUMBER}


@dataclass(slots=True)
class _Member:
    """One name of members: what is above it, and what was found in its values."""

    name: str
    parents: set[str] = field(default_factory=set)
    families: set[Family] = field(default_factory=set)
    share: Share = field(default_factory=Share)


class Members:
    """Every member that was seen, by its name in small letters."""

    def __init__(self) -> None:
        self._found: dict[str, _Member] = {}
        self._detectors = Detectors(NAMES)
        self._loose = Share()
        self.values = 0
        self.missed = False

    @property
    def count(self) -> int:
        """How many different members were seen."""
        return len(self._found)

    def show_sample(self, document: Any, path: str) -> None:
        """Look at one answer. `path` says what it is about: `/customers?limit=5` gives customers."""
        words = [part for part in path.partition("?")[0].split("/") if re.search(r"[A-Za-z]{3}", part)]
        self._walk(document, words[-1] if words else "", None, 0)

    def show_description(self, document: Any) -> None:
        """Look at the schemas of an OpenAPI document: the properties of whatever has some."""
        self._properties(document, "", 0)

    def proposals(self) -> tuple[Proposal, ...]:
        """What to hide, by name; and what was found inside of texts."""
        found: list[Proposal] = []
        within: dict[Kind, dict[str, int]] = {}
        for member in sorted(self._found.values(), key=lambda one: one.name.lower()):
            family = Family.TEXT if Family.TEXT in member.families else Family.NUMBER
            named = next(filter(None, (kind_of(one, member.name, family) for one in sorted(member.parents))), None)
            judgement = judged(named, member.share, family)
            if judgement is not None:
                kind, why = judgement
                found.append(Proposal(below_any(member.name), kind.value, TRANSFORMS[kind], why))
            elif family is Family.TEXT:
                note_within(within, member.name, member.share)
        if self._loose.values:
            note_within(within, "items of lists", self._loose)
        return (*found, *content(within, ANY_TEXT))

    # --- samples -----------------------------------------------------------------------------------------------------

    def _walk(self, value: Any, parent: str, member: _Member | None, depth: int) -> None:
        if self.values >= MAX_VALUES or depth > MAX_DEPTH:
            self.missed = True
        elif isinstance(value, Mapping):
            for name, item in value.items():
                self._walk(
                    item, name if isinstance(item, (dict, list)) else parent, self._member(name, parent), depth + 1
                )
        elif isinstance(value, list):
            for item in value:
                self._walk(item, parent, member, depth + 1)
        elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
            self._count(value, member)

    def _member(self, name: str, parent: str) -> _Member | None:
        """What is kept for this name; nothing for names that are ever new, such as ids."""
        key = name.lower()
        if key not in self._found:
            if len(self._found) >= MAX_MEMBERS or not name or len(name) > VALUE_CHARS:
                self.missed = True
                return None
            self._found[key] = _Member(name)
        self._found[key].parents.add(parent)
        return self._found[key]

    def _count(self, value: str | float, member: _Member | None) -> None:
        self.values += 1
        share = self._loose if member is None else member.share
        if member is not None:
            member.families.add(Family.TEXT if isinstance(value, str) else Family.NUMBER)
        _add(share, count((str(value)[:VALUE_CHARS],), self._detectors))

    # --- descriptions ------------------------------------------------------------------------------------------------

    def _properties(self, node: Any, parent: str, depth: int) -> None:
        if depth > MAX_DEPTH or len(self._found) >= MAX_MEMBERS:
            self.missed = True
        elif isinstance(node, list):
            for item in node:
                self._properties(item, parent, depth + 1)
        elif isinstance(node, dict):
            properties = node.get("properties")
            if isinstance(properties, dict):
                for name, schema in properties.items():
                    self._property(str(name), schema, parent)
            for name, item in node.items():
                # A schema's own name says what it is about; the words of the language do not.
                self._properties(item, parent if name in _LANGUAGE else str(name), depth + 1)

    def _property(self, name: str, schema: Any, parent: str) -> None:
        kind = schema.get("type", "string") if isinstance(schema, dict) else "string"
        kinds = kind if isinstance(kind, list) else [kind]
        families = {_JSON_FAMILIES[one] for one in kinds if isinstance(one, str) and one in _JSON_FAMILIES}
        if families and (member := self._member(name, parent)) is not None:
            member.families |= families


# Words of the description's own language, in whose place the name above them says what it is about.
_LANGUAGE: Final = frozenset({
    "properties", "items", "allOf", "anyOf", "oneOf", "additionalProperties", "schema", "content", "responses",
    "requestBody", "components", "schemas", "definitions", "paths", "parameters", "application/json", "get", "put",
    "post", "delete", "patch", "head", "options",
})  # fmt: skip


def below_any(name: str) -> str:
    """The path of members of this name, at any depth."""
    return f"$..{_WIDENED.sub('?', name)}"


def _add(share: Share, other: Share) -> None:
    share.values += other.values
    for mine, theirs in ((share.whole, other.whole), (share.within, other.within)):
        for label, number in theirs.items():
            mine[label] = mine.get(label, 0) + number
