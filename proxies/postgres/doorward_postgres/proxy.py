"""The PostgreSQL gateway: one connection from its first byte to its last.

What it is: the trio shell that awaits what `startup` asks for, has the gate admit the client, logs in at the target,
and hands both ends to `session`. It implements the proxy's side of `doorward_core.run`.
What it will not do: decide, or know a message's layout.

Source: PostgreSQL protocol, "Start-up", "SSL Session Encryption", "Canceling Requests in Progress".

Invariants: no byte of a client reaches the target before it is admitted; a session that was opened in the record is
closed in it, whatever ends the connection; the client sees the gateway's cancel key, never the target's.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

import pg8000.native
import structlog
import trio

from doorward_core.errors import (
    AdmissionRefused,
    AuthenticationError,
    ClientProtocolError,
    RecordError,
    TooManySessions,
    UpstreamProtocolError,
    UpstreamUnavailable,
)
from doorward_core.gate import Gate
from doorward_core.identity.authenticate import CLIENT_MESSAGE, BearerToken
from doorward_core.model import Approve, Mask, Obligation, Peer, Record, Secret
from doorward_core.net.control import Route
from doorward_core.net.link import Link
from doorward_core.net.listen import Connection
from doorward_core.net.tls import NamedContext, ServerTls, client_context
from doorward_core.rooms import Room
from doorward_core.run import Maker
from doorward_core.session_gate import SessionGate
from doorward_postgres import refusals, startup, wire_encode
from doorward_postgres.cancel import CancelKeys
from doorward_postgres.catalogue import Catalogue
from doorward_postgres.machine_line import Line
from doorward_postgres.operations import Reader
from doorward_postgres.previews import Previews
from doorward_postgres.previews import Room as PreviewRoom
from doorward_postgres.results import MaskDuty
from doorward_postgres.session import Conversation
from doorward_postgres.settings import PostgresTarget
from doorward_postgres.startup import ClientStartup, StartupOptions
from doorward_postgres.startup_settings import StartupRequest
from doorward_postgres.state import SessionState
from doorward_postgres.upstream import Account, Dialer, Upstream
from doorward_postgres.upstream_ask import settle_path

APPLICATION_NAME_CHARS: Final = 63  # NAMEDATALEN - 1: the target cuts what is longer
FAREWELL_S: Final = 2.0  # for a client that does not read: its session ends all the same
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
HIDDEN_FROM_CLIENT: Final = frozenset({"application_name", "session_authorization", "is_superuser"})

log = structlog.get_logger()


@dataclass(slots=True)
class Served:
    """One resource that this gateway serves."""

    dialer: Dialer
    catalogue: Catalogue
    unprotected: bool
    previews: PreviewRoom | None


DISCHARGES: Final[frozenset[type[Obligation]]] = frozenset({Mask, Approve, Record})


class PostgresProxy:
    """Serves every PostgreSQL resource of one configuration."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._gate: Gate = room.gate
        self._keys = CancelKeys()
        self._served: dict[str, Served] = {}
        for name, resource in room.config.resources.items():
            if isinstance(resource.target, PostgresTarget):
                self._served[name] = self._serve_resource(name, resource.target)

    def reload(self) -> None:
        """Read the authorities of the targets again."""
        for served in self._served.values():
            served.dialer.reload()

    def warnings(self) -> tuple[str, ...]:
        """What an operator is to be told at every start."""
        bare = sorted(name for name, served in self._served.items() if served.unprotected)
        return tuple(f"resource {name}: tls.mode is disable, the leg to the target is not protected" for name in bare)

    def routes(self) -> tuple[Route, ...]:
        """Nothing on the control port is its own."""
        return ()

    async def serve(self, connection: Connection, tls: ServerTls | None) -> None:
        """Serve one connection to its end. Raises what ends it abnormally; the supervisor of `listen` records that."""
        link = connection.link
        try:
            await self._converse(connection, tls)
        except ClientProtocolError as error:
            await _say(link, refusals.fatal("08P01", str(error)))
        except RecordError as error:
            await _say(link, refusals.no_record(error))
        finally:
            await link.aclose()

    async def _converse(self, connection: Connection, tls: ServerTls | None) -> None:
        link = connection.link
        options = StartupOptions(tls_offered=tls is not None, local=connection.listener.local)
        begin = ClientStartup(options)
        request = await self._startup(connection, begin, tls)
        if request is None:
            return
        await link.send_all(begin.ask_for_credential())
        token = await self._credential(link, begin)
        if token is None:
            return
        peer = Peer(connection.peer.address, connection.peer.port, request.application_name, begin.encrypted)
        try:
            door = await self._gate.admit(BearerToken(token), request.database, request.user, peer, early=True)
        except AuthenticationError:
            await _say(link, refusals.fatal("28P01", CLIENT_MESSAGE, "The password is an access token; get a new one."))
            return
        except AdmissionRefused as refused:
            code = "53300" if isinstance(refused, TooManySessions) else "28000"
            await _say(link, refusals.fatal(code, str(refused)))
            return
        connection.established()
        failed = ending = refusals.Ending("failed")
        try:
            ending = await self._session(connection, door, request, begin.leftover)
            await _say(link, ending.farewell)
        finally:
            if ending is failed and connection.draining.is_set():
                ending = refusals.Ending("cut")
                with trio.CancelScope(shield=True):
                    await _say(link, refusals.GOING_DOWN)
            try:
                door.close(ending.reason)
            except RecordError as error:
                # The client has been told why it ends; that the end is not on record is the operator's to know.
                log.warning("session.end_unrecorded", problem=str(error))

    async def _startup(
        self, connection: Connection, begin: ClientStartup, tls: ServerTls | None
    ) -> StartupRequest | None:
        """Read up to the start-up packet; None where there will be no session."""
        link = connection.link
        while True:
            data = await link.receive()
            if not data:
                return None
            for event in begin.receive(data):
                match event:
                    case startup.Reply(data=reply):
                        await link.send_all(reply)
                    case startup.StartTls(reply=reply, early=early):
                        await link.send_all(reply)
                        assert tls is not None  # `startup` offers TLS only where there is a certificate
                        await link.start_tls_server(tls.context, early)
                        begin.tls_started(link.alpn)
                    case startup.CancelRequest(pid=pid, key=key):
                        cancel = self._keys.request(pid, key)
                        if cancel is not None:
                            connection.established()
                            await cancel()  # drivers wait for the end of this connection before they send anything else
                        return None
                    case startup.Refused(reply=reply):
                        await _say(link, reply)
                        return None
                    case StartupRequest():
                        return event
                    case _:
                        return None

    @staticmethod
    async def _credential(link: Link, begin: ClientStartup) -> Secret | None:
        while True:
            data = await link.receive()
            if not data:
                return None
            for event in begin.receive(data):
                match event:
                    case startup.Credential(token=token):
                        return token
                    case startup.Reply(data=reply):
                        await link.send_all(reply)
                    case startup.Refused(reply=reply):
                        await _say(link, reply)
                        return None
                    case _:
                        return None

    async def _session(
        self, connection: Connection, door: SessionGate, request: StartupRequest, leftover: bytes
    ) -> refusals.Ending:
        if leftover:
            raise ClientProtocolError("the client spoke before it was told that it may")
        served = self._served[door.session.resource.name]
        try:
            upstream = await self._login(served, door, request)
        except (UpstreamUnavailable, UpstreamProtocolError) as error:
            await door.failed(f"target: {error}")
            return refusals.Ending(
                "the target is not available", refusals.fatal("08006", f"the target is not available: {error}")
            )
        try:
            return await self._relay(connection, door, request, served, upstream)
        finally:
            with trio.CancelScope(shield=True):
                await upstream.aclose()

    async def _login(
        self, served: Served, door: SessionGate, request: StartupRequest, over: Mapping[str, str] = NOTHING
    ) -> Upstream:
        account = await self._account(door.session.resource.name, door.session.account)
        settings = {name: value for name, value in request.settings.items() if name != "application_name"}
        session = door.session
        tag = f"doorward {session.id.hex()[:12]} {session.identity.subject}"
        settings["application_name"] = tag.encode("ascii", "replace").decode()[:APPLICATION_NAME_CHARS]
        if door.read_only or request.read_only:
            # The server itself refuses what no parser can see: functions, rules, triggers.
            settings["default_transaction_read_only"] = "on"
        upstream = await served.dialer.connect(account, {**settings, **over})
        try:
            await settle_path(upstream)
        except BaseException:
            upstream.link.close()
            raise
        return upstream

    async def _relay(
        self, connection: Connection, door: SessionGate, request: StartupRequest, served: Served, upstream: Upstream
    ) -> refusals.Ending:
        link = connection.link
        account = self._room.config.resources[door.session.resource.name].accounts[door.session.account]
        line = Line(
            SessionState(upstream.parameters["search_path"], account.user), marker=f"doorward_{secrets.token_hex(8)}"
        )
        duty = MaskDuty(self._room.mask_key, hides_columns=False, detectors=None, parameters=upstream.parameters)
        reader = Reader(door.session.account, served.dialer.target.database)
        talk = Conversation(
            link,
            upstream,
            door,
            line=line,
            reader=reader,
            catalogue=served.catalogue,
            duty=duty,
            limits=self._room.config.limits,
            previews=self._previews(served, door, request, reader, duty),
        )
        pid, key = self._keys.issue(talk.cancel, long_key=request.long_cancel_key)
        try:
            hello = [wire_encode.AUTHENTICATION_OK]
            hello += [
                wire_encode.encode_parameter_status(name, value)
                for name, value in upstream.parameters.items()
                if name not in HIDDEN_FROM_CLIENT
            ]
            hello.append(wire_encode.encode_parameter_status("application_name", request.application_name))
            hello.append(wire_encode.encode_backend_key_data(pid, key))
            if door.observe:
                hello.append(refusals.OBSERVED)
            hello.append(wire_encode.encode_ready_for_query(upstream.status))
            await door.released(door.opened)  # it was on its way to the disk while we logged in
            await link.send_all(hello)
            return await talk.run(connection.draining)
        finally:
            self._keys.revoke(pid)

    def _previews(
        self, served: Served, door: SessionGate, request: StartupRequest, reader: Reader, duty: MaskDuty
    ) -> Previews | None:
        if served.previews is None:
            return None
        return Previews(partial(self._login, served, door, request), door, reader, duty, served.previews)

    async def _account(self, resource: str, name: str) -> Account:
        found = self._room.config.resources[resource].accounts[name]
        password = None if found.password is None else await self._room.secrets.get(found.password)
        return Account(found.user, password)

    def _serve_resource(self, name: str, settings: PostgresTarget) -> Served:
        resource = self._room.config.resources[name]
        login = resource.catalogue_account or resource.default_account

        def connect() -> pg8000.native.Connection:
            # Runs in a thread of the catalogue's own; the account's secret is fetched by the event loop.
            account = trio.from_thread.run(self._account, name, login)
            target = settings.target()
            protected = target.tls.value == "verify-full" and not target.local
            return pg8000.native.Connection(
                account.user,
                database=target.database,
                password=account.password.reveal() if account.password else None,
                application_name="doorward catalogue",
                timeout=target.within_s,
                # False, for None would be TLS unverified.
                ssl_context=NamedContext(client_context(target.authorities), target.server_name)
                if protected
                else False,
                host=target.host,
                port=target.port,
                unix_sock=f"{target.host}/.s.PGSQL.{target.port}" if target.local else None,
            )

        previews = PreviewRoom(settings.preview_timeout) if settings.previews else None
        return Served(Dialer(settings.target()), Catalogue(name, connect), settings.unprotected, previews)


async def _say(link: Link, data: bytes) -> None:
    """Last words; a client that is gone, or does not read, does not hear them."""
    if data:
        try:
            with trio.move_on_after(FAREWELL_S):
                await link.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            log.debug("client.gone")


POSTGRES: Final = Maker("postgres", DISCHARGES, PostgresTarget, PostgresProxy, (startup.ALPN,), refusals.BUSY)
