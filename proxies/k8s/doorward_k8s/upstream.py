"""One cluster as the gateway serves it: where it is, the connections to it, and our own credential there.

What it is: the shell that makes all of that of an operator's settings, once, and again on a reload.
What it will not do: serve a request (`serving`), or verify less than the chain and the name of the API server.

Invariants: a credential is shown to the API server and to nobody else; a client key that came as text never lies on a
disk; what cannot be had is UpstreamUnavailable for one request, and a ConfigError at the start.
"""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from doorward_core.config import Account
from doorward_core.errors import ConfigError, UpstreamUnavailable
from doorward_core.http.dial import UpstreamSettings
from doorward_core.http.limits import UpstreamLimits
from doorward_core.http.messages import Head, Headers
from doorward_core.http.places import TargetTls, Timeouts
from doorward_core.http.routes import Destination
from doorward_core.http.upstream import UpstreamPool
from doorward_core.model import Operation, Secret, Session
from doorward_core.net.secrets import SecretKeeper
from doorward_core.net.tls import client_context, show
from doorward_core.rooms import Room
from doorward_k8s.impersonation import impersonation
from doorward_k8s.kubeconfig import Access, Files, files_of, read_kubeconfig
from doorward_k8s.operations import Request
from doorward_k8s.refusals import request_id
from doorward_k8s.settings import K8sTarget, Kubeconfig

H2: Final = ("h2", "http/1.1")
H1: Final = ("http/1.1",)
IN_CLUSTER: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_TTL_S: Final = 60.0  # the kubelet writes a new one long before the old one ends
CONNECTIONS: Final = 1024  # a watch is a request, and lasts


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file that holds a token, and is read again now and then: a `SecretSource`."""

    file: Path
    env: None = None
    exec: None = None
    ttl: float = TOKEN_TTL_S


@dataclass(slots=True)
class Cluster:
    """One resource."""

    name: str
    settings: K8sTarget
    destination: Destination
    pool: UpstreamPool
    accounts: dict[str, Account]
    secrets: SecretKeeper
    token: Secret | None
    token_file: TokenFile | None
    certified: bool

    async def credential(self, account: str) -> Headers:
        """The header that says who the gateway is. Raises UpstreamUnavailable."""
        source = self.accounts[account].password or self.token_file
        if source is not None:
            return ((b"authorization", _line(await self.secrets.get(source))),)
        if self.token is not None:
            return ((b"authorization", _line(self.token)),)
        if not self.certified:
            raise UpstreamUnavailable(f"account {account} has no token, and no certificate stands in its place")
        return ()

    async def head(self, session: Session, request: Request, lines: Headers, operation: Operation) -> Head:
        """A call as the cluster gets it. Raises UpstreamUnavailable or NotImpersonable."""
        told, asked, there = self.settings.impersonate, request.head, self.destination
        claims = impersonation(session, told) if told else ()
        ours = (*await self.credential(session.account), (b"audit-id", request_id(operation).encode()))
        path = there.base + request.target.path
        target = (f"{path}?{request.target.raw_query}" if request.target.raw_query else path).encode("ascii")
        whole = (*lines, *claims, *ours)
        return Head(asked.method, target, there.authority, there.scheme, whole, "1.1", asked.body, len(request.body))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Accounts that have nothing to show."""
        if self.token is not None or self.token_file is not None or self.certified:
            return ()
        return tuple(name for name, account in self.accounts.items() if account.password is None)

    def forget(self, account: str) -> None:
        """The API server refused it: ask for another next time."""
        for source in (self.accounts[account].password, self.token_file):
            if source is not None:
                self.secrets.forget(source)


def _line(token: Secret) -> bytes:
    value = token.reveal()
    if not value.isascii() or not value.isprintable() or not value:
        raise UpstreamUnavailable("the token for the cluster cannot stand in a header")
    return f"Bearer {value}".encode("ascii")


def serve_cluster(name: str, settings: K8sTarget, room: Room) -> Cluster:
    """Make a cluster of its settings. Raises ConfigError where what they name cannot be used."""
    accounts = dict(room.config.resources[name].accounts)
    access = _access(settings, own=all(account.password is not None for account in accounts.values()))
    destination = Destination.of(access.server)
    mutual = settings.tls.certificate is not None or bool(access.certificate)
    return Cluster(
        name,
        settings,
        destination,
        UpstreamPool(_upstream(destination, access, settings)),
        accounts,
        room.secrets,
        access.token,
        TokenFile(access.token_file) if access.token_file is not None else None,
        mutual,
    )


def _access(settings: K8sTarget, *, own: bool) -> Access:
    if settings.kubeconfig is not None:
        return _from_kubeconfig(settings.kubeconfig, own=own)
    if settings.in_cluster:
        return _in_cluster()
    assert settings.server is not None  # the model has seen to it
    return Access(settings.server, server_name=settings.tls.server_name)


def _from_kubeconfig(settings: Kubeconfig, *, own: bool) -> Access:
    name, folder = str(settings.file), settings.file.parent
    text = _read(settings.file).decode("utf-8", "replace")
    contents = {path: _read(path) for path in files_of(text, name, folder, settings.context)}
    return read_kubeconfig(text, name, settings.context, Files(folder, contents), own=own)


def _in_cluster() -> Access:
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise ConfigError(("in_cluster: this is no pod: KUBERNETES_SERVICE_HOST and _PORT are not set",))
    shown = f"[{host}]" if ":" in host else host
    return Access(f"https://{shown}:{port}", _read(IN_CLUSTER / "ca.crt"), token_file=IN_CLUSTER / "token")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError((f"{path}:1: cannot be read: {error.strerror}",)) from None


def _upstream(there: Destination, access: Access, settings: K8sTarget) -> UpstreamSettings:
    limits = _limits(settings.timeouts)
    name = settings.tls.server_name or access.server_name
    if there.scheme != "https":
        return UpstreamSettings(there.host, there.port, None, name, limits=limits)
    first, second = (_context(settings.tls, access, alpn) for alpn in (H2, H1))
    return UpstreamSettings(there.host, there.port, first, name, http2=True, plain_tls=second, limits=limits)


def _limits(timeouts: Timeouts) -> UpstreamLimits:
    # A watch may be silent for as long as nothing happens; what ends it is its session.
    return UpstreamLimits(connections=CONNECTIONS, connect_s=timeouts.connect, answer_s=timeouts.answer, stall_s=None)


def _context(tls: TargetTls, access: Access, alpn: tuple[str, ...]) -> ssl.SSLContext:
    context = client_context(tls.ca or access.authority or None, alpn=alpn)
    try:
        if tls.certificate is not None and tls.key is not None:
            show(context, tls.certificate, tls.key)
        elif access.certificate and access.key is not None:
            _load(context, access.certificate, access.key)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ConfigError((f"tls: the client certificate and its key cannot be used ({error})",)) from None
    return context


def _load(context: ssl.SSLContext, certificate: bytes, key: Secret) -> None:
    """OpenSSL takes files only: one that is memory, and gone again."""
    descriptor = os.memfd_create("doorward")
    try:
        os.write(descriptor, certificate + b"\n" + key.reveal().encode("ascii"))
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=lambda: b"")
    finally:
        os.close(descriptor)
