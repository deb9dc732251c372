"""Values that are called secrets, cut out of what people, the record and exports are shown of a request or an answer.

What it is: `without_secrets` for a query or a form, `without_secret_members` for any text with JSON in it.
What it will not do: find a secret by its looks: that is for detectors (`doorward_core.mask`).

Invariants: pure; linear in its input; names are judged by the words in them, so that too much is cut rather than too
little; a text that is cut off anywhere is read as far as it goes.
"""

import re
from typing import Final

CUT: Final = "…"
_NAME: Final = re.compile(
    r"(?i)token|secret|passw|pwd|api-?_?key|apikey|credential|signature|(?:^|[-_.])(?:sig|key|code|auth|jwt|session|sid)\b"
)
# A whole string, or the rest of the text where it is cut off: each is read once, which keeps this linear.
_STRING: Final = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_MEMBER: Final = re.compile(rf"({_STRING})(?:(\s*+:\s*+)(?:{_STRING}|[^\s\"\[\]{{}},]++))?", re.DOTALL)


def is_secret(name: str) -> bool:
    """Whether what is called so is a secret."""
    return _NAME.search(name) is not None


def without_secrets(query: str) -> str:
    """A query, or a form, with the values of what is called a secret cut out."""
    return "&".join(
        f"{name}={CUT}" if equals and is_secret(name) else pair
        for pair in query.split("&")
        for name, equals, _ in [pair.partition("=")]
    )


def without_secret_members(text: str) -> str:
    """A text with the values of the members that are called secrets cut out, wherever JSON stands in it."""
    return _MEMBER.sub(_cut, text)


def _cut(found: re.Match[str]) -> str:
    return f'{found[1]}{found[2]}"{CUT}"' if found[2] and is_secret(found[1].strip('"')) else found[0]
