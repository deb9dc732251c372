import pytest

from doorward_console.init_masks import left_clear, pattern
from doorward_console.init_proposals import Proposal

NASTY = 'a\x1b[2J\nb: [c] "d" # e *?[f] \u202eg'


@pytest.mark.parametrize("name", ["public.t.c", "a*b?c[d", "!odd", "x\ny", NASTY])
def test_a_pattern_always_matches_its_own_name(name):
    made = pattern(name)
    assert len(made) == len(name)
    assert all(one in (other, "?") for one, other in zip(made, name, strict=True))
    assert not made.startswith("!")


def test_what_was_left_in_clear_is_a_comment_whatever_its_name():
    text = left_clear((Proposal(NASTY, "email", "partial", NASTY),))
    assert all(line.startswith("#") for line in text.strip().splitlines())
    assert left_clear(()) == ""
