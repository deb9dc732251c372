"""How long, as people write it: `90s`, `15m`, `2h`, `1d`.

It is pure; a bare number is refused, for nobody remembers which unit it would be.
"""

import re

_SPAN = re.compile(r"([0-9]{1,9})([smhd])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(text: str) -> int:
    """Whole seconds, at least one; ValueError with words otherwise."""
    match = _SPAN.match(text.strip())
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if seconds < 1:
        raise ValueError(f"{text} is no time with its unit, such as `90s`, `15m`, `2h` or `1d`")
    return seconds
