"""The line between client and server: what is owed, what was shown, and what undoing gives back."""

import hashlib

import pytest
from postgres_bench import FIELDS, Bench, Plan, analysis, permit

from doorward_core.errors import UpstreamProtocolError
from doorward_core.event import Status
from doorward_core.sql import session as sql
from doorward_postgres.machine_line import Expected, Kind, Line, Running
from doorward_postgres.names import Prepared
from doorward_postgres.results import Clear
from doorward_postgres.state import SessionState


def running(**more):
    return Running(permit(), Plan((analysis(),)), 100, 7, **more)


@pytest.fixture
def line():
    return Line(SessionState("public", "app"), "doorward_x")


def test_what_is_shown_is_counted_hashed_and_kept_up_to_the_bound():
    one = running(keep_bytes=10)
    one.show(b"12345")
    one.show(memoryview(b"6789012345"))
    one.show(b"more")
    outcome = one.outcome(350)
    assert outcome.shown == b"1234567890"
    assert outcome.bytes_down == 19
    assert outcome.shown_digest == hashlib.sha256(b"123456789012345more").digest()
    assert outcome.shown_truncated
    assert (outcome.duration_ns, outcome.bytes_up) == (250, 7)


def test_what_fits_is_kept_whole_and_said_to_be_whole():
    one = running(keep_bytes=5)
    one.show(b"12345")
    assert (one.outcome(0).shown, one.outcome(0).shown_truncated) == (b"12345", False)


def test_nothing_shown_has_no_digest():
    outcome = running().outcome(100)
    assert (outcome.shown, outcome.shown_digest, outcome.shown_truncated) == (b"", b"", False)


def test_an_outcome_names_the_columns_with_their_types_and_formats():
    outcome = running(fields=FIELDS).outcome(100)
    assert (outcome.columns, outcome.column_types, outcome.column_formats) == (("id",), (23,), (0,))


def test_a_code_makes_it_an_error():
    assert running().outcome(100).status is Status.OK
    failed = running(code="22P02").outcome(100)
    assert (failed.status, failed.native_code) == (Status.ERROR, "22P02")


def test_masked_values_of_several_results_add_up():
    one = running()
    for counts in ({"email": 2}, {"email": 1, "card": 4}):
        one.masker = Clear()
        one.masker.masked = counts
        assert one.end_result() == b""
    assert one.masker is None
    assert one.end_result() == b""
    assert one.outcome(100).masked == {"email": 3, "card": 4}


def test_what_a_masker_held_back_comes_at_its_end():
    class Late(Clear):
        def finish(self):
            return b"tail"

    one = running(masker=Late(), copying_out=True)
    assert one.end_result() == b"tail"
    assert not one.copying_out


def test_answers_are_owed_in_order_and_their_bytes_are_counted(line):
    first, second = Expected(Kind.PARSE, 0), Expected(Kind.SYNC, 0)
    line.expect(first, b"parse", b"describe")
    line.expect(second, b"sync")
    assert b"".join(line.to_server) == b"parsedescribesync"
    assert line.owed_bytes == 17
    assert line.answered() is first
    assert line.owed_bytes == 4
    assert line.answered() is second
    assert line.owed_bytes == 0


def test_statements_that_change_meaning_are_counted_while_they_are_outstanding(line):
    changing = Running(permit(), Plan((analysis(), analysis(sql.ResetAll()))), 0, 0)
    line.expect(Expected(Kind.QUERY, 0, changing), b"")
    line.expect(Expected(Kind.QUERY, 0, running()), b"")
    line.expect(Expected(Kind.PARSE, 0, plan=changing.plan), b"")
    assert line.effects == 1
    line.answered()
    assert line.effects == 0


def test_undoing_gives_both_kinds_of_names_back(line):
    line.prepared.assign("s", Prepared("before"))
    made = Expected(Kind.PARSE, 1, statement_change=line.prepared.change("s", Prepared("after"), 1))
    closed = Expected(Kind.CLOSE, 1, portal_change=line.portals.change("p", None, 1))
    assert line.prepared.get("s").text == "after"
    line.undo(closed)
    line.undo(made)
    assert line.prepared.get("s").text == "before"
    assert line.portals.pending_names() == set()


def test_a_finished_message_waits_to_be_recorded(line):
    one = running()
    line.finish(one, 150)
    ((done, outcome),) = line.finished
    assert done is one.permit
    assert outcome.duration_ns == 50


def test_a_bench_begins_at_rest():
    bench = Bench()
    assert (bench.sent(), bench.shown(), len(bench.line.expected)) == (b"", b"", 0)
    with pytest.raises(UpstreamProtocolError):
        bench.server(b"Z\0\0\0\5I")
