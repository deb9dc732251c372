"""Bodies that are malformed, one reason each, and those that only look so."""

import pytest

from doorward_core.errors import ClientProtocolError, UpstreamProtocolError
from doorward_postgres import wire_decode as decode
from doorward_postgres import wire_encode as encode
from doorward_postgres.wire import HEADER_BYTES

_CLIENT = [
    (decode.decode_query, b"select 1", "no NUL at the end"),
    (decode.decode_query, b"select 1\0; drop table t\0", "a second statement behind the NUL"),
    (decode.decode_query, b"", "nothing at all"),
    (decode.decode_parse, b"a\0select 1\0\0\1", "an OID that is not there"),
    (decode.decode_parse, b"a\0select 1\0\0\0x", "a byte too many"),
    (decode.decode_parse, b"a\0select 1", "no end of the text"),
    (decode.decode_bind, b"\0\0\0\0\0\1\xff\xff\xff\xfe\0\0", "a length of -2"),
    (decode.decode_bind, b"\0\0\0\0\0\1\0\0\0\5abc\0\0", "a value that is cut"),
    (decode.decode_bind, b"\0\0\0\0\0\1\x7f\xff\xff\xffabc\0\0", "a value of 2 GiB"),
    (decode.decode_bind, b"\0\0\0\1\0\2\0\0\0\0", "format 2"),
    (decode.decode_bind, b"\0\0\0\2\0\0\0\0\0\0\0\0", "two formats for no parameter"),
    (decode.decode_bind, b"\0\0\0\0\xff\xff", "65,535 values that are not there"),
    (decode.decode_bind, b"\0\0\0\0\0\0\0\0x", "a byte too many"),
    (decode.decode_describe, b"X\0", "neither statement nor portal"),
    (decode.decode_describe, b"", "nothing at all"),
    (decode.decode_close, b"Sabc", "no NUL"),
    (decode.decode_close, b"Sabc\0d", "a byte too many"),
    (decode.decode_execute, b"\0\0\0\0", "three bytes of a limit"),
    (decode.decode_execute, b"p\0\0\0\0\0\0", "five bytes of a limit"),
    (decode.decode_function_call, b"\0\0\0\1\0\0\0\0\0\2", "result format 2"),
    (decode.decode_function_call, b"\0\0\0\1\0\0\0\1\0\0\0\1\0\0", "a value that is cut"),
    (decode.decode_function_call, b"\0\0\0\1\0\2\0\0\0\0\0\0\0\0", "two formats for no argument"),
    (decode.decode_copy_fail, b"why", "no NUL"),
    (decode.decode_password, b"a\0b\0", "two passwords"),
    (decode.decode_sasl_initial_response, b"OAUTHBEARER\0\0\0\0\5abc", "a response that is cut"),
    (decode.decode_sasl_initial_response, b"OAUTHBEARER\0\xff\xff\xff\xffabc", "a response that is said to be absent"),
    (decode.decode_sasl_initial_response, b"OAUTHBEARER\0\xff\xff\xff\xfe", "a length of -2"),
]
_UPSTREAM = [
    (decode.decode_authentication, b"\0\0\0", "three bytes of a code"),
    (decode.decode_sasl_mechanisms, b"", "no list"),
    (decode.decode_sasl_mechanisms, b"SCRAM-SHA-256\0", "no end of the list"),
    (decode.decode_sasl_mechanisms, b"SCRAM-SHA-256\0\0x", "a byte too many"),
    (decode.decode_negotiate_protocol_version, b"\0\0\0\0\xff\xff\xff\xff_pq_.x\0", "four billion options"),
    (decode.decode_parameter_status, b"name\0value", "no NUL"),
    (decode.decode_parameter_status, b"name\0value\0x\0", "a third string"),
    (decode.decode_ready_for_query, b"X", "a status that does not exist"),
    (decode.decode_row_description, b"\0\1a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2", "format 2"),
    (decode.decode_row_description, b"\xff\xff", "65,535 columns that are not there"),
    (decode.decode_row_description, b"\0\0x", "a byte too many"),
    (decode.decode_parameter_description, b"\0\1\0\0\0", "three bytes of an OID"),
    (decode.decode_data_row, b"\0\1\0\0\0\5abc", "a value that is cut"),
    (decode.decode_data_row, b"\0\1\0\0\0\1abc", "a value that is too long"),
    (decode.decode_command_complete, b"UPDATE 1", "no NUL"),
    (decode.decode_error_fields, b"SERROR\0", "no end of the fields"),
    (decode.decode_error_fields, b"SERROR\0SFATAL\0\0", "one field twice"),
    (decode.decode_error_fields, b"\xe9x\0\0", "a field code that is no letter"),
    (decode.decode_error_fields, b"", "nothing at all"),
    (decode.decode_notification, b"\0\0\0\1channel\0payload", "no NUL"),
    (decode.decode_notification, b"\0\0\0\1", "no channel"),
    (decode.decode_copy_response, b"\2\0\0", "format 2"),
    (decode.decode_copy_response, b"", "nothing at all"),
    (decode.decode_function_call_response, b"\0\0\0\2a", "a value that is cut"),
    (decode.decode_function_call_response, b"\xff\xff\xff\xffa", "a NULL with bytes"),
]


@pytest.mark.parametrize(("decoder", "body"), [case[:2] for case in _CLIENT], ids=[case[2] for case in _CLIENT])
def test_a_malformed_body_of_a_client_is_refused(decoder, body):
    with pytest.raises(ClientProtocolError, match="malformed"):
        decoder(body)


@pytest.mark.parametrize(("decoder", "body"), [case[:2] for case in _UPSTREAM], ids=[case[2] for case in _UPSTREAM])
def test_a_malformed_body_of_a_server_is_refused(decoder, body):
    with pytest.raises(UpstreamProtocolError, match="malformed"):
        decoder(body)


def test_a_negative_row_limit_means_all_rows():
    assert decode.decode_execute(b"p\0\xff\xff\xff\xff") == decode.Execute("p", 0)


def test_an_error_without_a_sqlstate_is_read():
    assert decode.decode_error_fields(b"\0") == {}


def test_undecodable_names_stay_apart():
    first, second = (decode.decode_describe(b"S" + raw + b"\0").name for raw in (b"\xff", b"\xfe"))
    assert first != second
    assert encode.encode_describe("S", first)[HEADER_BYTES:] == b"S\xff\0"
