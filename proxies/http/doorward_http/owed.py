"""What is owed on the bodies and headers of one resource: the masks of a decision, compiled, and shared by all bodies.

It masks nothing; `contents` makes what does.
Implements docs/http-masks.md, "What a mask names":

    $.customers[*].email     a path: members of JSON documents, columns of CSV, fields of forms
    header.x-customer-email  a header, whole; `*` and `?` are a glob's

Invariants:

- Two bodies never share what they hold: what is here is read only.
- What a mask names that is neither is for another protocol; `foreign` tells which, so that a slip can be shown.
"""

import fnmatch
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from doorward_core.http.codings import CodingLimits
from doorward_core.mask.detect import STRICTEST, Detectors, detectors_for
from doorward_core.mask.json_paths import Paths, is_path
from doorward_core.mask.json_scan import skip_unknown
from doorward_core.mask.json_stream import MAX_TOKEN_BYTES, JsonMasker
from doorward_core.model import Mask

_HEADER: Final = "header."


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How much of one body may be held (a string, an event, a row, a field), and how far it may unfold."""

    max_token_bytes: int = MAX_TOKEN_BYTES
    coding: CodingLimits = field(default_factory=CodingLimits)


class Owed:
    """The masks in force, and the key of their hashes. Raise PathError for a path that is none.

    To compile costs a millisecond: keep one for each set of masks.
    """

    def __init__(self, masks: tuple[Mask, ...], key: bytes, limits: BodyLimits | None = None) -> None:
        self.masks = masks
        self.key = key
        self.limits = limits or BodyLimits()
        self.paths = Paths(masks)
        self.detectors: Detectors | None = detectors_for(masks)
        self.strict = any(mask.strict for mask in masks if mask.detect)
        self._headers = [
            (re.compile(fnmatch.translate(pattern[len(_HEADER) :].lower())).match, mask)
            for mask in masks
            for pattern in mask.columns
            if pattern.lower().startswith(_HEADER)
        ]

    def __bool__(self) -> bool:
        """Whether anything is owed on a body."""
        return bool(self.paths) or self.detectors is not None

    @property
    def names_headers(self) -> bool:
        """Whether some mask names headers."""
        return bool(self._headers)

    @cached_property
    def _skip(self) -> re.Pattern[bytes] | None:
        return skip_unknown(self.paths) if self.paths else None

    def json(self) -> JsonMasker:
        """What masks one JSON body, or one text after another."""
        return JsonMasker(
            self.paths, self.detectors, self.key, skip=self._skip, max_token_bytes=self.limits.max_token_bytes
        )

    def header(self, name: bytes) -> Mask | None:
        """The mask of a header by its name."""
        found = [mask for matches, mask in self._headers if matches(name.decode("latin-1").lower())]
        return min(found, key=lambda mask: STRICTEST.index(mask.transform)) if found else None

    def foreign(self) -> tuple[tuple[str, str], ...]:
        """(rule, pattern) of what names nothing in HTTP: columns of tables, or a slip."""
        return tuple(
            (mask.rule, pattern)
            for mask in self.masks
            for pattern in mask.columns
            if not is_path(pattern) and not pattern.lower().startswith(_HEADER)
        )


def count(masked: dict[str, int], label: str) -> None:
    """One more value was masked under this label."""
    masked[label] = masked.get(label, 0) + 1
