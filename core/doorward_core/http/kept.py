"""What is kept of an answer: how much of it left, and its beginning as the client saw it.

What it is: `Kept`, a change of a body that changes nothing and remembers, behind the one that masks.
What it will not do: keep headers that carry a credential, or more than the record asks for.

Implements: docs/spec/event-log.md, `shown_format` of `http.message`.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from doorward_core.event import Outcome, Status
from doorward_core.http.messages import Headers, ResponseHead
from doorward_core.http.problem import reason

if TYPE_CHECKING:  # a shell's words, and none of its doings
    from doorward_core.http.relay import Change, Holding

SHOWN_BYTES: Final = 64 * 1024
SHOWN_WHOLE_BYTES: Final = 1024 * 1024  # where the level is `payload`
FORMAT: Final = "http.message"
SHOWN_HEADERS: Final = frozenset(
    {b"allow", b"content-disposition", b"content-encoding", b"content-language", b"content-length", b"content-type",
     b"link", b"location", b"retry-after", b"x-request-id"}
)  # fmt: skip
FAILED: Final = 400


@lru_cache(maxsize=64)
def _start(head: ResponseHead) -> bytes:
    lines = [b"HTTP/1.1 %d %s" % (head.status, reason(head.status))]
    lines += [b"%s: %s" % line for line in head.headers if line[0] in SHOWN_HEADERS]
    return b"\r\n".join(lines) + b"\r\n\r\n"


class Kept:
    """Counts and keeps what another change gives."""

    def __init__(self, change: "Change", head: ResponseHead, room: int, holding: "Holding | None" = None) -> None:
        self._change = change
        self._holding = holding  # the same, where it holds things back
        self._status = head.status
        self._room = room
        start = _start(head)
        self._shown = bytearray(start)
        self._digest = hashlib.sha256(start)
        self.bytes_down = 0
        self.whole = False

    def feed(self, chunk: bytes) -> bytes:
        """See `Change`."""
        return self.keep(self._change.feed(chunk))

    def end(self) -> bytes:
        """See `Change`."""
        return self.keep(self._change.end())

    @property
    def flush_after_s(self) -> float | None:
        """See `Holding`."""
        return None if self._holding is None else self._holding.flush_after_s

    def flush(self) -> bytes:
        """See `Holding`."""
        return b"" if self._holding is None else self.keep(self._holding.flush())

    def trailers(self, trailers: Headers) -> Headers:
        """See `Change`."""
        return self._change.trailers(trailers)

    def keep(self, out: bytes) -> bytes:
        """Count and keep what leaves."""
        self.bytes_down += len(out)
        self._digest.update(out)
        if len(self._shown) < self._room:
            self._shown += out[: self._room - len(self._shown)]
        return out

    def message(self, data: bytes) -> None:
        """Keep a message that leaves: each is a line."""
        self.keep(data + b"\n")

    def outcome(self, *, bytes_up: int, masked: Mapping[str, int], duration_ns: int = 0) -> Outcome:
        """How it ended; aborted, unless somebody has set `whole` because all of it has left."""
        status = Status.ABORTED if not self.whole else Status.ERROR if self._status >= FAILED else Status.OK
        return Outcome(
            status,
            str(self._status),
            bytes_up=bytes_up,
            bytes_down=self.bytes_down,
            masked=masked,
            duration_ns=duration_ns,
            shown=bytes(self._shown),
            shown_format=FORMAT,
            shown_digest=self._digest.digest(),
            shown_truncated=self.bytes_down > 0 and len(self._shown) >= self._room,
        )
