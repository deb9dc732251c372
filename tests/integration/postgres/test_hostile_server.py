"""PG-64, the query phase: a server that lies in every way that a message allows, behind a whole gateway.

Each lie ends at most the session that met it; the gateway, and another session, go on; nothing unmasked comes out.
"""

import struct

import pytest
from gateway_stack import started
from lying_server import Lie, LyingServer
from raw_client import RawClient

from doorward_postgres import wire_encode as enc
from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import CopyResponse, Field, Notification

pytestmark = pytest.mark.need_embedded_postgres

SECRET = b"grace.hopper@secret.example"
TEXT = 25
EMAIL = Field("email", 0, 0, TEXT, -1, -1, 0)
ID = Field("id", 0, 0, 23, 4, -1, 0)
FIVE = enc.encode_data_row([SECRET] * 5)
ONE = enc.encode_data_row([SECRET])
DONE = enc.encode_command_complete("SELECT 1") + enc.encode_ready_for_query("I")
NONE = enc.encode_row_description([])
MIB = 1024 * 1024


def described(*fields):
    return enc.encode_row_description(fields)


def frame(kind, body, length=None):
    return struct.pack("!BI", kind, len(body) + 4 if length is None else length) + body


def row(count, *sizes_and_bytes):
    return frame(Backend.DataRow, struct.pack("!H", count) + b"".join(sizes_and_bytes))


