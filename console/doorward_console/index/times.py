"""Times as people say them: `yesterday`, `7d`, `2026-11-22`, `2026-11-22T14:00`; in UTC, which is what the record has.

It is pure: the time that it is comes in as an argument.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

NS: Final = 1_000_000_000
EXAMPLES: Final = "yesterday, today, 7d, 24h, 2026-11-22 or 2026-11-22T14:00 (UTC)"
MAX_LENGTH: Final = 40
_AGO: Final = re.compile(r"(\d{1,4})\s*(m|min|h|d|w)(?: ago)?\Z")
_UNITS: Final = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DAYS: Final = {"today": 0, "yesterday": 1}
_DATE_LENGTH: Final = len("2026-11-22")


class NoTime(ValueError):
    """A text that is no time; the words say what would be one."""


@dataclass(frozen=True, slots=True)
class Span:
    """From the first moment of it up to, and without, the last."""

    since_unix_ns: int
    until_unix_ns: int


def span(text: str, now_unix_ns: int) -> Span:
    """What somebody means by a word: a whole day, or from so long ago until now, or one moment."""
    told = text.strip().lower()
    if len(told) > MAX_LENGTH:
        raise NoTime(f"that is no time; say {EXAMPLES}")
    now = datetime.fromtimestamp(now_unix_ns // NS, UTC)
    try:
        if told == "now":
            return Span(now_unix_ns, now_unix_ns)
        if told in _DAYS:
            return _day(now - timedelta(days=_DAYS[told]))
        if ago := _AGO.match(told):
            return Span(now_unix_ns - _ns(_UNITS[ago[2]] * int(ago[1])), now_unix_ns)
        moment = datetime.fromisoformat(told.upper())
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if len(told) == _DATE_LENGTH:
            return _day(moment)
        return Span(_unix_ns(moment), _unix_ns(moment))
    except (ValueError, OverflowError) as error:
        raise NoTime(f"{text[:MAX_LENGTH]!r} is no time; say {EXAMPLES}") from error


def since(text: str, now_unix_ns: int) -> int:
    """The first moment that is meant; 0 for an empty text."""
    return span(text, now_unix_ns).since_unix_ns if text.strip() else 0


def until(text: str, now_unix_ns: int) -> int:
    """The moment after the last that is meant: a date is meant with its whole day. 0 for an empty text."""
    if not text.strip():
        return 0
    meant = span(text, now_unix_ns)
    ago = _AGO.match(text.strip().lower())
    return meant.since_unix_ns if ago else meant.until_unix_ns


def _day(moment: datetime) -> Span:
    first = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return Span(_unix_ns(first), _unix_ns(first + timedelta(days=1)))


def _unix_ns(moment: datetime) -> int:
    return _ns(moment - datetime(1970, 1, 1, tzinfo=UTC))


def _ns(duration: timedelta) -> int:
    return (duration // timedelta(microseconds=1)) * 1000
