"""What the server says: paired with what was asked, and shown only as its plan lets it be shown."""

from dataclasses import dataclass, field

import pytest
from postgres_bench import FIELDS, ROW, SERVER_ERROR, Ambient, Bench, Plan, analysis, bind, done, parse

from doorward_core.errors import UpstreamProtocolError
from doorward_core.event import Status
from doorward_core.model import Action
from doorward_core.sql import session as sql
from doorward_core.sql.analysis import CopyInfo
from doorward_postgres import wire_encode as enc
from doorward_postgres.machine import Question, Wait
from doorward_postgres.machine_line import Expected, Kind
from doorward_postgres.names import Prepared
from doorward_postgres.results import Clear
from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import CopyResponse, Field, FunctionCall, Notification

DESCRIBED = enc.encode_row_description(FIELDS)
NOTICE = enc.encode_notice_response("NOTICE", "00000", "by the way")
COPY_OUT = enc.encode_copy_response(Backend.CopyOutResponse, CopyResponse(0, (0,)))
COPY_IN = enc.encode_copy_response(Backend.CopyInResponse, CopyResponse(0, (0,)))
IDLE = enc.encode_ready_for_query("I")
COPIES_IN = Plan((analysis(copy=CopyInfo("in", "stdin")),))


class Hiding(Clear):
    """Puts one row in the place of each run, and counts."""

    clear = False
    width = 1

    def frames(self, buffer, start, end):
        self.masked["pii"] = self.masked.get("pii", 0) + 1
        return enc.encode_data_row([b"***"])


@dataclass
class Watched(Plan):
    """Says what it was asked; what it shows of a diagnostic names the statement."""

    masker: object = None
    asked: list = field(default_factory=list)

    def rows(self, index, fields):
        self.asked.append((index, fields))
        return self.masker() if self.masker else Clear()

    def copy_out(self, index, response):
        self.asked.append((index, response))
        return self.masker() if self.masker else Clear()

    def diagnostic(self, index, frame):
        return f"<statement {index}>".encode()


class Strict(Ambient):
    def diagnostic(self, frame):
        return b"<session>"

    def notification(self, frame):
        return b"<heard>"


@pytest.fixture
def strict():
    return Bench(ambient=Strict())


def query(bench, text="select 1", plan=None, **how):
    """Send a Query and clear what was sent."""
    bench.allow(bench.client(enc.encode_query(text)), plan or Plan((analysis(),)), **how)
    bench.sent()


def extended(bench, plan=None, *, execute="", describe=False):
    """Send Parse, Bind, perhaps Describe, Execute and Sync."""
    frames = [parse(), bind(execute)]
    if describe:
        frames.append(enc.encode_describe("P", execute))
    bench.allow_all(bench.client(*frames, enc.encode_execute(execute), enc.SYNC), plan)
    bench.sent()


# --- pairing ---------------------------------------------------------------------------------------------------------

