"""The messages of exec and attach: one byte says which stream, the rest is its data.

| byte | stream | from |
|---|---|---|
| 0 | stdin | client |
| 1 | stdout | target |
| 2 | stderr | target |
| 3 | how it ended: a Status | target |
| 4 | resize: `{"Width": 80, "Height": 24}` | client |
| 255 | the stream that the next byte names is closed (v5) | either |

What it is: `Channels`, from messages of one side to messages for the other, masked, counted and taped on their way.
What it will not do: wait, or read a clock. Terminals' escape sequences are nobody's here.

Implements: `v4.channel.k8s.io` and `v5.channel.k8s.io` (KEP-4006).
Invariants: pure; what is not in the table ends the stream; what was held back leaves before the end is told.
"""

import json
from collections.abc import Iterable
from typing import Final

from doorward_core.terminal import Screen, Tape

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
STATUS: Final = 3
RESIZE: Final = 4
CLOSE: Final = 255
MAX_RESIZE_BYTES: Final = 256
MAX_STATUS_BYTES: Final = 64 * 1024
MAX_SIDE: Final = 65_535
_CLOSE_BYTES: Final = 2


class ChannelError(ValueError):
    """A message that is not in the table; the words are for both sides."""


class Channels:
    """One exec or attach."""

    def __init__(self, screen: Screen, tape: Tape, *, closes: bool) -> None:
        self._screen = screen
        self._tape = tape
        self._closes = closes
        self._ended = False
        self.bytes_up = 0
        self.code = ""
        """How it ended: an exit status, or the reason of a failure."""

    def from_target(self, message: bytes, now_unix_ns: int) -> list[bytes]:
        """What the client is sent for a message of the target. Raises ChannelError."""
        if not message:
            return []
        channel, data = message[0], message[1:]
        if channel in {STDOUT, STDERR} and not self._ended:
            if not data:  # the server says so that a stream is there
                return [message]
            return self._shown([(channel, self._screen.feed(data, stderr=channel == STDERR))], now_unix_ns)
        if channel == STATUS and len(data) <= MAX_STATUS_BYTES:
            if not data:
                return [message]
            self.code = _code(data)
            return [*self.rest(now_unix_ns), message]
        if channel == CLOSE and self._closes and len(message) == _CLOSE_BYTES:
            return [*self.flush(now_unix_ns), message]
        raise ChannelError("the target sent what no stream of its has")

    def from_client(self, message: bytes, now_unix_ns: int) -> bytes:
        """What the target is sent for a message of the client; nothing for nothing. Raises ChannelError."""
        if not message:
            return b""
        channel, data = message[0], message[1:]
        if channel == STDIN:
            self.bytes_up += len(data)
            return message
        if channel == RESIZE:
            columns, rows = _size(data)
            self._tape.resized(columns, rows, now_unix_ns)
            return bytes([RESIZE]) + json.dumps({"Width": columns, "Height": rows}).encode("ascii")
        if channel == CLOSE and self._closes and data == bytes([STDIN]):
            return message
        raise ChannelError("the client sent what no stream of its has")

    @property
    def flush_after_s(self) -> float | None:
        """When what is held back is to be let go."""
        return self._screen.flush_after_s

    def flush(self, now_unix_ns: int) -> list[bytes]:
        """The timer: what is held back."""
        return self._shown(zip((STDOUT, STDERR), self._screen.flush(), strict=True), now_unix_ns)

    def rest(self, now_unix_ns: int) -> list[bytes]:
        """The streams are over: what is left of each."""
        if self._ended:
            return []
        self._ended = True
        return self._shown(zip((STDOUT, STDERR), self._screen.end(), strict=True), now_unix_ns)

    def _shown(self, pieces: Iterable[tuple[int, bytes]], now_unix_ns: int) -> list[bytes]:
        out = []
        for channel, data in pieces:
            if data:
                self._tape.output(data, now_unix_ns, stderr=channel == STDERR)
                out.append(bytes([channel]) + data)
        return out


def failure(words: str) -> bytes:
    """A message that tells a client why its stream was ended."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": words,
              "reason": "Forbidden", "code": 403}  # fmt: skip
    return bytes([STATUS]) + json.dumps(status).encode("ascii")


def _size(data: bytes) -> tuple[int, int]:
    try:
        document = json.loads(data) if len(data) <= MAX_RESIZE_BYTES else None
    except (ValueError, RecursionError):
        document = None
    found = [document.get(key) for key in ("Width", "Height")] if isinstance(document, dict) else []
    sides = [side for side in found if isinstance(side, int) and not isinstance(side, bool) and 0 <= side <= MAX_SIDE]
    if len(sides) != _CLOSE_BYTES:
        raise ChannelError("this is no size of a terminal")
    return sides[0], sides[1]


def _code(data: bytes) -> str:
    """The exit status that a Status tells, or its reason."""
    try:
        status = json.loads(data)
    except (ValueError, RecursionError):
        return "unreadable"
    if not isinstance(status, dict):
        return "unreadable"
    if status.get("status") == "Success":
        return "0"
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in causes if isinstance(causes, list) else ():
        if isinstance(cause, dict) and cause.get("reason") == "ExitCode":
            return str(cause.get("message", ""))[:16]
    return str(status.get("reason") or "failure")[:64]
