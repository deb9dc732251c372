"""Server-sent events on their way through, event by event.

What it will not do: put together what a server spreads over several events, or read an event that nobody ended for it.
Implements: the WHATWG HTML Standard, "Server-sent events" (lines end in CR LF, LF or CR; an empty line ends an event;
the `data` lines of one event are one text).

Invariants:

- An event leaves only when it is whole; one in which nothing was masked leaves as the bytes that came.
- Where paths are owed, the data of an event is JSON, empty, or a mark such as `[DONE]`; other data is refused.
"""

import re
from itertools import pairwise
from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.mask.json_stream import JsonMasker
from doorward_http.owed import Owed, count
from doorward_http.text import FLUSH_S

# Two line ends, one after the other. A CR at the very end may be half of one: it waits.
_END_OF_LINE: Final = rb"(?:\r\n|\n|\r(?=[^\n]))"
_END_OF_EVENT: Final = re.compile(_END_OF_LINE + rb"{2,}+")
_COMMENTS: Final = re.compile(rb"(?::[^\r\n]*+\r?\n)++")
_LINE: Final = re.compile(rb"([^\r\n]*+)(\r\n|\n|\r|\Z)")
_MARK: Final = re.compile(rb"\s*(?:\[[A-Z_]{1,32}\])?\s*")
_MAX_COMMENT_BYTES: Final = 4096  # a sign of life; what is longer waits for its event
_LOOK_BACK: Final = 4  # the longest end of an event
_OPENS_JSON: Final = (b"{", b"[", b'"')
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class Messages:
    """Messages that come whole, and are JSON or text: the data of an event, or a text frame of a WebSocket."""

    def __init__(self, owed: Owed, masked: dict[str, int]) -> None:
        self._owed = owed
        self.masked = masked
        self._reader: JsonMasker | None = None

    def mask(self, message: bytes) -> bytes:
        """The message, masked. Raise UnreadableBody where paths are owed and it is not JSON."""
        if message.lstrip()[:1] in _OPENS_JSON:
            try:
                return self._json(message)
            except UnreadableBody:
                if self._owed.paths and not _MARK.fullmatch(message):
                    raise
        elif self._owed.paths and not _MARK.fullmatch(message) and not _is_word(message):
            raise UnreadableBody("a message is not JSON, and a path of a mask names nothing in it")
        return self.text(message)

    def _json(self, message: bytes) -> bytes:
        """One reader reads message after message, as long as each is whole: to make one costs as much as a message."""
        reader, self._reader = self._reader or self._owed.json(), None
        shown = reader.feed(message) + reader.end()
        for label, number in reader.masked.items():
            self.masked[label] = self.masked.get(label, 0) + number
        reader.masked.clear()
        self._reader = reader
        return shown

    def text(self, text: bytes) -> bytes:
        """A text that is no JSON, masked by detectors alone."""
        if b"\0" in text:
            raise UnreadableBody("there is a NUL byte in a text")
        if self._owed.detectors is None:
            return text
        shown, labels = self._owed.detectors.mask(text, key=self._owed.key)
        for label in labels:
            count(self.masked, label)
        return shown


def _is_word(message: bytes) -> bool:
    """A JSON text that is neither string nor array nor object: no path names it, and it needs no reader."""
    return message.strip() in (b"true", b"false", b"null") or message.strip().lstrip(b"-").isdigit()


class Events:
    """One stream of events in UTF-8."""

    def __init__(self, owed: Owed) -> None:
        self._owed = owed
        self._max = owed.limits.max_token_bytes
        self._held = bytearray()
        self._searched = 0
        self.masked: dict[str, int] = {}
        self._messages = Messages(owed, self.masked)

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk, and give the events that are whole."""
        self._held += chunk
        position, ends = max(0, self._searched - _LOOK_BACK), [0]
        while (end := _END_OF_EVENT.search(self._held, position)) is not None:
            position = end.end()
            ends.append(position)
        whole = bytes(self._held[: ends[-1]])
        del self._held[: ends[-1]]
        self._searched = len(self._held)
        if len(self._held) > self._max:
            raise UnreadableBody(f"an event is longer than {self._max} bytes")
        if not whole or self._clean(whole):
            return whole
        return b"".join(self._event(whole[start:end]) for start, end in pairwise(ends))

    @property
    def flush_after_s(self) -> float | None:
        """See `Patient`: comments, by which a server shows that it lives, wait for no event."""
        return FLUSH_S if self._held.startswith(b":") and self._comments() else None

    @property
    def coverage(self) -> tuple[str, ...]:
        """See `Patient`: comments leave in whole lines, so nothing is left unseen."""
        return ()

    def flush(self) -> bytes:
        """See `Patient`."""
        whole = self._comments()
        del self._held[: len(whole)]
        self._searched = 0
        return b"".join([self._messages.text(line[1]) + line[2] for line in _LINE.finditer(whole)])

    def _comments(self) -> bytes:
        """The comments that stand before the next event, as far as they are whole lines, and short."""
        found = _COMMENTS.match(self._held, 0, _MAX_COMMENT_BYTES)
        return found[0] if found is not None else b""

    def end(self) -> bytes:
        """The stream is over: an event that was not ended is masked like any other."""
        rest, self._held = bytes(self._held), bytearray()
        return self._event(rest) if rest else b""

    def _clean(self, events: bytes) -> bool:
        """Whether detectors alone are owed, and see at one glance that nothing here is for them."""
        detectors = self._owed.detectors
        if self._owed.paths or detectors is None or b"\\" in events or b"\0" in events:
            return False
        return not detectors.scan_hit(events)

    def _event(self, raw: bytes) -> bytes:
        """One event with its end, masked."""
        mark = _BYTE_ORDER_MARK if raw.startswith(_BYTE_ORDER_MARK) else b""
        lines = [(line[1], line[2]) for line in _LINE.finditer(raw, len(mark)) if line[0]]
        data = [_value(line) for line, _ in lines if _is_data(line)]
        text = b"\n".join(data)
        shown = self._messages.mask(text) if text else text
        others = [line if _is_data(line) else self._messages.text(line) for line, _ in lines]
        if shown == text and others == [line for line, _ in lines]:
            return raw
        return mark + _written(list(zip(others, (end for _, end in lines), strict=True)), shown)


def _is_data(line: bytes) -> bool:
    return line == b"data" or line.startswith(b"data:")


def _value(line: bytes) -> bytes:
    """After the colon, and one space."""
    value = line[len(b"data:") :]
    return value[1:] if value.startswith(b" ") else value


def _written(lines: list[tuple[bytes, bytes]], data: bytes) -> bytes:
    """The lines with their ends, the data in place of the first `data` line: masks may make it of fewer lines."""
    out, done = [], False
    for line, end in lines:
        if not _is_data(line):
            out += [line, end]
        elif not done:
            out += [b"".join([b"data: ", part, end or b"\n"]) for part in data.split(b"\n")]
            done = True
    return b"".join(out)
