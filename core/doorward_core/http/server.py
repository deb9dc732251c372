"""A client's connection, from its first byte: TLS, the version that it agrees on, and requests until it ends.

What it will not do: listen (`net.listen`), or know what a request means: that is the handler's.
Implements: RFC 7301 (ALPN) with `h2` and `http/1.1`; HTTP/2 is spoken where ALPN chose it, and nowhere else.
"""

import itertools
import re
from dataclasses import replace
from typing import Final

import trio

from doorward_core.http.h1_wire import encode_response
from doorward_core.http.limits import CLIENT_LIMITS, HttpLimits
from doorward_core.http.problem import problem
from doorward_core.http.server_h1 import H1Connection, Handler, Refused
from doorward_core.http.server_h2 import H2Connection
from doorward_core.net.listen import Connection
from doorward_core.net.tls import ServerTls

ALPN: Final = ("h2", "http/1.1")
"""What to offer in the `ServerTls` that is handed to `serve`."""

# The beginning of a request; TLS begins with a byte that no method does.
_IN_CLEAR: Final = re.compile(rb"[A-Z]{1,20} ")
_head, _body = problem(
    400,
    "this port speaks TLS: use https://; a token that was sent here has crossed the network in clear: get a new one",
    headers=((b"connection", b"close"),),
)
NOT_HERE: Final = encode_response(_head.status, _head.reason, _head.headers) + _body

_numbers = itertools.count(1)


async def serve(
    connection: Connection,
    tls: ServerTls | None,
    handler: Handler,
    limits: HttpLimits = CLIENT_LIMITS,
    on_refused: Refused | None = None,
) -> None:
    """Serve one connection: `handler(exchange)` for each request. It is for `net.listen.Server` as its handler.

    With `tls`, TCP connections must begin with it, and one that begins with a request is told so; a Unix socket's need
    none.
    `on_refused` is told of each request that was refused before a handler saw it.
    """
    link = connection.link
    if tls is not None and not connection.listener.local:
        try:
            early = await link.receive()
            if _IN_CLEAR.match(early):
                await link.send_all(NOT_HERE)
                return
            await link.start_tls_server(tls.context, early)
        except trio.BrokenResourceError:
            return  # it was told by an alert, if it listened
    peer = replace(connection.peer, encrypted=link.encrypted)
    version = H2Connection if link.alpn == "h2" else H1Connection
    await version(connection, peer, next(_numbers), handler, limits).serve(on_refused)
