"""What strangers bring about is said now and then, and what was left out is counted."""

from doorward_core.seldom import EVERY_NS, Seldom

NOW = 1_700_000_000 * EVERY_NS


def test_the_first_is_said_and_those_right_after_it_are_counted():
    seldom = Seldom()
    assert seldom.left_out(NOW) == 0
    assert [seldom.left_out(NOW + late) for late in (0, 1, EVERY_NS - 1)] == [None] * 3
    assert seldom.left_out(NOW + EVERY_NS) == 3
    assert seldom.left_out(NOW + 2 * EVERY_NS) == 0


def test_a_clock_that_is_set_back_silences_nothing_for_long():
    seldom = Seldom()
    assert seldom.left_out(NOW) == 0
    assert seldom.left_out(NOW - 3600 * EVERY_NS) == 0
