"""Rows PG-40 to PG-49 of the attack corpus, from a client's socket to the target's: the extended protocol, COPY, cancel.

The order of messages is the attack here, so that a client without manners sends them.
"""

import os
import threading
import time
from pathlib import Path

import pytest
from gateway_load import works_on
from raw_client import RawClient, bound, cancel, statement

from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import Parse
from doorward_postgres.wire_encode import (
    COPY_DONE,
    FLUSH,
    SYNC,
    TERMINATE,
    encode_close,
    encode_copy_data,
    encode_copy_fail,
    encode_describe,
    encode_execute,
    encode_parse,
    encode_query,
)

pytestmark = pytest.mark.need_embedded_postgres

UPDATE = "update orders set status = 'paid' where id = $1"


def parse(text, name=""):
    return encode_parse(Parse(name, text.encode(), ()))


def status_of(fortress, order):
    return fortress.truth(f"select status from orders where id = {order}")[0][0]


def reset(fortress):
    fortress.truth("update orders set status = 'placed' where id < 20")
    fortress.truth("truncate audit")


def test_pg_40_a_grant_is_for_the_parameters_that_were_shown(fortress):
    reset(fortress)
    client = fortress.client()
    client.turn(parse(UPDATE, "u") + SYNC)
    client.send(bound(b"1", name="u") + encode_execute() + SYNC)
    request = fortress.approve()
    assert request["parameters"] == ["1"]
    assert client.until(Backend.ReadyForQuery).errors == []
    assert status_of(fortress, 1) == "paid"
    fortress.gateway.recorder.mark()
    verdict, _ = fortress.attack(client, bound(b"2", name="u") + encode_execute() + SYNC)
    assert verdict == "held"
    assert status_of(fortress, 2) == "placed"
    assert b"B\x00\x00\x00" not in fortress.sent
    verdict, _ = fortress.attack(client, bound(b"1", name="u") + encode_execute() + SYNC)
    assert verdict == "held"  # and it was for one time


def test_pg_40_a_portal_is_bound_once_for_each_decision(fortress):
    reset(fortress)
    client = fortress.client()
    client.send(
        parse(UPDATE) + bound(b"3", portal="p") + encode_execute("p") + bound(b"4", portal="q") + encode_execute("q"),
        SYNC,
    )
    client.until(Backend.NoticeResponse)
    assert fortress.approve()["parameters"] == ["3"]
    answer = client.until(Backend.ReadyForQuery)  # the batch has written, and may not wait for people again
    assert answer.errors == ["42501"]
    assert "already changed something" in answer.said
    assert [status_of(fortress, order) for order in (3, 4)] == ["placed", "placed"]  # one batch, one transaction


def test_pg_40_arrays_and_composites_are_parameters_too(fortress):
    reset(fortress)
    client = fortress.client()
    text = "update orders set status = 'paid' where id = any($1::int[])"
    client.send(parse(text) + bound(b"{5}") + encode_execute() + SYNC)
    assert fortress.approve()["parameters"] == ["{5}"]
    client.until(Backend.ReadyForQuery)
    verdict, _ = fortress.attack(client, parse(text) + bound(b"{5,6,7}") + encode_execute() + SYNC)
    assert verdict == "held"
    assert status_of(fortress, 6) == "placed"


def test_pg_41_the_second_parse_of_a_name_is_refused_by_the_server_and_changes_nothing(fortress):
    client = fortress.client()
    client.turn(parse("select email from customer", "p") + SYNC)
    answer = client.turn(
        parse("select country as email from customer", "p") + SYNC + bound(name="p") + encode_execute() + SYNC, turns=2
    )
    assert answer.errors == ["42P05"]
    assert not fortress.leaked(answer)


def test_pg_41_close_then_parse_gives_the_new_statement_its_own_decision(fortress):
    client = fortress.client()
    client.turn(parse("select country from customer", "p") + SYNC)
    client.turn(bound(name="p") + encode_describe("P") + encode_execute("", 1) + SYNC)
    answer = client.turn(
        encode_close("S", "p") + parse("select email || '' as country from customer", "p"),
        bound(name="p") + encode_execute() + SYNC,
    )
    assert len(answer.rows) == 60
    assert not fortress.leaked(answer)


