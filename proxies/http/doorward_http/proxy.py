"""The HTTP gateway: every request of one connection, from its head to the session that it belongs to.

What it is: the trio shell that has `doorward_core.http` read requests, finds their resource, has the gate admit who
asks, and hands each to `serving`. It implements the proxy's side of `doorward_core.run`.
What it will not do: decide, or read a byte of HTTP.

Source: RFC 9110 (semantics), RFC 6750 (bearer tokens), RFC 9457 (problem details).

Invariants: nobody learns what is offered here before they have said who they are; no byte of a request's body is read
before that; sessions that were opened in the record are closed in it, whatever ends their connection.
"""

import secrets
from typing import Final

import structlog

from doorward_core.doors import open_doors
from doorward_core.errors import AdmissionRefused, AuthenticationError, ConfigError, RecordError
from doorward_core.http.budget import Budget, NoRoom
from doorward_core.http.exchange import Exchange
from doorward_core.http.messages import BadRequest, Head, Headers, ResponseHead, get_all
from doorward_core.http.paths import CanonicalTarget, canonical, refuse_overrides
from doorward_core.http.places import WELL_KNOWN
from doorward_core.http.problem import problem
from doorward_core.http.relay import tell
from doorward_core.http.routes import Found, Routes
from doorward_core.http.server import ALPN, serve
from doorward_core.http.websocket import check_request
from doorward_core.identity.assertion import Assertion
from doorward_core.model import Approve, Effect, Mask, MaskInput, Obligation, Operation, Peer, Record, Secret
from doorward_core.net.control import Route
from doorward_core.net.listen import Connection
from doorward_core.net.tls import ServerTls
from doorward_core.rooms import Room, key_file
from doorward_core.run import Maker
from doorward_http import refusals
from doorward_http.before import Before, Line
from doorward_http.doors import HttpDoor
from doorward_http.facts import Body, about_bodies, is_coded
from doorward_http.headers import for_target
from doorward_http.masking import Owing
from doorward_http.operations import WEBSOCKET, Request, again, media_type
from doorward_http.recorded import as_sent
from doorward_http.refusals import Refusal, refusal
from doorward_http.served import Served, serve_resource
from doorward_http.serving import Means, Serving
from doorward_http.settings import HttpTarget

DISCHARGES: Final[frozenset[type[Obligation]]] = frozenset({Mask, MaskInput, Approve, Record})
JWKS: Final = f"{WELL_KNOWN}jwks.json"
MAX_TOKEN_BYTES: Final = 16 * 1024
OPERATION_ID_BYTES: Final = 16
# They show what was sent to whoever asks, our credential included, or make the gateway a tunnel.
NOT_OFFERED: Final = frozenset({"TRACE", "TRACK", "CONNECT"})
NO_ROOM: Final = refusal(503, "no-room", refusals.NO_ROOM, headers=((b"retry-after", b"5"),), extra={"retry": True})
NOTHING_HERE: Final = refusal(404, "nothing-here", refusals.NOTHING_HERE, extra={"retry": False})
BUSY: Final = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

log = structlog.get_logger()


