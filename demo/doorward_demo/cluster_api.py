"""The demonstration's API server, call by call: discovery, schema, objects, watches, and what pods stream.

What it is: from a request to its answer, over `cluster_store`, `cluster_write` and `cluster_streams`.
What it will not do: listen, or know what a test wants of it: `cluster` does.
Implements: the Kubernetes API as far as kubectl, helm and client-go's discovery go.
"""

import gzip
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import trio

from doorward_core.http.exchange import Exchange
from doorward_core.http.messages import Headers, ResponseHead
from doorward_demo import cluster_write as writes
from doorward_demo.cluster_calls import Call, User, read_call, split, who
from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_kinds import BY_PATH, discover
from doorward_demo.cluster_parts import part_of
from doorward_demo.cluster_patch import json_patch, merge_patch, strategic
from doorward_demo.cluster_schema import DOCUMENTS
from doorward_demo.cluster_store import Store, Stored, cut
from doorward_demo.cluster_streams import forward, run
from doorward_demo.cluster_tables import JSON, Shape
from doorward_demo.cluster_watch import leave, watch

_AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_ZIPPED_BYTES: Final = 128 * 1024  # as the API server: shorter answers are not worth it
_PODS: Final = BY_PATH["", "v1", "pods"]
_HEALTH: Final = frozenset({"/healthz", "/livez", "/readyz"})


