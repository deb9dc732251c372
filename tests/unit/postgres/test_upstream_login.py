"""Login at the target: each method, each refusal, each lie; and garbage."""

import base64
import hashlib

import pytest

from doorward_core.errors import LocalProtocolError, UpstreamProtocolError, UpstreamUnavailable
from doorward_core.model import Secret
from doorward_postgres import scram
from doorward_postgres.upstream_login import LoggedIn, LoginRefused, LoginSettings, NeedKeys, Send, UpstreamLogin
from doorward_postgres.wire import HEADER_BYTES, AuthCode, Backend
from doorward_postgres.wire_decode import decode_password, decode_sasl_initial_response
from doorward_postgres.wire_encode import (
    AUTHENTICATION_CLEARTEXT_PASSWORD,
    AUTHENTICATION_OK,
    PROTOCOL_3_0,
    PROTOCOL_3_2,
    encode_authentication,
    encode_authentication_sasl,
    encode_backend_key_data,
    encode_data_row,
    encode_error_fields,
    encode_error_response,
    encode_negotiate_protocol_version,
    encode_notice_response,
    encode_parameter_status,
    encode_ready_for_query,
    frame,
)

READY = (
    AUTHENTICATION_OK
    + encode_parameter_status("server_version", "15.1")
    + encode_backend_key_data(7, b"key!")
    + encode_notice_response("WARNING", "01000", "hello")
    + encode_ready_for_query("I")
)
NONCE = b"n" * 18


def login(**changes):
    settings = {
        "user": "app",
        "database": "shop",
        "password": Secret("pencil"),
        "parameters": {"client_encoding": "UTF8"},
        "confidential": True,
    } | changes
    return UpstreamLogin(LoginSettings(**settings), NONCE)


def test_the_start_up_packet_names_user_database_and_settings():
    packet = login().start()
    assert packet[8:] == b"user\0app\0database\0shop\0client_encoding\0UTF8\0\0"


def test_trust():
    (done,) = login(password=None).receive(READY + b"left")
    assert isinstance(done, LoggedIn)
    assert done == LoggedIn({"server_version": "15.1"}, 7, b"key!", "I", PROTOCOL_3_0, "trust", b"left")


def test_a_server_without_cancel_keys_is_taken():
    (done,) = login().receive(AUTHENTICATION_OK + encode_ready_for_query("I"))
    assert done.key == b""


def test_md5():
    machine = login()
    (send,) = machine.receive(encode_authentication(AuthCode.MD5Password, b"salt"))
    inner = hashlib.md5(b"pencilapp").hexdigest().encode()
    expected = b"md5" + hashlib.md5(inner + b"salt").hexdigest().encode()
    assert decode_password(send.data[HEADER_BYTES:]) == expected
    assert machine.receive(READY)[0].method == "md5"


def test_a_password_in_the_clear_where_nobody_listens():
    machine = login()
    (send,) = machine.receive(AUTHENTICATION_CLEARTEXT_PASSWORD)
    assert decode_password(send.data[HEADER_BYTES:]) == b"pencil"
    assert machine.receive(READY)[0].method == "password"


def test_no_password_in_the_clear_over_an_open_channel():
    with pytest.raises(UpstreamUnavailable, match="in the clear"):
        login(confidential=False).receive(AUTHENTICATION_CLEARTEXT_PASSWORD)


def _first(machine, mechanisms=(scram.MECHANISM,)):
    (send,) = machine.receive(encode_authentication_sasl(mechanisms))
    assert isinstance(send, Send)
    return decode_sasl_initial_response(send.data[HEADER_BYTES:])


def _server(iterations=4096, password="pencil"):
    """The server's first message, and what it would answer with."""
    nonce = base64.b64encode(NONCE).decode() + "theirs"
    salt = base64.b64encode(b"salt").decode()
    first = f"r={nonce},s={salt},i={iterations}".encode()
    keys = scram.derive_keys(password, scram.Challenge(b"salt", 1))
    return first, keys


@pytest.mark.parametrize(
    ("binding", "offered", "mechanism", "header"),
    [
        (None, (scram.MECHANISM,), scram.MECHANISM, b"n,,"),
        (None, (scram.MECHANISM_PLUS, scram.MECHANISM), scram.MECHANISM, b"n,,"),
        (b"hash", (scram.MECHANISM,), scram.MECHANISM, b"y,,"),
        (b"hash", (scram.MECHANISM_PLUS, scram.MECHANISM), scram.MECHANISM_PLUS, b"p=tls-server-end-point,,"),
    ],
)
def test_the_channel_is_bound_where_both_sides_can(binding, offered, mechanism, header):
    chosen, response = _first(login(binding=binding), offered)
    assert chosen == mechanism
    assert response.startswith(header + b"n=,r=")


def test_scram_asks_for_keys_and_verifies_the_server():
    machine = login()
    _first(machine)
    (need,) = machine.receive(encode_authentication(AuthCode.SASLContinue, _server()[0]))
    assert need == NeedKeys(scram.Challenge(b"salt", 4096))
    machine.keys(scram.derive_keys("pencil", need.challenge))
    with pytest.raises(UpstreamProtocolError, match="did not prove"):
        machine.receive(encode_authentication(AuthCode.SASLFinal, b"v=" + base64.b64encode(b"x" * 32)))


