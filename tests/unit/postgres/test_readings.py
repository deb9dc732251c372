"""What was read is remembered, within bounds, and given away without what was decided about it."""

from doorward_core.model import Action
from doorward_postgres.readings import ENTRY_BYTES, Reading, Readings


def reading():
    return Reading("SELECT", Action.READ, (), (), complete=True)


def test_it_is_bounded_in_bytes_and_what_was_used_longest_ago_goes_first():
    known = Readings(limit=3 * (ENTRY_BYTES + 10))
    made = [reading() for _ in range(4)]
    for number in range(3):
        known.keep((number,), "select 1", made[number])
    assert known.get((0,)) is made[0]
    known.keep((3,), "select 1", made[3])
    assert [known.get((number,)) is not None for number in range(4)] == [True, False, True, True]


def test_what_is_larger_than_all_of_it_is_not_kept_and_leaves_nothing_behind():
    known = Readings(limit=ENTRY_BYTES)
    known.keep((1,), "select 1", reading())
    assert known.get((1,)) is None
    known.keep((2,), "", reading())
    assert known.get((2,)) is not None


def test_what_is_kept_again_is_counted_once():
    known = Readings(limit=2 * ENTRY_BYTES)
    for _ in range(5):
        known.keep((1,), "", reading())
    known.keep((2,), "", reading())
    assert known.get((1,)) is not None
    assert known.get((2,)) is not None


def test_what_is_given_away_has_no_memory_of_its_own_past():
    mine = reading()
    mine.memo[b"policy"] = None
    mine.digests["key",] = None
    yours = mine.own()
    assert (yours.verb, yours.complete, yours.pure) == (mine.verb, mine.complete, mine.pure)
    assert (yours.memo, yours.digests) == ({}, {})
    assert mine.memo