SAMPLES = {
    Backend.ParseComplete: enc.PARSE_COMPLETE,
    Backend.BindComplete: enc.BIND_COMPLETE,
    Backend.CloseComplete: enc.CLOSE_COMPLETE,
    Backend.ParameterDescription: enc.encode_parameter_description((23,)),
    Backend.RowDescription: DESCRIBED,
    Backend.NoData: enc.NO_DATA,
    Backend.DataRow: ROW,
    Backend.CommandComplete: enc.encode_command_complete("SELECT 1"),
    Backend.EmptyQueryResponse: enc.EMPTY_QUERY_RESPONSE,
    Backend.PortalSuspended: enc.PORTAL_SUSPENDED,
    Backend.CopyInResponse: COPY_IN,
    Backend.CopyOutResponse: COPY_OUT,
    Backend.CopyBothResponse: enc.encode_copy_response(Backend.CopyBothResponse, CopyResponse(0, (0,))),
    Backend.CopyData: enc.encode_copy_data(b"1\n"),
    Backend.CopyDone: enc.COPY_DONE,
    Backend.ErrorResponse: SERVER_ERROR,
    Backend.NoticeResponse: NOTICE,
    Backend.NotificationResponse: enc.encode_notification(Notification(1, "c", "p")),
    Backend.ParameterStatus: enc.encode_parameter_status("TimeZone", "UTC"),
    Backend.ReadyForQuery: IDLE,
    Backend.FunctionCallResponse: enc.encode_function_call_response(b"1"),
    Backend.Authentication: enc.AUTHENTICATION_OK,
    Backend.BackendKeyData: enc.encode_backend_key_data(1, b"1234"),
    Backend.NegotiateProtocolVersion: enc.encode_negotiate_protocol_version(3 << 16, ["_pq_.x"]),
}
ANY_TIME = {
    Backend.ErrorResponse,
    Backend.NoticeResponse,
    Backend.NotificationResponse,
    Backend.ParameterStatus,
}
LEGAL = {
    None: set(),
    Kind.PARSE: {Backend.ParseComplete},
    Kind.BIND: {Backend.BindComplete},
    Kind.CLOSE: {Backend.CloseComplete},
    Kind.DESCRIBE_STATEMENT: {Backend.ParameterDescription, Backend.RowDescription, Backend.NoData},
    Kind.DESCRIBE_PORTAL: {Backend.RowDescription, Backend.NoData},
    Kind.EXECUTE: {
        Backend.DataRow,
        Backend.CommandComplete,
        Backend.EmptyQueryResponse,
        Backend.PortalSuspended,
        Backend.CopyOutResponse,
    },
    Kind.SYNC: {Backend.ReadyForQuery},
    Kind.QUERY: {
        Backend.RowDescription,
        Backend.CommandComplete,
        Backend.EmptyQueryResponse,
        Backend.CopyOutResponse,
        Backend.ReadyForQuery,
    },
    Kind.FUNCTION_CALL: {Backend.FunctionCallResponse, Backend.ReadyForQuery},
}


def brought_to(kind):
    """A bench whose oldest expectation is of this kind."""
    bench = Bench()
    if kind is None:
        return bench
    if kind is Kind.QUERY:
        query(bench)
        return bench
    if kind is Kind.FUNCTION_CALL:
        bench.allow(bench.client(enc.encode_function_call(FunctionCall(1, (), (), 0))), Plan())
        return bench
    frames = [parse("s"), bind("p", "s")]
    bench.allow_all(bench.client(*frames, enc.FLUSH))
    if kind is Kind.PARSE:
        return bench
    bench.server(enc.PARSE_COMPLETE)
    if kind is Kind.BIND:
        return bench
    bench.server(enc.BIND_COMPLETE)
    bench.client(
        {
            Kind.CLOSE: enc.encode_close("S", "s"),
            Kind.DESCRIBE_STATEMENT: enc.encode_describe("S", "s"),
            Kind.DESCRIBE_PORTAL: enc.encode_describe("P", "p"),
            Kind.EXECUTE: enc.encode_execute("p", 1),
            Kind.SYNC: enc.SYNC,
        }[kind]
    )
    return bench


@pytest.mark.parametrize("kind", LEGAL, ids=str)
@pytest.mark.parametrize("said", SAMPLES, ids=chr)
def test_pg_64_each_answer_fits_what_was_asked_or_ends_the_session(kind, said):
    bench = brought_to(kind)
    assert (bench.line.expected[0].kind if bench.line.expected else None) is kind
    if said in LEGAL[kind] | ANY_TIME:
        bench.server(SAMPLES[said])
    else:
        with pytest.raises(UpstreamProtocolError):
            bench.server(SAMPLES[said])


@pytest.mark.parametrize("kind", LEGAL, ids=str)
def test_every_type_of_a_server_was_tried(kind):
    types = {value for name, value in vars(Backend).items() if not name.startswith("_")}
    assert types == set(SAMPLES)
    assert set(LEGAL) == {None, *Kind}


# --- results ---------------------------------------------------------------------------------------------------------


def test_a_result_is_masked_by_the_plan_of_its_statement(bench):
    plan = Watched((analysis(), analysis()), masker=Hiding)
    query(bench, plan=plan)
    first = DESCRIBED + ROW + ROW + enc.encode_command_complete("SELECT 2")
    bench.server(first, DESCRIBED, ROW, done())
    assert [index for index, _ in plan.asked] == [0, 1]
    assert ROW not in bench.shown()
    ((_, outcome),) = bench.line.finished
    assert (outcome.rows, outcome.masked) == (3, {"pii": 2})
    assert outcome.shown == enc.encode_data_row([b"***"]) * 2