def test_pg_41_a_replaced_unnamed_statement_does_not_change_a_portal_that_is_bound(fortress):
    client = fortress.client()
    answer = client.turn(
        parse("select email from customer order by id limit 2") + bound(portal="p"),
        parse("select country from customer limit 1") + encode_execute("p") + SYNC,
    )
    assert len(answer.rows) == 2
    assert not fortress.leaked(answer)
    client.query("begin")
    answer = client.turn(
        parse("select country as a from customer"), encode_describe("S"), parse("select email || '' as a from customer"),
        bound(), encode_execute(), SYNC,
    )  # fmt: skip
    assert len(answer.rows) == 60
    assert not fortress.leaked(answer)


def test_pg_41_names_across_sync(fortress):
    """`Parse ""=delete; Sync; [failing batch, Parse ""=select]; Sync; Bind ""; Execute` runs the delete."""
    reset(fortress)
    for name in ("", "n"):
        client = fortress.client()
        client.turn(parse("delete from audit", name) + SYNC)
        fortress.gateway.recorder.mark()
        client.send(
            parse("select 1/0", "f"), bound(name="f"), encode_execute(), encode_close("S", name), parse("select 1", name),
            SYNC, bound(name=name), encode_execute(), SYNC,
        )  # fmt: skip
        answer = client.until(Backend.ReadyForQuery)
        assert answer.errors == ["22012"]
        second = client.until(Backend.ReadyForQuery, Backend.NoticeResponse)
        if second[-1].kind == Backend.NoticeResponse:
            fortress.reject()
            second = client.until(Backend.ReadyForQuery)
        assert second.errors
        assert fortress.sent.count(b"B\x00\x00\x00") == 1


def test_pg_41_portals_across_sync(fortress):
    client = fortress.client()
    client.query("begin")
    client.turn(parse("select email || '' as a from customer", "l") + parse("select 'x' as a", "d") + SYNC)
    client.turn(bound(name="l", portal="p") + SYNC)
    answer = client.turn(
        bound(name="d", portal="p") + SYNC + encode_execute("p") + SYNC + encode_describe("P", "p") + SYNC, turns=3
    )
    assert answer.errors[0] == "42P03"
    assert not fortress.leaked(answer)
    client.query("rollback; begin")
    client.turn(bound(name="l", portal="p") + SYNC)
    answer = client.turn(
        parse("select 1/0") + bound() + encode_execute() + encode_close("P", "p") + bound(name="d", portal="p") + SYNC,
        encode_execute("p") + SYNC,
        turns=2,
    )
    assert not fortress.leaked(answer)


def test_pg_41_what_is_replaced_while_people_decide_is_not_what_runs(fortress):
    reset(fortress)
    client = fortress.client()
    client.send(parse("insert into audit (what) values ('a')", "h") + bound(name="h") + encode_execute() + SYNC)
    client.until(Backend.NoticeResponse)
    client.send(encode_close("S", "h") + parse("delete from orders", "h") + bound(name="h") + encode_execute() + SYNC)
    fortress.approve()
    assert client.until(Backend.ReadyForQuery).errors == []
    client.until(Backend.NoticeResponse)
    assert fortress.reject()["text"] == "delete from orders"
    assert client.until(Backend.ReadyForQuery).errors == ["42501"]
    assert fortress.truth("select what from audit") == [("a",)]


@pytest.mark.parametrize("where", ["parse", "bind"])
@pytest.mark.parametrize("begun", [False, True])
def test_pg_42_after_a_block_nothing_of_the_batch_runs_or_stays(fortress, where, begun):
    reset(fortress)
    client = fortress.client("writers")
    if begun:
        client.query("begin")
    fortress.gateway.recorder.mark()
    blocked = statement("drop table orders") if where == "parse" else bound(name="nothing") + encode_execute()
    answer = client.turn(
        statement("insert into audit (what) values ('before')"), blocked,
        statement("insert into audit (what) values ('after')"), SYNC,
    )  # fmt: skip
    assert answer.errors == (["42501"] if where == "parse" else ["26000"])
    assert answer.kinds.endswith("EZ")
    assert answer.kinds.count("Z") == 1
    assert answer.status == ("E" if begun else "I")
    assert b"after" not in fortress.sent
    assert b"drop table" not in fortress.sent
    client.query("rollback")
    assert fortress.truth("select what from audit") == []
    assert client.alive()


