"""The Kubernetes gateway: every request of one connection, from its head to the session that it belongs to.

What it is: the trio shell that has `doorward_core.http` read requests, finds their cluster, has the gate admit who
asks, and hands each to `serving`. It implements the proxy's side of `doorward_core.run`.
What it will not do: decide, or read a byte of HTTP.

Source: the Kubernetes API conventions (errors are a Status), RFC 6750 (bearer tokens).

Invariants: nobody learns what is offered here before they have said who they are; no byte of a request's body is read
before that; sessions that were opened in the record are closed in it, whatever ends their connection.
"""

import secrets
from dataclasses import replace
from typing import Final

import trio

from doorward_core.doors import Door, Doors, open_doors
from doorward_core.errors import AdmissionRefused, AuthenticationError, ConfigError, RecordError, TooManySessions
from doorward_core.http.budget import Budget, NoRoom, Share
from doorward_core.http.exchange import Exchange
from doorward_core.http.messages import BadRequest, Head, get, get_all, without
from doorward_core.http.paths import canonical, refuse_overrides
from doorward_core.http.routes import Found, Routes
from doorward_core.http.server import ALPN, serve
from doorward_core.http.websocket import PROTOCOL, check_request
from doorward_core.model import Approve, Mask, Obligation, Peer, Record, Secret
from doorward_core.net.control import Route
from doorward_core.net.listen import Connection
from doorward_core.net.tls import ServerTls
from doorward_core.rooms import Room
from doorward_core.run import Maker
from doorward_k8s import protobuf, refusals
from doorward_k8s.accept import JSON
from doorward_k8s.calls import read_call
from doorward_k8s.documents import Unreadable
from doorward_k8s.headers import looks_up, token_of, without_token
from doorward_k8s.masking import Owing
from doorward_k8s.object_paths import Resource
from doorward_k8s.operations import Reading, Request, read
from doorward_k8s.refusals import Refusal, Refused, refusal
from doorward_k8s.serving import Means, Serving
from doorward_k8s.settings import K8sTarget
from doorward_k8s.upstream import Cluster, serve_cluster

DISCHARGES: Final[frozenset[type[Obligation]]] = frozenset({Mask, Approve, Record})
OPERATION_ID_BYTES: Final = 16
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
BUSY: Final = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
# Clients that know the API wait, and send it again by themselves.
NO_ROOM: Final = refusal(429, refusals.NO_ROOM, headers=((b"retry-after", b"5"),))
_MAX_SOFTWARE_CHARS: Final = 256
_MAX_SHOWN_HOST: Final = 64


