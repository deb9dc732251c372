"""Which columns are masked: an operator's patterns against the relations that a catalogue knows.

It knows names and numbers only; whether an output of a statement *is* such a column is for the proxy to prove.
Implements docs/policy.md, "masks".

Invariants:
- Matching ignores case, on both sides: a pattern in the wrong case hides too much rather than nothing.
- `*` crosses dots: `*.iban` is every column of that name, in every schema.
- Where several masks name one column, the strictest transform is in force, and `strict` if any of them says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import re2

from doorward_core.mask.detect import STRICTEST
from doorward_core.model import Mask

Columns = Iterable[tuple[int, str]]  # (attribute number, name)
Relations = Iterable[tuple[int, str, Columns]]  # (OID or any other number, "schema.table", its columns)


def column_masks(masks: tuple[Mask, ...], relations: Relations) -> Mapping[int, Mapping[int, Mask]]:
    """The mask of every masked column, by relation and attribute number. Relations that owe none are left out."""
    patterns = _Patterns(masks)
    found: dict[int, dict[int, Mask]] = {}
    for relation, table, columns in relations:
        for attnum, column in columns:
            mask = patterns.mask(f"{table}.{column}")
            if mask is not None:
                found.setdefault(relation, {})[attnum] = mask
    return found


def unmatched(masks: tuple[Mask, ...], relations: Relations) -> tuple[tuple[str, str], ...]:
    """(rule, pattern) of every pattern that names no column there is: most likely a slip, and worth a warning."""
    patterns = _Patterns(masks)
    used: set[int] = set()
    for _, table, columns in relations:
        for _, column in columns:
            used.update(patterns.matching(f"{table}.{column}"))
    return tuple(patterns.named(index) for index in range(len(patterns)) if index not in used)


class _Patterns:
    """Every column pattern of some masks, compiled into one set."""

    def __init__(self, masks: tuple[Mask, ...]) -> None:
        self._owners = [(mask, pattern) for mask in masks for pattern in mask.columns]
        options = re2.Options()
        options.case_sensitive = False
        options.dot_nl = True
        self._set = re2.Set.FullMatchSet(options)
        for _, pattern in self._owners:
            self._set.Add(_glob(pattern))
        self._set.Compile()

    def __len__(self) -> int:
        return len(self._owners)

    def named(self, index: int) -> tuple[str, str]:
        """The rule and the pattern at this place."""
        mask, pattern = self._owners[index]
        return mask.rule, pattern

    def matching(self, name: str) -> list[int]:
        """The places of the patterns that match `schema.table.column`."""
        return list(self._set.Match(name) or ()) if self._owners else []

    def mask(self, name: str) -> Mask | None:
        """What is in force for `schema.table.column`."""
        found = [self._owners[index][0] for index in self.matching(name)]
        if not found:
            return None
        strictest = min(found, key=lambda mask: STRICTEST.index(mask.transform))
        return replace(strictest, strict=any(mask.strict for mask in found))


def _glob(pattern: str) -> str:
    """`*` is any text, `?` any one character; everything else stands for itself."""
    return "".join({"*": ".*", "?": "."}.get(char) or re2.escape(char) for char in pattern)