def test_a_portal_described_before_is_masked_by_that_description(bench):
    plan = Watched((analysis(),), needs_fields=True)
    extended(bench, plan, describe=True)
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, DESCRIBED, ROW, done())
    assert plan.asked == [(0, FIELDS)]
    assert bench.shown() == enc.PARSE_COMPLETE + enc.BIND_COMPLETE + DESCRIBED + ROW + done()


def test_a_statement_described_once_masks_every_later_run_of_it(bench):
    plan = Watched((analysis(),), needs_fields=True)
    bench.allow_all(bench.client(parse("s"), enc.encode_describe("S", "s"), enc.SYNC), plan)
    bench.server(enc.PARSE_COMPLETE, enc.encode_parameter_description(()), DESCRIBED, IDLE)
    for _ in range(2):
        bench.allow_all(bench.client(bind("", "s"), enc.encode_execute(), enc.SYNC), plan)
        assert enc.encode_describe("P") not in bench.sent()
        bench.server(enc.BIND_COMPLETE, ROW, done())
    assert [fields for _, fields in plan.asked] == [FIELDS, FIELDS]


@pytest.mark.parametrize("change", ["path", "role", "definitions"])
def test_a_description_proves_nothing_once_names_may_mean_something_else(bench, change):
    plan, line = Watched((analysis(),), needs_fields=True), bench.line
    bench.allow_all(bench.client(parse("s"), enc.encode_describe("S", "s"), enc.SYNC), plan)
    bench.server(enc.PARSE_COMPLETE, enc.encode_parameter_description(()), DESCRIBED, IDLE)
    bench.sent()
    if change == "definitions":
        line.version += 1
    else:
        line.state.apply(sql.SetSetting("search_path" if change == "path" else "role", "attic"), "SET")
        line.state.ready("I")
    other = enc.encode_row_description((FIELDS[0]._replace(table_oid=99, format=1),))
    for asked in (True, False):  # in the stead of a client that does not, and once
        bench.allow_all(bench.client(bind("", "s", formats=(1,)), enc.encode_execute(), enc.SYNC), plan)
        assert (enc.encode_describe("P") in bench.sent()) is asked
        bench.server(enc.BIND_COMPLETE, *[other] * asked, ROW, done())
        assert other not in bench.shown()
        assert [(one.table_oid, one.format) for one in plan.asked[-1][1]] == [(99, 1)]


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("behind", [enc.encode_query("select 2"), parse("", b"select 2"), bind("", "s")])
def test_nothing_is_decided_under_a_setting_that_its_batch_may_take_back(bench, behind, local):
    line = bench.line
    bench.allow_all(bench.client(parse("s"), enc.SYNC))
    bench.server(enc.PARSE_COMPLETE, IDLE)
    plan = Plan((analysis(sql.SetSetting("search_path", "attic", local)),))
    bench.allow_all(bench.client(parse(), bind(), enc.encode_execute(), enc.FLUSH), plan)
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, enc.encode_command_complete("SET"))
    assert line.state.search_path == "attic"
    assert bench.client(enc.SYNC, behind) is Wait.SERVER
    question = bench.server(IDLE)
    assert isinstance(question, Question)
    assert line.state.search_path == ("public" if local else "attic")


def test_a_description_is_of_what_the_server_had_set_when_it_gave_it(bench):
    plan, line = Watched((analysis(sql.SetSetting("search_path", "attic")),), needs_fields=False), bench.line
    bench.allow_all(bench.client(parse("s"), enc.SYNC))
    bench.server(enc.PARSE_COMPLETE, IDLE)
    bench.allow_all(bench.client(parse(), bind(), enc.encode_execute(), enc.encode_describe("S", "s"), enc.SYNC), plan)
    answer = enc.encode_command_complete("SET") + enc.encode_parameter_description(()) + DESCRIBED + IDLE
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, answer)
    assert line.prepared.get("s").under == ("attic", "", 0)


def test_the_formats_that_bind_chose_are_those_of_the_description(bench):
    plan = Watched((analysis(),), needs_fields=True)
    bench.allow_all(bench.client(parse("s"), enc.encode_describe("S", "s"), enc.SYNC), plan)
    bench.server(enc.PARSE_COMPLETE, enc.encode_parameter_description(()), DESCRIBED, IDLE)
    bench.allow_all(bench.client(bind("", "s", formats=(1,)), enc.encode_execute(), enc.SYNC), plan)
    bench.server(enc.BIND_COMPLETE, ROW, done())
    assert [one.format for one in plan.asked[0][1]] == [1]


