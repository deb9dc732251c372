"""Bounds of HTTP, towards clients and towards targets, each with its reason.

What it will not do: enforce them; the readers and shells that are given them do.
"""

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one connection from a client.

    `body_bytes` bounds a request's body as it is carried; what a handler keeps of it is the handler's to bound.
    """

    # Bearer tokens and cookies of several kilobytes beside the usual headers.
    head_bytes: int = 64 * KIB
    # Ten times what browsers send.
    header_count: int = 128
    # Long queries belong into bodies; servers commonly stop at 8 KiB.
    target_bytes: int = 16 * KIB
    body_bytes: int = 1024 * MIB
    # Trailers carry a checksum or a status, never a document.
    trailer_bytes: int = 8 * KIB
    # A whole head must be here this long after its first byte: who drips it holds nothing for longer.
    head_s: float = 10.0
    # Between requests: longer than the 60 s after which most clients forget a connection by themselves.
    idle_s: float = 75.0
    # A body that gives no byte, or a reader that takes none, for so long has gone.
    stall_s: float = 60.0
    # A body that nobody wants is read up to here to keep its connection; a longer one ends it.
    drain_bytes: int = 64 * KIB
    # One read: what the kernel has ready when a body streams.
    read_bytes: int = 256 * KIB
    # h2 streams at once; RFC 9113 section 6.5.2 recommends no fewer than 100.
    streams: int = 100
    # h2 bytes in flight for each stream, and for all: what a client may have us keep.
    stream_window_bytes: int = 256 * KIB
    connection_window_bytes: int = 1 * MIB


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """Bounds of the connections to one target."""

    # Ordinary servers answer with a head of 1 KiB; those that set many cookies with 16.
    head_bytes: int = 64 * KIB
    header_count: int = 256
    trailer_bytes: int = 8 * KIB
    # At once, over h1: each is a request. A request that finds none free waits `queue_s`.
    connections: int = 256
    # Kept open while nobody needs them.
    idle_connections: int = 64
    # Shorter than the 60 s after which servers commonly close.
    idle_s: float = 30.0
    connect_s: float = 10.0
    queue_s: float = 10.0
    # From the request's end to the response's head: reports take their time.
    answer_s: float = 300.0
    # Between two pieces of a response's body; None for streams that may be silent for hours.
    stall_s: float | None = 300.0
    # h2 streams on one connection, if the target allows as many.
    streams: int = 100
    read_bytes: int = 256 * KIB
    stream_window_bytes: int = 1 * MIB
    connection_window_bytes: int = 4 * MIB


CLIENT_LIMITS = HttpLimits()
UPSTREAM_LIMITS = UpstreamLimits()
