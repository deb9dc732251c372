"""Rows PG-80 to PG-85 of the attack corpus, from a client's socket to the target's: a masked value by any road.

Each attack is tried in a Query and in the extended protocol; what is answered is searched for every masked value that
lies in the target, and for what an attacker could turn back into one.
"""

import base64
import hashlib

import pytest
from raw_client import bound, statement

from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import Parse
from doorward_postgres.wire_encode import FLUSH, SYNC, encode_describe, encode_execute, encode_parse, encode_query

pytestmark = pytest.mark.need_embedded_postgres


def disguised(values):
    """The values as simple reversible functions would show them."""
    for value in values:
        yield value
        yield value[::-1]
        yield base64.b64encode(value)[:-4]
        yield value.hex().encode()
        yield value.upper()
        yield hashlib.md5(value, usedforsecurity=False).hexdigest().encode()


def seen(fortress, *answers):
    said = b"\n".join(answer.bytes for answer in answers)
    return [value for value in disguised(fortress.values) if value in said]


EXPRESSIONS = [
    "email",
    "email || ''",
    "'' || email || ''",
    "reverse(email)",
    "reverse(reverse(email))",
    "encode(email::bytea, 'base64')",
    "encode(email::bytea, 'hex')",
    "encode(convert_to(email, 'UTF8'), 'escape')",
    "md5(email)",
    "sha256(email::bytea)",
    "translate(email, '@', '#')",
    "substr(email, 1, 30)",
    "substring(email from 1)",
    "left(email, 50)",
    "overlay(email placing '' from 1 for 0)",
    "ascii(substr(email, 1, 1))",
    "split_part(email, '@', 1)",
    "email::bytea",
    "email::varchar(200)",
    "cast(email as char(60))",
    "email::name",
    'email collate "C"',
    "to_json(c)",
    "row_to_json(c)",
    "to_jsonb(c)",
    "to_json(email)",
    "jsonb_agg(c)",
    "json_agg(email)",
    "json_build_object('e', email)",
    "json_object_agg(id, email)",
    "jsonb_object_agg(email, id)",
    "json_object('e': email)",
    "json_array(email)",
    "json_arrayagg(email)",
    "json_objectagg(id: email)",
    "json_scalar(email)",
    "(to_json(c)->>'email')",
    "(to_jsonb(c)->'email')",
    "jsonb_path_query(to_jsonb(c), '$.email')",
    "c::text",
    "c",
    "(c).email",
    "(c)",
    "row(c.*)",
    "row(email, card)::text",
    "string_agg(email, ',')",
    "array_agg(email)",
    "array[email]",
    "(array[email])[1]",
    "unnest(array[email])",
    "xmlforest(email)",
    "xmlelement(name e, email)",
    "format('%s', email)",
    "format('%I %L', email, card)",
    "concat(email)",
    "concat_ws('', email, card)",
    "quote_literal(email)",
    "quote_ident(email)",
    "min(email)",
    "max(email)",
    "any_value(email)",
    "mode() within group (order by email)",
    "percentile_disc(0.5) within group (order by email)",
    "first_value(email) over ()",
    "lag(email) over (order by id)",
    "coalesce(email, '')",
    "coalesce(null, email)",
    "nullif(email, '')",
    "greatest(email, '')",
    "case when true then email else '' end",
    "case email when 'x' then 1 else 2 end",
    "(select email)",
    "(select max(email) from customer)",
    "(select c.email from customer c2 limit 1)",
    "upper(email)",
    "initcap(lower(email))",
    "trim(email)",
    "lpad(email, 50, ' ')",
    "repeat(email, 2)",
    "replace(email, '@', '@')",
    "regexp_replace(email, '^', '')",
    "regexp_match(email, '.*')",
    "regexp_matches(email, '.')",
    "string_to_array(email, '@')",
    "string_to_table(email, '@')",
    "regexp_split_to_table(email, '@')",
    "to_tsvector('simple', email)",
    "length(email)",
    "hashtext(email)",
    "convert_from(email::bytea, 'UTF8')",
    "pg_typeof(email)",
    "num_nulls(email)",
    "email = 'x'",
    "email is null",
    "email ~ '^a'",
    "current_setting('x.' || email, true)",
    "set_config('x.y', email, false)",
    "pg_sleep(ascii(email))",
    "1 / (ascii(email) - 97)",
    "email::int",
    "email::json",
    "email::inet",
    "email::uuid",
    "('{' || email || '}')::text[]",
    "tell()",
    "public.lower(id)",
    "email(c)",
    "(c.*)",
    "c.email::text::text",
    "normalize(email)",
    "chr(ascii(email))",
    "get_byte(email::bytea, 0)",
    "bit_length(email)",
    "position('@' in email)",
    "starts_with(email, 'a')",
    "current_query() || email",
    "pg_column_size(email)",
    "to_char(ascii(email), '999')",
    "jsonb_build_array(email, phone, card, iban)",
]
PREFIXED = ["card", "iban", "phone"]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_pg_80_a_masked_value_does_not_leave_inside_an_expression(fortress, expression):
    client = fortress.client()
    for what in (f"select {expression} from customer c", f"select id, {expression} as id2, country from customer as c"):
        _, simple = fortress.say(client, what)
        _, extended = fortress.attack(client, statement(what, sync=True))
        _, binary = fortress.attack(client, statement(what, results=(1,), sync=True))
        assert not seen(fortress, simple, extended, binary)
        for answer in (simple, extended):
            assert answer.rows or answer.errors, answer.kinds
    assert client.alive()


