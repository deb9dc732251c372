"""However both sides' bytes are cut and whenever they arrive, the client is shown the same, and the same is run.

The server is an honest model that flushes as rarely as it may; the client pipelines all that it has to say.
"""

import random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from model_server import ModelServer
from postgres_bench import MARKER, REFUSED, Bench, Plan, analysis, bind, parse, permit

from doorward_core.sql import session as sql
from doorward_core.sql.analysis import CopyInfo
from doorward_postgres import wire_encode as enc
from doorward_postgres.machine import Phase, Question, Wait
from doorward_postgres.wire import FrameReader, Frontend, Side

DENIED = "deny"
EFFECTS = {"begin": sql.Begin(), "commit": sql.Commit(), "rollback": sql.Rollback(), "set": sql.SetSetting("x", "y")}
TEXTS = ("rows 1", "rows 3", "begin", "commit", "rollback", "set", "fail", DENIED)
NAMES = ("", "s", "t")


def plan_of(text):
    """What the analysis of these texts would have said."""
    found = []
    for one in text.split(";"):
        word = one.strip()
        copy = CopyInfo("in", "stdin") if word == "copy in" else None
        found.append(analysis(EFFECTS.get(word), copy))
    return Plan(tuple(found), needs_fields="rows 3" in text)


class Conversation:
    """A client, a gateway without a gate, and a server; `turn` decides who is served next, and by how much."""

    def __init__(self, frames, turn):
        self.bench = Bench()
        self.server = ModelServer()
        self.decided = []
        self.shown = b""
        self.wire = b""
        self._frames = list(frames)
        self._turn = turn
        self._client = b""
        self._up, self._down = b"", b""
        self._step = Wait.DATA

    def run(self):
        """Go on until nothing moves any more; give the conversation."""
        while True:
            self._collect()
            moves = [
                name
                for name, possible in (
                    ("client", self._step is Wait.DATA and (self._client or self._frames)),
                    ("up", self._up),
                    ("down", self._down),
                )
                if possible
            ]
            if not moves:
                return self
            getattr(self, f"_{self._turn.choose(moves)}_moves")()

    def _collect(self):
        sent = self.bench.sent()
        self._up += sent
        self.wire += sent
        self.shown += self.bench.shown()

    def _client_moves(self):
        if not self._client:
            self._client = self._frames.pop(0)
        piece, self._client = self._turn.cut(self._client)
        self.bench.machine.receive(piece)
        self._answer(self.bench.machine.step())

    def _up_moves(self):
        piece, self._up = self._turn.cut(self._up)
        self._down += self.server.feed(piece)

    def _down_moves(self):
        piece, self._down = self._turn.cut(self._down)
        self.bench.replies.receive(piece, 0)
        if self._step is Wait.SERVER and self.bench.machine.settled:
            self._answer(self.bench.machine.step())

    def _answer(self, step):
        machine = self.bench.machine
        while isinstance(step, Question):
            allowed = DENIED not in step.text
            self.decided.append((step.phase, step.text, allowed))
            if allowed:
                machine.permit(step, permit(), plan_of(step.text), 0)
            elif step.phase in (Phase.PARSE, Phase.BIND):
                machine.refuse(REFUSED)
            else:
                machine.refuse_query(REFUSED)
            step = machine.step()
        self._step = step


class OneByOne:
    """A client that says nothing more before everything has been answered that will be; all in whole pieces."""

    def choose(self, moves):
        return max(moves, key=("client", "up", "down").index)

    def cut(self, data):
        return data, b""


class AllAtOnce(OneByOne):
    """A client that says everything before anybody answers."""

    def choose(self, moves):
        return min(moves, key=("client", "up", "down").index)


class ByteByByte(AllAtOnce):
    """The same in the smallest pieces."""

    def cut(self, data):
        return data[:1], data[1:]


