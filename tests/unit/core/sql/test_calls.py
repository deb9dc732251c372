"""Function calls: arguments flow through, settings and sequences are named, windows and filters are looked at."""

import pytest
from sql_stand import atoms, look, outputs


def test_a_literal_harmless_setting_is_a_session_matter() -> None:
    assert atoms(look("select set_config('jit', 'off', false)")) == {"session setting jit"}
    assert atoms(look("select pg_catalog.set_config('jit', $1, false)")) == {"session setting jit"}


@pytest.mark.parametrize(
    "call",
    ["set_config('search_path', 'x', false)", "set_config('app.tenant', '1', false)", "set_config(name, 'x', false)",
     "set_config('ji' || 't', 'x', false)", "set_config('jit'::varchar(2), 'x', false)",
     "set_config('jit'::customer, 'x', false)", "set_config(setting_name => 'jit', new_value => 'x', is_local => false)"],
)  # fmt: skip
def test_any_other_setting_is_administration(call: str) -> None:
    assert any(text.startswith("admin setting") for text in atoms(look(f"select {call} from customer")))


def test_sequences_are_written_by_name() -> None:
    assert atoms(look("select nextval('seq1')")) == {"write public.seq1/nextval"}
    assert atoms(look("select nextval('public.seq1'::regclass)")) == {"write public.seq1/nextval"}
    assert atoms(look("select nextval('nosuch')")) == {"execute function pg_catalog.nextval"}
    assert atoms(look("select nextval($1)")) == {"execute function pg_catalog.nextval"}
    assert atoms(look("select nextval('customer')")) == {"execute function pg_catalog.nextval"}


def test_releasing_ones_own_locks_is_a_session_matter() -> None:
    found = look("select pg_advisory_unlock_all()")
    assert atoms(found) == {"session session advisory unlock"}
    assert not found.pure


def test_an_unsafe_function_proves_nothing_about_its_value() -> None:
    assert outputs(look("select evil(), lower('x')")) == ["evil unproved", "lower clear"]


def test_filters_orders_and_windows_taint_the_value() -> None:
    sql = """select count(*) filter (where email = 'x'), string_agg(name, ',' order by email),
             sum(id) over (partition by email), sum(id) over (order by id) from customer"""
    assert outputs(look(sql)) == ["count masked", "string_agg masked", "sum masked", "sum clear"]


def test_positions_must_be_clear_to_only_show() -> None:
    assert not any(text.startswith("probe") for text in atoms(look("select left(email, 2) from customer")))
    assert any(text.startswith("probe") for text in atoms(look("select left(name, ascii(email)) from customer")))


def test_a_notification_names_its_channel() -> None:
    assert atoms(look("select pg_notify('a', 'b')")) == {"transfer channel a"}
    assert atoms(look("select pg_notify($1, 'b')")) == {"transfer channel *"}
