"""What is looked for, as the index spells it: words of people, and facets that no word can be mistaken for.

What it is: the one place where an FTS5 expression is put together.
What it will not do: take any syntax from people but a phrase in quotation marks and a star at the end of a word.

A facet is a token made of a kind and a value ("verdict", "deny"): letters of a hash, in a column of their own, so that
every filter is a list of rows which FTS5 meets with the others, however many rows each of them has.

Invariants: pure; whatever the text, the expression is well formed, bounded, and means its words and nothing else.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

MAX_QUERY: Final = 400  # characters of a search: longer than any question, shorter than a way to keep us busy
MAX_WORDS: Final = 16
MAX_ALTERNATIVES: Final = 200  # of one filter, such as the principals whose name holds a word
FACET_BYTES: Final = 10  # two values of one kind meet by chance once in 2**40
COLUMNS: Final = "{text parameters about}"

_PIECE: Final = re.compile(r'"([^"]*)"|(\S+)')


@lru_cache(maxsize=65_536)
def facet(kind: str, value: str | int) -> str:
    """The token of a value; it is compared without regard to case, as words are."""
    digest = hashlib.blake2b(f"{kind}\0{value}".casefold().encode("utf-8", "replace"), digest_size=FACET_BYTES)
    return base64.b32encode(digest.digest()).decode("ascii").lower()


def phrases(text: str) -> list[str]:
    """The words and quoted phrases of a search; what has neither letter nor digit is left out."""
    found: list[str] = []
    for quoted, word in _PIECE.findall(text[:MAX_QUERY]):
        piece = "".join(char if char.isprintable() else " " for char in quoted or word).strip()
        if any(char.isalnum() for char in piece):
            found.append(piece)
    return found[:MAX_WORDS]


def words_expression(text: str) -> str:
    """Rows that have all of these words; empty where there is none."""
    told = [_quoted(phrase) for phrase in phrases(text)]
    return f"{COLUMNS} : ({' AND '.join(told)})" if told else ""


def any_facet(tokens: Iterable[str]) -> str:
    """Rows that have at least one of these facets."""
    told = list(tokens)[:MAX_ALTERNATIVES]
    return f"facets : ({' OR '.join(told)})" if told else f"facets : {facet('nothing', '')}"


def all_of(expressions: Iterable[str]) -> str:
    """Rows of all of these expressions; empty where there is none."""
    return " AND ".join(f"({one})" for one in expressions if one)


def _quoted(phrase: str) -> str:
    star = "*" if phrase.endswith("*") and len(phrase) > 1 else ""
    plain = phrase.rstrip("*").replace('"', " ")
    return f'"{plain}"{star}'