def test_rows_of_a_statement_that_was_said_to_return_none_end_the_session(bench):
    extended(bench, describe=True)
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, enc.NO_DATA)
    with pytest.raises(UpstreamProtocolError):
        bench.server(ROW)


def test_rows_after_an_error_end_the_session(bench):
    query(bench)
    bench.server(DESCRIBED, ROW, SERVER_ERROR)
    with pytest.raises(UpstreamProtocolError):
        bench.server(ROW)


def test_a_second_description_inside_a_result_ends_the_session(bench):
    query(bench)
    bench.server(DESCRIBED)
    with pytest.raises(UpstreamProtocolError):
        bench.server(DESCRIBED)


def test_a_row_of_another_width_than_described_ends_the_session(bench):
    class Wide(Clear):
        width = 2

    query(bench, plan=Watched((analysis(),), masker=Wide))
    bench.server(DESCRIBED)
    with pytest.raises(UpstreamProtocolError):
        bench.server(ROW)


def test_a_row_of_another_width_ends_the_session_though_it_has_not_arrived_whole(bench):
    class Wide(Clear):
        width = 2

    query(bench, plan=Watched((analysis(),), masker=Wide))
    bench.server(DESCRIBED)
    with pytest.raises(UpstreamProtocolError):
        bench.server(enc.encode_data_row([b"x" * 100])[:50])


def test_a_row_that_owes_a_mask_never_passes_in_pieces(bench):
    query(bench, plan=Watched((analysis(),), masker=Hiding))
    bench.server(DESCRIBED)
    bench.shown()
    row = enc.encode_data_row([b"x" * 100])
    bench.server(row[:50])
    assert bench.shown() == b""
    bench.server(row[50:])
    assert bench.shown() == enc.encode_data_row([b"***"])


@pytest.mark.parametrize(
    ("tag", "rows"),
    [("INSERT 0 5", 5), ("UPDATE 7", 7), ("DELETE 0", 0), ("MERGE 2", 2), ("COPY 9", 9), ("SELECT 3", 0), ("BEGIN", 0)],
)
def test_rows_are_counted_as_they_pass_or_by_the_servers_word(bench, tag, rows):
    query(bench)
    bench.server(done(tag))
    assert bench.line.finished[0][1].rows == rows


def test_an_empty_query_ends_as_it_should(bench):
    query(bench, "")
    bench.server(enc.EMPTY_QUERY_RESPONSE, IDLE)
    assert bench.line.finished[0][1].status is Status.OK
    assert bench.machine.settled


@pytest.mark.parametrize("then", [enc.encode_command_complete("SELECT 1"), DESCRIBED, COPY_OUT, COPY_IN])
def test_nothing_goes_on_after_an_error(bench, then):
    query(bench, plan=COPIES_IN)
    bench.server(SERVER_ERROR)
    with pytest.raises(UpstreamProtocolError):
        bench.server(then)


def test_a_statement_cannot_end_twice(bench):
    bench.allow_all(bench.client(parse(), bind(), enc.encode_execute(), enc.FLUSH))
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, enc.encode_command_complete("SELECT 0"))
    with pytest.raises(UpstreamProtocolError):
        bench.server(enc.encode_command_complete("SELECT 0"))


# --- COPY ------------------------------------------------------------------------------------------------------------


def test_copy_out_is_shown_through_its_plan(bench):
    class Stars(Clear):
        clear = False

        def frames(self, buffer, start, end):
            return enc.encode_copy_data(b"***\n")

        def finish(self):
            return enc.encode_copy_data(b"held back\n")

    plan = Watched((analysis(),), masker=Stars)
    query(bench, plan=plan)
    data = enc.encode_copy_data(b"secret\n")
    bench.server(COPY_OUT, data, data, enc.COPY_DONE, done("COPY 2"))
    assert plan.asked == [(0, CopyResponse(0, (0,)))]
    shown = bench.shown()
    assert shown == (
        COPY_OUT
        + enc.encode_copy_data(b"***\n")
        + enc.encode_copy_data(b"held back\n")
        + enc.COPY_DONE
        + done("COPY 2")
    )
    outcome = bench.line.finished[0][1]
    assert (outcome.shown_format, outcome.rows) == ("postgresql.copydata", 2)


