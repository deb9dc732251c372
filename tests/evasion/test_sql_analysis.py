"""PG-01 to PG-10, PG-20 to PG-29, PG-40, PG-80, PG-81 and PG-83 as far as reading SQL answers them.

What reaches an upstream is tested where a gateway stands before it; here it is what the text is taken to say.
"""

import pytest
from sql_stand import actions, atoms, context, look, looks, masked, outputs, with_functions

from doorward_core.model import Action
from doorward_core.sql.analyze import analyze
from doorward_core.sql.parse import UnreadableSQL, parse

WRITES = {Action.WRITE, Action.DEFINE, Action.ADMIN, Action.EXECUTE, Action.UNKNOWN, Action.TRANSFER}
# Function rows as the loader gets them: oid, schema, name, language, volatility, kind, set, result, args, ...
SHADOW_LOWER = [90001, "public", "lower", "sql", "i", "f", False, 25, 1, 0, False, None, None]
SHADOW_CATALOG = [90002, "pg_catalog", "lower", "sql", "i", "f", False, 25, 1, 0, False, None, None]


def test_pg_01_each_statement_of_a_message_has_its_own_atoms() -> None:
    first, second = looks("select 1; delete from customer")
    assert actions(first) == {Action.SESSION}
    assert atoms(second) == {"write public.customer"}


def test_pg_02_statements_around_a_commit_are_all_seen() -> None:
    found = looks("select 1; commit; delete from orders; begin")
    assert [item.verb for item in found] == ["SELECT", "COMMIT", "DELETE", "BEGIN"]
    assert "write public.orders" in atoms(found[2])


@pytest.mark.parametrize(
    "sql",
    [
        "/* /* select */ 1 */ delete from customer",
        "-- x\rdelete from customer",
        "-- x\ndelete from customer",
        "delete\ffrom\vcustomer",
        "/* -- */ delete /* from nothing */ from customer -- where false",
    ],
)
def test_pg_03_comments_and_spaces_are_the_servers(sql: str) -> None:
    try:
        found = looks(sql)
    except UnreadableSQL:
        return
    assert not found or "write public.customer" in atoms(found[0])


def test_pg_03_a_no_break_space_is_part_of_a_name() -> None:
    found = look("select 1 as a\u00a0b")
    assert outputs(found) == ["a\u00a0b clear"]


@pytest.mark.parametrize("sql", ["select $a$ ; delete from customer $a$", "select $é$ ; drop table x $é$"])
def test_pg_04_what_stands_in_dollar_quotes_is_text(sql: str) -> None:
    assert actions(look(sql)) == {Action.SESSION}


def test_pg_04_a_tag_that_starts_with_a_digit_quotes_nothing() -> None:
    with pytest.raises(UnreadableSQL):
        parse("select $1$ ; delete from customer $1$")


@pytest.mark.parametrize(
    "name",
    [
        'U&"\\0063ustomer"',
        "U&\"!0063ustomer\" UESCAPE '!'",
        "CUSTOMER",
        '"customer"',
        "public.Customer",
        "app.public.customer",
    ],
)
def test_pg_05_every_spelling_is_the_same_relation(name: str) -> None:
    found = look(f"select email from {name}")
    assert atoms(found) == {"read public.customer(email)"}
    assert outputs(found) == ["email masked"]


@pytest.mark.parametrize("name", ['"Customer"', "ｃｕｓｔｏｍｅｒ", "other.public.customer"])
def test_pg_05_another_name_is_not_resolved(name: str) -> None:
    found = look(f"select email from {name}")
    assert not found.complete
    assert Action.UNKNOWN in actions(found)


@pytest.mark.parametrize(
    "sql",
    [
        "set standard_conforming_strings = off",
        "set STANDARD_CONFORMING_STRINGS to 'no'",
        'set "Standard_Conforming_Strings" to 0',
        "select set_config('standard_conforming_strings', 'off', false)",
        "select pg_catalog.set_config('standard_' || 'conforming_strings', 'off', false)",
        "select set_config($1, 'off', false)",
        "alter role app set standard_conforming_strings = off",
        "alter database app set standard_conforming_strings = off",
        "alter system set standard_conforming_strings = off",
    ],
)
def test_pg_06_a_change_of_string_quoting_is_administration(sql: str) -> None:
    assert Action.ADMIN in actions(look(sql))


