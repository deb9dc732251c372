"""A statement laid out for people to read, by sqlparse.

What it is: line breaks and indentation, for a card and a transcript.
What it will not do: decide anything, or stand in for the text. What was decided on is the text itself, which is always
shown beside this; sqlparse understands SQL only roughly, and is slow on long texts.

Invariant: never raises, and gives None rather than anything that differs from the text in more than white space.
"""

from typing import Final

import sqlparse
from sqlparse.exceptions import SQLParseError

# Time grows with the square of the length: 15 KB were measured at half a second.
LONGEST_CHARACTERS: Final = 6_000
# What fits on a line needs no layout.
SHORTEST_CHARACTERS: Final = 72


def layout(text: str) -> str | None:
    """The statement over several lines; None where it is short, laid out already, too long, or would be altered."""
    bare = text.strip()
    if not SHORTEST_CHARACTERS <= len(bare) <= LONGEST_CHARACTERS or "\n" in bare or "\r" in bare:
        return None
    try:
        laid = str(sqlparse.format(bare, reindent=True, reindent_aligned=False))
    except (SQLParseError, RecursionError, ValueError, IndexError):
        return None
    return laid if "".join(laid.split()) == "".join(bare.split()) and "\n" in laid else None