def test_pg_42_pipelined_batches_around_a_block_stand_for_themselves(fortress):
    reset(fortress)
    client = fortress.client("writers")
    batches = [
        statement("insert into audit (what) values ('1')", sync=True),
        statement("drop table orders", sync=True),
        statement("insert into audit (what) values ('2')", sync=True),
        statement("select 1", sync=True) + encode_query("drop table orders") + encode_query("select 3"),
    ]
    answer = client.turn(*batches, turns=6)
    assert answer.errors == ["42501", "42501"]
    assert answer.rows == [[b"1"], [b"3"]]
    assert [one.status for one in answer if one.kind == Backend.ReadyForQuery] == ["I"] * 6
    assert fortress.truth("select what from audit order by what") == [("1",), ("2",)]


@pytest.mark.parametrize(
    "junk",
    [
        encode_query("insert into audit (what) values ('q')"),
        statement("insert into audit (what) values ('x')"),
        encode_copy_data(b"x") + COPY_DONE + encode_copy_fail("x"),
        encode_close("S", "x") + encode_describe("P", "y") + FLUSH,
    ],
)
def test_pg_42_everything_until_sync_is_skipped_as_the_server_would(fortress, junk):
    reset(fortress)
    for opening in (statement("drop table orders"), statement("select 1/0"), statement("select 1") + parse("selec")):
        client = fortress.client("writers")
        fortress.gateway.recorder.mark()
        client.send(opening + FLUSH)
        client.until(Backend.ErrorResponse)
        answer = client.turn(junk, junk, SYNC)
        assert answer.kinds == "Z"
        assert b"insert" not in fortress.sent
        assert client.alive()
    assert fortress.truth("select what from audit") == []


def test_pg_42_a_failed_transaction_stays_failed_until_it_is_ended(fortress):
    client = fortress.client()
    client.query("begin")
    assert client.query("drop table orders").status == "E"
    assert client.query("select 1").errors == ["25P02"]
    assert client.query("drop table orders").status == "E"
    assert client.turn(statement("drop table orders", sync=True)).status == "E"
    assert client.query("commit").status == "I"
    assert client.alive()


def test_pg_43_a_thousand_statements_wait_behind_a_held_one_in_order(fortress):
    reset(fortress)
    client = fortress.client()
    held = statement("insert into audit (what) values ('held')", sync=True)
    behind = [statement(f"select {number}", sync=True) for number in range(1000)]
    fortress.gateway.recorder.mark()
    sender = threading.Thread(target=client.send, args=(held, *behind))
    sender.start()
    client.until(Backend.NoticeResponse)
    assert b"select" not in fortress.sent
    fortress.approve()
    answer = client.turn(turns=1001)
    sender.join()
    assert answer.errors == []
    assert [row[0] for row in answer.rows] == [b"%d" % number for number in range(1000)]
    assert fortress.truth("select what from audit") == [("held",)]


def test_pg_43_behind_a_rejected_one_the_batch_is_skipped_and_the_next_goes_on(fortress):
    reset(fortress)
    client = fortress.client()
    one_batch = statement("insert into audit (what) values ('no')") + b"".join(
        statement(f"select {number}") for number in range(1000)
    )
    client.send(one_batch + SYNC + statement("select 5", sync=True))
    client.until(Backend.NoticeResponse)
    fortress.reject()
    first, second = client.until(Backend.ReadyForQuery), client.until(Backend.ReadyForQuery)
    assert first.errors == ["42501"]
    assert first.rows == []
    assert second.rows == [[b"5"]]
    assert fortress.truth("select what from audit") == []


def test_pg_43_bytes_behind_a_held_statement_press_back_on_their_sender(fortress):
    client = fortress.client()
    client.send(encode_query("delete from audit"))
    client.until(Backend.NoticeResponse)
    before = _memory(fortress)
    client.socket.setblocking(False)
    taken, piece = 0, encode_query("select '" + "x" * 60_000 + "'") * 10
    stalled = 0
    while taken < 400 * len(piece) and stalled < 20:
        try:
            taken += client.socket.send(piece)
            stalled = 0
        except BlockingIOError:
            stalled += 1
            time.sleep(0.01)
    assert taken < 100 * 1024 * 1024
    assert _memory(fortress) - before < 40 * 1024 * 1024
    fortress.reject()