@pytest.mark.parametrize(
    "sql",
    [
        "set client_encoding to SJIS",
        "set names 'BIG5'",
        "set client_encoding = 'GBK'",
        "select set_config('client_encoding', 'SJIS', false)",
        "select set_config('client_encoding', $1, false)",
    ],
)
def test_pg_07_another_encoding_is_administration(sql: str) -> None:
    assert Action.ADMIN in actions(look(sql))


@pytest.mark.parametrize("sql", ["set client_encoding to 'utf-8'", "set names 'UTF8'", "set client_encoding = unicode"])
def test_pg_07_the_pinned_encoding_is_harmless(sql: str) -> None:
    assert actions(look(sql)) == {Action.SESSION}


def test_pg_08_a_search_path_set_before_is_followed() -> None:
    _, second = looks("set search_path to hr; select * from customer")
    assert atoms(second) == {"read hr.customer"}


def test_pg_08_a_temporary_shadow_is_not_taken_for_the_table() -> None:
    assert not look("select email from customer", temp_names=frozenset({"customer"})).complete
    _, second = looks("create temp table customer(id int); select id from customer")
    assert not second.complete


@pytest.mark.parametrize("shadow", [SHADOW_LOWER, SHADOW_CATALOG])
def test_pg_08_a_shadowed_function_is_executed_not_read(shadow: list[object]) -> None:
    known = with_functions(shadow)
    found = look("select lower(name) from customer", catalog=known)
    assert Action.EXECUTE in actions(found)
    assert not found.pure
    assert outputs(found) == ["lower unproved"]


def test_pg_08_a_function_made_in_the_same_message_is_not_trusted() -> None:
    found = looks("create function lower(varchar) returns text language sql as 'select 1'; select lower('x')")
    assert not found[1].complete


def test_pg_08_temporary_types_are_refused() -> None:
    assert not look("create domain pg_temp.text as int").complete


def test_pg_09_nul_is_refused() -> None:
    with pytest.raises(UnreadableSQL, match="NUL"):
        parse("select 1\0; delete from customer")


@pytest.mark.parametrize(
    "sql",
    [
        "select " + "(" * 100_000 + "1" + ")" * 100_000,
        "select " + "||".join(["1"] * 200_000),
        "select " + "not " * 100_000 + "true",
        " union all ".join(["select 1"] * 100_000),
        "select 1" + "::int" * 100_000,
        "select 1 from " + " cross join ".join(["orders"] * 50_000),
        "select " + "case when true then " * 50_000 + "1" + " end" * 50_000,
    ],
    ids=["parens", "operators", "not", "unions", "casts", "joins", "cases"],
)
def test_pg_09_deep_statements_are_refused(sql: str) -> None:
    with pytest.raises(UnreadableSQL):
        parse(sql)


def test_pg_09_a_megabyte_of_space_and_1600_columns_are_read() -> None:
    assert actions(look("select" + " " * 1_000_000 + "1")) == {Action.SESSION}
    found = look("select " + ", ".join(["email"] * 1600) + " from customer")
    assert found.outputs is not None
    assert len(found.outputs) == 1600


@pytest.mark.parametrize("sql", ["selec 1", "select 1 from", "MERGE customer", "create view"])
def test_pg_10_what_does_not_parse_is_unreadable(sql: str) -> None:
    with pytest.raises(UnreadableSQL):
        parse(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select json_scalar('x')",
        "select json_exists(jsonb '{}', '$.a')",
        "select * from json_table(jsonb '{}', '$' columns (a int)) t",
        "select merge_action()",
        "select system_user from customer",
    ],
)
def test_pg_10_syntax_newer_than_the_server_proves_nothing(sql: str) -> None:
    found = look(sql, 15)
    assert not found.complete
    assert not found.pure


@pytest.mark.parametrize(
    "sql", ["do $$ begin execute 'del'||'ete from customer'; end $$", "call evil()", "select evil()"]
)
def test_pg_20_opaque_code_is_executed(sql: str) -> None:
    found = look(sql)
    assert Action.EXECUTE in actions(found)
    assert found.touches_masked
    assert not found.pure


