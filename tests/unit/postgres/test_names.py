"""Names are provisional until the server has spoken: tables of names against a model of what the server holds."""

from hypothesis import given
from hypothesis import strategies as st

from doorward_postgres.names import NameTable, Prepared


def prepared(text):
    return Prepared(text)


def test_a_name_means_at_once_what_was_sent_and_is_trusted_in_its_own_batch_alone():
    table = NameTable()
    change = table.change("s", prepared("select 1"), batch=1)
    assert table.get("s").text == "select 1"
    assert table.trusted("s", 1)
    assert not table.trusted("s", 2)
    assert table.trusted("other", 2)
    table.settle(change)
    assert change.settled
    assert table.trusted("s", 2)


def test_a_name_that_is_being_closed_is_as_little_trusted():
    table = NameTable()
    table.settle(table.change("s", prepared("select 1"), batch=1))
    change = table.change("s", None, batch=2)
    assert table.get("s") is None
    assert not table.trusted("s", 3)
    table.undo(change)
    assert table.get("s").text == "select 1"
    assert table.trusted("s", 3)


def test_what_the_server_skipped_is_undone_newest_first():
    table = NameTable()
    table.settle(table.change("s", prepared("first"), batch=1))
    changes = [table.change("s", prepared(text), batch=2) for text in ("second", "third")]
    for change in reversed(changes):
        table.undo(change)
    assert table.get("s").text == "first"
    assert table.pending_names() == set()


def test_a_change_of_a_later_batch_survives_the_undoing_of_an_earlier_one():
    table = NameTable()
    earlier = table.change("s", prepared("skipped"), batch=1)
    later = table.change("s", prepared("sent again"), batch=2)
    table.undo(earlier)
    assert table.get("s").text == "sent again"
    table.settle(later)
    assert table.trusted("s", 3)


def test_a_later_change_undone_after_an_earlier_one_does_not_bring_that_one_back():
    """The server skipped both, in two batches: what it holds is what was there before either."""
    table = NameTable()
    table.settle(table.change("s", prepared("the server's"), batch=1))
    earlier = table.change("s", prepared("skipped in batch 2"), batch=2)
    later = table.change("s", prepared("skipped in batch 3"), batch=3)
    table.undo(earlier)
    table.undo(later)
    assert table.get("s").text == "the server's"


def test_forgetting_keeps_only_what_is_named():
    table = NameTable()
    for name in "abc":
        table.settle(table.change(name, prepared(name), batch=1))
    table.keep_only({"b", "unknown"})
    assert list(table) == ["b"]
    assert len(table) == 1


def test_what_is_forgotten_does_not_come_back_with_a_change_that_is_undone():
    """DEALLOCATE ALL has run; a Parse behind it is on its way, and is skipped."""
    table = NameTable()
    table.settle(table.change("s", prepared("deallocated"), batch=1))
    change = table.change("s", prepared("on its way"), batch=2)
    table.keep_only(table.pending_names())
    assert table.get("s").text == "on its way"
    table.undo(change)
    assert table.get("s") is None


def test_unsettled_tells_of_changes_before_this_batch_alone():
    table = NameTable()
    assert not table.unsettled(1)
    change = table.change("s", prepared("a"), batch=1)
    assert not table.unsettled(1)
    assert table.unsettled(2)
    table.settle(change)
    assert not table.unsettled(2)


def test_assigning_is_settled_at_once():
    table = NameTable()
    table.assign("s", prepared("by PREPARE"))
    assert table.trusted("s", 9)
    table.assign("s", None)
    table.assign("s", None)
    assert "s" not in list(table)


batches = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(["", "s", "t"]), st.booleans()), max_size=4),  # (name, whether it is closed)
        st.integers(0, 5),  # how many the server performs before one fails and it skips the rest of the batch
    ),
    max_size=6,
)


@given(batches, st.data())
def test_what_is_trusted_is_what_the_server_holds_however_answers_and_requests_interleave(plan, data):
    """Batches are sent ahead of the server's answers; at any moment a trusted name is one the server agrees on."""
    table, server = NameTable(), {}
    waiting = []  # batches sent and not yet answered

    def answer():
        changes, done = waiting.pop(0)
        for change in changes[:done]:
            server[change.name] = change.new
            table.settle(change)
        for change in reversed(changes[done:]):
            table.undo(change)

    for number, (steps, done) in enumerate(plan):
        changes = [
            table.change(name, None if gone else prepared(f"{number}.{place}"), number)
            for place, (name, gone) in enumerate(steps)
        ]
        waiting.append((changes, done))
        while waiting and data.draw(st.booleans()):
            answer()
            for name in ("", "s", "t"):
                if table.trusted(name, number + 1):
                    assert table.get(name) is server.get(name)
    while waiting:
        answer()
    assert {name: table.get(name) for name in table} == {name: thing for name, thing in server.items() if thing}
