"""One main for every proxy: wire the rooms, serve, and go down in order.

What it is: configuration to running gateway: policy, log, identity, approvals, gate, the proxy's listeners, the control
API for approvers, `/healthz` `/readyz` `/metrics` on a port of their own, and the signals.
What it will not do: know a protocol. A proxy brings its class; everything that it needs is in its `Room`.

Signals: SIGTERM and SIGINT drain (held operations are denied and recorded, running ones may end), a second one cuts.
SIGHUP loads the policy and the certificates again; a wrong policy leaves the old one in force and says so.

Invariants: nothing listens before everything has been opened; nothing is served once the log has failed; the log is the
last thing to close.
"""

import gc
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog
import trio

from doorward_core import entries, readiness
from doorward_core.approvals.api import approval_routes
from doorward_core.asking import access_routes
from doorward_core.break_glass import Glass, break_glass_routes
from doorward_core.config import Config, Door, Endpoint, Listener, load_config
from doorward_core.config_named import certificates, secrets
from doorward_core.config_types import Strict
from doorward_core.config_yaml import render_path
from doorward_core.erasing import erasure_routes
from doorward_core.errors import AuthenticationError, ConfigError, GatewayError, RecordError, StoreError
from doorward_core.event import Event
from doorward_core.identity.authenticate import BearerToken
from doorward_core.model import Identity, Obligation, Peer, Secret
from doorward_core.net import listen
from doorward_core.net.control import ControlServer, Route, probes
from doorward_core.net.secrets import missing
from doorward_core.net.tls import ServerTls, aging
from doorward_core.operators import is_operator, session_routes
from doorward_core.policy.lint import remarks, unprovable
from doorward_core.policy.load import load_policy
from doorward_core.revocations import revocation_routes
from doorward_core.rooms import Room, opened, trusted
from doorward_core.seldom import Kinds

EXIT_CONFIG: Final = 2
# Nearly nothing of a message outlives it, and a catalogue is large to look through: collect less often than by default.
COLLECT_AFTER: Final = (20_000, 20, 20)
EXIT_FAILED: Final = 1

log = structlog.get_logger()


class Proxy(Protocol):
    """What a protocol brings. `serve` owns a connection until it returns; what it raises ends that connection only."""

    def reload(self) -> None:
        """Read certificates and authorities again."""

    def warnings(self) -> tuple[str, ...]:
        """What an operator is to be told at every start."""

    def routes(self) -> tuple[Route, ...]:
        """What it answers on the control port, besides approvals."""

    async def serve(self, connection: listen.Connection, tls: ServerTls | None) -> None:
        """Serve one connection."""


@dataclass(frozen=True, slots=True)
class Maker:
    """A protocol: its name, the obligations that its proxy honours, the model of its targets, and its proxy.

    `alpn` are the protocol names that its TLS listeners offer.
    `busy_answer` is what a connection over the limit is told before it is closed.
    `loop` stands where `trio.run` does: a protocol whose library has a loop of its own brings one that runs both.
    `certificates` says that it has SSH certificates: its `Room` then has the authorities that sign them.
    """

    protocol: str
    discharges: frozenset[type[Obligation]]
    target_model: type[Strict]
    make: Callable[[Room], Proxy]
    alpn: tuple[str, ...] = ()
    busy_answer: bytes = b""
    certificates: bool = False
    loop: Callable[..., object] = trio.run


def main(maker: Maker, arguments: Sequence[str]) -> int:
    """Run a gateway until it is told to stop; gives the exit status."""
    if len(arguments) != 2 or arguments[0] != "--config":  # noqa: PLR2004 - the option and its value
        sys.stderr.write(f"usage: doorward-{maker.protocol} --config FILE\n")
        return EXIT_CONFIG
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    os.umask(0o077)
    gc.set_threshold(*COLLECT_AFTER)
    try:
        config = load_config(Path(arguments[1]), {maker.protocol: maker.target_model})
        maker.loop(_run, maker, config)
    except (GatewayError, BaseExceptionGroup) as error:
        return _failed(maker.protocol, error)
    return 0


