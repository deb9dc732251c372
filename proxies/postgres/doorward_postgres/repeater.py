"""One session's statements that come again: sent and answered without being read anew.

What it is: the short way through the machine. A chunk that equals one read before but for its parameters, at a time
when nothing that its reading and its decision rest on has changed, is put on record under the leave that the gate gave
(`doorward_core.again`) and passed on; so is an answer that equals the one before but for its rows.
What it will not do: anything in any other case. Then the chunk goes the long way; and if only the answer is another
one, what was sent is told to the machine after the fact, from the same bytes and under the same entry of the log.

Invariants:
- Both ways leave the same bytes, the same entries and the same state (tests/property/test_postgres_repeat.py).
- Only statements proved free of effects, outside of transactions, with nothing outstanding and nothing to mask.
"""

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from doorward_core.again import NOT_AGAIN, Standing
from doorward_core.errors import GatewayError
from doorward_core.event import Status
from doorward_core.model import Permit
from doorward_core.session_gate import SessionGate
from doorward_postgres.machine import Machine, Phase, Question
from doorward_postgres.machine_line import Expected, Kind, Line, Running
from doorward_postgres.machine_replies import Replies
from doorward_postgres.names import Prepared
from doorward_postgres.operations import MAX_TEXT_CHARS, Reader, shown_parameters
from doorward_postgres.plan import Plan
from doorward_postgres.readings import Reading
from doorward_postgres.repeat import Answer, Key, Shape, split
from doorward_postgres.state import IDLE, Snapshot

MAX_KNOWN: Final = 256  # statements of one session; past them all is learned anew
_ID_BYTES: Final = 16


@dataclass(slots=True)
class Known:
    """One statement as it was read, decided, sent and answered, and what all that rests on."""

    standing: Standing
    text: str
    prepared: Prepared | None
    formats: tuple[int, ...]
    oids: tuple[int, ...]
    reading: Reading
    plan: Plan
    catalog: object
    current: Snapshot
    keep_bytes: int
    tail_bytes: int  # of the Execute: the record counts it and the Bind
    answer: Answer


@dataclass(slots=True)
class _Run:
    """One that was sent and is not answered."""

    known: Known
    data: bytes
    id: bytes
    seq: int
    entry: int
    up: int
    started_ns: int


@dataclass(slots=True)
class _Learning:
    """One on its long way, from which the next may be spared it."""

    shape: Shape
    data: bytes
    question: Question | None = None
    reading: Reading | None = None
    plan: Plan | None = None
    standing: Standing | None = None
    sent: bool = False


