"""Garbage, lies and mutated transcripts: events or the side's ProtocolError and nothing else, whole and byte by byte.

Whatever is said by either side, nothing that needs a decision goes to the server without a permit for its bytes.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postgres_bench import MARKER, REFUSED, ROW, SERVER_ERROR, Bench, Plan, analysis, bind, done, parse, permit

from doorward_core.errors import ClientProtocolError, UpstreamProtocolError
from doorward_core.sql import session as sql
from doorward_core.sql.analysis import CopyInfo
from doorward_postgres import wire_encode as enc
from doorward_postgres.machine import Phase, Question, Wait
from doorward_postgres.wire import Backend, FrameReader, Frontend, Side
from doorward_postgres.wire_decode import CopyResponse, Field, FunctionCall, Notification

MAX_BYTES = 600
DECIDED = frozenset({Frontend.Query, Frontend.Parse, Frontend.Bind, Frontend.FunctionCall})
OURS = frozenset({enc.encode_execute(MARKER), enc.SYNC, enc.FLUSH})
FIELDS = (Field("id", 1, 1, 23, 4, -1, 0),)
NAMES = ("", "s", "t")
PLANS = (
    Plan((analysis(),)),
    Plan((analysis(),), needs_fields=True),
    Plan((analysis(copy=CopyInfo("in", "stdin")),)),
    Plan((analysis(sql.SetSetting("search_path", "x")), analysis())),
    Plan((analysis(sql.Discard("ALL")),)),
    Plan((analysis(sql.Commit()),)),
)

CLIENT = st.one_of(
    st.sampled_from((b"select 1", b"delete from t", b"", b"\xff")).map(enc.encode_query),
    st.builds(parse, st.sampled_from(NAMES), st.sampled_from((b"select 1", b"delete from t", b"execute s"))),
    st.builds(bind, st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.builds(enc.encode_describe, st.sampled_from("SP"), st.sampled_from(NAMES)),
    st.builds(enc.encode_execute, st.sampled_from((*NAMES, MARKER)), st.integers(0, 2)),
    st.builds(enc.encode_close, st.sampled_from("SP"), st.sampled_from(NAMES)),
    st.sampled_from((b"1\n", b"x" * 200)).map(enc.encode_copy_data),
    st.sampled_from(
        (enc.SYNC, enc.FLUSH, enc.COPY_DONE, enc.TERMINATE, enc.encode_copy_fail("no"), enc.encode_password("x"))
    ),
    st.just(enc.encode_function_call(FunctionCall(952, (), (b"1",), 0))),
)
SERVER = st.one_of(
    st.sampled_from(
        (
            enc.PARSE_COMPLETE,
            enc.BIND_COMPLETE,
            enc.CLOSE_COMPLETE,
            enc.NO_DATA,
            enc.PORTAL_SUSPENDED,
            enc.EMPTY_QUERY_RESPONSE,
            enc.COPY_DONE,
            enc.encode_row_description(FIELDS),
            enc.encode_parameter_description((23,)),
            ROW,
            enc.encode_data_row([b"x" * 200]),
            enc.encode_copy_data(b"1\n"),
            enc.encode_copy_response(Backend.CopyInResponse, CopyResponse(0, (0,))),
            enc.encode_copy_response(Backend.CopyOutResponse, CopyResponse(0, (0,))),
            enc.encode_function_call_response(b"1"),
            enc.encode_notice_response("NOTICE", "00000", "by the way"),
            enc.encode_notification(Notification(1, "c", "p")),
            enc.encode_parameter_status("search_path", "y"),
            enc.encode_parameter_status("client_encoding", "SJIS"),
            SERVER_ERROR,
        )
    ),
    st.sampled_from("ITE").map(enc.encode_ready_for_query),
    st.sampled_from(("SELECT 1", "SET", "COMMIT", "ROLLBACK", "INSERT 0 1")).map(enc.encode_command_complete),
)


@st.composite
def mutated(draw, frames):
    """Frames, some of them cut, doubled, flipped or with garbage between."""
    data = bytearray(b"".join(draw(st.lists(frames, max_size=8))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        match draw(st.sampled_from(("flip", "cut", "insert"))):
            case "flip" if data:
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[at : at + draw(st.integers(1, 6))]
            case _:
                data[at:at] = draw(st.binary(max_size=6))
    return bytes(data)


class Fuzzed(Bench):
    """A bench that keeps what was permitted, byte for byte, and what went to the server."""

    def __init__(self, choose):
        super().__init__(max_message_bytes=MAX_BYTES)
        self.permitted = []
        self.wire = b""
        self._choose = choose

    def answer(self, step):
        """Decide every question by the draw, until the machine waits."""
        while isinstance(step, Question):
            choice = self._choose()
            if choice is None:
                parts = (Phase.PARSE, Phase.BIND)
                (self.machine.refuse if step.phase in parts else self.machine.refuse_query)(REFUSED)
            else:
                self.permitted.append(step.frame)
                self.machine.permit(step, permit(), choice, 0)
            step = self.machine.step()
        self.wire += self.sent()
        return step

    def hear(self, data):
        self.machine.receive(data)
        return self.answer(self.machine.step())

    def told(self, data):
        self.replies.receive(data, 0)
        self.shown()
        if self.machine.settled:
            self.answer(self.machine.step())

    def check(self):
        """Everything that needs a decision was permitted in these very bytes, in this order, and once."""
        self.wire += self.sent()  # what was on its way when an error ended it
        reader = FrameReader(Side.CLIENT)
        reader.receive(self.wire)
        frames = [self.wire[start:end] for _, start, end in reader]
        assert [frame for frame in frames if frame[0] in DECIDED] == self.permitted
        return frames


choices = st.lists(st.none() | st.sampled_from(PLANS), min_size=1, max_size=12)


def chooser(drawn):
    """The drawn choices over and over."""
    turn = 0

    def choose():
        nonlocal turn
        turn += 1
        return drawn[turn % len(drawn)]

    return choose


def converse(script, drawn, pieces):
    """Play chunks of both sides; how far it came, and how it ended."""
    bench, ended = Fuzzed(chooser(drawn)), "open"
    try:
        for side, data in script:
            for at in range(0, len(data), pieces):
                piece = data[at : at + pieces]
                if side is Side.CLIENT:
                    if bench.hear(piece) is Wait.END:
                        return bench, "goodbye"
                else:
                    bench.told(piece)
                assert bench.machine.buffered_bytes <= MAX_BYTES + len(script) * 5000
    except ClientProtocolError:
        ended = "client"
    except UpstreamProtocolError:
        ended = "upstream"
    return bench, ended


turns = st.one_of(
    st.tuples(st.just(Side.CLIENT), st.lists(CLIENT, max_size=6).map(b"".join)),
    st.tuples(st.just(Side.UPSTREAM), st.lists(SERVER, max_size=6).map(b"".join)),
)
wild = st.one_of(
    st.tuples(st.just(Side.CLIENT), mutated(CLIENT)),
    st.tuples(st.just(Side.UPSTREAM), mutated(SERVER)),
)


@settings(max_examples=400)
@given(st.lists(turns, max_size=12), choices)
def test_legal_messages_in_any_order_give_events_or_a_protocol_error(script, drawn):
    bench, _ = converse(script, drawn, 10_000)
    bench.check()


@settings(max_examples=400)
@given(st.lists(wild, max_size=8), choices)
def test_mutated_messages_give_events_or_a_protocol_error(script, drawn):
    bench, _ = converse(script, drawn, 10_000)
    bench.check()


@settings(max_examples=200)
@given(st.lists(wild, max_size=6), choices)
def test_the_same_byte_by_byte(script, drawn):
    bench, _ = converse(script, drawn, 1)
    bench.check()


@given(st.binary(max_size=200), choices)
def test_garbage_from_a_client_never_reaches_the_server(garbage, drawn):
    whole, ended = converse([(Side.CLIENT, garbage)], drawn, 10_000)
    whole.check()
    single, ended_single = converse([(Side.CLIENT, garbage)], drawn, 1)
    assert (single.wire, ended_single) == (whole.wire, ended)


@given(st.binary(min_size=1, max_size=200))
def test_garbage_from_a_server_at_rest_is_an_error_or_belongs_to_no_statement(garbage):
    _, ended = converse([(Side.UPSTREAM, garbage)], [None], 10_000)
    assert ended in {"open", "upstream"}


REFUSING = st.lists(CLIENT, max_size=20)


@settings(max_examples=300)
@given(REFUSING, st.lists(SERVER, max_size=10))
def test_a_client_whose_every_operation_is_refused_runs_nothing(frames, answers):
    """Only what the gateway itself makes (a failing Execute, Sync, Flush) and closings may reach the server."""
    bench, _ = converse([(Side.CLIENT, b"".join(frames)), (Side.UPSTREAM, b"".join(answers))], [None], 10_000)
    assert bench.permitted == []
    for frame in bench.check():
        assert frame in OURS or frame[0] == Frontend.Close, frame


HAPPY = [
    (Side.CLIENT, enc.encode_query("select 1")),
    (Side.UPSTREAM, enc.encode_row_description(FIELDS) + ROW + done()),
    (Side.CLIENT, parse("s") + enc.encode_describe("S", "s") + enc.SYNC),
    (
        Side.UPSTREAM,
        enc.PARSE_COMPLETE
        + enc.encode_parameter_description(())
        + enc.encode_row_description(FIELDS)
        + enc.encode_ready_for_query("I"),
    ),
    (Side.CLIENT, bind("p", "s") + enc.encode_execute("p", 1) + enc.SYNC),
    (Side.UPSTREAM, enc.BIND_COMPLETE + ROW + enc.PORTAL_SUSPENDED + enc.encode_ready_for_query("T")),
    (Side.CLIENT, enc.encode_execute("p") + enc.encode_close("P", "p") + enc.SYNC),
    (
        Side.UPSTREAM,
        ROW + enc.encode_command_complete("SELECT 1") + enc.CLOSE_COMPLETE + enc.encode_ready_for_query("T"),
    ),
    (Side.CLIENT, parse("", b"select nonsense") + bind() + enc.encode_execute() + enc.SYNC),
    (Side.UPSTREAM, SERVER_ERROR + enc.encode_ready_for_query("E")),
    (Side.CLIENT, enc.encode_query("rollback")),
    (Side.UPSTREAM, done("ROLLBACK")),
    (Side.CLIENT, enc.TERMINATE),
]


@pytest.mark.parametrize("pieces", [1, 7, 10_000])
def test_the_transcript_that_is_mutated_is_a_good_one(pieces):
    bench, ended = converse(HAPPY, [PLANS[0]], pieces)
    assert ended == "goodbye"
    assert len(bench.permitted) == 6


@settings(max_examples=400)
@given(st.integers(0, len(HAPPY) - 1), st.integers(0, 2**16), st.integers(0, 7), st.sampled_from((1, 10_000)))
def test_one_flipped_bit_anywhere_in_a_good_transcript_gives_events_or_a_protocol_error(turn, at, bit, pieces):
    script = list(HAPPY)
    side, data = script[turn]
    damaged = bytearray(data)
    damaged[at % len(damaged)] ^= 1 << bit
    script[turn] = (side, bytes(damaged))
    bench, ended = converse(script, [PLANS[0]], pieces)
    bench.check()
    assert ended in {"goodbye", "open", "client", "upstream"}


@settings(max_examples=200)
@given(st.lists(st.integers(0, len(HAPPY) - 1), min_size=1, max_size=20), st.sampled_from((1, 10_000)))
def test_turns_of_a_good_transcript_in_any_order_give_events_or_a_protocol_error(order, pieces):
    bench, _ = converse([HAPPY[turn] for turn in order], [PLANS[0], PLANS[1]], pieces)
    bench.check()