@pytest.mark.parametrize("column", PREFIXED)
@pytest.mark.parametrize("expression", ["{}", "{} || ''", "reverse({})", "to_json({})", "replace({}, ' ', '')"])
def test_pg_80_every_masked_column_is(fortress, column, expression):
    _, answer = fortress.say(fortress.client(), f"select {expression.format(column)} from customer")
    assert not seen(fortress, answer)


def test_pg_80_what_owes_nothing_stays_in_clear(fortress):
    """Masks that hide everything would pass every test here."""
    client = fortress.client()
    answer = client.query("select id, name, country, email from customer order by id limit 1")
    assert answer.rows[0][:3] == [
        str(part).encode() for part in fortress.truth("select id, name, country from customer where id = 1")[0]
    ]
    assert client.query("select country, count(*) from customer group by country order by 2 desc limit 1").rows
    assert client.query("select count(*) from customer").rows == [[b"60"]]
    assert client.query("select upper(name) from customer where id = 1").rows[0][0].isupper()
    assert client.query("select o.id, c.name from orders o join customer c on c.id = o.customer_id limit 1").rows[0][1]


def answers_differ(fortress, client, text, guesses, encode):
    """Whether a guess can be told right from wrong by anything but a decision."""
    first, second = (fortress.attack(client, encode(text.format(*[guess] * 2)))[1] for guess in guesses)
    shapes = [
        (answer.kinds, [[None if value is None else len(value) for value in row] for row in answer.rows], answer.errors)
        for answer in (first, second)
    ]
    return shapes[0] != shapes[1]


ORACLES = [
    "select id from customer where email like '{}%'",
    "select count(*) from customer where email > '{}'",
    "select count(*) filter (where email = '{}') from customer",
    "select case when email = '{}' then 1 else 2 end from customer where id = 1",
    "select id from customer order by email = '{}' desc limit 1",
    "select id from customer order by email",
    "select 1 / (email = '{}')::int from customer where id = 1",
    "select pg_sleep(case when email = '{}' then 1 else 0 end) from customer where id = 1",
    "select count(*) from customer group by email = '{}'",
    "select count(*) from customer c join (values ('{}')) g(e) on g.e = c.email",
    "select count(*) from customer c join (values ('{}')) g(email) using (email)",
    "select count(*) from customer c natural join (select '{}'::text as email) g",
    "select 1 from (select email from customer intersect select '{}') x",
    "select count(*) from (select email from customer union select '{}') x",
    "select count(*) from (select '{}' except select email from customer) x",
    "select count(distinct email) from customer",
    "select distinct on (email) id from customer",
    "select id from customer where '{}' = any(array[email])",
    "select id from customer where (email, 1) = ('{}', 1)",
    "select id from customer where email between '{}' and '{}'",
    "select id from customer where email is not distinct from '{}'",
    "select id from customer where nullif(email, '{}') is null",
    'select id from customer where to_jsonb(customer) @> \'{{"email": "{}"}}\'',
    "select id from customer c where c::text like '%{}%'",
    "select id from customer where exists (select 1 where email = '{}')",
    "select id from customer where id in (select id from customer where email ~ '{}')",
    "select id from customer limit (select count(*) from customer where email = '{}')",
    "select id from customer offset (select length(email) from customer where email = '{}' limit 1)",
    "select generate_series(1, length(email)) from customer where id = 1",
    "select unnest(string_to_array(email, '{}')) from customer where id = 1",
    "select id from customer c, lateral (select 1 where c.email = '{}') x",
    "select id, rank() over (order by email) from customer",
    "select id, row_number() over (partition by email = '{}') from customer",
    "select bool_or(email = '{}') from customer",
    "with recursive r(n) as (select 1 union select n + 1 from r, customer where email = '{}' and n < 3) select * from r",
    "select id from customer having max(email) = '{}'",
    "select count(*) from customer group by grouping sets ((email), ())",
    "select * from generate_series(1, (select count(*) from customer where email = '{}'))",
    "select id from customer tablesample system ((select count(*) from customer where email = '{}'))",
    "select id from contacts where note = '{}'",
    "select id from contacts where changed like '{}'",
    "select id from contacts where whole::text like '%{}%'",
    "select id from customer where md5(email) = md5('{}')",
    "select id from customer where tell() = '{}'",
    "values ((select count(*) from customer where email = '{}'))",
    "select (select 1 from customer where email = '{}')",
    "select array(select id from customer where email = '{}')",
    "explain select * from customer where email = '{}'",
    "explain analyze select * from customer where email = '{}'",
    "copy (select id from customer where email = '{}') to stdout",
    "select id from customer c join lateral jsonb_each_text(to_jsonb(c)) e on e.value = '{}'",
    "select grouping(email) from customer group by rollup (email)",
    "select id from customer where xmlexists('//x' passing xmlelement(name x, email))",
    "select string_agg(id::text, ',' order by email) from customer",
    "select percentile_disc(0.5) within group (order by email) is null from customer",
    "select lead(id) over w from customer window w as (order by email)",
    "select id from customer for update of customer",
    "select id from customer where ctid = (select ctid from customer where email = '{}')",
    "select max(id) filter (where card like '4%') from customer",
]


