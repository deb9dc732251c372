"""What waits at several gateways: rows, newest first, and what changed between two answers."""

import pytest

from doorward_console.watch_board import Board

S = 10**9


def _item(name, opened=1, **changes):
    return {
        "id": name,
        "opened_unix_ns": opened * S,
        "expires_unix_ns": 600 * S,
        "subject": "crew-7",
        "sponsor": "sam",
        "resource": "app-db",
        "account": "app",
        "text": "UPDATE\n  customer",
        "flags": [],
        "reason": "Writes need a DBA.",
        "missing": {"writes": 2},
        **changes,
    }


def test_rows_are_newest_first_whichever_gateway_they_are_of():
    board = Board()
    board.update("a", {"approvals": [_item("ap-1", 1), _item("ap-3", 3)]})
    board.update("b", {"approvals": [_item("ap-2", 2)]})
    assert [row.id for row in board.rows()] == ["ap-3", "ap-2", "ap-1"]


def test_a_row_says_who_where_what_why_and_how_long():
    board = Board()
    board.update("a", {"approvals": [_item("ap-1")]})
    (row,) = board.rows()
    assert row.cells(500 * S) == (
        "ap-1", "1 min 40 s", "crew-7, for sam", "app-db as app", "UPDATE customer", "Writes need a DBA. (2 more needed)",
    )  # fmt: skip
    assert row.cells(700 * S)[1] == "over"


def test_ap_04_nothing_that_others_wrote_is_obeyed_by_a_terminal():
    hostile = "\x1b]0;x\x07\u202eab\ncd" + "y" * 10_000
    board = Board()
    names = ("id", "subject", "sponsor", "resource", "account", "text", "reason")
    board.update("a", {"approvals": [_item("ap-1", **dict.fromkeys(names, hostile), flags=["bidi", "\x1b"])]})
    cells = board.rows()[0].cells(0)
    assert all("\x1b" not in cell and "\u202e" not in cell and "\n" not in cell for cell in cells)
    assert cells[4].startswith("[CAREFUL: bidi")
    assert len(cells[4]) < 400


def test_what_changed_is_told_once():
    board = Board()
    assert [one["event"] for one in board.update("a", {"approvals": [_item("ap-1"), _item("ap-2")]})] == ["opened"] * 2
    assert board.update("a", {"approvals": [_item("ap-1"), _item("ap-2")]}) == []
    after = board.update("a", {"approvals": [_item("ap-1", missing={"writes": 1})]})
    assert [(one["event"], one.get("id")) for one in after] == [("changed", None), ("closed", "ap-2")]


def test_one_gateways_answer_leaves_the_others_alone():
    board = Board()
    board.update("a", {"approvals": [_item("ap-1")]})
    board.fail("b", "it cannot be reached")
    board.update("b", {"approvals": [_item("ap-1")]})
    assert (len(board.rows()), board.problems) == (2, {})
    board.update("b", {"approvals": []})
    assert [row.gateway for row in board.rows()] == ["a"]


@pytest.mark.parametrize("document", [{}, {"approvals": 1}, {"approvals": ["x"]}, {"approvals": [{"id": 1}]}])
def test_what_is_no_list_changes_nothing(document):
    board = Board()
    board.update("a", {"approvals": [_item("ap-1")]})
    with pytest.raises(ValueError, match="not a list of requests"):
        board.update("a", document)
    assert len(board.rows()) == 1