class HttpProxy:
    """Serves every HTTP resource of one configuration."""

    def __init__(self, room: Room) -> None:
        self._room = room
        link = room.config.approvals.link or ""
        assertion = Assertion(key_file(room.config.record.keys / "assertion.key"), room.config.origin)
        self._means = Means(assertion, Owing(room.mask_key), link, Budget(room.config.limits.bodies), room.gate.clock)
        self._served = self._all()
        self._routes = Routes({name: served.settings.at for name, served in self._served.items()})
        conflicts = self._routes.conflicts()
        if conflicts:
            raise ConfigError(tuple(f"resources: {words}" for words in conflicts))

    def _all(self) -> dict[str, Served]:
        return {
            name: serve_resource(name, resource.target, self._room)
            for name, resource in self._room.config.resources.items()
            if isinstance(resource.target, HttpTarget)
        }

    def reload(self) -> None:
        """Read the files of the targets again: authorities, client certificates, descriptions."""
        before, self._served = self._served, self._all()
        for served in before.values():
            served.pool.close()

    def warnings(self) -> tuple[str, ...]:
        """What an operator is to be told at every start."""
        bare = sorted(name for name, served in self._served.items() if served.settings.unprotected)
        return tuple(f"resource {name}: http://, the leg to the target is not protected" for name in bare)

    def routes(self) -> tuple[Route, ...]:
        """Nothing on the control port besides approvals."""
        return ()

    async def serve(self, connection: Connection, tls: ServerTls | None) -> None:
        """Serve one connection to its end."""
        async with open_doors(self._room.gate, HttpDoor) as doors:
            line = Line(connection, doors)
            await serve(connection, tls, lambda exchange: self._handle(exchange, line))

    async def _handle(self, exchange: Exchange, line: Line) -> None:
        try:
            refused = await self._serve(exchange, line)
        except NoRoom:
            refused = NO_ROOM
        except RecordError as error:
            if exchange.started:
                exchange.cut()
                return
            refused = refusal(503, "no-record", refusals.no_record(error), headers=((b"retry-after", b"5"),))
        if refused is not None:
            media = media_type(exchange.head.headers)
            await tell(exchange, *refused.answer(media))

    async def _serve(self, exchange: Exchange, line: Line) -> Refusal | None:
        """Serve one request, or give what is said instead. Raises BadRequest."""
        head, before = exchange.head, line.before
        if before is not None and before.stands(head, self._served, self._room.gate.policy):
            operation = again(before.operation, secrets.token_bytes(OPERATION_ID_BYTES), before.door.number())
            serving = Serving(before.served, before.door, exchange, self._means, line.connection.draining)
            await serving.run(before, operation, b"")
            return None
        if head.target == JWKS.encode():
            await self._publish(exchange)
            return None
        if head.method in NOT_OFFERED:
            return refusal(405, "method", f"{head.method} is not offered", headers=((b"allow", b"GET, HEAD, POST"),))
        target, found = self._find(head.authority, head.target)
        door = await self._enter(exchange, line, found)
        if isinstance(door, Refusal):
            return door
        line.connection.established()
        if found is None:
            return NOTHING_HERE
        return await self._ask(exchange, line, door, target, found)

    async def _enter(self, exchange: Exchange, line: Line, found: Found | None) -> HttpDoor | Refusal:
        """The session of whoever asks, or why there is none."""
        head = exchange.head
        known = line.asker(head, found, self._served)
        if known is not None:
            return known
        token, given = _token(head.headers, self._served[found.resource] if found is not None else None)
        if token is None:
            return refusals.unauthenticated(given=given)
        software = b"".join(get_all(head.headers, b"user-agent")[:1]).decode("latin-1")[:256]
        peer = Peer(exchange.peer.address, exchange.peer.port, software, exchange.peer.encrypted)
        try:
            return await line.doors.enter(token, found.resource if found is not None else head.authority[:64], peer)
        except AuthenticationError:
            return refusals.unauthenticated(given=True)
        except AdmissionRefused as refused:
            return NOTHING_HERE if found is None else refusals.not_admitted(refused)

    def _find(self, authority: str, raw: bytes) -> tuple[CanonicalTarget, Found | None]:
        """The target, read, and its place. Raises BadRequest for what could be read in two ways."""
        try:
            target = canonical(raw)
        except BadRequest:
            # Some name things with slashes in them, and say so: of theirs, `%2F` belongs to a segment.
            target = canonical(raw, encoded_slash=True)
            found = self._routes.find(authority, target.path)
            if found is None or not self._served[found.resource].settings.encoded_slashes:
                raise
            return target, found
        return target, self._routes.find(authority, target.path)

    async def _ask(
        self, exchange: Exchange, line: Line, door: HttpDoor, target: CanonicalTarget, found: Found
    ) -> Refusal | None:
        served, head = self._served[found.resource], exchange.head
        if served.settings.overrides == "refuse":
            refuse_overrides(head.headers, target)
        headers = line.headers(head, door, served) or _going_on(head, served)
        if head.upgrade == WEBSOCKET:
            check_request(head)
        serving = Serving(served, door, exchange, self._means, line.connection.draining)
        wanted = served.wanted(self._room.gate.policy)

        identifier, number = secrets.token_bytes(OPERATION_ID_BYTES), door.number()
        session = door.gate.session

        def asked(body: Body) -> Before:
            request = Request(head, target, found, headers, body)
            up = self._means.owing.going_up(self._room.gate.policy.inputs(session.identity, session.resource))
            told = None if up is None else as_sent(request, up)
            operation = served.reader.read(
                request, identifier=identifier, seq=number, account=session.account, wanted=wanted, told=told
            )
            return Before(served, door, request, operation, wanted, door.memo(operation))

        if head.expect_continue and not door.gate.observe:
            # Whoever asks first is told what no body could change, and need not send it.
            unread = asked(Body(None, media_type(headers), is_coded(headers)))
            if self._denies_unread(door, unread.operation):
                await serving.run(unread, unread.operation, b"")
                return None
        with self._means.bodies.share((session.identity.issuer, session.identity.subject)) as share:
            came = await serving.read_body(headers, share)
            if came is None:
                return serving.ended()
            body, rest = came
            before = asked(body)
            line.before = before if head.body == "none" and not head.upgrade else None
            await serving.run(before, before.operation, rest)
        return None

    def _denies_unread(self, door: HttpDoor, operation: Operation) -> bool:
        """Whether policy refuses this whatever its body is; the decision, and its record, are still to be made."""
        session, policy, now = door.gate.session, self._room.gate.policy, self._room.gate.clock()
        about = (session.identity, session.resource, operation)
        if any(map(about_bodies, policy.minded(*about))):
            return False
        return policy.decide(*about, now, discharges=DISCHARGES).effect is Effect.DENY

    async def _publish(self, exchange: Exchange) -> None:
        """The key that targets check our assertions with: nothing secret, for everybody."""
        if exchange.head.method not in {"GET", "HEAD"}:
            await exchange.respond(*problem(405, "this can be read only", headers=((b"allow", b"GET, HEAD"),)))
            return
        lines = ((b"content-type", b"application/jwk-set+json"), (b"cache-control", b"public, max-age=300"))
        await exchange.respond(ResponseHead(200, lines), self._means.assertion.jwks())


def _going_on(head: Head, served: Served) -> Headers:
    """What of a request's fields may go on to the target."""
    taken = (*served.credentials.names, *(name.encode() for name in served.settings.tokens_in))
    return for_target(head.headers, cookies=served.settings.cookies, taken=taken)


def _token(headers: Headers, served: Served | None) -> tuple[Secret | None, bool]:
    """The token that a client shows, and whether it showed anything: one, in one place."""
    values = list(get_all(headers, b"authorization"))
    found = []
    for value in values:
        scheme, _, rest = value.partition(b" ")
        if scheme.lower() == b"bearer":
            found.append(rest.strip())
    for name in served.settings.tokens_in if served is not None else ():
        more = get_all(headers, name.encode())
        values += more
        found += more
    if len(found) != 1 or len(values) != 1 or not found[0] or len(found[0]) > MAX_TOKEN_BYTES:
        return None, bool(values)
    return Secret(found[0].decode("latin-1")), True


HTTP: Final = Maker("http", DISCHARGES, HttpTarget, HttpProxy, ALPN, BUSY)
