"""One question of the gateway's own at the target, before a client's first: what a setting is.

What it will not do: ask anything that a client can influence, or run once the session is a client's.
Servers before 18 do not report search_path, and ALTER ROLE or ALTER DATABASE may have set it.
"""

from typing import Final

from doorward_core.errors import UpstreamProtocolError, UpstreamUnavailable
from doorward_postgres import wire_decode, wire_encode
from doorward_postgres.upstream import Upstream
from doorward_postgres.wire import Backend, FrameReader, Side

ASKED: Final = frozenset({"search_path"})
MAX_ANSWER_BYTES: Final = 64 * 1024


async def ask_setting(upstream: Upstream, name: str) -> str:
    """The value of a setting. Raises UpstreamUnavailable if the target does not say."""
    if name not in ASKED:
        raise ValueError(f"{name} is not asked for")
    reader = FrameReader(Side.UPSTREAM, max_message_bytes=MAX_ANSWER_BYTES)
    await upstream.link.send_all(wire_encode.encode_query(f"SHOW {name}"))
    value: str | None = None
    data = upstream.leftover or await upstream.link.receive()
    while data:
        reader.receive(data)
        for kind, start, end in reader:
            body = reader.body(start, end)
            if kind == Backend.DataRow:
                cells = wire_decode.decode_data_row(body)
                value = cells[0].decode("utf-8") if len(cells) == 1 and cells[0] is not None else None
            elif kind == Backend.ParameterStatus:
                key, reported = wire_decode.decode_parameter_status(body)
                upstream.parameters[key] = reported
            elif kind == Backend.ReadyForQuery:
                if value is None:
                    raise UpstreamUnavailable(f"the target does not say what {name} is")
                return value
            elif kind == Backend.ErrorResponse:
                value = None
        reader.consume(reader.position)
        data = await upstream.link.receive()
    raise UpstreamProtocolError("the target closed the connection while it was asked for a setting")