@dataclass(slots=True)
class Recorded:
    """One request as it came. `status` is 0 until it was answered."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    user: User | None = None
    status: int = 0


@dataclass(slots=True)
class Pods:
    """What pods do: the folder that each is, what it has logged, its ports on this machine, what `attach` finds."""

    folder: Path
    logs: dict[tuple[str, str], list[bytes]] = field(default_factory=dict)
    ports: dict[tuple[str, str, int], int] = field(default_factory=dict)
    attached: list[str] = field(default_factory=lambda: ["cat"])
    logged: trio.Event = field(default_factory=trio.Event)


@dataclass(slots=True)
class Api:
    """The server. `forbidden` holds (user, verb, plural) that the cluster's own RBAC refuses."""

    pods: Pods
    tokens: dict[str, User]
    impersonators: frozenset[str]
    store: Store = field(default_factory=Store)
    forbidden: set[tuple[str, str, str]] = field(default_factory=set)
    requests: list[Recorded] = field(default_factory=list)

    async def handle(self, exchange: Exchange) -> None:
        """One request."""
        exchange.established()
        head = exchange.head
        recorded = Recorded(head.method, head.target.decode("ascii"), head.headers)
        self.requests.append(recorded)
        try:
            recorded.body = b"".join([piece async for piece in exchange.body()])
            await self._answer(exchange, recorded)
        except ApiError as error:
            recorded.status = error.code
            if not exchange.started:
                await _respond(exchange, error.code, json.dumps(error.status()).encode() + b"\n")

    async def _answer(self, exchange: Exchange, recorded: Recorded) -> None:
        head = exchange.head
        path, _ = split(head.target)
        if path in _HEALTH:
            await _respond(exchange, 200, b"ok", "text/plain")
            return
        user = recorded.user = who(head, self.tokens, self.impersonators)
        call = read_call(head, recorded.body, user)
        if call is None:
            recorded.status = await self._document(exchange, path)
            return
        self._authorize(call)
        recorded.status = await self._call(call, exchange)

    async def _document(self, exchange: Exchange, path: str) -> int:
        accept = ",".join(value.decode() for name, value in exchange.head.headers if name == b"accept")
        if path in DOCUMENTS:
            if "json" not in accept and "*/*" not in accept and accept:
                raise ApiError(406, "NotAcceptable", "the schema is to be had as application/json")
            await _respond(exchange, 200, DOCUMENTS[path])
            return 200
        aggregated = "as=APIGroupDiscoveryList" in accept and path in ("/api", "/apis") and "v=v2;" in accept + ";"
        document = discover(path, aggregated=aggregated)
        if document is None:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        await _respond(exchange, 200, json.dumps(document).encode(), _AGGREGATED if aggregated else JSON)
        return 200

    def allows(self, user: User, verb: str, plural: str) -> bool:
        """Whether the cluster's own RBAC lets this be."""
        return (user.name, verb, plural) not in self.forbidden

    def _authorize(self, call: Call) -> None:
        plural = call.kind.plural + (f"/{call.subresource.name}" if call.subresource else "")
        if not self.allows(call.user, call.verb, plural):
            where = f' in the namespace "{call.namespace}"' if call.namespace else " at the cluster scope"
            raise ApiError(
                403, "Forbidden",
                f'{plural} is forbidden: User "{call.user.name}" cannot {call.verb} resource "{plural}" '
                f'in API group "{call.kind.group}"{where}',
            )  # fmt: skip

    async def _call(self, call: Call, exchange: Exchange) -> int:
        if call.subresource is not None:
            stream = self._streams().get(call.subresource.name)
            if stream is not None:
                self.store.get(_PODS, call.key)
                await stream(call, exchange)
                return 200 if call.subresource.name == "log" else 101
        if call.verb == "watch":
            await watch(self.store, call, exchange)
            return 200
        status, body = self._objects(call)
        await _respond(exchange, status, body, _media(call))
        return status

    # --- objects -----------------------------------------------------------------------------------------------------

    def _objects(self, call: Call) -> tuple[int, bytes]:
        shape = Shape(call.header(b"accept"), call.one("includeObject"))
        if call.verb == "list":
            return 200, self._list(call, shape)
        if call.verb == "deletecollection":
            gone = [
                writes.delete(self.store, call.kind, key, dry_run=call.dry_run)
                for key, _ in self.store.select(call.selection)
            ]
            return 200, shape.many(call.kind, gone, {"resourceVersion": str(self.store.version)})
        if call.subresource is not None or not call.kind.stored:
            status, document = part_of(self.store, call, self.allows)
            return status, json.dumps(document).encode() + b"\n"
        if call.verb == "get":
            return 200, shape.one(call.kind, self.store.get(call.kind, call.key))
        if call.verb == "delete":
            return 200, self._delete(call)
        existed = bool(call.name) and self.store.has(call.kind, call.key)
        document = self._write(call)
        return 200 if existed else 201, shape.one(call.kind, Stored(document, json.dumps(document).encode(), b""))

    def _list(self, call: Call, shape: Shape) -> bytes:
        found = self.store.select(call.selection)
        page, metadata = cut(found, int(call.one("limit") or 0), call.one("continue"), self.store.version)
        return shape.many(call.kind, [stored for _, stored in page], metadata)

    def _delete(self, call: Call) -> bytes:
        gone = writes.delete(self.store, call.kind, call.key, dry_run=call.dry_run)
        if call.kind is _PODS:
            return gone.raw
        details = {"name": call.name, "group": call.kind.group, "kind": call.kind.plural}
        details["uid"] = gone.document["metadata"].get("uid", "")
        return json.dumps(
            {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        ).encode()

    def _write(self, call: Call) -> dict[str, Any]:
        agent = call.header(b"user-agent").partition("/")[0]
        write = writes.Write(call.dry_run, call.one("fieldManager") or agent, force=call.said("force"))
        if call.verb == "create":
            return writes.create(self.store, call.kind, call.namespace, call.document(), replace(write, force=False))
        write = replace(write, status=call.subresource is not None and call.subresource.name == "status")
        if call.verb == "update":
            return writes.update(self.store, call.kind, call.key, call.document(), replace(write, force=False))
        if "apply-patch" in call.header(b"content-type"):
            return writes.apply(self.store, call.kind, call.key, call.document(), write)
        old = self.store.get(call.kind, call.key).document
        return writes.update(self.store, call.kind, call.key, patched(call, old), replace(write, force=False))

    # --- what pods stream --------------------------------------------------------------------------------------------

    def _streams(self) -> dict[str, Callable[[Call, Exchange], Awaitable[None]]]:
        return {"exec": self._exec, "attach": self._exec, "portforward": self._forward, "log": self._log}

    async def _exec(self, call: Call, exchange: Exchange) -> None:
        command = call.query.get("command") or self.pods.attached
        await run(call, exchange, self.pods.folder / call.namespace / call.name, command)

    async def _forward(self, call: Call, exchange: Exchange) -> None:
        async def dial(port: int) -> trio.SocketStream:
            local = self.pods.ports.get((*call.key, port))
            if local is None:
                raise ConnectionRefusedError("connection refused")
            return await trio.open_tcp_stream("127.0.0.1", local)

        await forward(exchange, dial)

    async def _log(self, call: Call, exchange: Exchange) -> None:
        lines = self.pods.logs.setdefault(call.key, [])
        tail = call.one("tailLines")
        place = max(len(lines) - int(tail), 0) if tail else 0
        await exchange.send_head(ResponseHead(200, ((b"content-type", b"text/plain"),)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leave, exchange, nursery.cancel_scope)
            await self._say(call, exchange, lines, place)
            nursery.cancel_scope.cancel()

    async def _say(self, call: Call, exchange: Exchange, lines: list[bytes], place: int) -> None:
        while True:
            logged = self.pods.logged
            new, place = lines[place:], len(lines)
            if new:
                await exchange.send_data(b"".join(new))
            if not call.said("follow"):
                break
            await logged.wait()
        await exchange.finish()


def patched(call: Call, old: dict[str, Any]) -> Any:
    """The object as the patch would have it. Raises ApiError for a patch of a kind that is not known."""
    kind = call.header(b"content-type").partition(";")[0].strip()
    try:
        patch = json.loads(call.body)
    except ValueError as error:
        raise ApiError(400, "BadRequest", "the patch is no JSON") from error
    match kind:
        case "application/merge-patch+json":
            return merge_patch(old, patch)
        case "application/json-patch+json":
            return json_patch(old, patch)
        case "application/strategic-merge-patch+json" if not call.kind.group.endswith(".example"):
            return strategic(old, patch, service=call.kind.plural == "services")
    raise ApiError(415, "UnsupportedMediaType", "the body of the request was in an unknown format")


def _media(call: Call) -> str:
    return Shape(call.header(b"accept")).media


async def _respond(exchange: Exchange, status: int, body: bytes, media: str = JSON) -> None:
    headers = [(b"content-type", media.encode()), (b"cache-control", b"no-cache, private"), (b"audit-id", _audit())]
    wanted = b",".join(value for name, value in exchange.head.headers if name == b"accept-encoding")
    if b"gzip" in wanted and len(body) >= _ZIPPED_BYTES:
        body = gzip.compress(body, 1, mtime=0)
        headers.append((b"content-encoding", b"gzip"))
    await exchange.respond(ResponseHead(status, tuple(headers)), body)


def _audit() -> bytes:
    return f"{time.time_ns():x}".encode()
