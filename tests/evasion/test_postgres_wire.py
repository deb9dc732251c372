"""Rows PG-48, PG-60 to PG-65 of the attack corpus, as far as the wire and the two logins answer them.

Upstream is a byte recorder over real sockets: what it did not receive was not sent.
"""

import socket
import tracemalloc
from contextlib import suppress

import pytest
import trio

from doorward_core.errors import ClientProtocolError, UpstreamProtocolError, UpstreamUnavailable
from doorward_core.model import Secret
from doorward_core.net.link import Link
from doorward_core.net.listen import Limits, Server, open_tcp
from doorward_postgres.startup import (
    CancelRequest,
    ClientStartup,
    Refused,
    Reply,
    StartTls,
    StartupOptions,
)
from doorward_postgres.startup_settings import StartupRequest
from doorward_postgres.upstream import PINNED, Account, Dialer, Target, TlsMode
from doorward_postgres.wire import HEADER_BYTES, Backend, FrameReader, Frontend, Side
from doorward_postgres.wire_decode import decode_error_fields, decode_row_description
from doorward_postgres.wire_encode import (
    AUTHENTICATION_CLEARTEXT_PASSWORD,
    AUTHENTICATION_OK,
    PROTOCOL_3_0,
    PROTOCOL_3_2,
    encode_authentication,
    encode_authentication_sasl,
    encode_cancel_request,
    encode_data_row,
    encode_error_fields,
    encode_gssenc_request,
    encode_password,
    encode_ready_for_query,
    encode_ssl_request,
    encode_startup,
)

REMOTE = StartupOptions(tls_offered=True)
STARTUP = encode_startup({"user": "alice", "database": "app-db"})
ACCOUNT = Account("app", Secret("canary-password"))


def secured():
    startup = ClientStartup(REMOTE)
    startup.receive(encode_ssl_request())
    startup.tls_started(None)
    return startup


def sqlstate(event):
    assert isinstance(event, Refused)
    return decode_error_fields(event.reply[HEADER_BYTES:])["C"]


class LyingTarget:
    """A server that answers from a script, whatever it is sent, and records what that was. None hangs up."""

    def __init__(self, *answers):
        self.listener = open_tcp("127.0.0.1", 0)
        self.received = bytearray()
        self._answers = answers

    async def talk(self, link):
        for answer in self._answers:
            self.received += await link.receive()
            if answer is None:
                return
            await link.send_all(answer)
        while data := await link.receive():
            self.received += data

    async def _handle(self, connection):
        with suppress(trio.BrokenResourceError):
            await self.talk(connection.link)

    async def refusal(self, mode=TlsMode.VERIFY_FULL):
        """What the gateway raises when it dials this target."""
        errors = []
        server = Server([self.listener], self._handle, on_error=lambda error, _: errors.append(error))
        target = Target("127.0.0.1", self.listener.port, "app", tls=mode)
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                await nursery.start(server.serve)
                with pytest.raises((UpstreamProtocolError, UpstreamUnavailable)) as caught:
                    await Dialer(target).connect(ACCOUNT, {})
                await server.drain(5)
        assert not errors
        return caught.value


# --- PG-48 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["database", "true", "on", "yes", "1", "t", "TRUE", "DataBase", "", "tru", "2"])
def test_pg_48_a_replication_start_up_is_refused_before_any_credential(value):
    (event,) = secured().receive(encode_startup({"user": "alice", "replication": value}))
    assert sqlstate(event) == "42501"


def test_pg_48_replication_cannot_hide_behind_letter_case_or_options():
    for parameters in ({"Replication": "database"}, {"options": "-c replication=database"}):
        (event,) = secured().receive(encode_startup({"user": "alice"} | parameters))
        assert sqlstate(event) == "42501"


# --- PG-60 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("early", [STARTUP, STARTUP[:1], b"\x16\x03\x01", encode_ssl_request(), b"\0"])
def test_pg_60_bytes_behind_ssl_request_end_the_connection(early):
    with pytest.raises(ClientProtocolError, match="unprotected"):
        ClientStartup(REMOTE).receive(encode_ssl_request() + early)


