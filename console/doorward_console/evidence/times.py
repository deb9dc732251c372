"""Moments as an operator writes them: a date, a date and time, or how long ago.

It is pure. Times without a zone are UTC: a bundle says the same wherever it is made.
"""

import re
from datetime import UTC, datetime
from typing import Final

_AGO: Final = re.compile(r"([0-9]{1,5})([hdw])")
_HOURS: Final = {"h": 1, "d": 24, "w": 168}
_S: Final = 1_000_000_000


def parse_time(text: str, now_unix_ns: int) -> int:
    """Nanoseconds since the epoch; ValueError for what is no moment."""
    ago = _AGO.fullmatch(text)
    if ago:
        return max(0, now_unix_ns - int(ago[1]) * _HOURS[ago[2]] * 3600 * _S)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!a} is no moment: write 2026-01-31, 2026-01-31T08:00, or 30d for days ago") from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0, int(moment.timestamp()) * _S + moment.microsecond * 1000)
