"""The short way and the long way: a session that remembers its statements leaves what one that never does leaves.

The same bytes to both sides, the same entries in the log but for their random ids, the same state; over scripts in
which everything happens between two runs of one statement that could change what it means or whether it may run.
"""

import copy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from model_server import ModelServer
from sql_stand import catalog

from doorward_core.gate import Gate
from doorward_core.mask.select import column_masks
from doorward_core.model import (
    Approve,
    AuthMethod,
    Identity,
    Mask,
    Peer,
    Permit,
    PrincipalKind,
    Record,
    RecordLevel,
    Resource,
    Session,
)
from doorward_core.policy.load import parse_policy
from doorward_core.record.memory import MemoryLog
from doorward_core.session_gate import SessionGate
from doorward_postgres import wire_encode as enc
from doorward_postgres.machine import Machine, Phase, Question, Wait
from doorward_postgres.machine_line import Line
from doorward_postgres.machine_replies import Replies
from doorward_postgres.operations import Reader, View
from doorward_postgres.repeater import Repeater
from doorward_postgres.results import MaskDuty, MessagePlan, SessionMessages
from doorward_postgres.state import SessionState
from doorward_postgres.wire_decode import Bind, Field, Parse, decode_bind, decode_describe

RULES = """
version: 1
include: [safe-catalog]
rules:
  - {{id: reads, effect: {reads}, who: {{groups: [crew]}}, resource: db, do: [read], tables: ["public.*"]}}
  - {{id: defines, effect: allow, who: {{groups: [crew]}}, resource: db, do: [define]}}
  - {{id: writes, effect: allow, who: {{groups: [crew]}}, resource: db, do: [write], tables: ["public.*"]}}
masks:
  - {{id: hidden, resource: db, columns: ["public.customer.{hidden}"], with: partial}}
"""
POLICIES = {
    "first": parse_policy(RULES.format(reads="allow", hidden="email"), "first"),
    "hides names": parse_policy(RULES.format(reads="allow", hidden="name"), "second"),
    "blocks": parse_policy(RULES.format(reads="block", hidden="email"), "third"),
}
CUSTOMER = catalog().relation("public", "customer")
NUMBERS = {column.name: column.attnum for column in CUSTOMER.columns}
TEXTS = (
    "select name from customer where id = $1",
    "select email from customer where id = $1",
    "select count(*) from customer",
    "update customer set name = 'x' where id = 1",
)
QUERIES = (
    "select name from customer where id = 2",
    "select name from customer where id = 3",
    "select email from customer",
    "begin",
    "commit",
    "rollback",
    "set search_path to attic, public",
    "create temp table customer (name text)",
    "create table other (name text)",
    "select 1; select 2",
    "nonsense",
    "select name from customer where id = 0",
)


def described_as(text):
    """The description of these texts: one column."""
    name = text.split(" ")[1]
    number = NUMBERS.get(name, 0)
    return enc.encode_row_description((Field(name, CUSTOMER.oid if number else 0, number, 25, -1, -1, 0),))


class Sql(ModelServer):
    """The model, for texts that are SQL: a parameter says how many rows there are, and what else happens."""

    def _bind(self, body):
        super()._bind(body)
        message = decode_bind(body)
        self._portals[message.portal] += "\0" + "".join((value or b"").decode() for value in message.params)

    def _describe(self, body):
        before = self._out
        super()._describe(body)
        kind, name = decode_describe(body)
        text = (self._prepared if kind == "S" else self._portals)[name]
        if "select" in text:
            self._out = before + (enc.encode_parameter_description(()) if kind == "S" else b"") + described_as(text)

    def _run(self, text, *, described):
        text, _, value = text.partition("\0")
        if text.startswith(("update", "create")):
            self.ran.append(text)
            self._out += enc.encode_command_complete("UPDATE 1" if text.startswith("update") else "CREATE TABLE")
            return False
        if "select" not in text:
            return super()._run(text.split(" ")[0] if text != "nonsense" else text, described=described)
        self.ran.append(text)
        value = value or text[-1]
        if value == "boom":
            return super()._run("fail", described=described)
        if value == "note":
            self._out += enc.encode_notice_response("NOTICE", "00000", "look here")
        count = int(value) if value.isdigit() else 1
        self._out += described_as(text) if described else b""
        self._out += enc.encode_data_row([b"some@value.test"]) * count + enc.encode_command_complete(f"SELECT {count}")
        return False


def done(coroutine):
    """Nothing here has to wait: the log is in memory."""
    with pytest.raises(StopIteration) as stopped:
        coroutine.send(None)
    return stopped.value.value