@pytest.mark.parametrize(
    ("before", "then"),
    [
        (DESCRIBED, enc.encode_copy_data(b"1\n")),
        (COPY_OUT, ROW),
        (COPY_OUT, COPY_OUT),
        (DESCRIBED, COPY_OUT),
        (b"", enc.encode_copy_data(b"1\n")),
        (b"", enc.COPY_DONE),
        (COPY_OUT + enc.COPY_DONE, enc.encode_copy_data(b"1\n")),
    ],
)
def test_rows_and_copy_data_do_not_stand_in_for_each_other(bench, before, then):
    query(bench)
    bench.server(before)
    with pytest.raises(UpstreamProtocolError):
        bench.server(then)


def test_copy_in_is_over_when_its_statement_fails(bench):
    query(bench, "copy t from stdin", COPIES_IN)
    bench.server(COPY_IN)
    assert bench.line.copy_in is not None
    bench.server(SERVER_ERROR)
    assert bench.line.copy_in is None


def test_copy_in_of_an_extended_statement_goes_on_once_the_server_answers(bench):
    question = bench.client(parse(), bind(), enc.encode_execute(), enc.SYNC)
    assert bench.allow_all(question, COPIES_IN)[1] is Wait.SERVER
    assert bench.sent() == parse() + bind() + enc.encode_execute()
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, COPY_IN)
    bench.client(enc.encode_copy_data(b"1\n"), enc.COPY_DONE, enc.SYNC)
    assert bench.sent() == enc.encode_copy_data(b"1\n") + enc.COPY_DONE + enc.SYNC


# --- fast-path calls -------------------------------------------------------------------------------------------------


def call(bench, plan):
    bench.allow(bench.client(enc.encode_function_call(FunctionCall(952, (), (), 0))), plan)


def test_pg_46_the_value_of_a_call_becomes_null_where_a_mask_may_be_owed(bench):
    call(bench, Plan(needs_fields=True))
    bench.server(enc.encode_function_call_response(b"jane@example.com"), IDLE)
    assert bench.shown() == enc.encode_function_call_response(None) + IDLE
    assert bench.line.finished[0][1].masked == {"unproved": 1}


def test_the_value_of_a_call_passes_where_nothing_is_owed(bench):
    call(bench, Plan())
    bench.server(enc.encode_function_call_response(b"1"), IDLE)
    assert bench.shown() == enc.encode_function_call_response(b"1") + IDLE


def test_a_call_that_failed_has_no_value(bench):
    call(bench, Plan())
    bench.server(SERVER_ERROR)
    with pytest.raises(UpstreamProtocolError):
        bench.server(enc.encode_function_call_response(b"1"))


# --- errors and notices ----------------------------------------------------------------------------------------------


def test_errors_and_notices_are_shown_by_the_statement_that_the_server_has_reached(strict):
    query(strict, plan=Watched((analysis(), analysis())))
    strict.server(NOTICE, enc.encode_command_complete("SELECT 0"), NOTICE, SERVER_ERROR, IDLE)
    assert strict.shown() == (
        b"<statement 0>" + enc.encode_command_complete("SELECT 0") + b"<statement 1>" + b"<statement 1>" + IDLE
    )


def test_what_comes_between_statements_is_shown_strictly(strict):
    strict.server(NOTICE, SAMPLES[Backend.NotificationResponse], SERVER_ERROR)
    assert strict.shown() == b"<session><heard><session>"


def test_after_a_masked_relation_was_touched_every_error_of_the_transaction_is_shown_strictly(strict):
    """A deferred constraint speaks of what an earlier statement wrote."""
    query(strict, plan=Watched((analysis(touches_masked=True),)))
    strict.server(done("INSERT 0 1", "T"))
    query(strict, plan=Watched((analysis(sql.Commit()),)))
    strict.shown()
    strict.server(SERVER_ERROR, IDLE)
    assert strict.shown() == b"<session>" + IDLE
    query(strict, plan=Watched((analysis(),)))
    strict.server(SERVER_ERROR)
    assert strict.shown() == b"<statement 0>"


def test_an_error_at_sync_is_shown_strictly(strict):
    extended(strict, Watched((analysis(),)))
    strict.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, enc.encode_command_complete("INSERT 0 1"))
    strict.shown()
    strict.server(SERVER_ERROR, IDLE)
    assert strict.shown() == b"<session>" + IDLE