@pytest.mark.parametrize("early", [STARTUP, encode_ssl_request()])
def test_pg_60_bytes_behind_gssenc_request_end_the_connection(early):
    with pytest.raises(ClientProtocolError, match="unprotected"):
        ClientStartup(REMOTE).receive(encode_gssenc_request() + early)


async def test_pg_60_bytes_behind_the_target_s_s_end_the_connection():
    forged = AUTHENTICATION_OK + encode_ready_for_query("I")
    target = LyingTarget(b"S" + forged)
    error = await target.refusal()
    assert isinstance(error, UpstreamProtocolError)
    assert "unprotected" in str(error)
    assert bytes(target.received) == encode_ssl_request()


async def test_pg_60_plain_bytes_after_the_target_s_s_are_never_a_session():
    target = LyingTarget(b"S", AUTHENTICATION_OK + encode_ready_for_query("I"))
    assert "TLS handshake" in str(await target.refusal())
    assert b"canary-password" not in target.received
    assert b"app" not in target.received


# --- PG-61 ------------------------------------------------------------------------------------------------------------


def test_pg_61_encryption_is_negotiated_once():
    asked_gss = ClientStartup(REMOTE)
    assert asked_gss.receive(encode_gssenc_request()) == (Reply(b"N"),)
    with pytest.raises(ClientProtocolError, match="twice"):
        asked_gss.receive(encode_gssenc_request())
    for request in (encode_ssl_request(), encode_gssenc_request()):
        with pytest.raises(ClientProtocolError, match="twice"):
            secured().receive(request)
    declined = ClientStartup(StartupOptions(tls_offered=False, local=True))
    assert declined.receive(encode_ssl_request()) == (Reply(b"N"),)
    with pytest.raises(ClientProtocolError, match="twice"):
        declined.receive(encode_ssl_request())


@pytest.mark.parametrize("alpn", [None, "", "http/1.1", "h2", "PostgreSQL"])
def test_pg_61_direct_tls_names_the_protocol(alpn):
    startup = ClientStartup(REMOTE)
    startup.receive(b"\x16\x03\x01")
    with pytest.raises(ClientProtocolError, match="ALPN"):
        startup.tls_started(alpn)


def test_pg_61_no_encryption_request_within_direct_tls():
    startup = ClientStartup(REMOTE)
    startup.receive(b"\x16\x03\x01")
    startup.tls_started("postgresql")
    with pytest.raises(ClientProtocolError, match="twice"):
        startup.receive(encode_ssl_request())


def test_pg_61_direct_tls_where_none_is_offered_ends_the_connection():
    with pytest.raises(ClientProtocolError):
        ClientStartup(StartupOptions(tls_offered=False, local=True)).receive(b"\x16")


def test_pg_61_protocol_2_is_refused():
    (event,) = secured().receive((12).to_bytes(4) + (2 << 16).to_bytes(4) + b"user")
    assert sqlstate(event) == "0A000"


@pytest.mark.parametrize("length", [0, 1, 3, 257, 9000])
def test_pg_61_a_cancel_key_of_no_legal_length_is_refused(length):
    with pytest.raises(ClientProtocolError):
        ClientStartup(REMOTE).receive(encode_cancel_request(1, b"k" * length))


@pytest.mark.parametrize("length", [4, 32, 256])
def test_pg_61_a_cancel_key_of_either_version_is_taken(length):
    (event,) = ClientStartup(REMOTE).receive(encode_cancel_request(1, b"k" * length))
    assert event == CancelRequest(1, b"k" * length)


def test_pg_61_bytes_behind_a_cancel_request_end_the_connection():
    with pytest.raises(ClientProtocolError):
        ClientStartup(REMOTE).receive(encode_cancel_request(1, b"keys") + STARTUP)


def test_pg_61_protocol_options_are_answered_by_name_and_have_no_effect():
    (request,) = secured().receive(encode_startup({"user": "a", "_pq_.command_compression": "on"}, PROTOCOL_3_2))
    assert isinstance(request, StartupRequest)
    assert request.unknown_options == ("_pq_.command_compression",)
    assert not request.settings


# --- PG-62 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [b"", encode_gssenc_request()])
def test_pg_62_no_credential_is_asked_for_without_tls(first):
    startup = ClientStartup(REMOTE)
    if first:
        startup.receive(first)
    (event,) = startup.receive(STARTUP)
    assert sqlstate(event) == "28000"
    assert event.reply[0] == Backend.ErrorResponse
    assert AUTHENTICATION_CLEARTEXT_PASSWORD not in event.reply


