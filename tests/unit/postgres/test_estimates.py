"""The EXPLAIN of a held statement: what is sent, and what becomes of whatever a server answers."""

import json

import pytest

from doorward_core.errors import UpstreamProtocolError
from doorward_postgres import estimates
from doorward_postgres import wire_encode as enc
from doorward_postgres.estimates import MAX_ANSWER_BYTES, MAX_DEPTH, MAX_NODES, Answer, UnreadablePlan, plan_lines
from doorward_postgres.wire import Backend, FrameReader, Side
from doorward_postgres.wire_decode import Bind, decode_bind, decode_parse

READY = enc.encode_command_complete("EXPLAIN") + enc.encode_ready_for_query("I")
SCAN = {"Node Type": "Seq Scan", "Relation Name": "customer", "Plan Rows": 300, "Total Cost": 12.5}


def answer(*plans):
    return json.dumps([{"Plan": plan} for plan in plans]).encode()


def lines(*plans, show=str):
    return plan_lines(answer(*plans), show)


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_it_is_asked_with_the_parameters_as_they_were_bound():
    bind = Bind("portal", "statement", (1, 0), (b"\0\0\0\7", None), (1,))
    reader = FrameReader(Side.CLIENT)
    reader.receive(estimates.question("EXPLAIN select $1, $2", (23, 25), bind))
    sent = [(kind, reader.body(start, end)) for kind, start, end in reader]
    assert [chr(kind) for kind, _ in sent] == ["P", "B", "E", "S"]
    assert decode_parse(sent[0][1]) == ("", b"EXPLAIN select $1, $2", (23, 25))
    assert decode_bind(sent[1][1]) == ("", "", (1, 0), (b"\0\0\0\7", None), ())


def test_it_is_asked_without_parameters_where_there_are_none():
    assert enc.encode_bind(Bind("", "", (), (), ())) in estimates.question("EXPLAIN select 1", (), None)


# --- what is answered ------------------------------------------------------------------------------------------------


def test_an_answer_is_read_the_same_byte_by_byte():
    found, data = Answer(), enc.frame(Backend.ParseComplete) + enc.encode_data_row([b"[]"]) + READY
    assert [found.ended(data[at : at + 1]) for at in range(len(data))] == [False] * (len(data) - 1) + [True]
    assert (found.plan, found.sqlstate) == (b"[]", "")


def test_an_error_is_its_code_and_nothing_else():
    found = Answer()
    said = enc.encode_error_response("ERROR", "42P01", 'relation "jane@example.com" does not exist')
    assert found.ended(said + enc.encode_ready_for_query("I"))
    assert (found.plan, found.sqlstate) == (None, "42P01")
    assert estimates.refused(found.sqlstate) == "none, for the server does not plan it: 42P01"
    assert estimates.refused("jane@") == "none, for the server does not plan it"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        enc.encode_data_row([b"[]", b"[]"]),
        enc.encode_data_row([None]),
        enc.encode_data_row([]),
        enc.encode_data_row([b"[]"]) * 2,
        enc.encode_copy_data(b"x"),
        enc.encode_authentication(3),
        enc.encode_data_row([b"x" * 2 * MAX_ANSWER_BYTES]),
        enc.encode_notice_response("NOTICE", "00000", "x" * 1000) * 600,
        b"\x7f\0\0\0\x04",
        b"D\0\0\0\0",
    ],
    ids=range(11),
)
def test_an_answer_of_another_shape_ends_the_reading(data):
    with pytest.raises(UpstreamProtocolError):
        Answer().ended(data)


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_a_write_is_shown_with_the_rows_that_it_would_touch():
    first = {"Node Type": "CTE Scan", "Parent Relationship": "InitPlan", "Plan Rows": 7}
    below = {**SCAN, "Parent Relationship": "Outer", "Plan Rows": 1234}
    write = {"Node Type": "ModifyTable", "Operation": "Delete", "Relation Name": "customer", "Plan Rows": 0}
    assert lines({**write, "Total Cost": 99.6, "Plans": [first, below]}) == (
        "Delete on customer: about 1,234 rows, cost 100",
        "  CTE Scan: about 7 rows, cost unknown",
        "  Seq Scan on customer: about 1,234 rows, cost 12",
    )


def test_nothing_is_shown_that_is_not_on_the_list():
    everything = ["Filter", "Index Cond", "Alias", "Output", "Join Filter", "Sort Key", "Function Name", "Schema"]
    told = lines({**SCAN, **dict.fromkeys(everything, "grace.hopper@secret.example"), "Workers": [{"x": "grace"}]})
    assert told == ("Seq Scan on customer: about 300 rows, cost 12",)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (1, "about 1 row"),
        (0, "about 0 rows"),
        (2.6, "about 3 rows"),
        (1e300, "about very many rows"),
        (10**400, "about very many rows"),
        (float("inf"), "about very many rows"),
        (float("nan"), "nobody knows how many rows"),
        (-1, "nobody knows how many rows"),
        (True, "nobody knows how many rows"),
        ("5", "nobody knows how many rows"),
        (None, "nobody knows how many rows"),
        ([1], "nobody knows how many rows"),
    ],
)
def test_a_number_is_a_number_or_is_not_shown(rows, words):
    assert lines({**SCAN, "Plan Rows": rows}) == (f"Seq Scan on customer: {words}, cost 12",)


def test_a_name_passes_what_hides_values_and_is_obeyed_by_nothing():
    assert lines({**SCAN, "Relation Name": "a\x1b[2J\n\u202eb" + "x" * 100}, show=lambda name: f"<{name}>") == (
        f"Seq Scan on <a?[2J??b{'x' * 55}>: about 300 rows, cost 12",
    )
    assert lines({**SCAN, "Relation Name": {"a": 1}}) == ("Seq Scan: about 300 rows, cost 12",)


def test_a_plan_of_thousands_is_cut():
    told = lines({**SCAN, "Plans": [SCAN] * 2000})
    assert (len(told), told[-1]) == (MAX_NODES + 1, "and more")
    assert lines(*[SCAN] * 9)[-1] == "and more"
    assert len(lines(*[SCAN] * 9)) == estimates.MAX_STATEMENTS + 1


def deep(levels):
    node = SCAN
    for _ in range(levels):
        node = {**SCAN, "Plans": [node]}
    return node


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[1]",
        b'[{"Plan": []}]',
        b'[{"plan": {}}]',
        b'[{"Plan": {}}]',
        b"[" * 100_000,
        b"\xff\xfe",
        b'[{"Plan": ' + b"1" * 5000 + b"}]",
        answer({**SCAN, "Node Type": "Seq <b>Scan</b>"}),
        answer({**SCAN, "Node Type": "grace.hopper"}),
        answer({**SCAN, "Node Type": 1}),
        answer({**SCAN, "Plans": {}}),
        answer({**SCAN, "Plans": ["x"]}),
        answer({**SCAN, "x": "x" * MAX_ANSWER_BYTES}),
    ],
    ids=range(17),
)
def test_what_is_no_plan_is_not_shown(data):
    with pytest.raises(UnreadablePlan):
        plan_lines(data, str)


def test_a_plan_is_only_so_deep():
    assert len(lines(deep(MAX_NODES - 1))) == MAX_NODES
    assert lines(deep(MAX_DEPTH + 5))[-1] == "and more"
    with pytest.raises(UnreadablePlan):
        lines({**SCAN, "Plans": [{**SCAN, "Plans": 1}]})
