import pytest

from doorward_console.evidence.times import parse_time

NOW = 1_800_000_000_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-02", 86_400 * 10**9),
        ("1970-01-01T01:00", 3_600 * 10**9),
        ("1970-01-01T01:00:00+01:00", 0),
        ("2d", NOW - 2 * 86_400 * 10**9),
        ("3h", NOW - 3 * 3_600 * 10**9),
    ],
)
def test_moments_are_dates_times_or_how_long_ago(text, expected):
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "5", "-3d"])
def test_what_is_no_moment_is_refused_with_what_to_write(text):
    with pytest.raises(ValueError, match="2026-01-31"):
        parse_time(text, NOW)