class AtRandom:
    """Anybody at any time, in pieces of any size."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def choose(self, moves):
        return self._random.choice(moves)

    def cut(self, data):
        at = self._random.choice((1, 3, self._random.randint(1, len(data)), len(data)))
        return data[:at], data[at:]


def copying(*data, end=enc.COPY_DONE):
    return [enc.encode_copy_data(piece) for piece in data] + [end]


query = st.lists(st.sampled_from(TEXTS), max_size=3).map(lambda texts: [enc.encode_query("; ".join(texts))])
copy_in = st.builds(
    lambda before, after, end: [enc.encode_query("; ".join((*before, "copy in", *after))), *copying(b"1\n", end=end)],
    st.lists(st.just("rows 1"), max_size=1),
    st.lists(st.sampled_from(("rows 1", "fail")), max_size=1),
    st.sampled_from((enc.COPY_DONE, enc.encode_copy_fail("no"))),
)
# Under names of its own: run again without its data it would break the protocol.
copy_extended = st.builds(
    lambda end: [
        enc.encode_close("S", "copier"),
        enc.encode_close("P", "copier"),
        parse("copier", b"copy in"),
        bind("copier", "copier"),
        enc.encode_execute("copier"),
        *copying(b"1\n", b"2\n", end=end),
        enc.SYNC,
    ],
    st.sampled_from((enc.COPY_DONE, enc.encode_copy_fail("no"))),
)
one_extended = st.one_of(
    st.builds(parse, st.sampled_from(NAMES), st.sampled_from((*TEXTS, "nonsense", "copy out")).map(str.encode)),
    st.builds(bind, st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.builds(enc.encode_describe, st.sampled_from("SP"), st.sampled_from(NAMES)),
    st.builds(enc.encode_execute, st.sampled_from(NAMES)),
    st.builds(enc.encode_close, st.sampled_from("SP"), st.sampled_from(NAMES)),
    st.just(enc.FLUSH),
)
usual = st.builds(
    lambda text, describe: [
        parse("", text.encode()),
        bind(),
        *([enc.encode_describe("P")] if describe else []),
        enc.encode_execute(),
    ],
    st.sampled_from((*TEXTS, "copy out")),
    st.booleans(),
)
parts = st.lists(usual | one_extended.map(lambda frame: [frame]), max_size=4).map(
    lambda found: [frame for part in found for frame in part]
)
extended = parts.map(lambda frames: [*frames, enc.SYNC])
# `parts`, without a Sync: whatever comes next is part of the same batch, a simple Query too.
scripts = st.lists(st.one_of(query, extended, extended, parts, copy_in, copy_extended), max_size=6).map(
    lambda found: [frame for part in found for frame in part] + [enc.SYNC, enc.encode_query("rows 1")]
)


def check(script, turn):
    calm = Conversation(script, OneByOne()).run()
    other = Conversation(script, turn).run()
    # Who pipelines is asked about more: the server has not yet said that it will skip the rest.
    assert set(calm.decided) <= set(other.decided)
    assert other.server.ran == calm.server.ran
    assert other.shown == calm.shown
    assert not other.bench.line.expected, "somebody waits for ever"
    assert other.shown.endswith(enc.encode_ready_for_query(other.bench.line.state.status))
    _check_wire(other)


def _check_wire(one):
    """What needs a decision went to the server exactly where it was given, in that order."""
    reader = FrameReader(Side.CLIENT)
    reader.receive(one.wire)
    kinds = {
        Frontend.Query: Phase.QUERY,
        Frontend.Parse: Phase.PARSE,
        Frontend.Bind: Phase.BIND,
        Frontend.FunctionCall: Phase.FUNCTION_CALL,
    }
    sent = [kinds[kind] for kind, _, _ in reader if kind in kinds]
    assert sent == [phase for phase, _, allowed in one.decided if allowed]


@settings(max_examples=500, deadline=None)
@given(scripts, st.integers(0, 2**32))
def test_chunking_and_timing_never_change_what_is_run_and_shown(script, seed):
    check(script, AtRandom(seed))


@settings(max_examples=200, deadline=None)
@given(scripts)
@example(
    [parse("s", b"rows 1"), enc.SYNC, parse("", b"nonsense"), parse("s", b"set"), enc.SYNC, bind("", "s"), enc.SYNC]
)
@example(
    [
        parse("s", b"rows 1"),
        enc.SYNC,
        parse("", b"nonsense"),
        enc.encode_close("S", "s"),
        enc.SYNC,
        bind("", "s"),
        enc.SYNC,
    ]
)
def test_a_client_that_pipelines_everything_is_shown_what_a_patient_one_is(script):
    check(script, AllAtOnce())


@settings(max_examples=100, deadline=None)
@given(scripts)
def test_the_same_byte_by_byte(script):
    check(script, ByteByByte())


@settings(max_examples=200, deadline=None)
@given(scripts)
def test_what_is_denied_never_runs(script):
    done = Conversation(script, AllAtOnce()).run()
    assert not [text for text in done.server.ran if DENIED in text]
    assert enc.encode_execute(MARKER) not in done.shown


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(("rows 1", "rows 3")), max_size=8), st.integers(0, 2**32))
def test_where_nothing_is_refused_the_client_is_shown_what_the_server_says(texts, seed):
    """Byte for byte, but for the answers to descriptions that the gateway asked for."""
    script = [frame for text in texts for frame in (parse("", text.encode()), bind(), enc.encode_execute(), enc.SYNC)]
    through = Conversation(script, AtRandom(seed)).run()
    assert through.shown == ModelServer().feed(b"".join(script))
