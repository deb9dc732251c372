"""Rows PG-60 to PG-66 of the attack corpus against a running gateway: frames that lie, and start-ups that ask too much.

The two logins as such are in `test_postgres_wire.py`; here it is whether the gateway and its other sessions live on.
"""

import socket
import ssl
import struct
import threading

import pytest
from raw_client import RawClient, statement

from doorward_postgres.wire import Backend
from doorward_postgres.wire_encode import (
    SYNC,
    encode_cancel_request,
    encode_gssenc_request,
    encode_password,
    encode_query,
    encode_ssl_request,
    encode_startup,
)

pytestmark = pytest.mark.need_embedded_postgres


@pytest.fixture
def tcp(fortress):
    """A new TCP connection to the gateway."""
    made = []

    def connect():
        made.append(socket.create_connection(("127.0.0.1", fortress.gateway.port), timeout=120))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def rest(connection):
    found = b""
    try:
        while data := connection.recv(65536):
            found += data
    except ConnectionError:
        return found
    return found


STARTUP = encode_startup({"user": "app", "database": "shop"})


@pytest.mark.parametrize("early", [STARTUP, b"x", encode_ssl_request(), STARTUP + encode_password("x")])
def test_pg_60_what_comes_with_the_ssl_request_closes_the_connection(fortress, tcp, early):
    connection = tcp()
    connection.sendall(encode_ssl_request() + early)
    said = rest(connection)
    assert b"R\x00\x00\x00" not in said  # nobody was asked for a password
    assert fortress.sent == b""
    assert fortress.client().alive()


def test_pg_61_start_up_is_by_the_book(fortress, tcp):
    connection = tcp()
    connection.sendall(encode_gssenc_request())
    assert connection.recv(1) == b"N"
    connection.sendall(encode_gssenc_request())
    assert b"S" not in rest(connection)[:1]
    connection = tcp()
    connection.sendall(STARTUP)
    assert b"28" in rest(connection)  # plaintext where TLS is demanded
    connection = tcp()
    connection.sendall(struct.pack("!II", 8, 2 << 16))
    rest(connection)
    assert fortress.sent == b""
    assert fortress.client().alive()


def test_pg_61_direct_tls_without_its_protocol_name_is_refused(fortress, tcp):
    context = ssl.create_default_context(cafile=str(fortress.gateway.state / "tls/ca.crt"))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with context.wrap_socket(tcp(), server_hostname="localhost") as secured:
            secured.sendall(STARTUP)
            assert rest(secured)[:1] in {b"", b"E"}
            raise ConnectionError
    assert fortress.sent == b""


def test_pg_61_versions_and_options_of_the_future(fortress):
    for protocol in (3 << 16 | 2, 3 << 16 | 9, 3 << 16 | 9999):
        client = RawClient(fortress.gateway.sockets / f".s.PGSQL.{fortress.gateway.port}")
        fortress.gateway.clients.append(client)
        client.send(encode_startup({"user": "app", "database": "shop", "_pq_.x": "1"}, protocol))
        first = client.read()
        assert first.kind == Backend.NegotiateProtocolVersion
        client.send(encode_password(fortress.gateway.token()))
        assert client.until(Backend.ReadyForQuery, Backend.ErrorResponse)[-1].kind == Backend.ReadyForQuery


BAD_FRAMES = [
    b"Q\x00\x00\x00\x00",
    b"Q\x00\x00\x00\x03",
    b"Q\xff\xff\xff\xff",
    b"Q\x7f\xff\xff\xff",
    b"P\x00\x00\x00\x05x",
    b"P\x00\x00\x00\x08a\x00b\x00",
    b"B\x00\x00\x00\x06\x00\x00",
    b"B\x00\x00\x00\x0c\x00\x00\x00\x00\xff\xff\x00\x00",
    b"B\x00\x00\x00\x10\x00\x00\x00\x00\x00\x01\x7f\xff\xff\xff\x00\x00",
    b"E\x00\x00\x00\x04",
    b"D\x00\x00\x00\x06X\x00",
    b"C\x00\x00\x00\x06X\x00",
    b"F\x00\x00\x00\x06\x00\x00",
    b"S\x00\x00\x00\x05x",
    b"H\x00\x00\x00\x09xxxxx",
    b"X\x00\x00\x00\x09xxxxx",
    b"Z\x00\x00\x00\x05I",
    b"T\x00\x00\x00\x06\x00\x00",
    b"p\x00\x00\x00\x05x",
    b"\x00\x00\x00\x00\x04",
    b"\xff\x00\x00\x00\x04",
    b"R\x00\x00\x00\x08\x00\x00\x00\x00",
    encode_ssl_request(),
    encode_cancel_request(1, b"abcd"),
    STARTUP,
]


