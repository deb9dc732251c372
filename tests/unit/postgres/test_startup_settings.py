"""The start-up packet: what a client may bring, by which name, and what is refused."""

import pytest

from doorward_core.errors import ClientProtocolError
from doorward_postgres.startup_settings import StartupRefused, read_startup, split_options
from doorward_postgres.wire_encode import PROTOCOL_3_0, encode_startup

ALICE = {"user": "alice", "database": "app-db"}


def read(parameters, version=PROTOCOL_3_0):
    return read_startup(version, encode_startup(parameters)[8:])


def refusal(parameters, version=PROTOCOL_3_0):
    with pytest.raises(StartupRefused) as caught:
        read(parameters, version)
    return caught.value


def test_settings_come_by_name_or_in_options_under_postgresql_s_own_spelling():
    request = read(
        ALICE
        | {
            "datestyle": "ISO, MDY",
            "options": r"-c search_path=app,\ public --statement-timeout=5s -cTIMEZONE=UTC",
            "client_encoding": "'utf-8'",
            "replication": "false",
        }
    )
    assert request.settings == {
        "DateStyle": "ISO, MDY",
        "search_path": "app, public",
        "statement_timeout": "5s",
        "TimeZone": "UTC",
    }
    assert not request.read_only


def test_a_client_may_ask_to_be_read_only():
    request = read(ALICE | {"options": "-c default_transaction_read_only=on"})
    assert request.read_only
    assert not request.settings


@pytest.mark.parametrize("encoding", ["UTF8", "utf-8", "'utf-8'", "UNICODE", "SQL_ASCII"])
def test_an_encoding_that_is_utf8_is_taken(encoding):
    assert not read(ALICE | {"client_encoding": encoding}).settings


@pytest.mark.parametrize(
    ("parameters", "sqlstate", "word"),
    [
        ({"client_encoding": "LATIN1"}, "22023", "UTF8"),
        ({"client_encoding": "SJIS"}, "22023", "UTF8"),
        ({"standard_conforming_strings": "off"}, "22023", "must be on"),
        ({"replication": "database"}, "42501", "replication"),
        ({"replication": "true"}, "42501", "replication"),
        ({"session_preload_libraries": "x"}, "42501", "session_preload_libraries"),
        ({"role": "postgres"}, "42501", "role"),
        ({"options": "-c session_preload_libraries=x"}, "42501", "session_preload_libraries"),
        ({"options": "-c standard_conforming_strings=off"}, "22023", "must be on"),
        ({"options": "-e"}, "42501", "options"),
        ({"options": "-c"}, "42501", "options"),
        ({"options": "-c search_path"}, "42501", "options"),
        ({"options": "-S 64"}, "42501", "options"),
        ({"\x1b[31m": "x"}, "42501", '"?"'),
    ],
)
def test_what_is_not_on_the_list_is_refused(parameters, sqlstate, word):
    refused = refusal(ALICE | parameters)
    assert refused.sqlstate == sqlstate
    assert word in str(refused)


def test_a_near_miss_is_named():
    assert "search_path" in refusal(ALICE | {"searchpath": "x"}).hint


def test_no_user_is_refused():
    assert refusal({"database": "x"}).sqlstate == "28000"


@pytest.mark.parametrize("version", [2 << 16, 1 << 16, 4 << 16, 0])
def test_another_major_version_is_refused(version):
    assert refusal(ALICE, version).sqlstate == "0A000"


@pytest.mark.parametrize(
    "packet",
    [
        b"user\0alice\0",
        b"user\0alice",
        b"user\0alice\0user\0root\0\0",
        b"user\0alice\0search_path\0a\0SEARCH_PATH\0b\0\0",
        b"user\0alice\0search_path\0a\0options\0-c search_path=b\0\0",
        b"user\0alice\0options\0-c search_path=a -c search_path=b\0\0",
        b"user\0al\nice\0\0",
        b"user\0" + b"a" * 256 + b"\0\0",
        b"user\0alice\0search_path\0" + b"a" * 1025 + b"\0\0",
        b"user\0al\xffice\0\0",
        b"us\xc3\xa9r\0alice\0\0",
        b"".join(b"_pq_.%d\0\0" % n for n in range(65)) + b"\0",
        b"",
    ],
)
def test_a_malformed_start_up_packet_is_refused(packet):
    with pytest.raises(ClientProtocolError):
        read_startup(PROTOCOL_3_0, packet)


def test_the_server_s_own_splitting_of_options():
    assert list(split_options(r"  -c a=b\ c --d-e=f   -cg=\\h ")) == [("a", "b c"), ("d_e", "f"), ("g", "\\h")]