@pytest.mark.parametrize("text", ORACLES)
def test_pg_81_a_guess_is_not_answered(fortress, text):
    client = fortress.client()
    guesses = (fortress.truth("select email from customer where id = 1")[0][0], "nobody@nowhere.example")
    assert not answers_differ(fortress, client, text, guesses, encode_query)
    assert not answers_differ(fortress, client, text, guesses, lambda said: statement(said, sync=True))
    assert client.alive()


ERRORS = [
    "select email::int from customer",
    "select cast(card as boolean) from customer",
    "select ('x' || email)::date from customer",
    "select ('{' || email)::json from customer",
    "select to_date(email, 'YYYY') from customer",
    "select to_number(email, '9') from customer",
    "select decode(email, 'hex') from customer",
    "select email::uuid from customer",
    "select (email || '')::regclass from customer",
    "select email::jsonpath from customer",
    "select current_setting(email) from customer",
    "select format(email) from customer",
    "select 'a' ~ (email || '(') from customer",
    "select like_escape(email, 'ab') from customer",
    "select email::money from customer",
    "select (email)::bit(3) from customer",
    "select to_timestamp(email, 'YYYY') from customer",
    "select numrange(length(email), 1) from customer",
    "select chr(-length(email)) from customer",
    "select date_part(email, now()) from customer",
    "select now() at time zone email from customer",
    "select encode('x', email) from customer",
    "select has_table_privilege(email, 'customer', 'select') from customer",
    "select shout()",
    "select nextval(email) from customer",
    "select to_regclass(email), email::regtype from customer",
]


@pytest.mark.parametrize("text", ERRORS)
@pytest.mark.parametrize("group", ["crew-analysts", "writers", "anything"])
def test_pg_82_no_value_leaves_in_an_error_or_a_notice(fortress, text, group):
    client = fortress.client(group)
    _, answer = fortress.say(client, text)
    _, extended = fortress.attack(client, statement(text, sync=True))
    assert not seen(fortress, answer, extended)
    assert client.alive()


def test_pg_82_nor_in_the_errors_of_writes_that_are_allowed(fortress):
    client = fortress.client("writers")
    (email,) = fortress.truth("select email from customer where id = 1")[0]
    answers = []
    for text in (
        "insert into customer select 900, name, email, phone, card, iban, '', true, now() from customer where id = 1",
        "update customer set email = (select email from customer where id = 1) where id = 2",
        "update customer set email = null where id = 1",
        "insert into customer (id, email) select 901, email from customer where id = 1",
        f"insert into customer values (902, '', '{email}', '', '', '', '', true, now())",
        "insert into watched values (1)",
        "insert into ruled values (1)",
        "merge into customer c using customer d on c.id = d.id and d.id = 2 when matched then update set id = 1",
        "with x as (update customer set email = email where id = 1 returning email) select email::int from x",
        "update customer set id = 1 where id = 2 returning email",
    ):
        answers.append(fortress.say(client, text)[1])
        answers.append(fortress.attack(client, statement(text, sync=True))[1])
    said = b"".join(answer.bytes for answer in answers)
    assert email.encode() not in said
    assert not seen(fortress, *answers)
    assert fortress.truth("select count(*) from customer") == [(60,)]


