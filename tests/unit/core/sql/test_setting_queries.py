"""Queries that set or show one setting: read as SET and SHOW where it is written out, as what they are elsewhere."""

import pytest
from sql_stand import actions, atoms, look, looks, with_functions

from doorward_core.model import Action
from doorward_core.sql.session import SetSetting

SHADOW = [90001, "public", "set_config", "sql", "v", "f", False, 25, 3, 0, False, None, None]


@pytest.mark.parametrize(
    ("sql", "effect"),
    [
        ("select pg_catalog.set_config('search_path', '', false)", SetSetting("search_path", "")),
        ("select set_config('Search_Path', 'a, \"B\"', true) as x", SetSetting("search_path", 'a, "B"', local=True)),
    ],
)
def test_alone_it_is_a_set(sql, effect):
    found = look(sql)
    assert atoms(found) == {"session setting search_path"}
    assert found.effect == effect
    assert found.complete
    assert not found.pure


@pytest.mark.parametrize(
    "sql",
    [
        "select set_config('search_path', $1, false)",
        "select set_config($1, '', false)",
        "select set_config('search_path', '', $1)",
        "select set_config('search_path', 'a,', false)",
        "select set_config('search_path', lower('A'), false)",
        "select set_config('search_path', '', false), 1",
        "select set_config('search_path', '', false) limit 0",
        "select set_config('search_path', '', false) where false",
        "select set_config('search_path', '', false) from customer",
        "select set_config('search_path', '', false) union all select 'x'",
        "select set_config('search_path', 'x', false) || ''",
        "select set_config('search_path', 'x', false) offset 1",
        "with x as (select 1) select set_config('search_path', 'x', false)",
        "explain analyze select set_config('search_path', 'x', false)",
        "prepare p as select set_config('search_path', 'x', false)",
        "declare c cursor for select set_config('search_path', 'x', false)",
        "copy (select set_config('search_path', 'x', false)) to stdout",
        "select * from set_config('search_path', 'x', false)",
        "select other.set_config('search_path', 'x', false)",
    ],
)
def test_pg_06_anything_else_is_administration_or_unread(sql):
    found = look(sql)
    assert not isinstance(found.effect, SetSetting)
    assert actions(found) & {Action.ADMIN, Action.EXECUTE, Action.UNKNOWN} or not found.complete


def test_pg_06_executing_a_prepared_one_is_administration():
    prepared = {"p": "prepare p as select set_config('search_path', 'x', false)"}
    found = look("execute p", prepared=prepared)
    assert Action.ADMIN in actions(found)


def test_pg_08_a_function_of_that_name_is_not_it():
    found = look("select set_config('search_path', '', false)", catalog=with_functions(SHADOW))
    assert Action.EXECUTE in actions(found)
    assert found.effect is None


def test_a_statement_behind_it_is_read_under_its_path():
    first, second = looks("select set_config('search_path', '', false); select * from customer")
    assert first.effect is not None
    assert not second.complete
    first, second = looks("select set_config('search_path', 'public', false); select id from customer")
    assert "read public.customer(id)" in atoms(second)


CHOSEN = "select set_config(name, 'view', false) from pg_settings where name = 'restrict_nonsystem_relation_kind'"


def test_a_setting_that_a_row_of_pg_settings_names_is_that_setting():
    found = look(CHOSEN)
    assert atoms(found) == {
        "read pg_catalog.pg_settings(name)",
        "session setting restrict_nonsystem_relation_kind",
    }
    assert found.complete
    assert not found.pure


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name = ", "name <> "),
        ("name = ", "name like "),
        ("name = ", "name = 'x' or name = "),
        ("(name", "(setting"),
        ("where name", "where setting"),
        ("pg_settings", "pg_settings as s(x, name)"),
        ("pg_settings", "pg_settings, customer c"),
        ("'restrict_nonsystem_relation_kind'", "'search_path'"),
        ("'restrict_nonsystem_relation_kind'", "'row_security' || ''"),
        ("'restrict_nonsystem_relation_kind'", "'session_replication_role'"),
        ("'view'", "$1"),
    ],
)
def test_pg_06_any_other_row_is_administration_or_unread(old, new):
    found = look(CHOSEN.replace(old, new))
    assert actions(found) & {Action.ADMIN, Action.UNKNOWN} or not found.complete


SHOWN = "select setting from pg_catalog.pg_settings where name = 'Max_Index_Keys'"


def test_a_query_for_one_setting_shows_it():
    found = look(SHOWN)
    assert atoms(found) == {"read pg_catalog.pg_settings(name)", "session setting max_index_keys/show"}
    assert found.pure


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name = 'Max_Index_Keys'", "true"),
        ("name = ", "name >= "),
        ("name = ", "name = 'x' or name = "),
        ("'Max_Index_Keys'", "$1"),
        ("select setting", "select (select max(s.setting) from pg_settings s)"),
        ("select setting", "select setting, (select max(s.setting) from pg_settings s)"),
        (" where", " s where"),
        (" where", ", pg_class where"),
        ("select", "with x as (select setting from pg_settings) select"),
    ],
)
def test_any_other_query_reads_them_all(old, new):
    assert any(
        "read pg_catalog.pg_settings" in atom and "setting" in atom for atom in atoms(look(SHOWN.replace(old, new)))
    )