class Ends:
    """One session without sockets: the gate, both halves of the machine, and the short way where `short`."""

    def __init__(self, *, short, level=RecordLevel.SHAPE):
        self.log = MemoryLog()
        self.gate = Gate(
            origin="gw", policy=POLICIES["first"], resources={}, authenticator=None, log=self.log, desk=None,
            binding_key=b"k" * 32, discharges=frozenset({Mask, Approve, Record}), level=level, clock=lambda: 7,
        )  # fmt: skip
        identity = Identity(
            "crew-1",
            "https://issuer.test",
            PrincipalKind.AGENT,
            frozenset({"crew"}),
            next(iter(AuthMethod)),
            "t",
            0,
            2**62,
        )
        session = Session(
            b"s" * 16, identity, Resource("db", "postgres"), "app", Peer("peer", 1), "gw", 1, self.gate.policy.digest
        )
        self.door = SessionGate(self.gate, session, read_only=False)
        self.line = Line(SessionState("public", "app"), "marker")
        self.duty = MaskDuty(b"k" * 32, hides_columns=True, detectors=None)
        self.machine = Machine(self.line)
        self.replies = Replies(self.line, SessionMessages(self.duty))
        self.reader = Reader("app", "db")
        self.repeater = Repeater(self.line, self.machine, self.replies, self.reader, self.door)
        self.short = short
        self.repeated = 0
        self.versions = 0
        self.catalog = catalog()
        self.renew()
        self.to_server = self.to_client = b""

    def renew(self):
        """The view as `session` has it: of the catalogue and the policy in force."""
        self.versions += 1
        rows = ((CUSTOMER.oid, "public.customer", tuple((number, name) for name, number in NUMBERS.items())),)
        self.view = View(self.catalog, column_masks(self.door.masks, rows), self.versions)
        self.line.version = self.versions

    def client(self, data):
        if self.short and self.repeater.client(data, self.view.catalog, 0, calm=not self.line.to_client):
            self.repeated += 1
            self.to_server += data
            return
        self.machine.receive(data)
        self._steps()

    def _steps(self):
        step = self.machine.step()
        while isinstance(step, Question):
            self._judge(step)
            step = self.machine.step()
        if step is not Wait.SERVER and self.short:
            self.repeater.sending()
        self.to_server += b"".join(self.line.to_server)
        self.line.to_server = []
        self._release()

    def _judge(self, question):
        reading = self.reader.read(question, self.line.state, self.line.prepared, self.view)
        operation = self.reader.operation(question, reading, self.line.state, len(self.log.events).to_bytes(16, "big"))
        plan = MessagePlan(reading.analyses, self.view, self.duty)
        decide = (
            self.door.prepare(operation, reading.memo)
            if question.phase is Phase.PARSE
            else (self.door.decide(operation, None, reading.memo))
        )
        verdict = done(self.door.refuse(operation, "no") if plan.objection() else decide)
        if isinstance(verdict, Permit):
            if self.short:
                self.repeater.granted(question, reading, plan, verdict)
            self.machine.permit(question, verdict, plan, 0)
        elif question.phase in (Phase.PARSE, Phase.BIND):
            self.machine.refuse(enc.encode_error_response("ERROR", "42501", verdict.advice))
        else:
            self.machine.refuse_query(enc.encode_error_response("ERROR", "42501", verdict.advice))

    def server(self, data):
        if not (self.short and self.repeater.server(data, 0)):
            learning = self.repeater.watch() if self.short else None
            self.replies.receive(data, 0)
            if learning is not None:
                self.repeater.learn(learning, data, self.view.catalog)
        for permit, outcome in self.line.finished:
            self.door.finish(permit, outcome)
        self.line.finished.clear()
        self._release()
        if self.machine.settled:
            self._steps()

    def _release(self):
        self.to_client += b"".join(self.line.to_client)
        self.line.to_client = []

    def left(self):
        """Everything that can be told apart from outside, and what later messages hang on."""
        if self.short:
            self.repeater.expand()
        numbers = {}
        events = [
            (event.kind, dict(event.header), dict(event.payload), numbers.setdefault(event.operation_id, len(numbers)))
            for event in self.log.events
        ]
        line = self.line
        return (
            events, line.state, sorted(line.prepared.entries), sorted(line.portals.entries), line.unsynced,
            line.discarding, line.touched_masked, len(line.expected), self.reader.seq, self.gate.totals,
        )  # fmt: skip


def bound(name="s", *values, describe=True, formats=(), results=()):
    middle = enc.encode_describe("P") if describe else b""
    return enc.encode_bind(Bind("", name, formats, values, results)) + middle + enc.encode_execute() + enc.SYNC


def prepared(text=TEXTS[0], name="s"):
    return enc.encode_close("S", name) + enc.encode_parse(Parse(name, text.encode(), ())) + enc.SYNC


VALUES = (b"0", b"1", b"2", b"boom", b"note", None)
chunks = st.one_of(
    st.builds(lambda value, how: bound("s", value, describe=how), st.sampled_from(VALUES), st.booleans()),
    st.builds(lambda value: bound("s", value), st.sampled_from(VALUES)),
    st.builds(prepared, st.sampled_from(TEXTS)),
    st.builds(enc.encode_query, st.sampled_from(QUERIES)),
    st.builds(
        lambda one, two: bound("s", one)[:-5] + bound("s", two), st.sampled_from(VALUES), st.sampled_from(VALUES)
    ),
    st.builds(lambda value: bound("s", value, results=(1,)), st.sampled_from(VALUES)),
    st.just(enc.encode_execute() + enc.SYNC),
    st.builds(lambda value: bound("s", value)[:-5] + enc.FLUSH, st.sampled_from(VALUES)),
    st.just(enc.SYNC),
)
changes = st.sampled_from(("hides names", "blocks", "first", "catalogue"))
cuts = st.sampled_from((0, 0, 0, 1, 7, 40))
steps = st.lists(st.tuples(st.one_of(chunks, chunks, chunks, changes), cuts, st.booleans()), min_size=3, max_size=14)


