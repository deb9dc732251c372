"""Attacks on what a name or a description means by the time it is used: PG-08, PG-26, PG-41, AP-02, AP-03.

Each of them has something decided, described or approved under one meaning, and used under another.
"""

import pytest
from raw_client import bound, statement

from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import Parse
from doorward_postgres.wire_encode import FLUSH, SYNC, encode_describe, encode_execute, encode_parse, encode_query

pytestmark = pytest.mark.need_embedded_postgres


def described(text, name):
    return encode_parse(Parse(name, text.encode(), ())) + encode_describe("S", name) + SYNC


def test_pg_41_a_description_under_another_search_path_proves_nothing(fortress):
    client = fortress.client()
    client.query("set search_path to attic")
    answer = client.turn(described("select email from customer where id < 4", "s"))
    assert answer.errors == []
    client.query("set search_path to public")
    answer = client.turn(bound(name="s") + encode_execute() + SYNC)
    assert len(answer.rows) == 3
    assert fortress.leaked(answer) == []


def test_pg_41_a_description_behind_a_set_in_the_same_batch_proves_nothing(fortress):
    client = fortress.client()
    client.turn(described("select email from customer where id < 4", "s"))
    set_path = statement("set search_path to attic")
    client.turn(set_path + encode_describe("S", "s") + SYNC)
    client.query("set search_path to public")
    answer = client.turn(bound(name="s") + encode_execute() + SYNC)
    assert len(answer.rows) == 3
    assert fortress.leaked(answer) == []


def test_pg_08_a_search_path_that_a_failing_batch_takes_back_decides_nothing(fortress):
    """SET is answered and not yet committed; what comes behind its batch runs under the path that is left of it."""
    client = fortress.client()
    client.send(statement("set search_path to attic"), FLUSH)
    client.until(Backend.CommandComplete)
    slow = "select count(*) / (count(*) - count(*)) from public.orders a, public.orders b, public.orders c where a.id + b.id > c.id"
    client.send(statement(slow, sync=True), encode_query("select email || '' as note from customer"))
    assert client.until(Backend.ReadyForQuery).errors == ["22012"]
    answer = client.until(Backend.ReadyForQuery)
    assert len(answer.rows) > 1, "it is public.customer that was read"
    assert fortress.leaked(answer) == []


def test_ap_03_a_grant_of_execute_is_for_what_the_name_stood_for(fortress):
    fortress.truth("update orders set status = 'placed' where id < 20")
    first = fortress.client()
    first.query("prepare p as update orders set status = 'paid' where id = 1")
    first.send(statement("execute p", sync=True))
    card = fortress.card()
    assert "where id = 1" in str(card)
    fortress.gateway.recorder.mark()
    request = fortress.gateway.waiting()[0]
    first.close()
    assert fortress.gateway.vote(request["id"])[0] in (200, 409)
    second = fortress.client()
    second.query("prepare p as update orders set status = 'paid' where id < 20")
    verdict, _ = fortress.attack(second, statement("execute p", sync=True))
    assert verdict == "held"
    assert fortress.truth("select count(*) from orders where id < 20 and status = 'paid'") == [(0,)]
