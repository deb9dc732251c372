"""JSON on its way to a client: masked by path and by detector as it comes, every other byte as it was.

It makes no document, parses no number, and decodes no content coding or charset: UTF-8 goes in and comes out.
Texts may follow each other, so that NDJSON and JSON text sequences (RFC 7464) are read by the same code.
What a server spreads over several values, and base64 within a string, is not put together and not decoded.
Implements docs/http-masks.md, "JSON"; RFC 8259, and RFC 9535 as far as `json_paths` has it.

Invariants:
- The output does not depend on how the input was cut.
- Without a mask that hits, the output is the input; numbers, blanks and the order of members are never touched.
- What is held never exceeds `max_token_bytes` and one chunk: a longer string is refused, as is what is no JSON.
"""

import re
from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.mask.detect import Detectors
from doorward_core.mask.json_fields import Replacement, found_in
from doorward_core.mask.json_leaves import leaf, leaves
from doorward_core.mask.json_paths import Paths
from doorward_core.mask.json_scan import STRING, Edit, PathScanner
from doorward_core.model import Mask

MAX_TOKEN_BYTES: Final = 16 * 2**20  # a picture in base64, as agents send them to models
_MAX_LOOSE_BYTES: Final = (
    65_536  # between two strings there are brackets, numbers and blanks, not this much of no bracket
)

_WHOLE: Final = re.compile(rb'(?:[^"]++|' + STRING + rb")*+", re.DOTALL)
_TAIL: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
# All that may belong to a number, a word or the blanks around it: what is not a bracket, comma, colon or quote.
_LOOSE: Final = bytes(byte for byte in range(256) if byte not in b'{}[],:"')
_BLANKS: Final = b" \t\r\n"


class TokenCutter:
    """Where a JSON text can be cut without cutting a string or a number, and nothing else about it."""

    def __init__(self) -> None:
        self._seen = 0  # up to here the held bytes were looked at
        self._open = -1  # where the string begins that has not ended

    def scan(self, held: bytearray) -> int:
        """The end of the last whole token in what is held."""
        if self._open >= 0:
            stop = _TAIL.match(held, self._seen).end()  # type: ignore[union-attr]  # it matches the empty text
            if stop == len(held) or held[stop] != ord('"'):
                self._seen = stop
                return self._open
            self._seen, self._open = stop + 1, -1
        if held.find(b"\\", self._seen) >= 0:
            stop = _WHOLE.match(held, self._seen).end()  # type: ignore[union-attr]  # it matches the empty text
            self._open = stop if stop < len(held) else -1
        elif held.count(b'"', self._seen) % 2:
            self._open = held.rfind(b'"', self._seen)
        self._seen = len(held) if self._open < 0 else self._open + 1
        return len(held) if self._open < 0 else self._open

    @property
    def between(self) -> bool:
        """Whether no string is open."""
        return self._open < 0

    def moved(self, by: int) -> None:
        """Tell that so many bytes in front of what is held are gone."""
        self._seen -= by
        if self._open >= 0:
            self._open -= by


class JsonMasker:
    """One body. `masked` counts by label; after an exception nothing more may be asked of it."""

    def __init__(
        self,
        paths: Paths,
        detectors: Detectors | None,
        key: bytes,
        *,
        skip: "re.Pattern[bytes] | None" = None,
        max_token_bytes: int = MAX_TOKEN_BYTES,
    ) -> None:
        self._detectors = detectors
        self._key = key
        self._max = max_token_bytes
        self._held = bytearray()
        self._at = 0
        self._edits: list[Edit] = []
        self._paths = PathScanner(paths, skip) if paths else None
        self._cutter = TokenCutter()
        self.masked: dict[str, int] = {}

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk, and give what may leave now. Raise UnreadableBody for what is no JSON."""
        if not chunk:
            return b""
        if b"\0" in chunk:
            raise UnreadableBody("there is a NUL byte in a body that says it is JSON in UTF-8")
        self._held += chunk
        out = self._release(self._scan())
        if len(self._held) > self._max:
            raise UnreadableBody(f"a JSON string is longer than {self._max} bytes")
        return out

    def end(self) -> bytes:
        """The body is over: everything leaves. Raise UnreadableBody where it ends within something.

        Another body may follow, read by the same masks.
        """
        self._held += b"\n"  # what ends a number or a word at the very end
        end = self._scan()
        whole = self._paths.between if self._paths else self._cutter.between
        if end != len(self._held) or not whole:
            raise UnreadableBody("the JSON ends before it is whole")
        return self._release(end, final=True)[:-1]

    def _scan(self) -> int:
        if self._paths is None:
            return self._cutter.scan(self._held)
        self._at = self._paths.scan(self._held, self._at, self._edits)
        return self._at

    def _release(self, end: int, *, final: bool = False) -> bytes:
        """Let go of what is held up to `end`, masked; what may be half a number stays where detectors look."""
        if self._detectors is not None and not final:
            end = self._back(end)
        if not end:
            return b""
        piece = bytes(memoryview(self._held)[:end])
        del self._held[:end]
        self._at -= end
        if self._paths is None:
            self._cutter.moved(end)
        else:
            self._paths.moved(end)
        replaced = self._replaced(piece)
        if not replaced:
            return piece
        out, position = [], 0
        for start, stop, shown in replaced:
            out += [piece[position:start], shown]
            position = stop
        return b"".join([*out, piece[position:]])

    def _back(self, end: int) -> int:
        """The end of the last token that cannot go on, and of the blanks behind it.

        That is a bracket, comma, colon or string, and whatever a line's end stands behind.

        The blanks are no part of what comes next, and who reads line by line waits for them.
        """
        loose = bytes(memoryview(self._held)[max(0, end - _MAX_LOOSE_BYTES) : end])
        kept = max(len(loose.rstrip(_LOOSE)), loose.rfind(b"\n") + 1)
        if not kept and len(loose) == _MAX_LOOSE_BYTES:
            raise UnreadableBody("the body is not the JSON that it says it is")
        return end - len(loose[kept:].lstrip(_BLANKS))

    def _replaced(self, piece: bytes) -> list[Replacement]:
        """By path first: what a path hides, no detector need look at."""
        edits = [edit for edit in self._edits if edit[0] < len(piece)]
        self._edits = [(start - len(piece), end - len(piece), mask) for start, end, mask in self._edits[len(edits) :]]
        replaced = self._by_path(piece, edits)
        if self._detectors is not None:
            hidden = frozenset(start for start, _, _ in edits)
            replaced += found_in(piece, self._detectors, key=self._key, hidden=hidden, masked=self.masked)
            replaced.sort()
        return replaced

    def _by_path(self, piece: bytes, edits: list[Edit]) -> list[Replacement]:
        masks = {id(mask): mask for _, _, mask in edits}
        if len(masks) != 1 or type(self).shown is not JsonMasker.shown:
            return [(start, end, self.shown(piece[start:end], mask)) for start, end, mask in edits]
        mask = edits[0][2]
        self.masked[mask.label] = self.masked.get(mask.label, 0) + len(edits)
        new = leaves([piece[start:end] for start, end, _ in edits], mask, key=self._key)
        return [(start, end, shown) for (start, end, _), shown in zip(edits, new, strict=True)]

    def shown(self, raw: bytes, mask: Mask) -> bytes:
        """What stands in place of a scalar on which `mask` is owed, counted.

        A protocol that knows more of its documents than JSON says, as that a string is base64, says so here.
        """
        self.masked[mask.label] = self.masked.get(mask.label, 0) + 1
        return leaf(raw, mask, key=self._key)