class K8sProxy:
    """Serves every cluster of one configuration."""

    def __init__(self, room: Room) -> None:
        self._room = room
        link = room.config.approvals.link or ""
        owing, bodies = Owing(room.mask_key), Budget(room.config.limits.bodies)
        self._means = Means(
            owing,
            room.mask_key,
            room.gate.log,
            link,
            Refused(),
            bodies,
            lambda: room.gate.policy,
            room.gate.clock,
            DISCHARGES,
        )
        self._clusters = self._all()
        self._routes = Routes({name: cluster.settings.at for name, cluster in self._clusters.items()})
        conflicts = self._routes.conflicts()
        if conflicts:
            raise ConfigError(tuple(f"resources: {words}" for words in conflicts))

    def _all(self) -> dict[str, Cluster]:
        return {
            name: serve_cluster(name, resource.target, self._room)
            for name, resource in self._room.config.resources.items()
            if isinstance(resource.target, K8sTarget)
        }

    def reload(self) -> None:
        """Read the files of the clusters again: authorities, certificates, kubeconfigs."""
        before, self._clusters = self._clusters, self._all()
        for cluster in before.values():
            cluster.pool.close()

    def warnings(self) -> tuple[str, ...]:
        """What an operator is to be told at every start."""
        alike = tuple(
            f"resource {name}: without `impersonate`, the cluster takes everybody for the account"
            for name, cluster in self._clusters.items()
            if not cluster.settings.impersonate
        )
        return alike + tuple(
            f"resource {name}: account {account}: it has no `password`, and no kubeconfig says who it is; until then"
            " nothing reaches the cluster"
            for name, cluster in self._clusters.items()
            for account in cluster.unknown
        )

    def routes(self) -> tuple[Route, ...]:
        """Nothing on the control port besides approvals."""
        return ()

    async def serve(self, connection: Connection, tls: ServerTls | None) -> None:
        """Serve one connection to its end."""
        async with open_doors(self._room.gate, Door) as doors:
            await serve(connection, tls, lambda exchange: self._handle(exchange, doors, connection))

    async def _handle(self, exchange: Exchange, doors: Doors[Door], connection: Connection) -> None:
        try:
            refused = await self._serve(exchange, doors, connection)
        except NoRoom:
            refused = NO_ROOM
        except RecordError as error:
            refused = refusal(503, refusals.no_record(error))
            if exchange.started:
                exchange.cut()
                return
        except BadRequest as error:
            if exchange.started:
                raise
            refused = refusal(error.status, error.detail, headers=((b"connection", b"close"),))
        if refused is not None:
            await exchange.respond(*refused.answer(plain=looks_up(exchange.head.headers)))

    async def _serve(self, exchange: Exchange, doors: Doors[Door], connection: Connection) -> Refusal | None:
        """Serve one request, or give what is said instead. Raises BadRequest."""
        headers, tokens = without_token(exchange.head.headers)
        head = replace(exchange.head, headers=headers)
        token, given = token_of(headers, tokens)
        if token is None:
            return refusals.unauthenticated(given=given)
        target = canonical(head.target)
        found = self._routes.find(head.authority, target.path)
        door = await self._enter(exchange, doors, found, token)
        if isinstance(door, Refusal):
            return door
        connection.established()
        if found is None:
            return refusal(404, refusals.NOTHING_HERE)
        if head.method not in METHODS:
            return refusal(405, f"the API has no {head.method}")
        return await self._ask(exchange, head, door, found, connection.draining)

    async def _enter(
        self, exchange: Exchange, doors: Doors[Door], found: Found | None, token: Secret
    ) -> Door | Refusal:
        """The session of whoever asks, or why there is none."""
        head = exchange.head
        software = b"".join(get_all(head.headers, b"user-agent")[:1]).decode("latin-1")[:_MAX_SOFTWARE_CHARS]
        peer = Peer(exchange.peer.address, exchange.peer.port, software, exchange.peer.encrypted)
        try:
            return await doors.enter(
                token, found.resource if found is not None else head.authority[:_MAX_SHOWN_HOST], peer
            )
        except AuthenticationError:
            return refusals.unauthenticated(given=True)
        except TooManySessions as refused:
            return refusal(429, str(refused))
        except AdmissionRefused as refused:
            return refusal(404, refusals.NOTHING_HERE) if found is None else refusal(403, str(refused))

    async def _ask(
        self, exchange: Exchange, head: Head, door: Door, found: Found, draining: trio.Event
    ) -> Refusal | None:
        cluster, identity = self._clusters[found.resource], door.gate.session.identity
        whole = canonical(head.target)
        target = canonical((f"{found.path}?{whole.raw_query}" if whole.raw_query else found.path).encode("ascii"))
        refuse_overrides(head.headers, target)
        call = read_call(head.method, target.path, target.query)
        if head.upgrade == PROTOCOL:
            check_request(head)
        with self._means.bodies.share((identity.issuer, identity.subject)) as share:
            body = b""
            with door.life() as life:  # whoever drips it holds a place no longer than a credential lasts
                body = await _body(exchange, cluster.settings.body_bytes, share)
            if life.cancelled_caught:
                return Serving(cluster, door, exchange, self._means, draining).ended()
            media = (get(head.headers, b"content-type") or b"").partition(b";")[0].strip().lower().decode("latin-1")
            if len(get_all(head.headers, b"content-type")) > 1:  # the API server would read the first
                raise BadRequest("the body is said to be of two types")
            if get_all(head.headers, b"content-encoding"):
                raise BadRequest("the API takes no bodies with a content coding", 415)
            if media == protobuf.MEDIA and body:
                head, body, media = _translated(head, body, media)
            reading = self._read(request := Request(head, target, call, body, media), door, cluster)
            return await Serving(cluster, door, exchange, self._means, draining).run(request, reading)

    def _read(self, request: Request, door: Door, cluster: Cluster) -> Reading:
        """What is asked for. Raises BadRequest."""
        call = request.call
        try:
            return read(
                request,
                identifier=secrets.token_bytes(OPERATION_ID_BYTES),
                seq=door.number(),
                account=door.gate.session.account,
                cluster=cluster.destination.authority,
                show=self._means.owing.show(door.gate.masks, Resource(call.group, call.resource, call.sub)),
            )
        except Unreadable as error:
            raise BadRequest(str(error)) from None


def _translated(head: Head, body: bytes, media: str) -> tuple[Head, bytes, str]:
    """The same in JSON, where it can be read: what is decided on is what is sent. Else as it came, and unknown."""
    try:
        body = protobuf.as_json(body)
    except Unreadable:
        return head, body, media
    lines = (*without(head.headers, frozenset({b"content-type"})), (b"content-type", JSON))
    return replace(head, headers=lines), body, JSON.decode("ascii")


async def _body(exchange: Exchange, bound: int, share: Share) -> bytes:
    """All of a body: what is written is decided on. Raises BadRequest for a longer one, and NoRoom."""
    if exchange.head.body == "none":
        return b""
    if exchange.head.length > bound:
        raise BadRequest("the body is longer than is decided on here", 413)
    read = bytearray()
    share.hold(max(0, exchange.head.length))
    while piece := await exchange.read():
        read += piece
        if len(read) > bound:
            raise BadRequest("the body is longer than is decided on here", 413)
        share.hold(len(read))
    return bytes(read)


K8S: Final = Maker("k8s", DISCHARGES, K8sTarget, K8sProxy, ALPN, BUSY)
