"""Transcripts of the query phase: client bytes, verdicts and server bytes in; what each side is sent, out."""

from dataclasses import replace

import pytest
from postgres_bench import FIELDS, REFUSED, ROW, SERVER_ERROR, Plan, analysis, bind, done, parse, permit

from doorward_core.errors import ClientProtocolError, UpstreamProtocolError
from doorward_core.model import Record, RecordLevel
from doorward_core.sql import session as sql
from doorward_core.sql.analysis import CopyInfo
from doorward_postgres import wire_encode as enc
from doorward_postgres.machine import Phase, Question, Wait
from doorward_postgres.names import Prepared
from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import CopyResponse


def test_a_query_waits_for_its_permit_and_goes_out_byte_for_byte(bench):
    query = enc.encode_query("select 1")
    question = bench.client(query)
    assert isinstance(question, Question)
    assert bench.sent() == b""
    assert bench.allow(question) is Wait.DATA
    assert bench.sent() == query


def test_rows_pass_in_the_bytes_that_came_and_the_outcome_is_noted(bench):
    bench.allow(bench.client(enc.encode_query("select 1")))
    answer = enc.encode_row_description(FIELDS) + ROW + ROW + done("SELECT 2")
    bench.server(answer)
    assert bench.shown() == answer
    ((_, outcome),) = bench.line.finished
    assert (outcome.rows, outcome.columns, outcome.native_code) == (2, ("id",), "")


def test_nothing_behind_a_question_is_looked_at(bench):
    first = bench.client(enc.encode_query("select 1"), enc.encode_query("delete from t"))
    assert first.text == "select 1"
    second = bench.allow(first)
    assert second.text == "delete from t"
    assert bench.sent() == enc.encode_query("select 1")


def test_a_refused_query_is_answered_here_when_nothing_is_outstanding(bench):
    assert bench.refuse(bench.client(enc.encode_query("drop table t"))) is Wait.DATA
    assert bench.sent() == b""
    assert bench.shown() == REFUSED + enc.encode_ready_for_query("I")


def test_a_refused_query_fails_an_open_transaction_as_an_error_of_the_server_would(bench):
    bench.line.state.ready("T")
    bench.refuse(bench.client(enc.encode_query("drop table t")))
    assert bench.sent() == enc.encode_execute("doorward_x") + enc.SYNC
    bench.server(SERVER_ERROR, enc.encode_ready_for_query("E"))
    assert bench.shown() == REFUSED + enc.encode_ready_for_query("E")


def test_pg_42_after_a_block_nothing_up_to_sync_is_forwarded(bench):
    allowed = parse() + bind() + enc.encode_execute()
    question = bench.client(allowed, parse("", b"drop table t"), bind(), enc.encode_execute(), allowed, enc.SYNC)
    question = bench.allow(question)  # Parse
    question = bench.allow(question)  # Bind
    assert question.text == "drop table t"
    assert bench.refuse(question) is Wait.DATA
    assert bench.sent() == allowed + enc.encode_execute("doorward_x") + enc.SYNC
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, ROW, enc.encode_command_complete("SELECT 1"))
    bench.server(SERVER_ERROR, enc.encode_ready_for_query("I"))
    assert bench.shown().endswith(REFUSED + enc.encode_ready_for_query("I"))
    assert SERVER_ERROR not in bench.shown()


def test_a_refused_first_parse_is_answered_here_and_its_sync_too(bench):
    assert bench.refuse(bench.client(parse("", b"drop"), bind(), enc.encode_execute(), enc.SYNC)) is Wait.DATA
    assert bench.sent() == b""
    assert bench.shown() == REFUSED + enc.encode_ready_for_query("I")


def test_pg_41_a_name_that_the_server_has_not_acknowledged_is_not_trusted_across_sync(bench):
    """The second Parse was skipped, so the name still means the delete."""
    bench.allow(bench.client(parse("s", b"delete from t"), enc.SYNC))
    bench.server(enc.PARSE_COMPLETE, enc.encode_ready_for_query("I"))
    step = bench.client(parse("bad", b"select nonsense"), parse("s", b"select 1"), enc.SYNC, bind("", "s"))
    step = bench.allow(step)
    step = bench.allow(step)
    assert step is Wait.SERVER  # the Bind waits: nobody knows yet what "s" is
    bench.sent()
    bind_step = bench.server(SERVER_ERROR, enc.encode_ready_for_query("I"))
    assert bind_step.text == "delete from t"


