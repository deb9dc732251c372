"""Open a link to a target: TCP or a Unix socket, with TLS where the settings say so.

What it will not do: follow redirects, proxies or anything else that a target says about where it is.
Implements: RFC 9110 section 4.3.3 (https: the certificate's chain and name), RFC 7301 (ALPN).

Cancelled anywhere, it leaves no socket behind.
"""

import socket
import ssl
from dataclasses import dataclass

import trio

from doorward_core.errors import UpstreamUnavailable
from doorward_core.http.limits import UPSTREAM_LIMITS, UpstreamLimits
from doorward_core.net.link import Link


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Where a target is, and how it is spoken to.

    A `host` that begins with "/" is the path of a Unix socket. `tls` None is no TLS at all.
    `server_name` is the name in the certificate where it is not `host`.
    `http2` is for a `tls` that offers h2 by ALPN; `plain_tls` is then one that does not, for what only HTTP/1.1 can.
    `prior_knowledge` speaks h2 without asking.
    """

    host: str
    port: int = 0
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    http2: bool = False
    plain_tls: ssl.SSLContext | None = None
    prior_knowledge: bool = False
    limits: UpstreamLimits = UPSTREAM_LIMITS

    @property
    def shown(self) -> str:
        """For messages."""
        return self.host if self.host.startswith("/") else f"{self.host}:{self.port}"


async def dial(settings: UpstreamSettings, *, h2: bool = True) -> Link:
    """A connected link; without `h2`, one on which HTTP/1.1 is spoken. Raises UpstreamUnavailable."""
    tls = settings.tls if h2 or not settings.http2 else settings.plain_tls
    if tls is None and settings.tls is not None:
        raise UpstreamUnavailable(f"{settings.shown} is only spoken to over h2")
    try:
        with trio.fail_after(settings.limits.connect_s):
            link = await _connect(settings)
            if tls is not None:
                try:
                    await link.start_tls_client(tls, settings.server_name or settings.host)
                except BaseException:
                    link.close()
                    raise
            return link
    except trio.TooSlowError:
        raise UpstreamUnavailable(f"{settings.shown} did not answer in time") from None
    except trio.BrokenResourceError as error:
        raise UpstreamUnavailable(f"{settings.shown}: {error}") from None


async def _connect(settings: UpstreamSettings) -> Link:
    try:
        if settings.host.startswith("/"):
            stream = await trio.open_unix_socket(settings.host)
        else:
            stream = await trio.open_tcp_stream(settings.host, settings.port)
    except OSError as error:
        raise UpstreamUnavailable(f"{settings.shown}: {error.strerror or error}") from None
    return Link(socket.socket(fileno=stream.socket.detach()))
