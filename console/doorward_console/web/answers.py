"""What is read out of a gateway's answer, of which nothing is taken for granted.

What it is: a field as a text, texts or a number; one that is missing, or something else, is an empty one.
What it will not do: say what an answer means.
"""

from collections.abc import Mapping


def text_of(item: Mapping[str, object], name: str) -> str:
    """A text, or ""."""
    value = item.get(name)
    return value if isinstance(value, str) else ""


def texts_of(item: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Those of a list that are texts."""
    value = item.get(name)
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def number_of(item: Mapping[str, object], name: str) -> int:
    """A whole number, or 0."""
    value = item.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
