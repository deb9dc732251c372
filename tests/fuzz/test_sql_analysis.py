"""Mutilated SQL gives an analysis or UnreadableSQL, and nothing else; what is analysed always has atoms."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sql_stand import VECTORS, context

from doorward_core.sql.analyze import analyze
from doorward_core.sql.parse import UnreadableSQL, normalize_key, parse

SEEDS = sorted({text for texts in json.loads((VECTORS / "sql_clients.json").read_text()).values() for text in texts})
WORDS = [
    "select",
    "from",
    "where",
    "group",
    "by",
    "having",
    "order",
    "limit",
    "offset",
    "fetch",
    "union",
    "all",
    "intersect",
    "except",
    "distinct",
    "on",
    "as",
    "with",
    "recursive",
    "lateral",
    "join",
    "left",
    "using",
    "natural",
    "values",
    "table",
    "insert",
    "into",
    "update",
    "set",
    "delete",
    "merge",
    "when",
    "matched",
    "then",
    "returning",
    "copy",
    "to",
    "stdout",
    "stdin",
    "explain",
    "analyze",
    "prepare",
    "execute",
    "declare",
    "cursor",
    "for",
    "begin",
    "commit",
    "rollback",
    "savepoint",
    "create",
    "drop",
    "alter",
    "view",
    "function",
    "trigger",
    "policy",
    "rule",
    "grant",
    "null",
    "true",
    "case",
    "end",
    "cast",
    "array",
    "row",
    "exists",
    "in",
    "like",
    "between",
    "is",
    "not",
    "and",
    "or",
    "over",
    "partition",
    "filter",
    "within",
    "ordinality",
    "tablesample",
    "customer",
    "orders",
    "email",
    "id",
    "name",
    "c",
    "*",
    ",",
    ".",
    ";",
    "(",
    ")",
    "[",
    "]",
    "::",
    "||",
    "=",
    "<",
    ">",
    "+",
    "-",
    "/",
    "$1",
    "'x'",
    "1",
    "1.5",
    '"q"',
    "E'\\n'",
    "$$b$$",
    "current_date",
    "json_table",
    "xmltable",
]


def _holds(text: str) -> None:
    try:
        message = parse(text)
    except UnreadableSQL:
        return
    found = analyze(message, context(18))
    assert len(found) == len(message.statements)
    for item in found:
        assert item.atoms
        assert item.complete or item.problem
        assert item.complete or not item.pure
        assert item.complete or not any(column.clear for column in item.outputs or ())
    normalize_key(text)


@settings(max_examples=400)
@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
def test_words_in_any_order(text: str) -> None:
    _holds(text)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_real_queries_with_words_lost_doubled_and_swapped(seed: str, data: st.DataObject) -> None:
    words = seed.split(" ")[:200]
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(words) - 1))
        words[place] = data.draw(st.sampled_from(["", words[place] + " " + words[place], *WORDS]))
    _holds(" ".join(words))


@settings(max_examples=200)
@given(st.text(max_size=80))
def test_any_characters(text: str) -> None:
    _holds(text)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0, 2000))
def test_real_queries_cut_anywhere(seed: str, place: int) -> None:
    _holds(seed[:place])
