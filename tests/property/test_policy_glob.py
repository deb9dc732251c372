"""Patterns against the plainest possible reading of them."""

from hypothesis import given
from hypothesis import strategies as st

from doorward_core.policy.glob import compile_names

patterns = st.text("ab.*?", min_size=1, max_size=8)
names = st.text("ab.", max_size=10)


def plainly(pattern, name):
    if not pattern:
        return not name
    if pattern[0] == "*":
        return plainly(pattern[1:], name) or (bool(name) and plainly(pattern, name[1:]))
    return bool(name) and pattern[0] in {"?", name[0]} and plainly(pattern[1:], name[1:])


@given(patterns, names)
def test_one_pattern_matches_as_its_plain_reading_does(pattern, name):
    assert compile_names([pattern]).match(name) is plainly(pattern, name)


@given(st.lists(patterns, min_size=1, max_size=3), st.lists(patterns, max_size=2), names)
def test_exceptions_take_away_and_nothing_else_does(positive, negative, name):
    expected = any(plainly(item, name) for item in positive) and not any(plainly(item, name) for item in negative)
    assert compile_names([*positive, *(f"!{item}" for item in negative)]).match(name) is expected


@given(patterns, st.text("ab.", min_size=1, max_size=5), st.text("ab", min_size=1, max_size=4))
def test_a_pattern_that_matches_a_column_reaches_below_its_table(pattern, table, column):
    compiled = compile_names([pattern])
    if compiled.match(f"{table}.{column}"):
        assert compiled.below(table)
