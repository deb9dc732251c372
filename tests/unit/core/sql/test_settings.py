"""Settings: harmless only if listed, pinned only at the pinned value."""

import pytest

from doorward_core.sql.settings import HARMLESS, PINNED, ROLE_SETTINGS, judge_reset, judge_setting


@pytest.mark.parametrize(
    ("name", "value"),
    [("client_encoding", "UTF8"), ("client_encoding", "'utf-8'"), ("client_encoding", "unicode"),
     ("standard_conforming_strings", "on"), ("standard_conforming_strings", "TRUE"), ("default_transaction_read_only", "on"),
     ("DateStyle", "ISO"), ("TimeZone", "utc"), ("extra_float_digits", "3"), ("application_name", "x"),
     ("statement_timeout", "1s"), ("search_path", "x"), ("jit", "off"), ("synchronize_seqscans", "off")],
)  # fmt: skip
def test_harmless_settings(name: str, value: str) -> None:
    assert judge_setting(name, [value]).harmless


@pytest.mark.parametrize(
    ("name", "value"),
    [("client_encoding", "SQL_ASCII"), ("client_encoding", "utf8x"), ("client_encoding", ""),
     ("standard_conforming_strings", "off"), ("standard_conforming_strings", ""), ("default_transaction_read_only", "off"),
     ("transaction_read_only", "off"), ("role", "x"), ("session_authorization", "x"),
     ("session_replication_role", "replica"), ("app.tenant", "1"), ("backslash_quote", "on"),
     ("transform_null_equals", "on"), ("session_preload_libraries", "x"), ("local_preload_libraries", "x"), ("", "")],
)  # fmt: skip
def test_everything_else_is_not(name: str, value: str) -> None:
    verdict = judge_setting(name, [value])
    assert not verdict.harmless
    assert verdict.problem


def test_a_pinned_setting_takes_no_list() -> None:
    assert not judge_setting("client_encoding", ["UTF8", "UTF8"]).harmless


def test_resets_go_back_to_what_was_pinned() -> None:
    assert judge_reset("client_encoding").harmless
    assert judge_reset("STANDARD_CONFORMING_STRINGS").harmless
    assert not judge_reset("transaction_read_only").harmless
    assert not judge_reset("role").harmless


def test_the_lists_do_not_overlap() -> None:
    assert not HARMLESS & PINNED.keys()
    assert not (HARMLESS | PINNED.keys()) & ROLE_SETTINGS
    assert all(name == name.lower() for name in HARMLESS | PINNED.keys())
