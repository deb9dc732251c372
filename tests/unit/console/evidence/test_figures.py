import re
from pathlib import Path

import pytest

from doorward_console.evidence import verify as standalone
from doorward_console.evidence.figures import FIGURES, GROUPS, SAMPLED, TABLES, Counter


def _spec(root: Path, what: str) -> list[list[str]]:
    text = (root / "docs/spec/evidence.md").read_text(encoding="utf-8")
    part = text.partition(f"<!-- {what} -->")[2].partition(f"<!-- /{what} -->")[0]
    rows = [line for line in part.splitlines() if line.startswith("| `")]
    return [[re.sub("`", "", cell).strip() for cell in row.strip("|").split("|")] for row in rows]


def _lines(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line]


@pytest.fixture(scope="module")
def root() -> Path:
    return Path(__file__).parents[4]


def test_the_document_the_maker_and_the_verifier_count_the_same(root):
    assert len(_spec(root, "figures")) > 50
    assert _spec(root, "figures") == _lines(FIGURES) == _lines(standalone.FIGURES)
    assert _spec(root, "tables") == _lines(TABLES) == _lines(standalone.TABLES)


def _count(events: list[tuple[str, dict]]) -> Counter:
    counter = Counter()
    for index, (kind, head) in enumerate(events):
        counter.add(0, index, kind, head, leaf=bytes([255 - index % 256]) * 32, content="none")
    return counter


def test_conditions_are_what_the_document_says():
    opened = {"principal": "agent", "sponsor": "", "encrypted": False, "observe": None}
    counter = _count(
        [("session.opened", opened), ("session.opened", {"principal": 7, "encrypted": True, "observe": 1})]
    )
    counts = {name: figure.count for name, figure in counter.figures.items() if figure.count}
    assert counts == {
        "access.opened": 2, "access.agent": 1, "access.unsponsored": 1, "access.plain": 1, "access.observe": 1,
        "record.entries": 2,
    }  # fmt: skip


def test_sums_add_integers_alone():
    events = [
        ("operation.finished", {"rows": 3, "masked": {"email": 2, "odd": "x", "yes": True}}),
        ("operation.finished", {"rows": "9", "masked": {}}),
    ]
    counter = _count(events)
    assert (counter.figures["rows.shown"].count, counter.figures["masked.values"].count) == (3, 2)
    assert counter.tables["labels"].rows()[0] == (("email",), [2])


def test_an_operation_counts_as_ungranted_unless_its_grant_came_before():
    counter = Counter()
    head = {"verdict": "permit", "request": "r"}
    counter.add(0, 0, "operation.decided", head, leaf=bytes(32), content="none")
    counter.note(0, "approval.granted", {"request": "r"})
    counter.add(0, 1, "operation.decided", head, leaf=bytes(32), content="none")
    counter.add(1, 2, "operation.decided", head, leaf=bytes(32), content="none")
    assert counter.figures["approvals.ungranted"].entries == [(0, 0), (1, 2)]


def test_an_operation_that_a_broken_glass_let_through_is_told_from_one_that_was_granted():
    counter = Counter()
    counter.note(0, "break-glass.opened", {"request": "bg-1"})
    counter.add(0, 1, "operation.decided", {"verdict": "permit", "request": "bg-1"}, leaf=bytes(32), content="none")
    assert (counter.figures["glass.used"].count, counter.figures["approvals.ungranted"].count) == (1, 0)


def test_a_sample_is_chosen_by_hashes_alone():
    counter = _count([("session.closed", {})] * 400)
    smallest = sorted(range(400), key=lambda index: (255 - index % 256, index))[:SAMPLED]
    assert counter.figures["access.closed"].sample() == [(0, index) for index in smallest]


def test_groups_are_bounded_and_what_is_beyond_is_counted():
    counter = _count([("session.opened", {"resource": f"r{number}"}) for number in range(GROUPS + 5)])
    assert (len(counter.tables["resources"].groups), counter.tables["resources"].more) == (GROUPS, 5)