def _failed(protocol: str, error: BaseException) -> int:
    """Say why there is no gateway. What is not one of our own errors is a defect, and shows itself."""
    if isinstance(error, BaseExceptionGroup):
        ours, defects = error.split(GatewayError)
        if defects is not None or ours is None:
            raise error
        return max(_failed(protocol, one) for one in ours.exceptions)
    if isinstance(error, ConfigError):
        sys.stderr.write("".join(f"{problem}\n" for problem in error.problems))
        return EXIT_CONFIG
    sys.stderr.write(f"doorward-{protocol}: {error}\n")
    return EXIT_FAILED


async def _run(maker: Maker, config: Config) -> None:
    async with trio.open_nursery() as background:
        rooms = opened(config, maker.protocol, maker.discharges, background, certificates=maker.certificates)
        async with rooms as room:
            await Gateway(room, maker).serve(background)
        background.cancel_scope.cancel()


class Gateway:
    """A gateway whose rooms are open; `serve` runs it."""

    def __init__(self, room: Room, maker: Maker) -> None:
        self._room = room
        self._proxy = maker.make(room)
        self._maker = maker
        self._config = room.config
        self._tls: list[ServerTls] = []
        self._servers: list[listen.Server] = []
        self._state = readiness.State(room.gate, room.witnesses, room.archiving)
        self._failures = Kinds()

    async def serve(self, background: trio.Nursery) -> None:
        """Listen, and return once drained."""
        config = self._config
        doors = [self._proxy_server(item) for item in config.listen]
        control = self._control_server(config.approvals.listen)
        admin = ControlServer(probes(self._state.probes())).server([_open(config.admin, "admin")], self._on_error)
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            for server in (*doors, control, admin):
                await background.start(server.serve)
            for words in (*self._proxy.warnings(), *self._remarks()):
                log.warning("gateway.warning", words=words)
            self._state.listening(doors)
            log.info("gateway.ready", origin=config.origin, listeners=len(doors))
            async for number in signals:
                if number == signal.SIGHUP:
                    self._reload()
                    continue
                break
            self._state.draining = True
            async with trio.open_nursery() as ending:
                ending.start_soon(self._cut_at_second, signals, ending)
                async with trio.open_nursery() as draining:  # together: none takes anybody while another empties
                    for server in doors:
                        draining.start_soon(server.drain, config.limits.drain)
                await control.drain(1.0)
                ending.cancel_scope.cancel()
            # What a second signal left is cut, and its end recorded, before the log is closed.
            for server in (*doors, control):
                await server.drain(0)

    def _remarks(self) -> Iterator[str]:
        """What would show only when somebody asks: rules that say nothing, credentials and certificates that fail."""
        now_unix_ns = time.time_ns()
        spoken = {self._maker.protocol: self._maker.target_model.vocabulary}
        yield from remarks(self._room.gate.policy, self._config.nouns(), now_unix_ns, spoken)
        yield from unprovable(self._room.gate.policy, self._room.gate.desk.trusted.kinds)
        for path, source in secrets(self._config):
            problem = missing(source)
            if problem:
                yield f"{render_path(path)}: {problem}; until then what needs it fails"
        for shown in certificates(self._config):
            for words in aging(shown.certificate, now_unix_ns, shown.address):
                yield f"{render_path(shown.path)}: {words}"

    @staticmethod
    async def _cut_at_second(signals: AsyncIterator[int], ending: trio.Nursery) -> None:
        async for number in signals:
            if number != signal.SIGHUP:
                ending.cancel_scope.cancel()

    def _proxy_server(self, settings: Door) -> listen.Server:
        tls = self._server_tls(settings, self._maker.alpn)

        async def handle(connection: listen.Connection) -> None:
            await self._proxy.serve(connection, tls)

        bounds = self._config.limits
        limits = listen.Limits(bounds.connections, handshake_s=bounds.handshake, busy_answer=self._maker.busy_answer)
        return listen.Server([_open(settings)], handle, on_error=self._on_error, limits=limits)

    def _control_server(self, settings: Listener) -> listen.Server:
        operators = frozenset(self._config.operators.groups if self._config.operators else ())

        gate, register, glass = self._room.gate, self._room.register, _glass(self._config, operators)

        def facts(who: Identity) -> Mapping[str, object]:
            return {"operator": is_operator(who, operators), "break_glass": is_operator(who, glass.groups)}

        routes = (
            *approval_routes(gate.desk, facts),
            *session_routes(gate, operators),
            *access_routes(gate, operators),
            *revocation_routes(gate, register, operators),
            *break_glass_routes(gate, register, glass),
            *self._erasures(operators),
            *self._proxy.routes(),
        )
        server = ControlServer(routes, self._authenticate, self._server_tls(settings, ()))
        return server.server([_open(settings, "approvals.listen")], self._on_error)

    def _erasures(self, operators: frozenset[str]) -> tuple[Route, ...]:
        keeping, privacy = self._room.keeping, self._config.privacy
        groups = frozenset(privacy.groups) if privacy is not None else operators
        return erasure_routes(keeping.erasing, groups) if keeping is not None else ()

    async def _authenticate(self, token: Secret, peer: Peer) -> Identity:
        identity = await self._room.gate.authenticator.authenticate(BearerToken(token), peer)
        if self._room.gate.ledger.barring(identity) is not None:
            raise AuthenticationError("revoked")
        return identity

    def _server_tls(self, settings: Door, alpn: tuple[str, ...]) -> ServerTls | None:
        if settings.tls is None:
            return None
        tls = ServerTls(settings.tls.certificate, settings.tls.key, alpn=alpn)
        self._tls.append(tls)
        return tls

    def _reload(self) -> None:
        """Each of them as far as it can be loaded: what is wrong with one keeps nothing else from its place."""
        gate, config = self._room.gate, self._config
        try:
            gate.reload(load_policy(config.policy).observing(config.observing()), time.time_ns())
            log.info("policy.loaded", digest=gate.policy.digest.hex())
        except ConfigError as error:
            self._refused(error)
            self._keep(entries.policy_refused(error.problems, gate.policy.digest))
        except RecordError as error:
            log.warning("policy.not_loaded", problem=str(error))
        for reload in (*(tls.reload for tls in self._tls), self._proxy.reload, self._trust):
            try:
                reload()
            except ConfigError as error:
                self._refused(error)

    def _trust(self) -> None:
        """The keys of approvers, as their files have them now: who was struck out votes no more."""
        self._room.gate.desk.trusted = trusted(self._config)

    @staticmethod
    def _refused(error: ConfigError) -> None:
        for problem in error.problems:
            log.warning("reload.refused", problem=problem)

    def _keep(self, event: Event) -> None:
        try:
            self._room.gate.log.append(event, time.time_ns())
        except RecordError as error:
            log.warning("gateway.unready", problem=str(error))

    def _on_error(self, error: BaseException, peer: Peer) -> None:
        # The words of an exception may quote a value; its type and place never do.
        kind = type(error).__name__
        left_out = self._failures.left_out(kind, self._room.gate.clock())
        if left_out is not None:
            log.error("connection.failed", kind=kind, peer=peer.address, left_out=left_out)
        self._state.failed_connections += 1
        if isinstance(error, RecordError | StoreError):
            log.error("gateway.unready", problem=str(error))


def _glass(config: Config, operators: frozenset[str]) -> Glass:
    given = config.break_glass
    if given is None:
        return Glass(operators=operators)
    return Glass(frozenset(given.groups), frozenset(given.reviewers), operators, given.longest)


def _open(settings: Endpoint, key: str = "listen") -> listen.Listener:
    if settings.unix is not None:
        return listen.open_unix(settings.unix, key)
    assert settings.address is not None
    assert settings.port is not None
    return listen.open_tcp(settings.address, settings.port, key)
