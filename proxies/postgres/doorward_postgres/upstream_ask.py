"""One question of the gateway's own at the target, before a client's first: what a setting is.

What it will not do: ask anything that a client can influence, or run once the session is a client's.
Servers before 18 do not report search_path, and ALTER ROLE or ALTER DATABASE may have set it.
"""

from typing import Final

import trio

from doorward_core.errors import UpstreamProtocolError, UpstreamUnavailable
from doorward_postgres import wire_decode
from doorward_postgres.upstream import QUESTION, UNSAID, Upstream
from doorward_postgres.wire import Backend, FrameReader, Side

MAX_ANSWER_BYTES: Final = 64 * 1024
WITHIN_S: Final = 15.0  # a target that has just let us in answers at once, or not at all


async def settle_path(upstream: Upstream) -> str:
    """The search_path that the session begins with: as the target said it, or as it says it when asked.

    Raises UpstreamUnavailable if the target does not say.
    What the target sent behind its answer is left in `upstream.leftover`.
    Cancelled, the session at the target is good for nothing but to be closed.
    """
    if UNSAID in upstream.parameters and not upstream.asked:
        return upstream.parameters[UNSAID]
    try:
        with trio.fail_after(WITHIN_S):
            upstream.parameters[UNSAID] = await _ask(upstream)
    except trio.TooSlowError as error:
        raise UpstreamUnavailable(f"the target did not say within {WITHIN_S:.0f} s what {UNSAID} is") from error
    except (trio.BrokenResourceError, UnicodeDecodeError) as error:
        raise UpstreamUnavailable(f"the target could not say what {UNSAID} is") from error
    return upstream.parameters[UNSAID]


async def _ask(upstream: Upstream) -> str:
    answer = _Answer(upstream.parameters)
    if not upstream.asked:
        await upstream.link.send_all(QUESTION)
    upstream.asked = False
    data = upstream.leftover or await upstream.link.receive()
    while data:
        if not answer.ended(data):
            data = await upstream.link.receive()
            continue
        upstream.leftover = answer.behind
        if answer.value is None:
            raise UpstreamUnavailable(f"the target does not say what {UNSAID} is")
        return answer.value
    raise UpstreamProtocolError("the target closed the connection while it was asked for a setting")


class _Answer:
    """Reads the answer to SHOW; `value` is None where it is not one row of one value, `behind` what came after it."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self.value: str | None = None
        self.behind = b""
        self._parameters = parameters
        self._reader = FrameReader(Side.UPSTREAM, max_message_bytes=MAX_ANSWER_BYTES)

    def ended(self, data: bytes) -> bool:
        """Take a chunk; tell whether the server is ready for the next query."""
        reader = self._reader
        reader.receive(data)
        for kind, start, end in reader:
            if kind == Backend.ReadyForQuery:
                self.behind = reader.buffer[end:]
                return True
            self._take(kind, reader.body(start, end))
        reader.consume(reader.position)
        return False

    def _take(self, kind: int, body: bytes) -> None:
        if kind == Backend.DataRow:
            cells = wire_decode.decode_data_row(body)
            value = cells[0] if len(cells) == 1 else None
            self.value = None if value is None else value.decode("utf-8")
        elif kind == Backend.ParameterStatus:
            name, reported = wire_decode.decode_parameter_status(body)
            self._parameters[name] = reported
        elif kind == Backend.ErrorResponse:
            self.value = None
