"""What passes through an open file: how much, whether in sequence, its SHA-256, and what of it is hidden.

What it is: `Meter`, which counts and hashes one direction of one handle, and `TextCover`, which hides what detectors
find in a window of a file without moving a byte.
What it will not do: ask for more of the file (`machine_sftp` does), or hide anything in a file that is not text.

A reader of a file may ask for any part of it in any order, so what is found is replaced by as many `*`, and offsets
stay true. A part is looked at together with what stands before and behind it, so that a value is found wherever the
parts are cut; what is longer than `BEFORE_BYTES` may be seen in part.

Invariants: pure; what `cover` gives is exactly as long as what was asked for; a digest is given only over bytes that
passed in one sequence from the first byte of the file.
"""

import hashlib
from typing import Final

from doorward_core.mask.detect import Detectors

SHOWN_BYTES: Final = 64 * 1024  # of what a client saw of each file, as of each result elsewhere
BEFORE_BYTES: Final = 8 * 1024  # a private key of RSA 8192 has 6.5 KiB; its heading is what gives it away
BEHIND_BYTES: Final = 4 * 1024
SNIFF_BYTES: Final = 8 * 1024  # git looks at as much to tell text from the rest
_KEY_END: Final = b"-----END "
_KEY_LABEL: Final = "private-key"


class Meter:
    """One direction of one handle."""

    __slots__ = ("_hash", "_kept", "_next", "shown", "total")

    def __init__(self, kept: int = 0) -> None:
        self.total = 0
        self.shown = bytearray()
        self._kept = kept
        self._hash = hashlib.sha256()
        self._next = 0

    def add(self, offset: int, data: bytes) -> None:
        """Count a part; out of sequence, there is no digest any more."""
        self.total += len(data)
        if offset != self._next:
            self._next = -1
            return
        self._next += len(data)
        self._hash.update(data)
        if len(self.shown) < self._kept:
            self.shown += data[: self._kept - len(self.shown)]

    def scatter(self) -> None:
        """Note that bytes passed which were not seen."""
        self._next = -1

    @property
    def digest(self) -> bytes:
        """SHA-256 of all that passed, where that was the file from its first byte on; else empty."""
        return self._hash.digest() if self._next > 0 or (self._next == 0 and not self.total) else b""


class TextCover:
    """What hides values in the parts of one file. `masked` counts them by label."""

    __slots__ = ("_detectors", "masked", "text")

    def __init__(self, detectors: Detectors) -> None:
        self._detectors = detectors
        self.masked: dict[str, int] = {}
        self.text: bool | None = None  # not known before the beginning of the file has been seen

    def sniff(self, beginning: bytes) -> None:
        """Tell text from the rest, as git does: by a NUL byte."""
        self.text = b"\0" not in beginning

    def cover(self, window: bytes, start: int, size: int) -> bytes:
        """The `size` bytes from `start` of a window, or as many as there are, with what was found replaced by `*`."""
        stop = min(start + size, len(window))
        found = bytearray(window[start:stop])
        for first, last, label in self._detectors.spans(window):
            if _KEY_LABEL in label.split("+"):
                last = _end_of_key(window, first, last)  # noqa: PLW2901 - the detector means all that follows
            begin, end = max(first, start), min(last, stop)
            if begin < end:
                found[begin - start : end - start] = b"*" * (end - begin)
            if start <= first < stop:
                self.masked[label] = self.masked.get(label, 0) + 1
        return bytes(found)


def _end_of_key(window: bytes, first: int, last: int) -> int:
    end = window.find(_KEY_END, first, last)
    if end < 0:
        return last
    line = window.find(b"\n", end, last)
    return last if line < 0 else line