def test_pg_41_a_portal_keeps_the_statement_it_was_bound_to(bench):
    step = bench.allow(bench.client(parse("s", b"select 1"), bind("p", "s"), enc.encode_close("S", "s"), enc.SYNC))
    bench.allow(step)
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, enc.CLOSE_COMPLETE)
    assert bench.line.portals.get("p").prepared.text == "select 1"
    assert bench.line.prepared.get("s") is None


def test_a_bind_to_an_unknown_statement_is_refused_without_asking(bench):
    assert bench.client(bind("", "nobody"), enc.SYNC) is Wait.DATA
    assert bench.sent() == b""
    assert b"26000" in bench.shown()


def test_an_execute_of_an_unknown_portal_is_refused_without_asking(bench):
    assert bench.client(enc.encode_execute("c"), enc.SYNC) is Wait.DATA
    assert bench.sent() == b""
    assert b"34000" in bench.shown()


def test_portals_end_with_their_transaction(bench):
    bench.allow(bench.allow(bench.client(parse(), bind("p"), enc.SYNC)))
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, enc.encode_ready_for_query("I"))
    assert bench.line.portals.get("p") is None


def test_a_description_is_asked_for_where_a_mask_is_owed_and_its_answer_is_swallowed(bench):
    plan = Plan((analysis(),), needs_fields=True)
    question = bench.client(parse(), bind(), enc.encode_execute(), enc.SYNC)
    bench.allow(bench.allow(question, plan), plan)
    assert bench.sent() == parse() + bind() + enc.encode_describe("P") + enc.encode_execute() + enc.SYNC
    description = enc.encode_row_description(FIELDS)
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, description, ROW, done())
    assert bench.shown() == enc.PARSE_COMPLETE + enc.BIND_COMPLETE + ROW + done()


def test_a_statement_that_changes_meaning_holds_up_the_next_decision(bench):
    setting = Plan((analysis(sql.SetSetting("search_path", "other")),))
    question = bench.client(enc.encode_query("set search_path to other"), enc.encode_query("select * from t"))
    assert bench.allow(question, setting) is Wait.SERVER
    step = bench.server(done("SET"))
    assert step.text == "select * from t"
    assert bench.line.state.search_path == "other"


def test_what_a_failed_implicit_transaction_set_is_undone(bench):
    plan = Plan((analysis(sql.SetSetting("search_path", "other")), analysis()))
    bench.allow(bench.client(enc.encode_query("set search_path to other; select 1/0")), plan)
    bench.server(enc.encode_command_complete("SET"), SERVER_ERROR, enc.encode_ready_for_query("I"))
    assert bench.line.state.search_path == "public"


def test_a_commit_of_a_failed_transaction_is_a_rollback(bench):
    state = bench.line.state
    state.apply(sql.Begin(), "BEGIN")
    state.apply(sql.SetSetting("search_path", "other"), "SET")
    state.apply(sql.Commit(), "ROLLBACK")
    assert state.search_path == "public"


COPY_IN = Plan((analysis(copy=CopyInfo("in", "stdin")),))


def test_copy_data_passes_only_once_the_server_asks_for_it(bench):
    question = bench.client(enc.encode_query("copy t from stdin"), enc.encode_copy_data(b"1\n"), enc.COPY_DONE)
    assert bench.allow(question, COPY_IN) is Wait.SERVER
    assert bench.sent() == enc.encode_query("copy t from stdin")
    assert bench.server(enc.encode_copy_response(Backend.CopyInResponse, CopyResponse(0, (0,)))) is Wait.SERVER
    assert bench.sent() == enc.encode_copy_data(b"1\n") + enc.COPY_DONE
    assert bench.server(done("COPY 1")) is Wait.DATA


def test_asking_whether_the_server_has_answered_changes_nothing(bench):
    bench.allow(bench.client(enc.encode_query("copy t from stdin")), COPY_IN)
    assert not bench.machine.settled
    bench.replies.receive(enc.encode_copy_response(Backend.CopyInResponse, CopyResponse(0, (0,))), 0)
    assert bench.machine.settled
    assert bench.machine.settled


def test_pg_47_a_query_during_copy_in_ends_the_connection(bench):
    bench.allow(bench.client(enc.encode_query("copy t from stdin")), COPY_IN)
    bench.server(enc.encode_copy_response(Backend.CopyInResponse, CopyResponse(0, (0,))))
    with pytest.raises(ClientProtocolError):
        bench.client(enc.encode_query("drop table t"))


