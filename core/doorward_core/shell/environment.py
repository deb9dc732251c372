"""Variables that a command may be given: which names and values change nothing but how output looks.

What it is: the allow-list for `NAME=value command`, for `env NAME=value`, and for the requests by which a client sets
the environment of a session (RFC 4254, 6.4).
What it will not do: guess. `LD_PRELOAD`, `PATH`, `BASH_ENV`, `IFS`, `GIT_SSH_COMMAND`, `PROMPT_COMMAND` and all that is
not listed are not harmless.

Invariants: pure; a value can hold no path, no control character, and no character set but UTF-8: in another one the
shell could read other words.
"""

import re

_LOCALE = re.compile(r"(?:C|POSIX|[a-z]{2,3}(?:_[A-Z]{2})?)(?:\.(?:UTF-8|utf-?8))?|")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,31}){0,2}")
_TERMINAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,31}")
_NUMBER = re.compile(r"[0-9]{0,5}")
_CATEGORIES = "ALL ADDRESS COLLATE CTYPE IDENTIFICATION MEASUREMENT MESSAGES MONETARY NAME NUMERIC PAPER TELEPHONE TIME"

HARMLESS: dict[str, re.Pattern[str]] = {
    "LANG": _LOCALE,
    **{f"LC_{name}": _LOCALE for name in _CATEGORIES.split()},
    "TZ": _ZONE,
    "TERM": _TERMINAL,
    "COLORTERM": _TERMINAL,
    "NO_COLOR": _NUMBER,
    "COLUMNS": _NUMBER,
    "LINES": _NUMBER,
}


def harmless_variable(name: str, value: str) -> bool:
    """Whether a command may be given this variable without its meaning changing."""
    pattern = HARMLESS.get(name)
    return pattern is not None and pattern.fullmatch(value) is not None


def harmless_assignment(text: str) -> bool:
    """The same for `NAME=value`."""
    name, equals, value = text.partition("=")
    return bool(equals) and harmless_variable(name, value)