@pytest.mark.parametrize("frame", BAD_FRAMES)
@pytest.mark.parametrize("after", [b"", statement("select 1")])
def test_pg_63_a_frame_that_lies_ends_its_connection_and_no_other(fortress, frame, after):
    bystander, client = fortress.client(), fortress.client()
    fortress.gateway.recorder.mark()
    client.send(after + frame)
    client.socket.shutdown(socket.SHUT_WR)
    answer = client.ended()
    assert set(answer.errors) <= {"08P01"}
    assert frame not in fortress.sent or frame[:1] in b"SHX"
    assert bystander.alive()


def test_pg_63_single_bytes_are_a_message_in_the_end(fortress):
    client = fortress.client()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    for byte in encode_query("select email, 41 + 1 from customer limit 1"):
        client.send(bytes([byte]))
    answer = client.until(Backend.ReadyForQuery)
    assert answer.rows[0][1] == b"42"
    assert not fortress.leaked(answer)


def test_pg_63_a_body_that_never_comes_costs_its_sender_alone(fortress):
    waiting = [fortress.client() for _ in range(5)]
    for client in waiting:
        client.send(b"Q\x00\x80\x00\x00select")
    assert fortress.client().alive()


@pytest.mark.parametrize(
    "startup",
    [
        {"options": "-c session_preload_libraries=x"},
        {"options": "-c role=postgres"},
        {"options": "-csearch_path=attic -c client_encoding=SJIS"},
        {"options": "--standard-conforming-strings=off"},
        {"client_encoding": "SJIS"},
        {"replication": "true"},
        {"role": "postgres"},
        {"session_authorization": "postgres"},
        {f"x{number}": "y" for number in range(10_000)},
        {"database": "nothing"},
        {"user": ""},
        {"row_security": "off"},
    ],
)
def test_pg_65_start_up_parameters_are_an_allow_list(fortress, startup):
    client = RawClient.login(fortress.gateway, startup=startup)
    assert client.hello[-1].kind == Backend.ErrorResponse
    assert b"user" not in fortress.sent
    assert fortress.client().alive()


def test_pg_65_a_start_up_option_does_not_loosen_a_posture(fortress):
    client = fortress.client("readers", startup={"options": "-c default_transaction_read_only=off"})
    assert client.query("show transaction_read_only").rows == [[b"on"]]


def test_pg_65_a_search_path_from_the_start_up_is_followed(fortress):
    client = fortress.client(startup={"options": "-c search_path=attic"})
    assert client.query("select email from customer").rows == [[b"decoy"]]
    assert not fortress.leaked(client.query("reset search_path; select email || '' as email from public.customer"))
    for text in ("reset search_path", "discard all", "set search_path to default"):
        client.query(text)
        assert client.query("select email from customer").rows == [[b"decoy"]]
    client.query("set search_path = public")
    assert not fortress.leaked(client.query("select email || '' as email from customer"))


def test_pg_65_a_repeated_parameter_is_refused(fortress):
    client = RawClient(fortress.gateway.sockets / f".s.PGSQL.{fortress.gateway.port}")
    fortress.gateway.clients.append(client)
    body = b"user\0app\0user\0postgres\0database\0shop\0\0"
    client.send(struct.pack("!II", len(body) + 8, 3 << 16) + body)
    assert client.ended().errors
    assert fortress.sent == b""


def test_pg_66_nothing_of_one_user_is_left_for_the_next(fortress):
    first = fortress.client("anything")
    first.query("create temp table mine (x int); insert into mine values (1)")
    first.query("prepare p as select 1; set application_name = 'first'; set search_path = attic")
    first.query("declare c cursor with hold for select 1")
    first.close()
    fortress.gateway.clients.remove(first)
    second = fortress.client()
    assert second.query("execute p").errors
    assert second.query("fetch all from c").errors
    assert second.query("select * from mine").errors
    assert second.query("show search_path").rows != [[b"attic"]]
    assert second.query("show application_name").rows != [[b"first"]]


def test_lim_one_bad_session_does_not_end_the_others(fortress):
    good = fortress.client()
    stop = threading.Event()
    slow = []

    def serve():
        while not stop.is_set():
            slow.append(good.alive())

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        for frame in (
            *BAD_FRAMES[:8],
            encode_query("select " + "(" * 90_000),
            b"Q\x00\x00\x00\x06\x00\x00",
            SYNC * 30_000,
        ):
            bad = fortress.client()
            bad.send(frame)
            bad.close()
            fortress.gateway.clients.remove(bad)
    finally:
        stop.set()
        thread.join()
    assert slow
    assert all(slow)