def test_copy_data_after_the_server_has_failed_the_copy_is_dropped(bench):
    bench.allow(bench.client(enc.encode_query("copy t from stdin")), COPY_IN)
    bench.server(enc.encode_copy_response(Backend.CopyInResponse, CopyResponse(0, (0,))))
    bench.sent()
    bench.server(SERVER_ERROR, enc.encode_ready_for_query("I"))
    assert bench.client(enc.encode_copy_data(b"1\n"), enc.COPY_DONE) is Wait.DATA
    assert bench.sent() == b""


def test_copy_data_that_no_statement_announced_ends_the_session(bench):
    bench.allow(bench.client(enc.encode_query("select 1")))
    with pytest.raises(UpstreamProtocolError):
        bench.server(enc.encode_copy_response(Backend.CopyInResponse, CopyResponse(0, (0,))))


@pytest.mark.parametrize(
    "lie",
    [
        ROW,
        enc.PARSE_COMPLETE,
        enc.encode_ready_for_query("I"),
        enc.encode_command_complete("SELECT 1"),
        enc.encode_copy_response(Backend.CopyBothResponse, CopyResponse(0, ())),
        enc.encode_authentication(0),
    ],
)
def test_pg_64_what_nobody_asked_for_ends_the_session(bench, lie):
    with pytest.raises(UpstreamProtocolError):
        bench.server(lie)


def test_pg_64_rows_before_their_description_end_the_session(bench):
    bench.allow(bench.client(enc.encode_query("select 1")))
    with pytest.raises(UpstreamProtocolError):
        bench.server(ROW)


def test_pg_07_a_server_that_leaves_utf8_ends_the_session(bench):
    with pytest.raises(UpstreamProtocolError):
        bench.server(enc.encode_parameter_status("client_encoding", "SJIS"))


def test_a_row_larger_than_what_has_arrived_passes_in_pieces_where_nothing_is_owed(bench):
    bench.allow(bench.client(enc.encode_query("select 1")))
    row = enc.encode_data_row([b"x" * 1000])
    bench.server(enc.encode_row_description(FIELDS))
    bench.shown()
    bench.server(row[:100])
    assert bench.shown() == row[:100]
    assert not bench.replies.at_boundary
    bench.server(row[100:], done())
    assert bench.shown() == row[100:] + done()


def test_a_suspended_portal_goes_on_under_its_permit(bench):
    question = bench.client(parse(), bind("p"), enc.encode_execute("p", 1), enc.FLUSH)
    bench.allow(bench.allow(question))
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, ROW, enc.PORTAL_SUSPENDED)
    bench.sent()
    assert bench.client(enc.encode_execute("p", 1), enc.SYNC) is Wait.DATA
    assert bench.sent() == enc.encode_execute("p", 1) + enc.SYNC
    bench.server(ROW, done())
    assert [outcome.rows for _, outcome in bench.line.finished] == [1, 1]


def test_goodbye_is_not_forwarded_before_what_was_asked(bench):
    assert bench.client(enc.TERMINATE) is Wait.END


def test_the_verdict_is_the_same_however_the_bytes_are_cut(bench):
    data = parse() + bind() + enc.encode_execute() + enc.SYNC
    steps = []
    for byte in data:
        step = bench.client(bytes([byte]))
        while isinstance(step, Question):
            steps.append(step.phase)
            step = bench.allow(step)
    assert steps == [Phase.PARSE, Phase.BIND]
    assert bench.sent() == data


def test_pg_06_a_setting_made_by_a_function_counts_once_its_row_is_there(bench):
    plan = Plan((analysis(sql.SetSetting("search_path", "a")),))
    question = bench.client(parse(), bind("p"), enc.encode_execute("p", 1), enc.FLUSH)
    bench.allow(bench.allow(question, plan), plan)
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, ROW, enc.PORTAL_SUSPENDED)
    assert bench.line.state.search_path == "a"


def test_pg_06_a_portal_run_past_its_row_sets_nothing_more(bench):
    plan = Plan((analysis(sql.SetSetting("search_path", "a")),))
    question = bench.client(parse(), bind("p"), enc.encode_execute("p", 1), enc.FLUSH)
    bench.allow(bench.allow(question, plan), plan)
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, ROW, enc.PORTAL_SUSPENDED)
    bench.line.state.apply(sql.SetSetting("search_path", "b"), "SET")
    bench.client(enc.encode_execute("p"), enc.SYNC)
    bench.server(enc.encode_command_complete("SELECT 0"), enc.encode_ready_for_query("I"))
    assert bench.line.state.search_path == "b"