def run(script, *, short):
    ends, server = Ends(short=short), Sql()
    waiting = b""
    for what, cut, pipelined in [(prepared(), 0, False), *script]:
        if isinstance(what, str):
            ends.gate.policy = POLICIES.get(what, ends.gate.policy)
            ends.catalog = copy.copy(ends.catalog) if what == "catalogue" else ends.catalog
            ends.renew()
            continue
        pieces = what if isinstance(what, tuple) else (what[:cut], what[cut:]) if cut else (what,)
        for piece in pieces:
            ends.client(piece)
        waiting += server.feed(ends.to_server)
        ends.to_server = b""
        if pipelined:
            continue
        while waiting:
            now, waiting = (waiting[:cut], waiting[cut:]) if cut else (waiting, b"")
            ends.server(now)
            waiting += server.feed(ends.to_server)
            ends.to_server = b""
    while waiting:
        ends.server(waiting)
        waiting = server.feed(ends.to_server)
        ends.to_server = b""
    return ends, server


ONE = bound("s", b"1")
UNSYNCED = ONE[:-5] + enc.FLUSH
FAILING = bound("s", b"boom")[:-5] + enc.FLUSH
WITHIN = bound("s", ONE)  # the whole message is the value of a parameter of another
PIECES = (*WITHIN.partition(ONE),)


@settings(max_examples=150, deadline=None)
@example([(ONE, 0, False), (ONE, 0, False), (bound("s", b"boom"), 0, False), (ONE, 0, False)])
@example([(ONE, 0, False), (bound("s", b"0"), 0, False), (ONE, 0, False)])
@example([(ONE, 0, False), (prepared(TEXTS[1]), 0, False), (ONE, 0, False), (ONE, 0, False)])
@example([(ONE, 0, False), ("hides names", 0, False), (ONE, 0, False), (ONE, 0, False)])
@example([(ONE, 0, False), (ONE, 0, True), (ONE, 0, False)])
@example([(ONE, 0, False), (enc.encode_query(QUERIES[6]), 0, False), (ONE, 0, False)])
@example([(ONE, 0, False), (ONE, 0, True), (ONE, 0, True), (ONE, 0, True), (ONE, 0, False)])
@example([(ONE, 0, False), (UNSYNCED, 0, False), (ONE, 0, False), (ONE, 0, False)])
@example([(ONE, 0, False), (FAILING, 0, False), (ONE, 0, False), (ONE, 0, False)])
@example([(ONE, 0, False), (PIECES, 0, False), (ONE, 0, False)])
@example([(ONE, 0, False), (bound("s", b"x" * 20_000), 0, False), (ONE, 0, False)])
@example([(ONE, 0, False), (enc.encode_query("create table other (name text)"), 0, False), (ONE, 0, False)])
@example([(ONE, 0, False), (bound("s", b"1", results=(1,)), 0, False), (ONE, 0, False)])
@given(steps)
def test_the_short_way_leaves_what_the_long_way_leaves(script):
    long, wire = run(script, short=False)
    short, wire_short = run(script, short=True)
    assert short.to_client == long.to_client
    assert wire_short.ran == wire.ran
    assert short.left() == long.left()


def test_what_comes_again_takes_the_short_way_and_nothing_else_does():
    again = [(bound("s", value), 0, False) for value in (b"1", b"2", b"1")]
    assert run(again, short=True)[0].repeated == 2
    query = [(enc.encode_query(QUERIES[0]), 0, False)] * 3
    assert run(query, short=True)[0].repeated == 2
    for between in (
        "hides names", "blocks", "catalogue", prepared(TEXTS[2]), prepared(), enc.encode_query("begin"),
        enc.encode_query(QUERIES[6]), enc.encode_query(QUERIES[7]),
    ):  # fmt: skip
        one = (bound("s", b"1"), 0, False)
        assert run([one, (between, 0, False), one], short=True)[0].repeated == 0, between
    masked = [(prepared(TEXTS[1]), 0, False)] + [(bound("s", b"1"), 0, False)] * 3
    assert run(masked, short=True)[0].repeated == 0


def test_a_credential_that_has_run_out_is_asked_about_again():
    ends, server = run([(ONE, 0, False)] * 2, short=True)
    assert ends.repeated == 1
    ends.gate.clock = lambda: 2**63
    ends.client(ONE)
    assert ends.repeated == 1
    assert b"expired" in ends.to_client
    assert server.feed(ends.to_server) == b""