@pytest.mark.parametrize(
    "sql",
    [
        "select evil()",
        "select * from view_evil",
        "select evil_stable(1)",
        "select c.evil_stable from customer c",
        "select 1 from customer where evil() = 1",
        "select 1 from generate_series(1, evil())",
        "select 1 order by evil()",
        "select count(*) filter (where evil() = 1) from orders",
        "select sum(id) over (order by evil()) from orders",
        "select 1 limit evil()",
        "select (array[1])[evil()]",
        "select case when evil() = 1 then 1 end",
        "insert into orders values (evil())",
        "update orders set id = evil()",
        "create table t (x int default evil())",
        "create index on orders (evil_stable(id))",
        "explain select evil()",
        "prepare p as select evil()",
        "execute q(evil())",
        "copy (select evil()) to stdout",
        "declare d cursor for select evil()",
        "values (evil())",
        "with x as materialized (select evil()) select 1",
        "select * from orders tablesample system (evil())",
    ],
)
def test_pg_21_a_function_that_is_not_known_safe_is_executed(sql: str) -> None:
    found = look(sql, prepared={"q": "select 1"})
    assert any(atom.action is Action.EXECUTE and "evil" in atom.target.name for atom in found.atoms), atoms(found)
    assert not found.pure


@pytest.mark.parametrize(
    "sql",
    [
        "with x as (delete from customer returning *) select 1",
        "select (select 1 from (with x as (delete from customer returning 1) select 1 from x) y)",
        "declare c cursor for with x as (delete from customer returning 1) select 1",
        "copy (delete from customer returning id) to stdout",
        "explain analyze with x as (delete from customer returning 1) select 1",
        "prepare p as delete from customer",
    ],
)
def test_pg_22_a_write_in_a_with_is_a_write(sql: str) -> None:
    found = look(sql)
    assert "write public.customer" in atoms(found) or sql.startswith("prepare")
    assert not found.pure


@pytest.mark.parametrize(
    "sql",
    [
        "explain analyze delete from customer",
        "explain (analyze true) delete from customer",
        "explain (analyze 1, verbose) delete from customer",
        "explain (ANALYZE, analyze false) delete from customer",
        "explain (analyze 'on') delete from customer",
        "explain (verbose, analyze yes) delete from customer",
        "explain analyze execute p",
    ],
)
def test_pg_23_explain_analyze_runs_it(sql: str) -> None:
    found = look(sql, prepared={"p": "delete from customer"})
    assert "write public.customer" in atoms(found)


def test_pg_23_plain_explain_looks_and_does_not_write() -> None:
    assert atoms(look("explain delete from customer")) == {"read public.customer", "session statement EXPLAIN"}


@pytest.mark.parametrize(
    "sql",
    [
        "select * into t from orders",
        "create table t as select 1",
        "select * from orders for update",
        "select * from orders for key share of orders",
        "select nextval('seq1')",
        "select setval('seq1', 1)",
        "select lo_create(0)",
        "select lo_unlink(1)",
        "select pg_terminate_backend(1)",
        "select pg_reload_conf()",
        "select pg_advisory_lock(1)",
        "select txid_current()",
        "select pg_current_xact_id()",
        "select pg_logical_slot_get_changes('x', null, null)",
        "select pg_switch_wal()",
    ],
)
def test_pg_24_more_than_a_read(sql: str) -> None:
    found = look(sql)
    assert actions(found) & WRITES
    assert not found.pure


@pytest.mark.parametrize(
    ("sql", "action"),
    [
        ("copy customer to program 'cat'", Action.ADMIN),
        ("copy customer from program 'cat'", Action.ADMIN),
        ("copy customer to '/tmp/x'", Action.ADMIN),
        ("select pg_read_file('x')", Action.EXECUTE),
        ("select pg_catalog.pg_read_binary_file('x')", Action.EXECUTE),
        ("select lo_import('x')", Action.EXECUTE),
        ("select lo_export(1, 'x')", Action.EXECUTE),
        ("select pg_ls_dir('.')", Action.EXECUTE),
        ("select * from dblink('x', 'select 1') as t(a int)", Action.EXECUTE),
        ("create extension postgres_fdw", Action.ADMIN),
        ("create server s foreign data wrapper postgres_fdw", Action.ADMIN),
        ("create foreign table f (a int) server s", Action.ADMIN),
        ("load 'x'", Action.ADMIN),
        ("create function f() returns int language c as 'x'", Action.ADMIN),
        ("create function f() returns int language plpython3u as 'x'", Action.ADMIN),
        ("select query_to_xml('delete from customer', true, true, '')", Action.EXECUTE),
        ("select table_to_xml('customer', true, true, '')", Action.EXECUTE),
        ("select database_to_xml(true, true, '')", Action.EXECUTE),
        ("select schema_to_xml('public', true, true, '')", Action.EXECUTE),
        ("select cursor_to_xml('c', 1, true, true, '')", Action.EXECUTE),
        ("select * from ts_stat('select 1')", Action.EXECUTE),
        ("select ts_rewrite('a'::tsquery, 'select 1')", Action.EXECUTE),
    ],
)
def test_pg_25_reaching_outside_or_running_text_is_its_own_class(sql: str, action: Action) -> None:
    found = look(sql)
    assert action in actions(found)
    assert not found.pure