CUT = ONE[: len(ONE) // 2]

# Each of these ends the session that it meets.
LIES = {
    "no_fields_then_five": Lie(NONE + FIVE + DONE),
    "no_fields_then_five_in_pieces": Lie(NONE + FIVE[:9], "close"),
    "no_fields_then_a_long_one": Lie(NONE + row(1, struct.pack("!i", MIB), SECRET, b"x" * (MIB - len(SECRET))) + DONE),
    "one_field_then_five": Lie(described(EMAIL) + FIVE + DONE),
    "five_fields_then_one": Lie(described(*[EMAIL] * 5) + ONE + DONE),
    "row_first": Lie(ONE + described(EMAIL) + DONE),
    "two_descriptions": Lie(described(EMAIL) + NONE + ONE + DONE),
    "field_of_negative_length": Lie(described(EMAIL) + row(1, struct.pack("!i", -2), SECRET) + DONE),
    "field_longer_than_row": Lie(described(EMAIL) + row(1, struct.pack("!i", 2**31 - 1), SECRET) + DONE),
    "field_shorter_than_row": Lie(described(EMAIL) + row(1, struct.pack("!i", 2), SECRET) + DONE),
    "row_without_count": Lie(described(EMAIL) + frame(Backend.DataRow, b"\0") + DONE),
    "row_of_length_zero": Lie(described(EMAIL) + frame(Backend.DataRow, SECRET, 0) + DONE),
    "row_of_four_gigabytes": Lie(described(EMAIL) + frame(Backend.DataRow, SECRET, 2**32 - 1) + DONE),
    "description_count_lies": Lie(frame(Backend.RowDescription, struct.pack("!H", 65535) + SECRET) + ONE + DONE),
    "description_cut": Lie(frame(Backend.RowDescription, described(EMAIL)[5:-3]) + ONE + DONE),
    "copy_nobody_asked_for": Lie(
        enc.encode_copy_response(Backend.CopyOutResponse, CopyResponse(0, (0,))) + enc.encode_copy_data(SECRET) + DONE
    ),
    "copy_in_nobody_asked_for": Lie(enc.encode_copy_response(Backend.CopyInResponse, CopyResponse(0, (0,)))),
    "copy_both": Lie(enc.encode_copy_response(Backend.CopyBothResponse, CopyResponse(0, ())) + SECRET),
    "copy_data_among_rows": Lie(NONE + enc.encode_copy_data(SECRET) + DONE),
    "function_result": Lie(enc.encode_function_call_response(SECRET) + DONE),
    "parse_complete": Lie(frame(Backend.ParseComplete, b"") + DONE),
    "ready_without_status": Lie(frame(Backend.ReadyForQuery, b"") + DONE),
    "ready_with_a_status_of_its_own": Lie(frame(Backend.ReadyForQuery, b"x")),
    "ready_twice": Lie(DONE + enc.encode_ready_for_query("I")),
    "two_ends": Lie(enc.encode_command_complete("SELECT 1") + DONE + enc.encode_command_complete(SECRET.decode())),
    "unknown_type": Lie(frame(0x7F, SECRET)),
    "authentication_again": Lie(enc.encode_authentication(3)),
    "a_tag_without_end": Lie(frame(Backend.CommandComplete, SECRET)),
    "pinned_encoding": Lie(enc.encode_parameter_status("client_encoding", "SQL_ASCII") + DONE),
    "notice_of_20_mib": Lie(enc.encode_notice_response("NOTICE", "00000", "x" * (20 * MIB)) + DONE),
    "notice_that_never_ends": Lie(frame(Backend.NoticeResponse, b"M" + b"x" * 100, 12 * MIB), "close"),
    "error_without_end": Lie(frame(Backend.ErrorResponse, b"SERROR\0M" + SECRET)),
    "half_a_row_then_close": Lie(described(EMAIL) + CUT, "close"),
    "half_a_row_then_reset": Lie(described(EMAIL) + CUT, "reset"),
    "half_a_header_then_close": Lie(described(EMAIL) + ONE[:3], "close"),
    "close_at_once": Lie(b"", "close"),
    "reset_at_once": Lie(b"", "reset"),
}

# These are ugly and legal: the session may go on, with what is owed paid.
UGLY = {
    "error_without_sqlstate": Lie(frame(Backend.ErrorResponse, b"SERROR\0M" + SECRET + b"\0\0") + DONE[-6:]),
    "error_without_anything": Lie(frame(Backend.ErrorResponse, b"\0") + DONE[-6:]),
    "error_with_fields_of_its_own": Lie(
        frame(Backend.ErrorResponse, b"SERROR\0C42601\0Z" + SECRET + b"\0M" + SECRET + b"\0\0") + DONE[-6:]
    ),
    "parameters_in_a_flood": Lie(enc.encode_parameter_status("server_note", "y" * 1000) * 1000 + DONE),
    "notices_in_a_flood": Lie(enc.encode_notice_response("NOTICE", "00000", SECRET.decode()) * 2000 + DONE),
    "notifications_in_a_flood": Lie(enc.encode_notification(Notification(1, "c", SECRET.decode())) * 2000 + DONE),
    "an_empty_query": Lie(frame(Backend.EmptyQueryResponse, b"") + enc.encode_ready_for_query("I")),
    "types_that_do_not_exist": Lie(described(EMAIL._replace(type_oid=2**32 - 1, format=1)) + ONE + DONE),
    "a_table_that_does_not_exist": Lie(described(EMAIL._replace(table_oid=2**32 - 1, attnum=-1)) + ONE + DONE),
    "another_name": Lie(described(EMAIL._replace(name="id")) + ONE + DONE),
}


@pytest.fixture(scope="module")
def lied_to(shop_server, tmp_path_factory):
    server = LyingServer(shop_server.port, shop_server.passwords, LIES | UGLY)
    try:
        with started(server, tmp_path_factory.mktemp("gateway")) as gateway:
            token = gateway.token("bystander", lifetime_s=3600)  # longer than all of these may take
            yield gateway, RawClient.login(gateway, token=token)
    finally:
        server.close()


def failed(gateway):
    _, text = gateway.probe("/metrics")
    (line,) = (one for one in text.splitlines() if one.startswith("doorward_connections_failed "))
    return float(line.split()[1])


@pytest.mark.parametrize("name", LIES)
def test_pg_64_a_lie_ends_its_own_session(lied_to, name):
    gateway, bystander = lied_to
    victim = RawClient.login(gateway)
    victim.send(enc.encode_query(f"select email from customer -- lie:{name}"))
    heard = victim.ended()
    victim.close()
    assert SECRET not in heard.bytes
    assert heard.errors[-1:] == ["08006"]
    assert bystander.alive()
    assert failed(gateway) == 0


@pytest.mark.parametrize("name", UGLY)
def test_pg_64_what_is_ugly_and_legal_is_masked(lied_to, name):
    gateway, bystander = lied_to
    victim = RawClient.login(gateway)
    heard = victim.query(f"select email from customer -- lie:{name}")
    assert SECRET not in heard.bytes
    assert victim.alive()
    victim.close()
    assert bystander.alive()
    assert failed(gateway) == 0