class Repeater:
    """Asked first with each chunk; what it does not take goes the long way."""

    def __init__(self, line: Line, machine: Machine, replies: Replies, reader: Reader, door: SessionGate) -> None:
        self._line = line
        self._machine = machine
        self._replies = replies
        self._reader = reader
        self._door = door
        self._known: dict[Key, Known] = {}
        self._run: _Run | None = None
        self._learning: _Learning | None = None
        self._waits = Expected(Kind.SYNC, 0)  # stands on the line for all that one of ours waits for

    # --- the client's half -------------------------------------------------------------------------------------------

    def client(self, data: bytes, catalog: object, now_ns: int, *, calm: bool) -> bool:
        """Tell whether this chunk was put on record, and is to be passed on as it is.

        `catalog` is the snapshot of now, None where it is to be read again; `calm`: nothing waits to be released.
        """
        self._learning = None
        if self._run is not None:
            self.expand()  # it did not wait for its answer
            return False
        if not calm or not self._at_rest():
            return False
        shape = split(data)
        if shape is None:
            return False
        known = self._known.get(shape.key)
        if known is None:
            self._learning = _Learning(shape, data)
            return False
        if not self._stands(known, shape, catalog) or not self._begin(known, shape, data, now_ns):
            del self._known[shape.key]
            self._learning = _Learning(shape, data)
            return False
        return True

    def _at_rest(self) -> bool:
        line, state = self._line, self._line.state
        return not (
            line.expected
            or line.unsynced
            or line.discarding
            or state.status != IDLE
            or state.uncertain
            or state.temp_names
            or state.wrote
            or not self._machine.at_rest
            or not self._replies.at_rest
        )

    def _stands(self, known: Known, shape: Shape, catalog: object) -> bool:
        """Whether it would be read as it was."""
        if known.current is not self._line.state.current or known.catalog is not catalog or catalog is None:
            return False
        return known.prepared is None or self._line.prepared.get(_statement(shape)) is known.prepared

    def _begin(self, known: Known, shape: Shape, data: bytes, now_ns: int) -> bool:
        parameters, cut = shown_parameters(shape.values, known.formats, known.oids)
        if cut:
            return False
        id_, seq = os.urandom(_ID_BYTES), self._reader.seq + 1
        entry = known.standing.run(id_, seq, known.text, parameters)
        if entry == NOT_AGAIN:
            return False
        self._reader.seq = seq
        line = self._line
        line.entry = entry
        line.expected.append(self._waits)
        up = shape.bound_bytes + known.tail_bytes
        self._run = _Run(known, data, id_, seq, entry, up, now_ns)
        return True

    def expand(self) -> None:
        """Tell the machine what was sent, so that it reads what comes: the long way, after the fact.

        It asks what it asked then, is given a permit for what is on record, and must send what was sent.
        """
        run, self._run = self._run, None
        if run is None:
            return
        line, machine = self._line, self._machine
        line.expected.clear()
        kept, line.to_server = line.to_server, []
        machine.now_ns = run.started_ns
        machine.receive(run.data)
        question = machine.step()
        if not isinstance(question, Question):
            raise GatewayError("a statement that was sent again is not the one that it was")
        operation = self._reader.operation(question, run.known.reading, line.state, run.id, run.seq)
        permit = self._door.permit_again(run.known.standing, operation, run.entry)
        machine.permit(question, permit, run.known.plan, run.started_ns)
        machine.step()
        if b"".join(line.to_server) != run.data:
            raise GatewayError("a statement that was sent again is not the one that it was")
        line.to_server = kept

    # --- the server's half -------------------------------------------------------------------------------------------

    def server(self, data: bytes, now_ns: int) -> bool:
        """Tell whether this chunk answers what was sent again, as it was answered before: then it may be released."""
        run = self._run
        if run is None:
            return False
        known = run.known
        found = known.answer.rows(data)
        if found is None or (not found[0] and known.prepared is not None):  # then the machine notes no columns
            self.expand()
            return False
        count, start, end = found
        self._run = None
        line = self._line
        line.expected.clear()
        line.batch += 1
        line.to_client.append(data)
        rows = data[start:end]
        digest = sha256(rows).digest() if rows else b""
        shown = rows if len(rows) <= known.keep_bytes else rows[: known.keep_bytes]
        sizes = (run.up, end - start, now_ns - run.started_ns)
        known.standing.ended(run, count, sizes, (shown, digest, len(shown) < len(rows)))
        return True

    # --- learning ----------------------------------------------------------------------------------------------------

    def granted(self, question: Question, reading: Reading, plan: Plan, permit: Permit) -> None:
        """What is being learned was permitted, by a decision for this very reading."""
        learning = self._learning
        if learning is None or learning.question is not None or question.phase not in (Phase.BIND, Phase.QUERY):
            self._learning = None
            return
        operation = permit.operation
        plain = (
            reading.repeatable
            and len(reading.analyses) == 1
            and all(one.effect is None and one.copy is None and one.returns_rows for one in reading.analyses)
            and operation.pure
            and not operation.text_truncated
            and len(question.text) <= MAX_TEXT_CHARS
            and reading.memo.get(permit.decision.policy_digest) is permit.decision
        )
        standing = self._door.standing(permit) if plain else None
        if standing is None:
            self._learning = None
            return
        learning.question, learning.reading, learning.plan, learning.standing = question, reading, plan, standing

    def sending(self) -> None:
        """All of the chunk has been read: what lies on the line is sent now."""
        learning = self._learning
        if learning is not None:
            learning.sent = learning.standing is not None and b"".join(self._line.to_server) == learning.data
            if not learning.sent:
                self._learning = None

    def watch(self) -> Running | None:
        """What is being learned and waits for its answer."""
        learning = self._learning
        if learning is None or not learning.sent:
            return None
        return next((one.running for one in self._line.expected if one.running is not None), None)

    def learn(self, running: Running, data: bytes, catalog: object) -> None:
        """The machine has read this chunk: keep all, if it was the whole answer, and passed on as it was."""
        learning, self._learning = self._learning, None
        line = self._line
        if learning is None or learning.standing is None or learning.question is None or learning.reading is None:
            return
        if learning.plan is None or len(line.finished) != 1 or not self._answered() or catalog is None:
            return
        _, outcome = line.finished[0]
        if b"".join(line.to_client) != data or outcome.status is not Status.OK or outcome.masked or not outcome.rows:
            return
        if not running.fields and learning.plan.needs_fields:
            return
        masker = learning.plan.rows(0, running.fields or None)
        answer = Answer.learned(data, masker.width) if masker.clear else None
        if answer is None:
            return
        learning.standing.learn(outcome)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        bind, text = learning.question.bind, learning.question.text
        self._known[learning.shape.key] = Known(
            learning.standing,
            text,
            learning.question.prepared,
            bind.param_formats if bind is not None else (),
            learning.question.parameter_oids,
            learning.reading,
            learning.plan,
            catalog,
            line.state.current,
            running.keep_bytes,
            outcome.bytes_up - learning.shape.bound_bytes,
            answer,
        )

    def _answered(self) -> bool:
        line = self._line
        return not line.expected and not line.unsynced and line.state.status == IDLE and not line.state.wrote


def _statement(shape: Shape) -> str:
    """The name of the statement in a Bind: what stands behind the portal's, which is empty."""
    head = shape.key[0]
    return head[1 : head.index(0, 1)].decode("utf-8", "surrogateescape")