def test_pg_26_execute_is_what_was_prepared() -> None:
    assert "write public.customer" in atoms(look("execute p", prepared={"p": "prepare p as delete from customer"}))
    assert not look("execute p").complete


def test_pg_26_names_follow_the_message() -> None:
    found = looks("deallocate all; prepare p as delete from customer; execute p", prepared={"p": "select 1"})
    assert "write public.customer" in atoms(found[2])
    assert not looks("deallocate p; execute p", prepared={"p": "select 1"})[1].complete
    assert not looks("discard all; execute p", prepared={"p": "select 1"})[1].complete
    assert not looks("do 'x'; execute p", prepared={"p": "select 1"})[1].complete


def test_pg_26_names_that_name_each_other_end() -> None:
    assert not look("execute a", prepared={"a": "execute b", "b": "execute a"}).complete


def test_pg_27_fetch_is_the_cursors_query() -> None:
    found = looks("begin; declare c cursor with hold for select email from customer; commit; fetch all from c")
    assert outputs(found[3]) == ["email masked"]
    assert "read public.customer(email)" in atoms(found[3])
    assert not look("fetch all from c").complete


def test_pg_27_a_refcursor_from_a_function_is_unknown() -> None:
    assert not looks("select evil(); fetch all from c", cursors={})[1].complete


@pytest.mark.parametrize(
    "sql",
    ["set role postgres", "set local role x", "set session authorization x", "reset role", "set role none",
     "set session role x", "select set_config('role', 'x', false)", "alter role x superuser", "grant a to b"],
)  # fmt: skip
def test_pg_28_who_the_session_is_is_administration(sql: str) -> None:
    assert Action.ADMIN in actions(look(sql))


def test_pg_29_notify_is_a_way_out() -> None:
    assert atoms(look("notify ch, 'x'")) == {"transfer channel ch"}
    found = look("select pg_notify('ch', email) from customer")
    assert {"transfer channel ch", "probe public.customer(email)/other"} <= atoms(found)


def test_pg_40_a_parameter_is_a_constant_and_an_array_of_them_is_not_an_equality() -> None:
    assert "probe public.customer(email)/equality" in atoms(look("select 1 from customer where email = $1"))
    assert "probe public.customer(email)/other" in atoms(look("select 1 from customer where email = any($1)"))


@pytest.mark.parametrize(
    "expression",
    [
        "email||''", "reverse(email)", "encode(email::bytea,'base64')", "md5(email)", "translate(email,'a','b')",
        "substr(email,1,1)", "ascii(substr(email,1,1))", "split_part(email,'@',1)", "email::bytea", "to_json(c)",
        "row_to_json(c)", "jsonb_agg(email)", "c::text", "c", "string_agg(email,',')", "array_agg(email)",
        "xmlforest(email)", "format('%s',email)", "min(email)", "max(email)", "(select email)", "array(select email)",
        "(c).email", "coalesce(email,'')", "case when true then email end", "nullif(email,'')", 'email collate "C"',
        "row(email)", "array[email]", "greatest(email,'')", "concat(name,email)", "to_jsonb(c)->>'email'",
        "first_value(email) over ()", "lag(email) over ()", "email_lower", "json_build_object('a',email)",
        "length(email)", "email is null", "count(email)", "(array[email])[1]", "c.*::text", "upper(c::text)",
        "jsonb_build_array(c)", "json_object_agg(id, email)", "quote_literal(email)", "(select c)", "text(email)",
    ],
)  # fmt: skip
def test_pg_80_every_way_to_write_a_masked_column_is_masked(expression: str) -> None:
    found = look(f"select {expression} from customer c")
    assert found.touches_masked
    if found.outputs is not None:
        assert not any(column.clear for column in found.outputs)