def _memory(fortress):
    status = Path(f"/proc/{fortress.gateway.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def test_pg_43_several_holds_on_one_connection_follow_each_other(fortress):
    reset(fortress)
    client = fortress.client()
    for number in range(3):
        client.send(encode_query(f"insert into audit (what) values ('{number}')"))
        client.until(Backend.NoticeResponse)
        fortress.approve()
        assert client.until(Backend.ReadyForQuery).errors == []
    verdict, _ = fortress.say(client, "delete from audit")
    assert verdict == "held"
    assert fortress.truth("select count(*) from audit") == [(3,)]
    assert client.alive()


def test_pg_44_flush_instead_of_sync_gives_masked_answers(fortress):
    client = fortress.client()
    client.send(parse("select email, email || '' from customer") + bound() + encode_execute() + FLUSH)
    answer = client.until(Backend.CommandComplete)
    assert len(answer.rows) == 60
    client.send(parse("select card from customer", "n") + encode_describe("S", "n") + FLUSH)
    answer += client.until(Backend.RowDescription)
    client.send(bound(name="n", portal="p", results=(1,)) + encode_execute("p", 1) + FLUSH)
    answer += client.until(Backend.PortalSuspended)
    client.send(encode_execute("p", 1) + encode_execute("p", 1) + FLUSH)
    answer += client.until(Backend.PortalSuspended) + client.until(Backend.PortalSuspended)
    answer += client.turn(SYNC)
    assert len(answer.rows) == 63
    assert not fortress.leaked(answer)


def test_pg_44_a_client_that_never_asks_for_a_description_is_masked_all_the_same(fortress):
    client = fortress.client()
    answer = client.turn(statement("select email from customer", sync=True))
    assert answer.kinds == "12" + "D" * 60 + "CZ"
    again = client.turn(bound(results=(1,)) + encode_execute() + bound() + encode_execute() + SYNC)
    assert len(again.rows) == 120
    assert not fortress.leaked(answer, again)


def test_pg_44_describing_the_one_and_executing_the_other(fortress):
    client = fortress.client()
    answer = client.turn(
        parse("select 1 as a, 'x' as b", "plain"), parse("select id as a, email || '' as b from customer", "loot"),
        encode_describe("S", "plain"), bound(name="plain", portal="x"), encode_describe("P", "x"),
        bound(name="loot", portal="y"), encode_execute("y"), encode_describe("S", "loot"), encode_execute("x"), SYNC,
    )  # fmt: skip
    assert len(answer.rows) == 61
    assert not fortress.leaked(answer)


@pytest.mark.parametrize("results", [(), (0,), (1,), (0, 1), (1, 0), (0, 0, 0), (7,), (1,) * 2000])
def test_pg_44_result_formats_are_those_of_the_bind_whatever_was_described(fortress, results):
    client = fortress.client()
    client.turn(parse("select email, id from customer", "n") + encode_describe("S", "n") + SYNC)
    for _ in range(2):
        answer = client.turn(bound(name="n", results=results) + encode_execute() + SYNC)
        assert not fortress.leaked(answer)
        assert len(answer.rows) == 60 or answer.errors
        if answer[-1].kind != Backend.ReadyForQuery:
            return  # a format that does not exist ends the connection
    assert client.alive()


def test_pg_44_many_statements_without_sync_cost_no_more_than_they_weigh(fortress):
    client = fortress.client()
    count = 15_000
    frames = b"".join(
        parse("select 1", f"n{number % 9000}") + encode_close("S", f"n{number % 9000}") for number in range(count)
    )
    before = _worked_s(fortress)
    sender = threading.Thread(target=client.send, args=(frames, SYNC))
    sender.start()
    answer = client.until(Backend.ReadyForQuery)
    sender.join()
    assert answer.kinds == "13" * count + "Z"
    assert _worked_s(fortress) - before < 60  # a guard against quadratic work, which took minutes


def _worked_s(fortress):
    """What the gateway has taken of the processor: other work on the machine makes it no more."""
    fields = Path(f"/proc/{fortress.gateway.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_pg_44_names_are_bounded_in_bytes(fortress):
    client = fortress.client()
    text = "select '" + "x" * 4_000_000 + "'"
    with_names = [parse(text, f"n{number}") for number in range(40)]
    answer = None
    try:
        for frame in with_names:
            client.send(frame + FLUSH)
            answer = client.until(Backend.ParseComplete, Backend.ErrorResponse)
            if answer.errors or not answer:
                break
    except ConnectionError:
        answer = client.ended()
    assert answer is not None
    assert answer.errors


@pytest.mark.parametrize("text", ["select email from customer", "select c.*, c from customer c", "table customer"])
@pytest.mark.parametrize("form", [0, 1])
def test_pg_45_binary_results_are_masked(fortress, text, form):
    answer = fortress.client().turn(statement(text, results=(form,), sync=True))
    assert len(answer.rows) == 60 or answer.errors == ["42501"]
    assert not fortress.leaked(answer)


@pytest.mark.parametrize(
    "expression",
    ["array[email, card]", "row(email, 1)", "c", "array[c]", "to_jsonb(c)", "jsonb_build_object('e', email)",
     "email::bytea", "array_agg(email) over ()", "json_build_array(email)", "(c)::text", "textrange(email, null)"],
)  # fmt: skip
@pytest.mark.parametrize("form", [0, 1])
def test_pg_45_arrays_composites_and_documents_of_masked_values_are_hidden_in_every_format(fortress, expression, form):
    client = fortress.client()
    _, answer = fortress.attack(client, statement(f"select {expression} from customer c", results=(form,), sync=True))
    assert not fortress.leaked(answer)
    assert client.alive()


COPY_IN = "copy audit (what) from stdin"


def begin_copy(client, text=COPY_IN, *, extended=False):
    client.send(statement(text, sync=True) if extended else encode_query(text))
    return client.until(Backend.CopyInResponse, Backend.ErrorResponse)


@pytest.mark.parametrize(
    "junk",
    [
        encode_query("drop table orders"),
        statement("drop table orders"),
        encode_query("insert into audit (what) values ('q')"),
        bound() + encode_execute(),
    ],
)
def test_pg_47_another_message_during_copy_ends_the_connection(fortress, junk):
    reset(fortress)
    client = fortress.client("writers")
    begin_copy(client)
    client.send(encode_copy_data(b"a\n") + junk)
    assert client.ended().errors == ["08P01"]
    assert b"drop" not in fortress.sent
    assert b"insert" not in fortress.sent
    assert fortress.truth("select what from audit") == []


def test_pg_47_copy_messages_out_of_season_are_ignored_as_the_server_does(fortress):
    reset(fortress)
    client = fortress.client("writers")
    client.send(encode_copy_data(b"a\n") + COPY_DONE + encode_copy_fail("x"))
    assert client.alive()
    begin_copy(client)
    answer = client.turn(encode_copy_data(b"1\n") + FLUSH + SYNC + encode_copy_data(b"2\n") + COPY_DONE)
    assert answer.errors == []
    client.send(encode_copy_data(b"3\n") + encode_copy_fail("late"))
    assert client.alive()
    assert fortress.truth("select what from audit order by what") == [("1",), ("2",)]


@pytest.mark.parametrize("extended", [False, True])
def test_pg_47_after_a_copy_that_fails_the_line_is_in_step(fortress, extended):
    reset(fortress)
    client = fortress.client("writers")
    begin_copy(client, "copy audit (id) from stdin", extended=extended)
    client.send(*(encode_copy_data(b"not a number\n") for _ in range(2000)), COPY_DONE)
    answer = client.turn(SYNC) if extended else client.until(Backend.ReadyForQuery)
    assert len(answer.errors) == 1
    assert client.alive()
    begin_copy(client, extended=extended)
    answer = client.turn(encode_copy_fail("enough"), *([SYNC] if extended else []))
    assert answer.errors == ["57014"]
    assert client.alive()
    assert fortress.truth("select what from audit") == []


@pytest.mark.parametrize(
    "text",
    [
        "copy audit (what) from stdin; drop table orders",
        "copy audit (what) from stdin; delete from customer",
        "select 1; copy customer to stdout; copy audit (what) from stdin; drop table orders",
    ],
)
def test_pg_47_statements_beside_a_copy_are_decided_with_it(fortress, text):
    client = fortress.client()
    verdict, answer = fortress.say(client, text)
    assert verdict in {"refused", "held"}
    assert "G" not in answer.kinds
    assert b"copy" not in fortress.sent


def test_pg_47_two_copies_in_one_query(fortress):
    reset(fortress)
    client = fortress.client("writers")
    client.send(encode_query(f"{COPY_IN}; select 7; {COPY_IN}"))
    client.until(Backend.CopyInResponse)
    client.send(encode_copy_data(b"a\n") + COPY_DONE)
    client.until(Backend.CopyInResponse)
    client.send(encode_copy_data(b"b\n") + COPY_DONE)
    client.until(Backend.ReadyForQuery)
    assert fortress.truth("select what from audit order by what") == [("a",), ("b",)]
    assert client.alive()


@pytest.mark.parametrize(
    "text",
    [
        "copy customer to stdout",
        "copy customer (email, card) to stdout (format csv, header)",
        "copy customer to stdout (format csv, delimiter E'\\t', quote '@', force_quote *)",
        "copy customer to stdout (format csv, escape '.', quote '.')",
        "copy customer to stdout (format binary)",
        "copy customer to stdout (encoding 'UTF16')",
        "copy customer to stdout (encoding 'LATIN1')",
        "copy customer to stdout (encoding 'SJIS', format csv)",
        "copy customer to stdout (null 'x', delimiter '.')",
        "copy (select email || '' from customer) to stdout",
        "copy (select c from customer c) to stdout (format csv)",
        "copy (select to_json(c) from customer c) to stdout",
        "copy (table customer) to stdout (format binary)",
        "copy contacts to stdout",
        "copy (select * from contacts) to stdout (format csv)",
        "copy (values ((select email from customer limit 1))) to stdout",
        "copy (select 1) to stdout; copy (select email from customer) to stdout",
        "copy customer to stdout with csv delimiter as ',' quote as 'e'",
    ],
)
@pytest.mark.parametrize("extended", [False, True])
def test_pg_47_copy_out_is_masked_or_refused_in_every_dialect(fortress, text, extended):
    client = fortress.client()
    _, answer = fortress.attack(client, statement(text, sync=True) if extended else encode_query(text))
    assert not fortress.leaked(answer)
    data = b"".join(one.body for one in answer if one.kind == Backend.CopyData)
    assert not [value for value in fortress.values if value in data or value.decode().encode("utf-16") in data]
    assert client.alive()


@pytest.mark.parametrize(
    "text",
    ["START_REPLICATION SLOT x LOGICAL 0/0", "IDENTIFY_SYSTEM", "CREATE_REPLICATION_SLOT s LOGICAL pgoutput",
     "BASE_BACKUP", "select * from pg_logical_slot_get_changes('s', null, null)",
     "select pg_create_logical_replication_slot('s', 'pgoutput')", "select pg_copy_logical_replication_slot('a', 'b')",
     "select * from pg_logical_slot_peek_binary_changes('s', null, null)", "create publication p for all tables"],
)  # fmt: skip
def test_pg_48_replication_is_closed(fortress, text):
    client = fortress.client()
    verdict, _ = fortress.say(client, text)
    assert verdict == "refused"
    assert text.split()[0].encode() not in fortress.sent
    assert client.alive()


@pytest.mark.parametrize("value", ["true", "database", "1", "on", "yes"])
def test_pg_48_a_replication_start_up_is_refused(fortress, value):
    client = RawClient.login(fortress.gateway, startup={"replication": value})
    assert len(client.hello.errors) == 1
    assert fortress.sent == b""


def test_pg_49_only_the_key_of_the_session_cancels(fortress):
    client = fortress.client("anything")
    pid, key = client.cancel_key
    client.send(encode_query("select pg_sleep(600), 'cancelled'"))
    works_on(fortress.gateway, "cancelled")
    for wrong in (
        bytes(4),
        bytes(len(key) - 1 or 1),
        key + b"\0",
        b"\xff" * 32,
        key[::-1] if key[::-1] != key else b"abcd",
    ):
        cancel(fortress.gateway, pid, wrong)
    cancel(fortress.gateway, pid ^ 1, key)
    cancel(fortress.gateway, pid, key)
    answer = client.until(Backend.ReadyForQuery)
    assert answer.errors == ["57014"]
    assert client.alive()


def test_pg_49_the_key_is_not_the_targets_and_dies_with_its_session(fortress):
    client = fortress.client("anything")
    pid, key = client.cancel_key
    (backend,) = client.query("select pg_backend_pid()").rows[0]
    assert int(backend) != pid
    other = fortress.client("anything", subject="other")
    assert other.cancel_key != (pid, key)
    client.send(TERMINATE)
    client.ended()
    cancel(fortress.gateway, pid, key)
    assert other.alive()


def test_pg_49_cancel_between_statements_is_dropped(fortress):
    client = fortress.client()
    cancel(fortress.gateway, *client.cancel_key)
    assert client.alive()


def test_pg_49_cancel_of_a_held_statement_withdraws_it(fortress):
    reset(fortress)
    client = fortress.client()
    for frames in (encode_query("delete from audit"), statement("delete from audit", sync=True)):
        client.send(frames)
        client.until(Backend.NoticeResponse)
        cancel(fortress.gateway, *client.cancel_key)
        answer = client.until(Backend.ReadyForQuery)
        assert answer.errors == ["57014"]
        assert answer.status == "I"
        assert fortress.gateway.waiting(0) == []
        assert client.alive()
