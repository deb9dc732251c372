"""Real clients through the start of a connection: what libpq sends today, in every way that it can begin."""

import os
import subprocess
import sys
from contextlib import asynccontextmanager

import psycopg
import psycopg.conninfo
import pytest
import trio

from doorward_core.net.listen import Server, open_tcp, open_unix
from doorward_core.net.tls import ServerTls
from doorward_postgres.startup import ALPN, CancelRequest, ClientStartup, Credential, Refused, StartTls, StartupOptions
from doorward_postgres.startup_settings import StartupRequest
from doorward_postgres.wire_encode import (
    AUTHENTICATION_OK,
    PROTOCOL_3_0,
    PROTOCOL_3_2,
    encode_backend_key_data,
    encode_parameter_status,
    encode_ready_for_query,
)

TOKEN = "eyJhbGciOi." + "x" * 6000 + ".y"


class Gateway:
    """The beginning of a gateway: it lets everybody in, and notes what they brought."""

    def __init__(self, certificate, folder):
        self.tls = ServerTls(*certificate, alpn=[ALPN])
        self.authorities = certificate[0]
        self.tcp = open_tcp("127.0.0.1", 0)
        self.unix = open_unix(folder / f".s.PGSQL.{self.tcp.port}")
        self.folder = folder
        self.events = []
        self.errors = []
        self.key = b""

    async def handle(self, connection):
        link = connection.link
        tls = None if connection.listener.local else self.tls
        begin = ClientStartup(StartupOptions(tls_offered=tls is not None, local=connection.listener.local))
        while data := await link.receive():
            for event in begin.receive(data):
                self.events.append(event)
                if isinstance(event, StartTls):
                    await link.send_all(event.reply)
                    await link.start_tls_server(tls.context, event.early)
                    begin.tls_started(link.alpn)
                elif isinstance(event, StartupRequest):
                    self.key = os.urandom(32 if event.long_cancel_key else 4)
                    await link.send_all(begin.ask_for_credential())
                elif isinstance(event, Credential):
                    await link.send_all(self.hello())
                    await link.wait_hangup()
                elif isinstance(event, Refused | CancelRequest):
                    await link.send_all(event.reply if isinstance(event, Refused) else b"")
                    await link.aclose()
                    return
                else:
                    await link.send_all(event.data)

    def hello(self):
        status = encode_parameter_status("server_version", "15.0") + encode_parameter_status("client_encoding", "UTF8")
        return AUTHENTICATION_OK + status + encode_backend_key_data(7, self.key) + encode_ready_for_query("I")

    def address(self):
        return {
            "host": "127.0.0.1",
            "port": self.tcp.port,
            "user": "alice",
            "dbname": "app-db",
            "sslmode": "verify-full",
            "sslrootcert": str(self.authorities),
            "connect_timeout": 120,
        }

    def brought(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def gateway(certificate, tmp_path):
    return Gateway(certificate, tmp_path)


@asynccontextmanager
async def serving(gateway):
    server = Server([gateway.tcp, gateway.unix], gateway.handle, on_error=lambda error, _: gateway.errors.append(error))
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve)
            yield
            await server.drain(10)


def connect(gateway, **changes):
    return psycopg.connect(**gateway.address() | {"password": TOKEN, "autocommit": True} | changes)


async def visit(gateway, **changes):
    """Connect, leave, and give what the gateway was told."""
    async with serving(gateway):
        connection = await trio.to_thread.run_sync(lambda: connect(gateway, **changes))
        in_use = connection.pgconn.ssl_in_use
        connection.close()
    assert not gateway.errors
    assert gateway.brought(Credential)[0].token.reveal() == TOKEN
    return gateway.brought(StartupRequest)[0], in_use


@pytest.mark.parametrize("sslmode", ["require", "verify-ca", "verify-full"])
async def test_tls_as_clients_negotiate_it(gateway, sslmode):
    request, encrypted = await visit(gateway, sslmode=sslmode, application_name="crew")
    assert encrypted
    assert (request.user, request.database, request.application_name) == ("alice", "app-db", "crew")