def test_a_notice_before_our_own_error_passes_and_the_servers_error_does_not(bench):
    bench.line.state.ready("T")
    bench.refuse(bench.client(enc.encode_query("drop table t")))
    bench.server(NOTICE, SERVER_ERROR, enc.encode_ready_for_query("E"))
    shown = bench.shown()
    assert NOTICE in shown
    assert SERVER_ERROR not in shown


@pytest.mark.parametrize("answer", [enc.encode_command_complete("SELECT 1"), ROW, DESCRIBED, enc.PORTAL_SUSPENDED])
def test_the_batch_that_we_fail_cannot_succeed(bench, answer):
    bench.line.state.ready("T")
    bench.refuse(bench.client(enc.encode_query("drop table t")))
    with pytest.raises(UpstreamProtocolError):
        bench.server(answer)


def test_a_failed_batch_is_undone_and_each_of_its_operations_ends(bench):
    bench.line.prepared.assign("s", Prepared("select 0"))
    frames = [parse("s", b"select 1"), bind("p", "s"), enc.encode_execute("p"), bind("q", "s"), enc.encode_execute("q")]
    bench.allow_all(bench.client(*frames, enc.SYNC))
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, SERVER_ERROR)
    assert bench.line.prepared.get("s").text == "select 1"  # acknowledged before the error
    assert bench.line.portals.get("q") is None
    assert [one.kind for one in bench.line.expected] == [Kind.SYNC]
    assert [(outcome.status, outcome.native_code) for _, outcome in bench.line.finished] == [
        (Status.ERROR, "34000"),
        (Status.ERROR, "34000"),
    ]


def test_a_bind_that_the_server_refuses_is_the_end_of_its_operation(bench):
    bench.allow_all(bench.client(parse(), bind(), enc.SYNC))
    bench.server(enc.PARSE_COMPLETE, SERVER_ERROR, IDLE)
    ((_, outcome),) = bench.line.finished
    assert (outcome.status, outcome.native_code) == (Status.ERROR, "34000")


def test_what_the_client_sends_after_an_error_is_dropped_up_to_sync(bench):
    bench.allow_all(bench.client(parse(), enc.FLUSH))
    bench.server(SERVER_ERROR)
    bench.sent()
    assert bench.client(bind(), enc.encode_execute(), parse("", b"drop table t")) is Wait.DATA
    assert bench.sent() == b""
    bench.client(enc.SYNC)
    assert bench.sent() == enc.SYNC
    bench.server(IDLE)
    assert bench.client(parse()).text == "select 1"


# --- state -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), [("client_encoding", "LATIN1"), ("standard_conforming_strings", "off")])
def test_pg_07_a_server_that_leaves_what_is_pinned_ends_the_session(bench, name, value):
    bench.server(enc.encode_parameter_status("client_encoding", "UTF8"))
    bench.server(enc.encode_parameter_status("standard_conforming_strings", "on"))
    with pytest.raises(UpstreamProtocolError):
        bench.server(enc.encode_parameter_status(name, value))


def test_a_reported_search_path_is_followed(bench):
    bench.server(enc.encode_parameter_status("search_path", "other"))
    assert bench.line.state.search_path == "other"


def test_a_transaction_status_that_does_not_exist_ends_the_session(bench):
    query(bench)
    with pytest.raises(UpstreamProtocolError):
        bench.server(enc.encode_command_complete("SELECT 0"), b"Z\0\0\0\5X")


@pytest.mark.parametrize(
    ("effect", "left"),
    [
        (sql.Prepare("new", "prepare new as select 2"), ("new", "s")),
        (sql.Deallocate("s"), ()),
        (sql.Deallocate(None), ()),
        (sql.Discard("ALL"), ()),
        (sql.Discard("PLANS"), ("s",)),
    ],
    ids=str,
)
def test_names_made_and_dropped_by_sql_are_those_of_the_protocol(bench, effect, left):
    bench.line.prepared.assign("s", Prepared("select 1"))
    query(bench, plan=Plan((analysis(effect),)))
    bench.server(done("DONE"))
    assert tuple(sorted(bench.line.prepared)) == left
    if isinstance(effect, sql.Prepare):
        assert bench.line.prepared.get("new").by_sql


