"""The EXPLAIN of a held statement, to its bytes and back: what is sent, what is answered, and what is shown of that.

What it is: the messages of one question; the server's answer to it; and an allow-list over the plan in it: kinds of
nodes, names of relations, estimated rows and cost.
What it will not do: ask (`previews` does), or show anything else of a plan. Conditions, keys, outputs and aliases
repeat what was written, and may repeat values that the server worked out.

Source: PostgreSQL protocol, "Extended Query"; PostgreSQL documentation, EXPLAIN, whose keys are those of explain.c.

Invariants: nothing of an answer is shown but by the list below; what is read and what is shown are bounded, whatever
the server says.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from doorward_core.errors import UpstreamProtocolError
from doorward_postgres import wire_decode, wire_encode
from doorward_postgres.wire import Backend, FrameReader, Side
from doorward_postgres.wire_decode import Bind, Parse

EXPLAIN: Final = "EXPLAIN (FORMAT JSON) "
MAX_ANSWER_BYTES: Final = 256 * 1024
"""A plan of a hundred nodes is 100 KiB; a partitioned table of a thousand parts is not shown, and that is said."""
MAX_NODES: Final = 30
"""Lines of a plan on a card: what a person reads before they stop."""
MAX_DEPTH: Final = 30
MAX_STATEMENTS: Final = 4
"""Rules of the target make several statements of one."""
MAX_NAME_CHARS: Final = 63  # NAMEDATALEN - 1
MAX_NUMBER: Final = 1e15  # the planner's own rows go to 1e100, which tells nobody anything

_KIND: Final = re.compile(r"[A-Z][A-Za-z]{0,20}(?: [A-Z][A-Za-z]{0,20}){0,3}")
_WRITES: Final = frozenset({"Insert", "Update", "Delete", "Merge"})
_SQLSTATE: Final = re.compile(r"[0-9A-Z]{5}")

_PASSED_OVER: Final = frozenset(
    {
        Backend.ParseComplete,
        Backend.BindComplete,
        Backend.CommandComplete,
        Backend.NoticeResponse,
        Backend.NotificationResponse,
        Backend.ParameterStatus,
    }
)

Shown: TypeAlias = Callable[[str], str]


class UnreadablePlan(Exception):
    """The answer is no plan."""


def question(text: str, oids: tuple[int, ...], bind: Bind | None) -> bytes:
    """The messages that ask for it, with the parameters as they were bound: one statement, or the server refuses it."""
    formats, values = (bind.param_formats, bind.params) if bind is not None else ((), ())
    return b"".join(
        (
            wire_encode.encode_parse(Parse("", text.encode("utf-8", "surrogateescape"), oids)),
            wire_encode.encode_bind(Bind("", "", formats, values, ())),
            wire_encode.encode_execute(),
            wire_encode.SYNC,
        )
    )


class Answer:
    """Reads the answer: `plan` is the one value of the one row, None where the server said `sqlstate` instead."""

    def __init__(self) -> None:
        self.plan: bytes | None = None
        self.sqlstate = ""
        self._left = 2 * MAX_ANSWER_BYTES  # what else comes along, notices above all
        self._reader = FrameReader(Side.UPSTREAM, max_message_bytes=MAX_ANSWER_BYTES)

    def ended(self, data: bytes) -> bool:
        """Take a chunk; tell whether that was all. Raises UpstreamProtocolError."""
        self._left -= len(data)
        if not data or self._left < 0:
            raise UpstreamProtocolError("the target's answer to EXPLAIN ended early, or does not end")
        self._reader.receive(data)
        for kind, start, end in self._reader:
            if kind == Backend.ReadyForQuery:
                return True
            self._take(kind, self._reader.body(start, end))
        self._reader.consume(self._reader.position)
        return False

    def _take(self, kind: int, body: bytes) -> None:
        if kind == Backend.DataRow:
            cells = wire_decode.decode_data_row(body)
            if len(cells) != 1 or cells[0] is None or self.plan is not None:
                raise UpstreamProtocolError("the target's answer to EXPLAIN is not one value")
            self.plan = cells[0]
        elif kind == Backend.ErrorResponse:
            self.plan, self.sqlstate = None, wire_decode.decode_error_fields(body).get("C", "")
        elif kind not in _PASSED_OVER:
            raise UpstreamProtocolError("the target answers EXPLAIN with something else")


def plan_lines(answer: bytes, show: Shown) -> tuple[str, ...]:
    """The plan, a line for each node. `show` gives a name as it may be shown. Raises UnreadablePlan."""
    if len(answer) > MAX_ANSWER_BYTES:
        raise UnreadablePlan
    try:
        statements = json.loads(answer)
    except (ValueError, RecursionError):
        raise UnreadablePlan from None
    if not isinstance(statements, list) or not statements:
        raise UnreadablePlan
    lines: list[str] = []
    for one in statements[:MAX_STATEMENTS]:
        for depth, node in _nodes(one.get("Plan") if isinstance(one, dict) else one, 0):
            if len(lines) == MAX_NODES:
                return (*lines, "and more")
            lines.append(f"{'  ' * depth}{_line(node, show)}")
    return (*lines, "and more") if len(statements) > MAX_STATEMENTS else tuple(lines)


def refused(sqlstate: str) -> str:
    """Why there is none, where the server said that it cannot."""
    named = f": {sqlstate}" if _SQLSTATE.fullmatch(sqlstate) else ""
    return f"none, for the server does not plan it{named}"


def _nodes(node: object, depth: int) -> Iterator[tuple[int, Mapping[str, object]]]:
    """A node and those below it, in the server's own order."""
    if not isinstance(node, dict) or depth > MAX_DEPTH:
        raise UnreadablePlan
    yield depth, node
    below = node.get("Plans", [])
    if not isinstance(below, list):
        raise UnreadablePlan
    for one in below:
        yield from _nodes(one, depth + 1)


def _line(node: Mapping[str, object], show: Shown) -> str:
    kind, operation, rows = node.get("Node Type"), node.get("Operation"), node.get("Plan Rows")
    if not isinstance(kind, str) or _KIND.fullmatch(kind) is None:
        raise UnreadablePlan
    writes = kind == "ModifyTable" and operation in _WRITES
    said = str(operation) if writes else kind
    name = node.get("Relation Name")
    if isinstance(name, str):
        said += f" on {_name(name, show)}"
    if writes:
        rows = _fed(node)  # its own number is of the rows that it returns
    return f"{said}: {_rows(rows)}, cost {_number(node.get('Total Cost')) or 'unknown'}"


def _fed(node: Mapping[str, object]) -> object:
    """The rows that a write is given: those of the node below it that is not an initial or a sub-plan."""
    below = node.get("Plans")
    for one in below if isinstance(below, list) else ():
        if isinstance(one, dict) and one.get("Parent Relationship") == "Outer":
            return one.get("Plan Rows")
    return None


def _name(name: str, show: Shown) -> str:
    plain = "".join(character if character.isprintable() else "?" for character in name[:MAX_NAME_CHARS])
    return show(plain)


def _rows(value: object) -> str:
    number = _number(value)
    if not number:
        return "nobody knows how many rows"
    return f"about {number} row{'' if number == '1' else 's'}"


def _number(value: object) -> str:
    """A number of the planner's as a person reads it; "" for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:  # which NaN is not
        return ""
    return f"{value:,.0f}" if value <= MAX_NUMBER else "very many"
