"""Text that streams (stdout, logs, server-sent events): a bounded window that detectors look through.

What arrives is held back to the end of its line, so that a value cut by the transport is still seen whole.
The caller flushes by timer where its reader cannot wait, and each such flush is counted for the coverage statement.
It reads no clock, decodes nothing (bytes in, bytes out), and knows no terminal: an escape sequence in a value hides it.
Implements ARCHITECTURE.md, "Masking", Streams.

Invariants:
- Without a flush the output does not depend on how the input was cut, as long as lines are shorter than the window.
- What is held never exceeds the window and one chunk. Past it, all but the last `OVERLAP_BYTES` leave, never a part of
  something found; a value longer than that may pass in two parts, and the cut is counted.
- A private key is hidden from its heading to its end line, over any number of lines and flushes.
"""

from typing import Final

from doorward_core.mask.detect import Detectors, Span

WINDOW_BYTES: Final = 65_536  # 64 KiB, the end of the line or 200 ms, whichever is first
OVERLAP_BYTES: Final = 4_096  # longer than an address, a card, an IBAN; a JWT may be longer
_KEY_LABEL: Final = "private-key"
_KEY_END: Final = b"-----END "
_LINE: Final = b"\n"


class TextWindow:
    """One direction of one stream. `masked` counts by label; `flushes` and `cuts` are for the coverage statement."""

    def __init__(self, detectors: Detectors, key: bytes, *, window_bytes: int = WINDOW_BYTES) -> None:
        self._detectors = detectors
        self._key = key
        self._window = window_bytes
        self._held = bytearray()
        self._in_key = False
        self.masked: dict[str, int] = {}
        self.flushes = 0
        self.cuts = 0

    @property
    def holding(self) -> bool:
        """Whether a flush would give anything: set the timer."""
        return bool(self._held)

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk, and give what may leave now: whole lines, or what no longer fits the window."""
        searched = len(self._held)
        self._held += chunk
        end = self._held.rfind(_LINE, searched) + 1
        out = self._release(end) if end else b""
        if len(self._held) > self._window:
            out += self._overflow()
        return out

    def flush(self) -> bytes:
        """The timer: everything leaves, and a value that has arrived in part leaves in part."""
        if not self._held:
            return b""
        self.flushes += 1
        return self._release(len(self._held))

    def end(self) -> bytes:
        """The stream is over: everything leaves, and nothing was cut."""
        return self._release(len(self._held))

    def _overflow(self) -> bytes:
        """A line longer than the window: all but an overlap leaves, and nothing that was found is cut in two."""
        end = len(self._held) - min(OVERLAP_BYTES, self._window // 2)
        for start, stop, _ in self._detectors.spans(self._held):
            if start < end < stop:
                end = start or stop
        self.cuts += 1
        return self._release(end)

    def _release(self, end: int) -> bytes:
        """Let go of what is held up to `end`, masked."""
        text = bytes(self._held[:end])
        del self._held[:end]
        out = []
        while text:
            piece, text = self._through_key(text) if self._in_key else self._search(text)
            out.append(piece)
        return b"".join(out)

    def _search(self, text: bytes) -> tuple[bytes, bytes]:
        """Mask up to the end of the text, or up to the heading of a private key: then the rest is still to be read."""
        spans = self._detectors.spans(text)
        heading = next((span for span in spans if _KEY_LABEL in span.label.split("+")), None)
        if heading is None:
            return self._replaced(text, spans), b""
        self._in_key = True
        before = [span for span in spans if span.end <= heading.start]
        shown = self._replaced(text[: heading.start], before)
        return shown + self._detectors.replacement(b"", _KEY_LABEL, key=self._key), text[heading.start :]

    def _through_key(self, text: bytes) -> tuple[bytes, bytes]:
        """Hide what belongs to a private key: up to the line that ends it, and that line."""
        last = text.find(_KEY_END)
        stop = text.find(_LINE, last) if last >= 0 else -1
        if last < 0:
            return b"", b""
        self._in_key = False
        self._count(_KEY_LABEL)
        return (b"", b"") if stop < 0 else (b"", text[stop:])

    def _replaced(self, text: bytes, spans: list[Span]) -> bytes:
        pieces, position = [], 0
        for start, end, label in spans:
            pieces += [text[position:start], self._detectors.replacement(text[start:end], label, key=self._key)]
            position = end
            self._count(label)
        return b"".join([*pieces, text[position:]])

    def _count(self, label: str) -> None:
        self.masked[label] = self.masked.get(label, 0) + 1