def test_pg_82_nor_in_the_error_of_a_deferred_constraint_at_commit(fortress, superuser):
    superuser("alter table customer add constraint later unique (iban) deferrable initially deferred")
    try:
        for commit in ("commit", "end", "commit and chain", "set constraints all immediate"):
            client = fortress.client("writers")
            client.query("begin")
            client.query("update customer set iban = (select iban from customer where id = 1) where id = 2")
            assert client.query("select 1").errors == []
            answer = client.query(commit)
            assert answer.errors == ["23505"]
            assert not fortress.leaked(answer)
        client = fortress.client("writers")
        text = "update customer set iban = (select iban from customer where id = 1) where id = 2"
        for answer in (client.turn(statement(text, sync=True)), client.query(f"{text}; select 1")):
            assert answer.errors == ["23505"]
            assert not fortress.leaked(answer)
    finally:
        superuser("alter table customer drop constraint later")


@pytest.mark.parametrize(
    "text",
    [
        "insert into audit (what) select email from customer",
        "update customer set name = email",
        "update orders set status = c.email from customer c where c.id = orders.customer_id",
        "insert into attic.customer select id, name, email, phone, card, iban, country from customer",
        "with x as (select email e from customer) insert into audit (what) select e from x",
        "insert into audit (what) values ((select email from customer where id = 1))",
        "insert into audit (id, what) overriding system value select id, c::text from customer c",
        "merge into audit a using customer c on a.id = c.id when not matched then insert (what) values (c.email)",
        "merge into customer c using customer d on c.id = d.id when matched then update set name = d.email",
        "insert into customer select id, email, name, phone, card, iban, '', true, now() from customer where false",
        "insert into customer as c select * from customer on conflict (id) do update set name = excluded.email",
        "insert into customer as c select * from customer on conflict (id) do update set name = c.email",
        "update customer set (name, country) = (select email, card from customer c2 where c2.id = customer.id)",
        "update contacts set note = whole::text",
    ],
)
def test_pg_82_a_masked_value_is_not_moved_to_where_it_is_clear(fortress, text):
    client = fortress.client("writers")
    verdict, answer = fortress.say(client, text)
    assert verdict in {"refused", "held"} or answer.errors
    assert fortress.truth("select count(*) from audit where what like '%@%'") == [(0,)]
    assert fortress.truth("select count(*) from customer where name like '%@%'") == [(0,)]
    assert fortress.truth("select count(*) from attic.customer") == [(1,)]


RENAMES = [
    "select email as note from customer",
    "select e from (select email as e from customer) x",
    "select x.y from (select email from customer) x(y)",
    "with t(x) as (select email from customer) select x || '' from t limit 1",
    "with t as materialized (select * from customer) select email from t",
    "with recursive t(e, n) as (select email, 1 from customer union all select e, n + 1 from t where n < 2) select e from t",
    "select * from customer",
    "table customer",
    "select c.* from customer c",
    "select a.email as x, b.card as y from customer a join customer b on a.id = b.id",
    "select * from customer a natural join customer b",
    "select email from customer union all select 'x'",
    "select 'x' as country union all select email from customer",
    "select country from customer union all select email from customer",
    "select email from customer intersect select email from customer",
    "values ((select email from customer limit 1), 1)",
    "select * from (values ((select email from customer limit 1))) v(country)",
    "select l.* from customer c, lateral (select c.email as country) l",
    "select u from customer, unnest(array[email, card]) u",
    "select * from unnest((select array_agg(email) from customer)) with ordinality",
    "select note from contacts",
    "select changed from contacts",
    "select whole from contacts",
    "select (whole).email from contacts",
    "select (whole).* from contacts",
    "select * from contacts",
    "select contacts from contacts",
    "select t.note from (table contacts) t",
    "select email, count(*) from customer group by 1",
    "select distinct email from customer",
    "select j.key, j.value from customer c, json_each_text(to_json(c)) j",
    "select j.* from customer c, jsonb_to_record(to_jsonb(c)) j(country text, email text)",
    "select r.* from customer c, json_populate_record(null::attic.customer, to_json(c)) r",
    "select x.* from customer c, xmltable('/r' passing xmlelement(name r, xmlelement(name e, email)) columns e text) x",
    "select rows from rows from (unnest(array(select email from customer))) as rows",
    "select * from crosstab('select email from customer')",
    "select name, email email from customer order by name",
    "select customer.email from public.customer",
    "select shop.public.customer.email from shop.public.customer",
    'select "email" "country" from customer',
    "select most_common_vals from pg_stats where tablename = 'customer'",
    "select most_common_vals::text from pg_catalog.pg_stats",
    "select stavalues1 from pg_statistic",
    "select histogram_bounds from pg_stats where attname = 'email'",
    "select * from pg_stats_ext",
    "select query from pg_stat_activity",
    "select statement from pg_prepared_statements",
    "select statement from pg_cursors",
    "select * from information_schema.columns where column_default like '%@%'",
    "select * from pg_largeobject",
    "select * from pg_stat_statements",
    "select email from only customer",
    "select email from customer tablesample bernoulli (100)",
    "select old.email, new.email from customer",
    "select ctid, xmin, email from customer",
    "select (select c) from customer c",
    "select case when c is not null then c end from customer c",
    "select coalesce(c, c) from customer c",
    "select array_agg(c) from customer c",
    "select (array_agg(c))[1].email from customer c",
    "select ((array_agg(c))[1]).email from customer c",
    "select * from (select c from customer c) x, lateral (select (x.c).email as country) y",
    "select y.country from (select c from customer c) x, lateral (select (x.c).email as country) y",
]