def test_pg_80_hstore_that_is_not_there_is_not_trusted() -> None:
    found = look("select hstore(c) from customer c")
    assert not found.complete
    assert outputs(found) == ["hstore masked"]


@pytest.mark.parametrize(
    "sql",
    [
        "select id from customer where email like 'a%'",
        "select count(*) filter (where email like 'a%') from customer",
        "select case when email < 'm' then 1 else 2 end from customer",
        "select id from customer order by email",
        "select id, name from customer order by (select email)",
        "select id from customer where 1/(email='x')::int = 1",
        "select 1/(ascii(email) - 97) from customer",
        "select pg_sleep(1) from customer where email = 'x' or id = 1",
        "select count(*) from customer group by email",
        "select g from customer c join (values ('a')) v(g) on c.email = v.g",
        "select id from customer c join orders o on o.note = c.email",
        "select distinct email from customer",
        "select distinct on (email) id from customer",
        "select email from customer intersect select 'guess'",
        "select email from customer except select 'guess'",
        "select email from customer union select 'guess'",
        "select nullif(email, 'guess') from customer",
        "select '{\"guess\": 1}'::jsonb -> email from customer",
        "select email::int from customer",
        "select id from customer limit (select length(email) from customer limit 1)",
        "select row_number() over (order by email), id from customer",
        "select id from customer c, generate_series(1, length(c.email))",
        "select id from customer c where exists (select 1 where c.email > 'm')",
        "select id from customer where email in (select note from orders)",
        "with t as (select id, substr(email, 1, 1) p from customer) select id from t where p = 'a'",
        "select id from customer_view where contact > 'm'",
        "select substring(email from 'a') from customer",
        "select unnest(string_to_array(email, '')) from customer",
        "select id from customer natural join (values ('guess')) v(email)",
        "select id from customer join (values ('guess')) v(email) using (email)",
        "select id from customer having max(email) > 'm'",
        "select id from part_1 where email > 'm'",
        "select left('abc', ascii(email)) from customer",
        "select id from customer where email in ('1','2','3','4','5','6','7','8','9','10','11')",
        "delete from orders using customer where customer.email like 'a%'",
        "update orders set note = email from customer",
        "insert into orders(note) select email from customer",
        "create table t as select email from customer",
        "select set_config('application_name', email, false) from customer",
        "merge into orders o using customer c on c.email = o.note when matched then delete",
    ],
)
def test_pg_81_looking_at_a_masked_column_is_a_probe(sql: str) -> None:
    found = look(sql)
    assert any(text.startswith("probe") and text.endswith("/other") for text in atoms(found)), atoms(found)


@pytest.mark.parametrize(
    "sql",
    [
        "select id from customer where email = 'x'",
        "select id from customer where 'x' = email and country = 'de'",
        "select id from customer where email in ('x', $1)",
        "select id from customer_view where contact = $1",
        "select id from customer c where c.email = 'x'::text",
    ],
)
def test_pg_81_equality_with_a_constant_is_said_to_be_one(sql: str) -> None:
    probes = {text for text in atoms(look(sql)) if text.startswith("probe")}
    assert probes == {"probe public.customer(email)/equality"}


def test_pg_81_equality_of_a_part_is_not_an_equality() -> None:
    found = look("select id from (select id, left(email, 1) p from customer) t where p = 'a'")
    assert "probe public.customer(email)/other" in atoms(found)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select email as note from customer", ["note masked"]),
        ("with t(x) as (select email from customer) select x||'' from t", ["?column? masked"]),
        ("select x from customer c, lateral (select c.email) l(x)", ["x masked"]),
        ("select u from customer c, unnest(array[c.email]) u", ["u masked"]),
        ("select b.email from customer a join customer b using (id)", ["email masked"]),
        ("select r1, r2 from customer c(r0, r1, r2)", ["r1 clear", "r2 masked"]),
        ("select * from (values (1)) v(a) union all select id from customer", ["a clear"]),
        ("select 'x' union all select email from customer", ["?column? masked"]),
        ("values (1, 'a'), (2, (select email from customer limit 1))", ["column1 clear", "column2 masked"]),
        ("select contact, shout, id from customer_view", ["contact masked", "shout clear", "id clear"]),
        ("select c2, c3 from view2", ["c2 masked", "c3 masked"]),
        ("select country, n from vcount", ["country clear", "n clear"]),
        ("select m, id from mat", ["m masked", "id clear"]),
        ("select id, email, y from part_1", ["id clear", "email masked", "y clear"]),
        ("select most_common_vals from pg_stats", ["most_common_vals unproved"]),
        ("select query from pg_stat_activity", ["query unproved"]),
        ("select statement from pg_prepared_statements", ["statement unproved"]),
        ("select statement from pg_cursors", ["statement unproved"]),
        ("with recursive r(a, b) as (select id::text, email from customer union all select b, a from r) select a, b from r",
         ["a masked", "b masked"]),
        ("with customer as (select * from customer) select email, id from customer", ["email masked", "id clear"]),
        ("delete from customer returning email, id", ["email masked", "id clear"]),
        ("with d as (delete from customer returning email e) select e from d", ["e masked"]),
        ("select j.email from (customer c join orders o on true) j", ["email masked"]),
        ("select rank() over w from customer window w as (order by email)", ["rank masked"]),
        ("select country, count(*) from customer group by country", ["country clear", "count clear"]),
        ("select id, name from customer", ["id clear", "name clear"]),
    ],
)  # fmt: skip
def test_pg_83_lineage_survives_renaming(sql: str, expected: list[str]) -> None:
    assert outputs(look(sql)) == expected


