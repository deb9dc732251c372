"""Texts that are known and may never be shown: a secret that the gateway itself holds, wherever it turns up.

What it is: `WithLiterals`, detectors that find these very texts besides what others find; for `stream.TextWindow`.
What it will not do: look for a secret in another form (encoded, quoted, cut by a line end): that is another text.
Implements ARCHITECTURE.md, "Masks".

Invariants: a text that is too short to be told from others is not looked for; what is found is hidden whole.
"""

import re
from collections.abc import Iterable
from typing import Final

from doorward_core.mask.detect import Data, Detectors, Hits, Span, merged

LEAST_BYTES: Final = 8  # a shorter one would hide words that have nothing to do with it
LABEL: Final = "secret"  # no detector has that name, so that it is redacted


class WithLiterals(Detectors):
    """The detectors of `base`, and these texts. ValueError where none of them is long enough and there is no base."""

    __slots__ = ("_texts",)

    def __init__(self, base: Detectors | None, texts: Iterable[bytes]) -> None:
        super().__init__(base.names if base else (), base.transforms if base else None)
        found = sorted({text for text in texts if len(text) >= LEAST_BYTES}, key=len, reverse=True)
        self._texts = re.compile(b"|".join(map(re.escape, found))) if found else None
        if base is None and self._texts is None:
            raise ValueError("there is nothing to look for")

    def spans(self, text: Data, hits: Hits | None = None) -> list[Span]:
        """What the detectors find, and these texts."""
        found = super().spans(text, hits)
        known = [Span(*match.span(), LABEL) for match in self._texts.finditer(text)] if self._texts else []
        return merged([*found, *known]) if known else found


def lines_of(key: str) -> tuple[bytes, ...]:
    """What of a private key in PEM would give it away: each whole line of its body."""
    body = (line.strip() for line in key.splitlines() if not line.startswith("-----"))
    return tuple(line.encode() for line in body if len(line) >= 4 * LEAST_BYTES)
