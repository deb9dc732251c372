"""Times as people say them."""

import pytest

from doorward_console.index.times import NS, NoTime, since, span, until

NOW = 1_800_000_000 * NS  # 2027-01-15 08:00:00 UTC
DAY = 86_400 * NS
MIDNIGHT = NOW - 8 * 3_600 * NS


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("today", MIDNIGHT, MIDNIGHT + DAY),
        ("Yesterday", MIDNIGHT - DAY, MIDNIGHT),
        ("2027-01-14", MIDNIGHT - DAY, MIDNIGHT),
        ("7d", NOW - 7 * DAY, NOW),
        ("24h ago", NOW - DAY, NOW),
        ("30 min", NOW - 1_800 * NS, NOW),
        ("2w", NOW - 14 * DAY, NOW),
        ("now", NOW, NOW),
        ("2027-01-15T07:00", NOW - 3_600 * NS, NOW - 3_600 * NS),
        ("2027-01-15T07:00Z", NOW - 3_600 * NS, NOW - 3_600 * NS),
        ("2027-01-15T09:00+02:00", NOW - 3_600 * NS, NOW - 3_600 * NS),
    ],
)
def test_what_is_said_is_meant(said, first, last):
    assert (span(said, NOW).since_unix_ns, span(said, NOW).until_unix_ns) == (first, last)


def test_until_means_a_date_with_its_day_and_an_age_with_its_beginning():
    assert until("2027-01-14", NOW) == MIDNIGHT
    assert until("2d", NOW) == NOW - 2 * DAY
    assert until("today", NOW) == MIDNIGHT + DAY


def test_nothing_said_is_nothing_meant():
    assert (since("", NOW), until(" ", NOW)) == (0, 0)


@pytest.mark.parametrize("said", ["soon", "99999w", "2027-13-01", "-1d", "1e9d", "9" * 400, "10000-01-01", "7x"])
def test_what_is_no_time_is_told_so(said):
    with pytest.raises(NoTime, match="UTC"):
        since(said, NOW)
