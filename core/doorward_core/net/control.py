"""The control plane's HTTP: a JSON API for approvers, and the tiny responder of /healthz, /readyz and /metrics.

It reads one HTTP/1.1 request at a time (RFC 9112, by h11), finds its route, asks who it is, and writes the answer.
It knows no approvals: routes come from outside. It serves no browser: there are no cookies, no forms and no CORS, and a
POST must say that it is JSON, so that no page can make one (threat model AP-05). A GET changes nothing.
Problems are RFC 9457 (`application/problem+json`), bearer tokens RFC 6750.

Invariants:

- Everything is bounded: connections, the head, the body, the time a request may take to arrive, and to be answered.
- A route that is not public is not entered without a verified identity; a failed one is told nothing but that.
- Until a request on it was authenticated, a connection counts as a handshake, and has no longer than one (`listen`).
- Whatever goes wrong in one connection ends that connection only (`listen` supervises it).
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl

import h11
import trio

from doorward_core.errors import AuthenticationError, GatewayError
from doorward_core.model import Identity, Peer, Secret
from doorward_core.net.link import Link
from doorward_core.net.listen import Connection, Limits, Listener, Server
from doorward_core.net.tls import ServerTls

MAX_HEAD_BYTES = 32 * 1024
"""Room for a bearer token of several kilobytes beside the usual headers."""
MAX_BODY_BYTES = 64 * 1024
"""A vote is a verdict, a sentence and a signature."""
LIMITS = Limits(connections=128, handshakes=64, handshake_s=10.0)
MAX_QUERY_FIELDS = 8
READ_CHUNK_BYTES = 16 * 1024
REQUEST_TIMEOUT_S = 15.0
"""From the first byte of silence to the end of a request: approvers are programs, and send at once."""
HANDLER_TIMEOUT_S = 30.0
"""A vote waits for a disk; beyond this the disk is not answering."""
_PATH_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
_NO_STORE = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class Problem(GatewayError):
    """An answer other than success, for a handler to raise: status, and words that are safe to send."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `parameters` are the pieces of the path that its route names; `identity` is None where public."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    peer: Peer
    parameters: Mapping[str, str] = field(default_factory=dict)
    identity: Identity | None = None

    @property
    def who(self) -> Identity:
        """The verified identity; a route that is public has none, and must not ask."""
        if self.identity is None:
            raise Problem(401, "a bearer token is needed")
        return self.identity


