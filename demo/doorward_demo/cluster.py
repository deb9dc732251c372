"""A small cluster on this machine: an API server for the demonstration and for tests, driven by the real kubectl.

What it is: `cluster_api` behind TLS with an authority of its own, in a thread, and a record of every request.
What it will not do: schedule, or isolate: a pod is a folder, and what is executed in it a local process.

    with Cluster(folder) as cluster:
        cluster.add({"kind": "Secret", "apiVersion": "v1", "metadata": {...}, "stringData": {...}})
        cluster.kubeconfig(path, ADMIN)
"""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import trio

from doorward_core.http.limits import HttpLimits
from doorward_core.http.server import ALPN, serve
from doorward_core.model import Peer
from doorward_core.net.listen import Connection, Limits, Server, open_tcp
from doorward_core.net.tls import ServerTls
from doorward_demo import cluster_write as writes
from doorward_demo.certificates import write_certificates
from doorward_demo.cluster_api import Api, Pods, Recorded
from doorward_demo.cluster_calls import User
from doorward_demo.cluster_kinds import BY_PATH

ADDRESS: Final = "127.0.0.1"
ADMIN: Final = "demo-admin-token"
GATEWAY: Final = "demo-gateway-token"
USERS: Final = {
    ADMIN: User("admin", ("system:masters", "system:authenticated")),
    GATEWAY: User("system:serviceaccount:doorward:gateway", ("system:serviceaccounts", "system:authenticated")),
}
IMPERSONATORS: Final = frozenset({"system:serviceaccount:doorward:gateway"})
_LIMITS: Final = HttpLimits(idle_s=3600.0)
_DRAIN_S: Final = 0.5

Result = TypeVar("Result")


class Cluster:
    """The cluster. Use it as a context manager, or call `start` and `close`; `serve` runs it in a trio of one's own.

    `requests` is every request that came, in order. `errors` is what went wrong in a connection: a test looks at it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        tokens: Mapping[str, User] | None = None,
        impersonators: frozenset[str] = IMPERSONATORS,
    ) -> None:
        self.folder = folder
        if not (folder / "ca.crt").exists():
            write_certificates(folder)
        self.authority = folder / "ca.crt"
        self.api = Api(Pods(folder / "pods"), dict(USERS if tokens is None else tokens), impersonators)
        self.errors: list[Exception] = []
        tls = ServerTls(folder / "server.crt", folder / "server.key", alpn=ALPN)

        async def handler(connection: Connection) -> None:
            await serve(connection, tls, self.api.handle, _LIMITS)

        listener = open_tcp(ADDRESS, port)
        self.port = listener.port
        self.url = f"https://{ADDRESS}:{self.port}"
        self._server = Server([listener], handler, on_error=self._failed, limits=Limits())
        self._thread = threading.Thread(target=trio.run, args=(self.serve,), daemon=True)
        self._token: trio.lowlevel.TrioToken | None = None
        self._begun = threading.Event()
        for namespace in ("default", "kube-system"):
            self._add({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": namespace}})

    def _failed(self, error: Exception, _peer: Peer) -> None:
        self.errors.append(error)

    @property
    def requests(self) -> list[Recorded]:
        """Every request that came, in order."""
        return self.api.requests

    async def serve(self) -> None:
        """Serve until closed."""
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            await nursery.start(self._server.serve)
            self._begun.set()

    def start(self) -> Self:
        """Begin to serve, in a thread of its own."""
        self._thread.start()
        self._begun.wait()
        return self

    def close(self) -> None:
        """Stop serving; every connection is cut."""
        if self._thread.is_alive():
            trio.from_thread.run(self._server.drain, _DRAIN_S, trio_token=self._token)
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- what there is -----------------------------------------------------------------------------------------------

    def inside(self, function: Callable[[], Result]) -> Result:
        """Do something where the cluster lives: in its thread, where it has one."""
        if self._token is None or not self._thread.is_alive():
            return function()
        return trio.from_thread.run_sync(function, trio_token=self._token)

    def add(self, *documents: dict[str, Any]) -> None:
        """Make objects, or new versions of them."""

        def make() -> None:
            for document in documents:
                self._add(document)

        self.inside(make)

    def _add(self, document: dict[str, Any]) -> None:
        group, _, version = document["apiVersion"].rpartition("/")
        kind = next(one for one in BY_PATH.values() if (one.group, one.kind) == (group, document["kind"]))
        assert kind.version == version
        metadata = document["metadata"]
        namespace = metadata.get("namespace", "default") if kind.namespaced else ""
        write = writes.Write(manager="seed")
        if self.api.store.has(kind, (namespace, metadata["name"])):
            writes.update(self.api.store, kind, (namespace, metadata["name"]), document, write)
        else:
            writes.create(self.api.store, kind, namespace, document, write)

    def remove(self, plural: str, name: str, namespace: str = "default", group: str = "") -> None:
        """Delete an object."""
        kind = BY_PATH[group, "v1", plural]
        key = (namespace if kind.namespaced else "", name)
        self.inside(lambda: writes.delete(self.api.store, kind, key, dry_run=False))

    def stored(self, plural: str, name: str, namespace: str = "default", group: str = "") -> dict[str, Any]:
        """An object as the cluster has it."""
        kind = BY_PATH[group, "v1", plural]
        key = (namespace if kind.namespaced else "", name)
        return self.inside(lambda: self.api.store.get(kind, key).document)

    def log(self, pod: str, *lines: str, namespace: str = "default") -> None:
        """A pod says something."""

        def say() -> None:
            pods = self.api.pods
            pods.logs.setdefault((namespace, pod), []).extend(f"{line}\n".encode() for line in lines)
            logged, pods.logged = pods.logged, trio.Event()
            logged.set()

        self.inside(say)

    def bookmark(self) -> None:
        """Have every watch that takes bookmarks told how far it is."""
        self.inside(self.api.store.mark)

    def kubeconfig(self, path: Path, token: str, *, server: str = "", authority: Path | None = None) -> Path:
        """Write a kubeconfig for this cluster, or for a gateway in front of it."""
        certificates = str((authority or self.authority).resolve())
        config = {
            "kind": "Config", "apiVersion": "v1", "current-context": "demo",
            "clusters": [{
                "name": "demo", "cluster": {"server": server or self.url, "certificate-authority": certificates},
            }],
            "users": [{"name": "demo", "user": {"token": token}}],
            "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo", "namespace": "default"}}],
        }  # fmt: skip
        path.touch(mode=0o600)
        path.write_text(json.dumps(config), encoding="utf-8")
        return path
