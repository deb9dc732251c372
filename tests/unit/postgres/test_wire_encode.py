"""Messages as bytes: those without a type, and what is not sent."""

import pytest

from doorward_core.errors import LocalProtocolError
from doorward_postgres import wire_decode as decode
from doorward_postgres import wire_encode as encode
from doorward_postgres.wire import HEADER_BYTES


def test_messages_before_the_session_have_no_type():
    assert encode.encode_ssl_request().hex() == "0000000804d2162f"
    assert encode.encode_gssenc_request().hex() == "0000000804d21630"
    assert encode.encode_cancel_request(-2, b"keys").hex() == "0000001004d2162efffffffe6b657973"
    assert encode.encode_startup({"user": "a"}).hex() == "0000001000030000" + b"user\0a\0\0".hex()
    assert encode.encode_startup({}, encode.PROTOCOL_3_2).hex() == "000000090003000200"


def test_messages_without_a_body_are_five_bytes():
    assert encode.SYNC == b"S\0\0\0\4"
    assert encode.TERMINATE == b"X\0\0\0\4"
    assert encode.COPY_DONE == b"c\0\0\0\4"


def test_a_nul_inside_a_string_is_not_sent():
    with pytest.raises(LocalProtocolError):
        encode.encode_query("select 1\0; drop table t")


def test_our_own_error_text_cannot_open_a_field():
    body = encode.encode_error_response("ERROR", "42501", "no\0C00000", hint="ask")[HEADER_BYTES:]
    assert decode.decode_error_fields(body) == {"S": "ERROR", "V": "ERROR", "C": "42501", "M": "noC00000", "H": "ask"}


def test_too_many_values_are_not_sent():
    with pytest.raises(LocalProtocolError):
        encode.encode_data_row([None] * 65_536)