def test_a_server_that_leaves_out_its_proof_is_refused():
    machine = login()
    _first(machine)
    with pytest.raises(UpstreamProtocolError, match="its own proof"):
        machine.receive(READY)


@pytest.mark.parametrize("count", [0, 1, 4095, 100_001, 2**31, 2**31 - 1])
def test_an_iteration_count_out_of_bounds_is_refused(count):
    machine = login()
    _first(machine)
    with pytest.raises(UpstreamUnavailable, match=f"{count} SCRAM iterations"):
        machine.receive(encode_authentication(AuthCode.SASLContinue, _server(count)[0]))


def test_an_operator_may_raise_the_iterations():
    machine = login(max_iterations=600_000)
    _first(machine)
    (need,) = machine.receive(encode_authentication(AuthCode.SASLContinue, _server(600_000)[0]))
    assert need.challenge.iterations == 600_000


def test_an_account_without_a_password_is_said_to_have_none():
    for ask in (AUTHENTICATION_CLEARTEXT_PASSWORD, encode_authentication_sasl([scram.MECHANISM])):
        with pytest.raises(UpstreamUnavailable, match="the account has none"):
            login(password=None).receive(ask)


@pytest.mark.parametrize("code", [2, 6, 7, 9, 99])
def test_an_unknown_method_is_refused(code):
    with pytest.raises(UpstreamUnavailable, match=f"code {code}"):
        login().receive(encode_authentication(code))


def test_an_unknown_sasl_mechanism_is_refused():
    with pytest.raises(UpstreamUnavailable, match="no SASL mechanism"):
        login().receive(encode_authentication_sasl(["OAUTHBEARER", scram.MECHANISM_PLUS]))


def test_an_error_gives_its_sqlstate_and_nothing_else():
    with pytest.raises(LoginRefused, match="28P01") as caught:
        login().receive(encode_error_response("FATAL", "28P01", 'password authentication failed for user "app"'))
    assert caught.value.sqlstate == "28P01"
    assert "app" not in str(caught.value)


@pytest.mark.parametrize("fields", [{}, {"M": "no code"}, {"C": "<xss>"}, {"C": ""}])
def test_an_error_without_a_sqlstate_is_an_error(fields):
    with pytest.raises(LoginRefused, match="missing") as caught:
        login().receive(encode_error_fields(fields))
    assert caught.value.sqlstate == ""


@pytest.mark.parametrize(
    ("newest", "spoken"), [(0, PROTOCOL_3_0), (PROTOCOL_3_0, PROTOCOL_3_0), (PROTOCOL_3_2, PROTOCOL_3_2)]
)
def test_an_older_server_is_spoken_to_in_its_version(newest, spoken):
    (done,) = login(protocol=PROTOCOL_3_2).receive(encode_negotiate_protocol_version(newest, []) + READY)
    assert done.protocol == spoken


LIES = {
    "a newer version than asked for": encode_negotiate_protocol_version(3, []),
    "another major version": encode_negotiate_protocol_version(2 << 16, []),
    "a row before authentication": encode_data_row([b"x"]),
    "ready before authentication": encode_ready_for_query("I"),
    "parameters before authentication": encode_parameter_status("a", "b"),
    "a row before it is ready": AUTHENTICATION_OK + encode_data_row([b"x"]),
    "ok twice": AUTHENTICATION_OK + AUTHENTICATION_OK,
    "a second credential": AUTHENTICATION_CLEARTEXT_PASSWORD * 2,
    "a downgrade from SCRAM": encode_authentication_sasl([scram.MECHANISM]) + AUTHENTICATION_CLEARTEXT_PASSWORD,
    "SCRAM from its end": encode_authentication_sasl([scram.MECHANISM])
    + encode_authentication(AuthCode.SASLFinal, b"v="),
    "SCRAM without its beginning": encode_authentication(AuthCode.SASLContinue, b"r=x,s=AAAA,i=4096"),
    "two keys": AUTHENTICATION_OK + encode_backend_key_data(1, b"abcd") * 2,
    "an MD5 salt of one byte": encode_authentication(AuthCode.MD5Password, b"s"),
    "a nonce of 1 MB": encode_authentication_sasl([scram.MECHANISM])
    + encode_authentication(AuthCode.SASLContinue, b"r=" + b"x" * 1_000_000 + b",s=AAAA,i=4096"),
    "notices without end": encode_notice_response("NOTICE", "00000", "x") * 301,
    "parameters without end": AUTHENTICATION_OK + encode_parameter_status("a", "b") * 301,
    "a message that is too long": AUTHENTICATION_OK + frame(Backend.NoticeResponse, b"M" + b"x" * 70_000 + b"\0\0"),
    "a type that does not exist": b"?\0\0\0\4",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_pg_64_a_lie_ends_the_login(lie):
    with pytest.raises((UpstreamProtocolError, UpstreamUnavailable)) as caught:
        login().receive(lie)
    assert isinstance(caught.value, UpstreamProtocolError) or "code 11" in str(caught.value)


def test_keys_out_of_turn_are_our_own_defect():
    with pytest.raises(LocalProtocolError):
        login().keys(scram.Keys(b"", b""))


def test_nothing_shows_the_password():
    settings = LoginSettings("app", "shop", Secret("pencil"), {}, confidential=True)
    assert "pencil" not in repr(settings)