@pytest.mark.parametrize(
    "sql", ["table customer", "select * from customer", "select c.* from customer c", "select (c).* from customer c"]
)
def test_pg_83_a_star_is_every_column(sql: str) -> None:
    assert outputs(look(sql)) == [
        "id clear", "name clear", "email masked", "card masked", "iban masked", "country clear", "age clear",
        "is_vip clear", "email_lower masked",
    ]  # fmt: skip


def test_pg_83_server_side_copy_has_its_columns() -> None:
    found = look("copy customer to stdout")
    assert found.copy is not None
    assert found.copy.outputs is not None
    assert [column.name for column in found.copy.outputs if not column.clear] == ["email", "card", "iban"]


def test_pg_83_a_mask_on_a_partition_holds_for_its_parent() -> None:
    known = context().catalog
    assert known is not None
    found = analyze(parse("select email, id from part"), context(masked=masked(known, {"part_1": ("email",)})))[0]
    assert outputs(found) == ["email masked", "id clear"]


def _nested(depth: int) -> str:
    sql = "select 1 as x"
    for index in range(depth):
        sql = f"with recursive r{index}(x) as ({sql} union all select x from r{index}) select x from r{index}"
    return sql


@pytest.mark.parametrize(
    "sql",
    [
        _nested(30),
        "with a0 as (select 1 as x), "
        + ", ".join(f"a{i} as (select *, * from a{i - 1})" for i in range(1, 60))
        + " select * from a59",
        "select " + ",".join(["id"] * 2000) + " from " + ", ".join(f"orders o{i}" for i in range(2000)),
    ],
    ids=["recursions within recursions", "stars of stars", "every name in every table"],
)
def test_pg_09_names_that_multiply_are_given_up(sql: str) -> None:
    found = look(sql)
    assert not found.complete
    assert not found.pure
    assert not any(column.clear for column in found.outputs or ())


def test_pg_09_what_people_write_is_not_given_up() -> None:
    assert look(_nested(5)).complete
    joins = " ".join(f"join orders o{i} on o{i}.id = o.id" for i in range(60))
    assert look(f"select {', '.join(['o.note'] * 300)}, email from orders o {joins} join customer on true").complete
    assert all(found.complete for found in looks("select id from orders where id = 1;" * 3000))


@pytest.mark.parametrize(
    "sql",
    [
        " union all ".join(f"select id from customer where email = '{guess}'" for guess in range(11)),
        "; ".join(f"select id from customer where email = '{guess}'" for guess in range(11)),
        "select id from customer where email in ('a', 'b', 'c', 'd', 'e', 'f') and email in ('g', 'h', 'i', 'j', 'k')",
    ],
)
def test_pg_81_many_equalities_in_one_message_are_a_guess_list(sql: str) -> None:
    found = {text for one in looks(sql) for text in atoms(one)}
    assert "probe public.customer(email)/other" in found


def test_pg_81_a_few_equalities_in_one_message_are_not() -> None:
    found = atoms(look("select id from customer where email = 'a' and card = 'b' and iban in ('c', 'd')"))
    assert "probe public.customer(email)/equality" in found
    assert not any(text.endswith("/other") for text in found)
