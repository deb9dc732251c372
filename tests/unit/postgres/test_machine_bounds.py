"""What one connection may keep and be owed, and which names nobody may rely on yet."""

import pytest
from postgres_bench import SERVER_ERROR, Bench, bind, parse

from doorward_core.errors import ClientProtocolError
from doorward_postgres import machine, names
from doorward_postgres import wire_encode as enc
from doorward_postgres.machine import Wait
from doorward_postgres.machine_line import Kind
from doorward_postgres.state import SessionState

READY = enc.encode_ready_for_query("I")


def acknowledged(bench, name, text):
    bench.allow(bench.client(parse(name, text), enc.SYNC))
    bench.server(enc.PARSE_COMPLETE, READY)
    bench.sent()


@pytest.mark.parametrize("text", [b"execute p", b"EXPLAIN ANALYZE EXECUTE p", b"create table t as ExEcUtE p"])
@pytest.mark.parametrize("simple", [False, True])
def test_pg_26_execute_waits_until_the_server_has_taken_what_an_earlier_batch_made_of_the_name(bench, text, simple):
    acknowledged(bench, "p", b"delete from t")
    step = bench.client(parse("p"), enc.SYNC, enc.encode_query(text) if simple else parse("", text))
    assert bench.allow(step) is Wait.SERVER
    step = bench.server(SERVER_ERROR, READY)
    assert step.text == text.decode()
    assert bench.line.prepared.get("p").text == "delete from t"


def test_pg_26_a_bind_of_an_execute_waits_as_well(bench):
    acknowledged(bench, "p", b"delete from t")
    acknowledged(bench, "q", b"execute p")
    assert bench.allow(bench.client(parse("p"), enc.SYNC, bind("", "q"))) is Wait.SERVER


def test_within_one_batch_an_execute_need_not_wait(bench):
    step = bench.allow(bench.client(parse("p"), parse("", b"execute p"), enc.SYNC))
    assert step.text == "execute p"


def test_pg_27_a_bind_and_a_close_take_a_cursors_name(bench, monkeypatch):
    taken = []
    monkeypatch.setattr(SessionState, "forget_cursor", lambda _, name: taken.append(name))
    bench.allow(bench.allow(bench.client(parse(), bind("c"), enc.encode_close("P", "d"), enc.encode_close("S", "e"))))
    assert taken == ["c", "d"]


def test_names_are_weighed(monkeypatch):
    monkeypatch.setattr(machine, "MAX_NAMES_BYTES", 10 * names.ENTRY_BYTES)
    bench = Bench()
    with pytest.raises(ClientProtocolError, match="weigh"):
        for number in range(20):
            bench.allow(bench.client(parse(f"n{number}")))
    assert len(bench.line.prepared) == 10
    assert bench.line.prepared.weight_bytes > 10 * names.ENTRY_BYTES


def test_names_that_are_closed_weigh_nothing():
    bench = Bench()
    for number in range(50):
        bench.allow(bench.client(parse(f"n{number}"), enc.encode_close("S", f"n{number}")))
    assert bench.line.prepared.weight_bytes == 0
    bench.allow(bench.client(parse("kept"), enc.SYNC))
    bench.line.prepared.keep_only(set())
    assert bench.line.prepared.weight_bytes == 0


def test_names_are_counted(monkeypatch):
    monkeypatch.setattr(machine, "MAX_NAMES", 3)
    bench = Bench()
    with pytest.raises(ClientProtocolError, match="more prepared statements"):
        for number in range(5):
            bench.allow(bench.client(parse(f"n{number}")))
    assert len(bench.line.prepared) == 3


def test_a_client_that_is_owed_too_many_bytes_waits_for_its_server(monkeypatch):
    monkeypatch.setattr(machine, "MAX_OUTSTANDING_BYTES", 100)
    bench = Bench()
    step = bench.allow(bench.client(parse("a", b"select " + b"1" * 200), parse("b"), enc.SYNC))
    assert step is Wait.SERVER
    assert bench.sent().endswith(enc.FLUSH)
    assert bench.line.owed_bytes > 200
    step = bench.server(enc.PARSE_COMPLETE)
    assert step.name == "b"
    assert bench.line.owed_bytes == 0


def test_syncs_alone_are_bounded_too(monkeypatch):
    monkeypatch.setattr(machine, "MAX_OUTSTANDING", 5)
    bench = Bench()
    assert bench.client(enc.SYNC * 9) is Wait.SERVER
    assert len(bench.line.expected) == 5
    bench.server(READY * 5)
    assert len(bench.line.expected) == 4


def test_a_portal_that_is_being_described_is_not_asked_for_again(bench):
    class Owing:
        analyses = ()
        needs_fields = True
        copies_in = False

    plan = Owing()
    step = bench.client(parse(), bind(), enc.encode_describe("P"), enc.encode_execute(), bind(), enc.encode_execute())
    while step is not Wait.DATA:
        step = bench.allow(step, plan)
    kinds = [one.kind for one in bench.line.expected]
    assert kinds.count(Kind.DESCRIBE_PORTAL) == 2  # its own, and one that we put in for the second portal
    assert [one.injected for one in bench.line.expected if one.kind is Kind.DESCRIBE_PORTAL] == [False, True]
