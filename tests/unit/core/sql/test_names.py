"""Search paths read back as they were written, and as the server would read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorward_core.sql.names import expand_path, join_path, quote_identifier, split_path


@given(st.lists(st.text(min_size=1).filter(lambda text: "\x00" not in text), max_size=5))
def test_what_is_joined_splits_back(parts: list[str]) -> None:
    assert split_path(join_path(parts)) == tuple(parts)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        ("  ", ()),
        ("a", ("a",)),
        ("A, B", ("a", "b")),
        ('"A", b', ("A", "b")),
        ('"a""b"', ('a"b',)),
        ('"$user", public', ("$user", "public")),
        (" a ,\tb ", ("a", "b")),
        ('""', ("",)),
        ("a,", None),
        (",a", None),
        ("a b", None),
        ('"a', None),
        ('a"b"', None),
    ],
)
def test_lists_of_identifiers(value: str, expected: tuple[str, ...] | None) -> None:
    assert split_path(value) == expected


def test_the_user_is_put_in_place() -> None:
    assert expand_path('"$user", public', "app") == ("app", "public")
    assert expand_path("a b", "app") is None


def test_quotes_are_doubled() -> None:
    assert quote_identifier('a"b') == '"a""b"'