@pytest.mark.skipif(psycopg.pq.version() < 170000, reason="needs libpq 17 for direct TLS")
async def test_direct_tls(gateway):
    _, encrypted = await visit(gateway, sslnegotiation="direct")
    assert encrypted
    assert gateway.brought(StartTls)[0].reply == b""


@pytest.mark.skipif(psycopg.pq.version() < 180000, reason="needs libpq 18 for protocol 3.2")
@pytest.mark.parametrize(
    ("newest", "version"), [("3.0", PROTOCOL_3_0), ("3.2", PROTOCOL_3_2), ("latest", PROTOCOL_3_2)]
)
async def test_both_versions(gateway, newest, version):
    request, _ = await visit(gateway, max_protocol_version=newest)
    assert request.protocol == version


async def test_a_local_socket(gateway):
    request, encrypted = await visit(gateway, host=str(gateway.folder), sslmode="prefer", sslrootcert=None)
    assert not encrypted
    assert request.user == "alice"


async def test_options_and_settings_of_the_environment(gateway):
    request, _ = await visit(
        gateway, options=r"-c search_path=app,\ public -c statement_timeout=5s", client_encoding="utf8"
    )
    assert request.settings == {"search_path": "app, public", "statement_timeout": "5s"}


async def test_a_client_without_tls_is_told_so_and_sends_no_token(gateway):
    async with serving(gateway):
        with pytest.raises(psycopg.OperationalError, match="takes no connection without TLS"):
            await trio.to_thread.run_sync(lambda: connect(gateway, sslmode="disable"))
    assert not gateway.brought(Credential)


async def test_a_client_that_prefers_plain_text_ends_up_with_tls(gateway):
    _, encrypted = await visit(gateway, sslmode="allow")
    assert encrypted


async def test_a_client_that_demands_channel_binding_is_not_lied_to(gateway):
    async with serving(gateway):
        with pytest.raises(psycopg.OperationalError, match="channel binding"):
            await trio.to_thread.run_sync(lambda: connect(gateway, channel_binding="require"))
    assert not gateway.brought(Credential)


_CANCEL = """
import sys, psycopg
connection = psycopg.connect(sys.stdin.readline(), autocommit=True)
{}
connection.close()
"""


@pytest.mark.parametrize("way", ["get_cancel().cancel()", "cancel_conn().blocking()"], ids=["in the clear", "over TLS"])
async def test_a_cancel_request(gateway, way):
    # A process of its own: the driver keeps Python's lock while it waits for the cancel request to be taken.
    settings = psycopg.conninfo.make_conninfo(**gateway.address(), password=TOKEN)
    async with serving(gateway):
        script = _CANCEL.format(f"connection.pgconn.{way}")
        await trio.run_process([sys.executable, "-c", script], stdin=settings.encode())
    assert gateway.brought(CancelRequest) == [CancelRequest(7, gateway.key)]
    assert len(gateway.brought(StartTls)) == (2 if "blocking" in way else 1)


@pytest.mark.need_psql
async def test_psql_with_a_long_token(gateway):
    async with serving(gateway):
        result = await trio.run_process(
            [
                "psql",
                f"host=127.0.0.1 port={gateway.tcp.port} user=alice dbname=app-db sslmode=require",
                "-c",
                "\\conninfo",
            ],
            env=os.environ | {"PGPASSWORD": TOKEN, "PGSSLROOTCERT": "", "PGGSSENCMODE": "disable"},
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
        )
    assert result.returncode == 0, result.stdout
    assert b'as user "alice"' in result.stdout or b"alice" in result.stdout
    assert gateway.brought(Credential)[0].token.reveal() == TOKEN


@pytest.mark.need_psql
async def test_psql_without_a_token_says_goodbye(gateway):
    async with serving(gateway):
        result = await trio.run_process(
            ["psql", "-w", f"host=127.0.0.1 port={gateway.tcp.port} user=alice dbname=app-db sslmode=require"],
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
            capture_stderr=True,
            check=False,
        )
    assert result.returncode == 2
    assert b"no password supplied" in result.stderr
    assert not gateway.brought(Credential)
