"""What the threat model says is closed has a test of its name, and no test names a row that is not there."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROW = re.compile(
    r"^\| (?P<id>(?:PG|SSH|H|K|ID|AP|L)-\d{2}|LIM) \| (?P<attack>[^|]+) \| (?P<state>[a-z]+) \| (?P<note>[^|]*)\|$"
)
NAMED = re.compile(r"^test_(?P<room>pg|ssh|h|k|id|ap|l)_(?P<number>\d{2})_|^test_(?P<limit>lim)_")
STATES = {"closed", "part", "open", "later"}
COUNTS = {"PG": 43, "SSH": 16, "H": 13, "K": 12, "ID": 8, "AP": 7, "L": 10, "LIM": 1}


@dataclass(frozen=True)
class Row:
    id: str
    state: str
    note: str


@pytest.fixture(scope="module")
def rows(root: Path) -> tuple[Row, ...]:
    text = (root / "docs/threat-model.md").read_text(encoding="utf-8")
    matches = (ROW.match(line) for line in text.splitlines())
    return tuple(Row(match["id"], match["state"], match["note"].strip()) for match in matches if match)


@pytest.fixture(scope="module")
def tested(root: Path) -> set[str]:
    """The ids that some test carries in its name."""
    found = set()
    for path in (root / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match = NAMED.match(node.name) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
            if match:
                found.add("LIM" if match["limit"] else f"{match['room'].upper()}-{match['number']}")
    return found


def test_every_row_is_there_once(rows: tuple[Row, ...]) -> None:
    ids = [row.id for row in rows]
    assert sorted(set(ids)) == sorted(ids)
    counted = {room: sum(row.partition("-")[0] == room for row in ids) for room in COUNTS}
    assert all(counted[room] >= COUNTS[room] for room in COUNTS), "rows are added, never removed"


def test_every_row_has_a_state_and_a_partial_one_says_what_is_open(rows: tuple[Row, ...]) -> None:
    assert [row.id for row in rows if row.state not in STATES] == []
    assert [row.id for row in rows if row.state == "part" and not row.note] == []


def _named_file(row: Row, root: Path) -> bool:
    """Whether the note names the tests that hold the row, where those are not one for each row."""
    found = re.search(r"`(tests/[\w./]+)`", row.note)
    return found is not None and (root / found[1]).exists()


def test_what_is_closed_has_a_test_of_its_name(rows: tuple[Row, ...], tested: set[str], root: Path) -> None:
    held = [row for row in rows if row.state in {"closed", "part"}]
    assert [row.id for row in held if row.id not in tested and not _named_file(row, root)] == []


def test_what_has_a_test_is_not_called_open(rows: tuple[Row, ...], tested: set[str]) -> None:
    assert [row.id for row in rows if row.state in {"open", "later"} and row.id in tested] == []


def test_every_evasion_test_names_a_row(rows: tuple[Row, ...], tested: set[str]) -> None:
    assert tested - {row.id for row in rows} == set()
