"""What a command or a shell says, on its way to the client: masked, counted, and kept as the client saw it.

What it is: `Screen`, the bounded window of `doorward_core.mask.stream` over one channel's output, and `Tape`, which
cuts what the client was sent into the frames of the record (docs/spec/event-log.md, `stream.chunk`).
What it will not do: read a clock or a terminal's escape sequences; touch the bytes of a transfer; keep what is typed.
What is typed is in the record only as far as the target echoes it (threat model SSH-13).

Invariants:
- Without a mask in force, and without a secret of the gateway's own to keep, bytes pass unchanged, and at once.
- What the record keeps is what the client was sent, after masking; what is kept of one channel is bounded.
- A frame holds at most `FRAME_BYTES`, and no bytes of two streams.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from doorward_core.mask.detect import Detectors
from doorward_core.mask.literals import LEAST_BYTES, WithLiterals
from doorward_core.mask.stream import TextWindow
from doorward_core.model import RecordLevel

FLUSH_S: Final = 0.2  # how long a line that has not ended is held back
FLUSH_PTY_S: Final = 0.02  # the same in a terminal, where somebody watches
ECHO_BYTES: Final = 32  # what a terminal says in one piece to a key: never held back

FRAME_BYTES: Final = 32 * 1024  # fits an entry of the log with its header
SHOWN_BYTES: Final = 64 * 1024  # of a command's output at level `shape`
WHOLE_BYTES: Final = 1 << 20  # of a command's output at level `payload`
PENDING_BYTES: Final = 256 * 1024  # frames of one channel that wait for the log, before its target is not read

FORMAT: Final = "ssh.output"
OUT: Final = "stdout"
ERR: Final = "stderr"
SIZE: Final = "resize"

BEST_EFFORT: Final = "a terminal's output was masked as it came: what is drawn or typed in pieces passes"
TIMED: Final = "output without line ends was let go after 200 ms: a value that was cut there passed in part"
CUT: Final = "a line longer than 64 KiB was cut: a value across the cut passed in part"
BINARY: Final = "the contents of a file transfer were not masked"


class Screen:
    """The masks over one channel's output: a window for each of its two streams, or none."""

    def __init__(self, detectors: Detectors | None, key: bytes, *, pty: bool, strict: bool = False) -> None:
        self._windows = (TextWindow(detectors, key), TextWindow(detectors, key)) if detectors else None
        self._detectors = detectors
        self._key = key
        self._pty = pty
        self._strict = strict

    def hide(self, secrets: tuple[bytes, ...]) -> None:
        """Never show these, whatever the masks say. Before anything has been fed."""
        if any(len(text) >= LEAST_BYTES for text in secrets):
            found = WithLiterals(self._detectors, secrets)
            self._windows = (TextWindow(found, self._key), TextWindow(found, self._key))

    def feed(self, data: bytes, *, stderr: bool) -> bytes:
        """Take output, and give what may leave now."""
        if self._windows is None:
            return data
        window = self._windows[stderr]
        out = window.feed(data)
        if self._pty and len(data) <= ECHO_BYTES:
            out += window.flush()
        return out

    @property
    def flush_after_s(self) -> float | None:
        """When what is held back is to be let go; None where nothing is held, or never."""
        if self._windows is None or self._strict or not any(window.holding for window in self._windows):
            return None
        return FLUSH_PTY_S if self._pty else FLUSH_S

    def flush(self) -> tuple[bytes, bytes]:
        """The timer: what is held back of stdout and of stderr."""
        return (self._windows[0].flush(), self._windows[1].flush()) if self._windows else (b"", b"")

    def end(self) -> tuple[bytes, bytes]:
        """The streams are over: what is left of each."""
        return (self._windows[0].end(), self._windows[1].end()) if self._windows else (b"", b"")

    @property
    def masked(self) -> Mapping[str, int]:
        """How many values were hidden, by label."""
        counts: dict[str, int] = {}
        for window in self._windows or ():
            for label, count in window.masked.items():
                counts[label] = counts.get(label, 0) + count
        return counts

    @property
    def coverage(self) -> tuple[str, ...]:
        """What the masks could not promise here."""
        if self._windows is None:
            return ()
        if self._pty:
            return (BEST_EFFORT,)
        timed = any(window.flushes for window in self._windows)
        cut = any(window.cuts for window in self._windows)
        return (*((TIMED,) if timed else ()), *((CUT,) if cut else ()))


@dataclass(frozen=True, slots=True)
class Frame:
    """One `stream.chunk`: `offset` is where `data` begins in its stream, and `unix_ns` when it was sent."""

    stream: str
    offset: int
    data: bytes
    unix_ns: int


class Tape:
    """What the record keeps of one channel's output.

    A terminal is kept whole, as frames, unless the level is `decision`: that is what a shell's record is for.
    Of a command `shown` keeps the beginning; at level `payload` frames keep more.
    """

    def __init__(self, level: RecordLevel, *, pty: bool) -> None:
        framed = level is not RecordLevel.DECISION if pty else level is RecordLevel.PAYLOAD
        self._left: int | None = (None if pty else WHOLE_BYTES) if framed else 0
        self._keep = 0 if pty or level is RecordLevel.DECISION else SHOWN_BYTES
        self._offsets = {OUT: 0, ERR: 0, SIZE: 0}
        self._shown = bytearray()
        self._sha = hashlib.sha256()
        self._frames: list[Frame] = []
        self.total_bytes = 0
        self.pending_bytes = 0

    def output(self, data: bytes, now_unix_ns: int, *, stderr: bool) -> None:
        """The client was sent this."""
        self.total_bytes += len(data)
        self._sha.update(data)
        self._shown += data[: max(0, self._keep - len(self._shown))]
        self._put(ERR if stderr else OUT, data, now_unix_ns)

    def resized(self, columns: int, rows: int, now_unix_ns: int) -> None:
        """The terminal has this size from here on."""
        if self._left is None:
            self._put(SIZE, f"{columns}x{rows}".encode("ascii"), now_unix_ns)

    def take(self) -> list[Frame]:
        """The frames that are to be written."""
        frames, self._frames, self.pending_bytes = self._frames, [], 0
        return frames

    @property
    def shown(self) -> bytes:
        """The beginning of what the client was sent, both streams as they came."""
        return bytes(self._shown)

    @property
    def truncated(self) -> bool:
        """Whether there was more than `shown`."""
        return len(self._shown) < self.total_bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 over all that the client was sent."""
        return self._sha.digest()

    def _put(self, stream: str, data: bytes, now_unix_ns: int) -> None:
        offset = self._offsets[stream]
        self._offsets[stream] = offset + len(data)
        kept = data if self._left is None else data[: self._left]
        if self._left is not None:
            self._left -= len(kept)
        for start in range(0, len(kept), FRAME_BYTES):
            self._frames.append(Frame(stream, offset + start, kept[start : start + FRAME_BYTES], now_unix_ns))
        self.pending_bytes += len(kept)
