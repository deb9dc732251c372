"""How long, as people write it."""

import pytest

from doorward_console.spans import seconds_of


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), (" 2h ", 7200), ("1d", 86400)])
def test_a_time_has_its_unit(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "0s", "-1s", "1w", "1.5h", "2 h", "٣h", "1000000000000s"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="no time with its unit"):
        seconds_of(text)