Handler = Callable[[Call], Awaitable[Reply]]
Authenticate = Callable[[Secret, Peer], Awaitable[Identity]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path; `{name}` in a path stands for one segment."""

    method: str
    path: str
    handler: Handler
    public: bool = False


@dataclass(frozen=True, slots=True)
class _Head:
    """The head of a request, read and checked."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: tuple[tuple[bytes, bytes], ...]


class ControlServer:
    """The routes of one port or socket. Without `authenticate`, only public routes answer.

    With `tls`, TCP connections must begin with it; a Unix socket's need none.
    `proof_in_body`: who asks is known by what the body proves. Then a POST need not say that it is JSON (a page that
    makes one has nothing to prove with), and an answer of success stands for authentication.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        authenticate: Authenticate | None = None,
        tls: ServerTls | None = None,
        *,
        proof_in_body: bool = False,
    ) -> None:
        self._routes = tuple(routes)
        self.proof_in_body = proof_in_body
        self._authenticate = authenticate
        self._tls = tls

    def server(self, listeners: Sequence[Listener], on_error: Callable[[Exception, Peer], None]) -> Server:
        """Make the `listen.Server` that serves these routes: start its `serve`, end it with its `drain`."""
        return Server(listeners, self.handle, on_error=on_error, limits=LIMITS)

    async def handle(self, connection: Connection) -> None:
        """Answer one connection's requests until it closes, or the gateway drains."""
        link = connection.link
        try:
            if self._tls is not None and not connection.listener.local:
                await link.start_tls_server(self._tls.context)
            await _Conversation(self, connection).run()
            await link.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
            return  # the client went away, or never finished: there is nobody to tell

    async def answer(self, head: _Head, body: bytes, connection: Connection) -> Reply:
        """Find the route, ask who it is, and let it answer; every GatewayError becomes a problem."""
        peer = connection.peer
        try:
            route, parameters = self._find(head)
            identity = None if route.public else await self._identify(head, peer)
            if identity is not None:
                connection.established()
            call = Call(head.method, head.path, head.query, body, peer, parameters, identity)
            with trio.fail_after(HANDLER_TIMEOUT_S):
                reply = await route.handler(call)
        except Problem as problem:
            return _problem(problem.status, problem.detail)
        except AuthenticationError:
            challenge = ((b"www-authenticate", b'Bearer realm="doorward"'),)
            return _problem(401, "a valid bearer token is needed", challenge)
        except (GatewayError, trio.TooSlowError):
            return _problem(503, "the gateway cannot do this just now; look again before you repeat it")
        if self.proof_in_body and reply.status == HTTPStatus.OK:
            connection.established()
        return reply

    def _find(self, head: _Head) -> tuple[Route, Mapping[str, str]]:
        allowed = set()
        for route in self._routes:
            parameters = _match(route.path, head.path)
            if parameters is not None and route.method == head.method:
                return route, parameters
            if parameters is not None:
                allowed.add(route.method)
        if allowed:
            raise Problem(405, f"this path answers {', '.join(sorted(allowed))}")
        raise Problem(404, "there is nothing here")

    async def _identify(self, head: _Head, peer: Peer) -> Identity:
        given = [value for name, value in head.headers if name == b"authorization"]
        if self._authenticate is None or len(given) != 1:
            raise AuthenticationError("no bearer token, or several")
        scheme, _, token = given[0].partition(b" ")
        if scheme.lower() != b"bearer" or not token.strip():
            raise AuthenticationError("not a bearer token")
        return await self._authenticate(Secret(token.strip().decode("ascii", "replace")), peer)


class _Conversation:
    """One connection, request after request (RFC 9112 section 9.3)."""

    def __init__(self, server: ControlServer, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self._link: Link = connection.link
        self._wire = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)

    async def run(self) -> None:
        while not self._connection.draining.is_set():
            try:
                with trio.fail_after(REQUEST_TIMEOUT_S):
                    request = await self._request()
            except (h11.RemoteProtocolError, Problem) as error:
                await self._refuse(error)
                return
            if request is None:
                return
            await self._write(await self._server.answer(*request, self._connection))
            if self._wire.our_state is not h11.DONE or self._wire.their_state is not h11.DONE:
                return
            self._wire.start_next_cycle()

    async def _request(self) -> tuple[_Head, bytes] | None:
        """One whole request; None where the client closed instead."""
        head: _Head | None = None
        body = bytearray()
        while True:
            event = self._wire.next_event()
            if event is h11.NEED_DATA:
                if self._wire.they_are_waiting_for_100_continue:
                    await self._send(h11.InformationalResponse(status_code=100, headers=[]))
                self._wire.receive_data(await self._link.receive(READ_CHUNK_BYTES))
            elif isinstance(event, h11.Request):
                head = _head(event, json_only=not self._server.proof_in_body)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_BODY_BYTES:
                    raise Problem(413, f"a body may have {MAX_BODY_BYTES} bytes")
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return head, bytes(body)
            else:
                return None

    async def _refuse(self, error: h11.RemoteProtocolError | Problem) -> None:
        status = error.status if isinstance(error, Problem) else error.error_status_hint
        if self._wire.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            detail = error.detail if isinstance(error, Problem) else "this is not HTTP/1.1 as the gateway reads it"
            await self._write(_problem(status, detail, ((b"connection", b"close"),)))

    async def _write(self, reply: Reply) -> None:
        headers = [
            (b"content-type", reply.content_type),
            (b"content-length", str(len(reply.body)).encode("ascii")),
            *_NO_STORE,
            *reply.headers,
        ]
        with trio.fail_after(REQUEST_TIMEOUT_S):
            reason = HTTPStatus(reply.status).phrase.encode("ascii")
            await self._send(h11.Response(status_code=reply.status, headers=headers, reason=reason))
            await self._send(h11.Data(data=reply.body))
            await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        data = self._wire.send(event)
        if data:
            await self._link.send_all(data)


# --- answers and questions -------------------------------------------------------------------------------------------


def json_reply(value: object, status: int = 200) -> Reply:
    """An answer in JSON, in ASCII only."""
    return Reply(status, json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n")


def read_json(call: Call) -> dict[str, object]:
    """The body as a JSON object; Problem if it is not one, or says something twice."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("a member occurs twice")
        return dict(pairs)

    try:
        value = json.loads(call.body, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "the body is not JSON, or has a member twice") from error
    if not isinstance(value, dict):
        raise Problem(400, "the body is not a JSON object")
    return value


def probes(handlers: Mapping[str, Callable[[], Reply]]) -> tuple[Route, ...]:
    """Public GET routes that answer at once: `/healthz`, `/readyz`, `/metrics`."""

    def route(path: str, answer: Callable[[], Reply]) -> Route:
        async def handler(_: Call) -> Reply:
            await trio.lowlevel.checkpoint()
            return answer()

        return Route("GET", path, handler, public=True)

    return tuple(route(path, answer) for path, answer in handlers.items())


def _head(event: h11.Request, *, json_only: bool) -> _Head:
    target = event.target.decode("ascii", "replace")
    path, _, query = target.partition("?")
    if not path.startswith("/") or not _PATH_CHARACTERS.issuperset(path):
        raise Problem(400, "this is not a path that the gateway reads")
    method = event.method.decode("ascii", "replace")
    headers = tuple(event.headers)
    kinds = [value.split(b";")[0].strip().lower() for name, value in headers if name == b"content-type"]
    if json_only and method == "POST" and kinds != [b"application/json"]:
        raise Problem(415, "the body must be application/json")
    try:
        fields = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=MAX_QUERY_FIELDS)
    except ValueError as error:
        raise Problem(400, "the query cannot be read") from error
    if len({name for name, _ in fields}) != len(fields):
        raise Problem(400, "the query says something twice")
    return _Head(method, path, dict(fields), headers)


def _match(template: str, path: str) -> Mapping[str, str] | None:
    wanted, given = template.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    parameters = {}
    for pattern, piece in zip(wanted, given, strict=True):
        if pattern.startswith("{") and piece:
            parameters[pattern[1:-1]] = piece
        elif pattern != piece:
            return None
    return parameters


def _problem(status: int, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    body = {"type": "about:blank", "status": status, "title": HTTPStatus(status).phrase, "detail": detail}
    return Reply(status, json_reply(body).body, b"application/problem+json", headers)
