"""Watches: what happens to objects, told as it happens.

What it is: from a version on, or from what there is, one event a line, as whole objects, metadata or table rows.
What it will not do: wait for ever on a client that has gone; its server ends it.
Implements: watch, watch bookmarks and watch lists of the Kubernetes API.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import trio

from doorward_core.http.exchange import Exchange
from doorward_core.http.messages import ResponseHead
from doorward_demo.cluster_calls import Call
from doorward_demo.cluster_errors import ApiError
from doorward_demo.cluster_store import Store, Stored
from doorward_demo.cluster_tables import Shape

_INITIAL_END: Final = {"k8s.io/initial-events-end": "true"}
_HOUR_S: Final = 3600


async def watch(store: Store, call: Call, exchange: Exchange) -> None:
    """Tell what happens, until the client's own time is over."""
    watching = _Watch(store, call)
    media = (
        b"application/json;stream=watch" if b"stream=watch" in call.header(b"accept").encode() else b"application/json"
    )
    await exchange.send_head(ResponseHead(200, ((b"content-type", media),)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave, exchange, nursery.cancel_scope)
        await _tell(store, watching, exchange, float(call.one("timeoutSeconds") or _HOUR_S))
        await exchange.finish()
        nursery.cancel_scope.cancel()


async def leave(exchange: Exchange, scope: trio.CancelScope) -> None:
    """End what is told without an end, when nobody listens any more."""
    await exchange.wait_disconnected()
    exchange.cut()
    scope.cancel()


async def _tell(store: Store, watching: "_Watch", exchange: Exchange, seconds: float) -> None:
    first = b"".join(watching.begin())
    if first:  # what there is is told in any case, however short the time
        await exchange.send_data(first)
    with trio.move_on_after(seconds):
        while not watching.over:
            changed = store.changed
            lines = b"".join(watching.news())
            if lines:
                await exchange.send_data(lines)
            if not watching.over:
                await changed.wait()


class _Watch:
    """One watch: how far it has told. `over` says that there is nothing more to tell."""

    def __init__(self, store: Store, call: Call) -> None:
        self._store = store
        self._selection = call.selection
        self._shape = Shape(call.header(b"accept"), call.one("includeObject"))
        self._bookmarks = call.said("allowWatchBookmarks")
        self._initial = call.said("sendInitialEvents")
        version = call.one("resourceVersion")
        self._whole = self._initial or version in ("", "0")
        self._version = int(version or 0)
        self._seen: set[tuple[str, str]] = set()
        self.over = False

    def begin(self) -> Iterator[bytes]:
        """What there is, where the client has not seen it."""
        if not self._whole:
            return
        self._version = self._store.version
        for key, stored in self._store.select(self._selection):
            self._seen.add(key)
            yield self._event("ADDED", self._shape.one(self._selection.kind, stored))
        if self._initial and self._bookmarks:
            yield self._bookmark({"annotations": _INITIAL_END})

    def news(self) -> Iterator[bytes]:
        """What has happened since; a bookmark where nothing has."""
        try:
            changes = self._store.since(self._version)
        except ApiError as error:
            self.over = True
            yield self._event("ERROR", json.dumps(error.status()).encode())
            return
        if not changes and self._bookmarks and self._store.marking:
            yield self._bookmark({})
        for change in changes:
            self._version = change.version
            if change.kind is self._selection.kind and self._selection.takes(change.stored.document):
                yield self._event(change.type, self._shape.one(change.kind, change.stored))

    def _bookmark(self, more: dict[str, Any]) -> bytes:
        kind = self._selection.kind
        metadata = {"resourceVersion": str(self._version), "creationTimestamp": None, **more}
        if self._shape.kind == "Table":
            return self._event("BOOKMARK", self._shape.many(kind, [], metadata))
        document = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
        return self._event("BOOKMARK", self._shape.one(kind, Stored(document, json.dumps(document).encode(), b"")))

    @staticmethod
    def _event(kind: str, raw: bytes) -> bytes:
        return b'{"type":"%b","object":%b}\n' % (kind.encode(), raw.rstrip())