@pytest.mark.parametrize("answer", [b"N", b"E", encode_error_fields({"S": "FATAL", "C": "00000", "M": "x"}), b"X"])
async def test_pg_62_a_target_that_declines_tls_is_not_talked_to(answer):
    target = LyingTarget(answer)
    assert "offers no TLS" in str(await target.refusal())
    assert bytes(target.received) == encode_ssl_request()


def test_pg_62_verification_is_the_default():
    assert Target("db", 5432, "app").tls is TlsMode.VERIFY_FULL


# --- PG-63 ------------------------------------------------------------------------------------------------------------

_LENGTHS = [0, 1, 2, 3, 2**31, 2**31 - 1, 2**32 - 1]


@pytest.mark.parametrize("length", _LENGTHS)
@pytest.mark.parametrize("kind", sorted(value for name, value in vars(Frontend).items() if name[0] != "_"))
def test_pg_63_a_length_that_cannot_be_ends_the_connection(kind, length):
    reader = FrameReader(Side.CLIENT)
    reader.receive(bytes([kind]) + length.to_bytes(4) + b"x" * 10)
    with pytest.raises(ClientProtocolError):
        list(reader)


@pytest.mark.parametrize("length", [*range(8), 10_001, *_LENGTHS])
def test_pg_63_a_start_up_length_that_cannot_be_ends_the_connection(length):
    for startup in (ClientStartup(REMOTE), secured()):
        with pytest.raises(ClientProtocolError):
            startup.receive(length.to_bytes(4) + PROTOCOL_3_0.to_bytes(4) + b"x" * 10)


@pytest.mark.parametrize("length", [0, 3, 65_536, 2**31, 2**32 - 1])
def test_pg_63_a_credential_length_that_cannot_be_ends_the_connection(length):
    startup = secured()
    startup.receive(STARTUP)
    startup.ask_for_credential()
    with pytest.raises(ClientProtocolError):
        startup.receive(b"p" + length.to_bytes(4))


@pytest.mark.parametrize("kind", b"QPBDECSHFdcf\0\x16?")
def test_pg_63_a_type_that_is_not_legal_before_login_ends_the_connection(kind):
    startup = secured()
    startup.receive(STARTUP)
    startup.ask_for_credential()
    with pytest.raises(ClientProtocolError):
        startup.receive(bytes([kind]))


def test_pg_63_a_credential_before_it_is_asked_for_ends_the_connection():
    with pytest.raises(ClientProtocolError):
        secured().receive(STARTUP + encode_password("x"))


def test_pg_63_memory_is_bounded_while_a_long_message_never_ends():
    reader = FrameReader(Side.CLIENT)
    reader.receive(bytes([Frontend.Query]) + (16 * 1024 * 1024 - 1).to_bytes(4))
    tracemalloc.start()
    for _ in range(40_000):
        assert list(reader) == []
        reader.receive(b"xy")  # segments of two bytes: an object for each would be fifty times the size
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reader.buffered == 80_005
    assert peak < 1_000_000


async def test_pg_63_a_body_that_is_never_sent_meets_the_deadline(autojump_clock):
    listener = open_tcp("127.0.0.1", 0)
    ends = []

    async def handler(connection):
        startup = ClientStartup(REMOTE)
        while data := await connection.link.receive():
            for event in startup.receive(data):
                assert isinstance(event, StartTls)

    def told(error, peer):
        ends.append(type(error))

    server = Server([listener], handler, on_error=told, limits=Limits(handshake_s=10))
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve)
        client = Link(socket.create_connection(listener.socket.getsockname()))
        await client.send_all((100).to_bytes(4) + PROTOCOL_3_0.to_bytes(4) + b"user")
        assert await client.receive() == b""
        client.close()
        await server.drain(5)
    assert ends == [trio.TooSlowError]


# --- PG-64 (the login; what comes after it is the machine's) ------------------------------------------------------------