def test_the_data_of_a_second_copy_in_one_query_wait_for_it(bench):
    plan = Plan((analysis(copy=CopyInfo("in", "stdin")), analysis(copy=CopyInfo("in", "stdin"))))
    bench.allow(bench.client(enc.encode_query("copy t from stdin; copy u from stdin")), plan)
    ask = enc.encode_copy_response(Backend.CopyInResponse, CopyResponse(0, (0,)))
    bench.server(ask)
    bench.sent()
    assert bench.client(enc.COPY_DONE, enc.encode_copy_data(b"2\n"), enc.COPY_DONE) is Wait.SERVER
    assert bench.sent() == enc.COPY_DONE
    bench.server(enc.encode_command_complete("COPY 0"), ask)
    assert bench.sent() == enc.encode_copy_data(b"2\n") + enc.COPY_DONE
    assert bench.server(done("COPY 1")) is Wait.DATA


def test_what_prepare_made_is_not_bound(bench):
    bench.line.prepared.assign("x", Prepared("prepare x as delete from t", by_sql=True))
    assert bench.client(bind("", "x"), enc.encode_execute(), enc.SYNC) is Wait.DATA
    assert bench.sent() == b""
    assert b"0A000" in bench.shown()


def test_pg_41_a_portal_that_the_server_has_not_acknowledged_is_not_executed_across_sync(bench):
    """The second Bind of the name may be skipped; what the name then stands for was bound before."""
    bench.line.state.ready("T")
    bench.allow_all(bench.client(parse("s", b"delete from t"), bind("p", "s"), enc.SYNC))
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, enc.encode_ready_for_query("T"))
    frames = [parse("", b"nonsense"), enc.encode_close("P", "p"), parse("t"), bind("p", "t"), enc.SYNC]
    _, step = bench.allow_all(bench.client(*frames, enc.encode_execute("p"), enc.SYNC))
    assert step is Wait.SERVER
    assert not bench.sent().endswith(enc.encode_execute("p") + enc.SYNC)
    bench.server(SERVER_ERROR, enc.encode_ready_for_query("E"))
    assert bench.line.portals.get("p").prepared.text == "delete from t"


def test_pg_41_a_skipped_close_brings_no_skipped_statement_back(bench):
    """Two batches fail; the first would have replaced the name, the second have closed it: it means what it meant."""
    bench.allow_all(bench.client(parse("s", b"delete from t"), enc.SYNC))
    bench.server(enc.PARSE_COMPLETE, enc.encode_ready_for_query("I"))
    first = [parse("", b"nonsense"), parse("s", b"select 1"), enc.SYNC]
    second = [parse("u", b"nonsense"), enc.encode_close("S", "s"), enc.SYNC]
    bench.allow_all(bench.client(*first, *second))
    failed = [SERVER_ERROR, enc.encode_ready_for_query("I")]
    bench.server(*failed, *failed)
    step = bench.client(bind("", "s"))
    assert isinstance(step, Question)
    assert step.text == "delete from t"


def test_a_refusal_in_a_batch_that_is_answered_and_not_synced_is_the_servers_to_end(bench):
    """Answered here alone, ReadyForQuery would come before the Sync of what is still open at the server."""
    bench.allow_all(bench.client(parse("s"), enc.FLUSH))
    bench.server(enc.PARSE_COMPLETE)
    bench.sent()
    bench.refuse(bench.client(parse("", b"drop table t"), enc.SYNC))
    assert bench.sent() == enc.encode_execute("doorward_x") + enc.SYNC


def test_a_query_behind_an_open_batch_waits_for_it(bench):
    """It runs in the batch's transaction, or is skipped with it: what it means hangs on how that ends."""
    _, step = bench.allow_all(bench.client(parse("s"), enc.encode_query("select 2")))
    assert step is Wait.SERVER
    assert bench.sent() == parse("s") + enc.FLUSH
    assert bench.server(enc.PARSE_COMPLETE).text == "select 2"


@pytest.mark.parametrize(("obligations", "kept"), [((), 64 * 1024), ((Record(RecordLevel.PAYLOAD),), 100_000)])
def test_a_rule_may_ask_for_more_of_what_was_shown(bench, obligations, kept):
    question = bench.client(enc.encode_query("select 1"))
    leave = permit()
    leave = replace(leave, decision=replace(leave.decision, obligations=obligations))
    bench.machine.permit(question, leave, Plan((analysis(),)), 0)
    row = enc.encode_data_row([b"x" * (100_000 - 11)])
    bench.server(enc.encode_row_description(FIELDS), row, done())
    ((_, outcome),) = bench.line.finished
    assert (len(outcome.shown), outcome.shown_truncated) == (kept, kept < 100_000)