def test_an_effect_is_applied_when_the_server_says_so_and_not_before(bench):
    plan = Plan((analysis(sql.SetSetting("search_path", "a")), analysis(sql.SetSetting("search_path", "b"))))
    query(bench, plan=plan)
    assert bench.line.state.search_path == "public"
    bench.server(enc.encode_command_complete("SET"))
    assert bench.line.state.search_path == "a"
    bench.server(enc.encode_command_complete("SET"))
    assert bench.line.state.search_path == "b"


def test_a_declared_cursor_takes_its_name_from_the_portals(bench):
    bench.allow_all(bench.client(parse(), bind("c"), enc.FLUSH))
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE)
    bench.client(enc.SYNC)
    bench.server(enc.encode_ready_for_query("T"))
    query(bench, plan=Plan((analysis(sql.Declare("c", "declare c cursor for select 1")),)))
    bench.server(done("DECLARE CURSOR", "T"))
    assert bench.line.portals.get("c") is None
    assert set(bench.line.state.cursors) == {"c"}


def test_the_servers_tag_says_whether_a_commit_was_one(bench):
    """A COMMIT of a failed transaction completes with the tag ROLLBACK."""
    query(bench, plan=Plan((analysis(sql.Begin()), analysis(sql.SetSetting("search_path", "a")))))
    bench.server(enc.encode_command_complete("BEGIN"), done("SET", "T"))
    query(bench, plan=Plan((analysis(sql.Commit()),)))
    bench.server(done("ROLLBACK"))
    assert bench.line.state.search_path == "public"


def test_a_change_that_runs_after_a_commit_in_one_message_has_written(bench):
    query(bench, plan=Plan((analysis(sql.Commit()), analysis(sql.Begin()), analysis())), action=Action.WRITE)
    bench.server(*(enc.encode_command_complete(tag) for tag in ("COMMIT", "BEGIN", "UPDATE 1")))
    bench.server(enc.encode_ready_for_query("T"))
    assert bench.line.state.wrote


def test_a_completed_change_marks_the_transaction_as_having_written(bench):
    query(bench, action=Action.WRITE)
    bench.server(done("UPDATE 1", "T"))
    assert bench.line.state.wrote
    query(bench, plan=Plan((analysis(sql.Commit()),)))
    bench.server(done("COMMIT"))
    assert not bench.line.state.wrote


def test_the_end_of_an_earlier_batch_says_nothing_of_what_was_sent_since(bench):
    question = bench.client(enc.encode_query("select 1"), parse("", b"delete from t"), bind(), enc.encode_execute())
    question = bench.allow(bench.allow(question))
    bench.allow(question, action=Action.WRITE)
    assert bench.line.state.wrote
    bench.server(done())
    assert bench.line.state.wrote
    bench.client(enc.SYNC)
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, done("DELETE 1"))
    assert not bench.line.state.wrote


def test_preparing_a_change_is_not_changing(bench):
    bench.allow(bench.client(parse("", b"delete from t")), action=Action.WRITE)
    assert not bench.line.state.wrote


def test_portals_of_a_later_batch_outlive_the_end_of_an_earlier_one(bench):
    bench.allow_all(bench.client(parse(), bind("p"), enc.SYNC, parse("t"), bind("q", "t"), enc.SYNC))
    bench.server(enc.PARSE_COMPLETE, enc.BIND_COMPLETE, IDLE)
    assert bench.line.portals.get("p") is None
    assert bench.line.portals.get("q") is not None


def test_a_portal_bound_behind_a_simple_query_outlives_its_end(bench):
    """A client that does not wait: the portal is bound in the transaction after the Query's own."""
    bench.allow_all(bench.client(enc.encode_query("select 1"), parse(), bind("p"), enc.SYNC))
    bench.server(done())
    assert bench.line.portals.get("p") is not None


def test_messages_are_read_the_same_however_they_are_cut(bench):
    query(bench)
    for byte in DESCRIBED + ROW + NOTICE + done():
        bench.server(bytes([byte]))
    assert bench.shown() == DESCRIBED + ROW + NOTICE + done()
    assert bench.line.finished[0][1].rows == 1


def test_the_record_has_the_fields_of_what_was_described(bench):
    query(bench)
    bench.server(enc.encode_row_description((Field("a", 1, 1, 25, -1, -1, 0),)), ROW, done())
    outcome = bench.line.finished[0][1]
    assert (outcome.columns, outcome.column_types) == (("a",), (25,))


def test_an_expectation_says_whether_it_changes_what_follows():
    assert not Expected(Kind.SYNC, 0).changes_meaning