_SCRAM = encode_authentication_sasl(["SCRAM-SHA-256"])
_LIES = {
    "an error without a SQLSTATE": (encode_error_fields({}),),
    "an error of nothing": (bytes([Backend.ErrorResponse]) + (4).to_bytes(4),),
    "a row": (encode_data_row([b"x"]),),
    "a row before it is described": (AUTHENTICATION_OK + encode_data_row([b"x"] * 5),),
    "a length of 2 GiB": (b"R" + (2**31 - 1).to_bytes(4),),
    "a length of 0": (b"R\0\0\0\0",),
    "a nonce of 1 MB": (
        _SCRAM,
        encode_authentication(11, b"r=" + b"x" * 60_000 + b",s=AAAA,i=4096") + b"x" * 1_000_000,
    ),
    "a nonce that is not ours": (_SCRAM, encode_authentication(11, b"r=x,s=AAAA,i=4096")),
    "success without proof": (_SCRAM, AUTHENTICATION_OK + encode_ready_for_query("I")),
    "the end": (None,),
    "the end within SCRAM": (_SCRAM, None),
}


@pytest.mark.parametrize("answers", _LIES.values(), ids=_LIES)
async def test_pg_64_a_lying_target_ends_its_own_login_and_learns_nothing(answers):
    target = LyingTarget(*answers)
    await target.refusal(TlsMode.DISABLE)
    assert b"canary-password" not in target.received


async def test_pg_64_an_iteration_count_of_2_31_costs_nothing():
    class Greedy(LyingTarget):
        async def talk(self, link):
            await link.receive()
            await link.send_all(_SCRAM)
            nonce = (await link.receive()).rpartition(b"r=")[2]
            await link.send_all(encode_authentication(11, b"r=%sx,s=AAAA,i=2147483648" % nonce))
            await link.receive()

    assert "2147483648 SCRAM iterations" in str(await Greedy().refusal(TlsMode.DISABLE))


@pytest.mark.parametrize("body", [b"\xff\xff", b"\0\1", b"\0\1a\0", b"\0\0\0"])
def test_pg_64_columns_that_are_not_there_are_refused(body):
    with pytest.raises(UpstreamProtocolError):
        decode_row_description(body)


# --- PG-65 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameters",
    [
        {"session_preload_libraries": "x"},
        {"options": "-c session_preload_libraries=x"},
        {"options": "--session-preload-libraries=x"},
        {"options": "-c\tlocal_preload_libraries=x"},
        {"options": r"-c\ session_preload_libraries=x"},
        {"options": "-c search_path=app -c role=postgres"},
        {"session_authorization": "postgres"},
        {"row_security": "off"},
        {"default_tablespace": "x"},
        {"options": "-B 100"},
        {"options": "search_path=x"},
        {"options": "-d5"},
    ],
)
def test_pg_65_a_parameter_that_is_not_listed_is_refused(parameters):
    (event,) = secured().receive(encode_startup({"user": "alice"} | parameters))
    assert sqlstate(event) == "42501"


@pytest.mark.parametrize(
    "packet",
    [
        b"user\0alice\0user\0root\0\0",
        b"database\0a\0user\0alice\0database\0b\0\0",
        b"user\0alice\0options\0-c jit=off\0options\0-c geqo=off\0\0",
        b"user\0alice\0search_path\0a\0Search_Path\0b\0\0",
    ],
)
def test_pg_65_a_name_twice_is_refused(packet):
    with pytest.raises(ClientProtocolError, match="twice"):
        secured().receive((len(packet) + 8).to_bytes(4) + PROTOCOL_3_0.to_bytes(4) + packet)


def test_pg_65_ten_thousand_keys_are_refused_by_length_and_sixty_five_by_number():
    for count, reason in ((10_000, "declares"), (65, "more than 64")):
        with pytest.raises(ClientProtocolError, match=reason):
            secured().receive(encode_startup({"user": "a"} | {f"_pq_.{n}": "x" for n in range(count)}))


def test_pg_65_what_the_parser_relies_on_cannot_be_set_otherwise():
    for parameters in ({"client_encoding": "BIG5"}, {"options": "-c client_encoding=SJIS"}):
        (event,) = secured().receive(encode_startup({"user": "alice"} | parameters))
        assert sqlstate(event) == "22023"
    assert PINNED == {"client_encoding": "UTF8", "standard_conforming_strings": "on"}