@pytest.mark.parametrize("text", RENAMES)
def test_pg_83_another_name_is_another_name_for_the_same_value(fortress, text):
    client = fortress.client()
    client.query("prepare mine as select 'x'")
    _, simple = fortress.say(client, text)
    _, extended = fortress.attack(client, statement(text, results=(0,), sync=True))
    _, copied = fortress.say(client, f"copy ({text}) to stdout")
    fortress.say(client, "begin")
    _, declared = fortress.say(client, f"declare cur cursor for {text}; fetch all from cur")
    assert not seen(fortress, simple, extended, copied, declared)
    client.query("rollback")
    assert client.alive()


def test_pg_83_a_star_over_a_column_that_has_come_since_is_masked(fortress, superuser):
    client = fortress.client()
    client.turn(encode_parse(Parse("star", b"select * from customer", ())) + encode_describe("S", "star") + SYNC)
    client.query("prepare mine as select * from customer")
    superuser("alter table customer add column second text")
    superuser("update customer set second = email")
    try:
        answers = [
            client.turn(bound(name="star") + encode_execute() + SYNC),
            client.query("execute mine"),
            client.query("select * from customer"),
            client.turn(statement("select * from customer", sync=True)),
        ]
        for answer in answers:
            assert not any(b"@" in value for row in answer.rows for value in row[9:] if value), "an unknown column"
    finally:
        superuser("alter table customer drop column second")


def test_pg_83_backslash_copy_of_a_masked_table_is_masked(fortress, tmp_path):
    out = tmp_path / "loot.csv"
    fortress.gateway.psql(f"\\copy customer to '{out}' csv header")
    said = out.read_bytes()
    assert said.count(b"\n") == 61
    assert not [value for value in fortress.values if value in said]


@pytest.mark.parametrize(
    "text", ["select repeat(email, 500000) from customer where id = 1", "select repeat('x', 9000000)"]
)
def test_pg_84_long_values_do_not_slip_through(fortress, text):
    client = fortress.client()
    _, answer = fortress.say(client, text)
    assert not fortress.leaked(answer)


def test_pg_84_the_row_after_the_thousandth_is_masked(fortress):
    client = fortress.client()
    answer = client.query("select c.email from customer c, generate_series(1, 40)")
    assert len(answer.rows) == 2400
    assert not fortress.leaked(answer)


def test_pg_84_answers_that_come_in_pieces_are_masked(fortress):
    client = fortress.client()
    client.send(encode_query("select repeat('x', 60000), c.email from customer c"))
    answer = client.until(Backend.ReadyForQuery)
    assert len(answer.rows) == 60
    assert not fortress.leaked(answer)


def test_pg_85_masks_of_typed_columns_stay_of_their_type(fortress):
    client = fortress.client()
    for text in ("select length(email), count(email) from customer group by id",
                 "select ascii(email), email is null, md5(email)::uuid, array_agg(email) from customer group by id, email"):  # fmt: skip
        for results in ((), (1,)):
            _, answer = fortress.attack(client, statement(text, results=results, sync=True))
            assert not fortress.leaked(answer)


def test_pg_85_flush_and_describe_alone_show_no_value(fortress):
    client = fortress.client()
    client.send(encode_parse(Parse("", b"select email from customer", ())) + encode_describe("S") + FLUSH)
    answer = client.until(Backend.RowDescription)
    assert answer.columns == ["email"]
    assert client.turn(SYNC).status == "I"
