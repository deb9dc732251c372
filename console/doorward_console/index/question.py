"""A question as people type it, read as a search: "who changed customer 42 yesterday, and who approved it".

What it is: a small vocabulary. A time, an action and a verdict are taken out where they are said in a known word;
words that only make a sentence are left out; a word that is a table's name becomes one; the rest is looked for.
What it will not do: guess. What it took for what is said (`Reading.told`), so that whoever asked can say it otherwise;
and a text in quotation marks is looked for as it is.

Invariants: pure; the same question at the same time is the same search.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from doorward_console.index.found import Search
from doorward_console.index.times import NoTime, span
from doorward_console.index.words import phrases

CHANGING: Final = frozenset(
    {"change", "changed", "changes", "wrote", "write", "updated", "modified", "edited", "altered"}
)
READING: Final = frozenset({"read", "saw", "seen", "looked"})
VERDICTS: Final = {
    "denied": "deny",
    "refused": "deny",
    "blocked": "deny",
    "permitted": "permit",
    "allowed": "permit",
    "held": "held",
    "waiting": "hold",
}
SENTENCE: Final = frozenset(
    {
        "who", "what", "when", "where", "which", "why", "how", "did", "does", "do", "has", "have", "had", "was", "were",
        "is", "are", "been", "the", "a", "an", "and", "or", "it", "that", "this", "them", "they", "in", "on", "at",
        "of", "to", "by", "from", "for", "since", "with", "approved", "approve", "approves", "me", "show", "find",
        "list", "all", "last", "past",
    }
)  # fmt: skip
"""Words of a question that are in no answer. `approved`: each answer says who did."""
SPANS: Final = {"hour": "1h", "day": "1d", "week": "7d", "month": "30d"}
ACTION_WORDS: Final = {"change": "changed", "read": "read"}


@dataclass(frozen=True, slots=True)
class Reading:
    """A question as it was understood. `told` are pairs of what it is about and what was said."""

    search: Search
    told: tuple[tuple[str, str], ...]


def read(question: str, now_unix_ns: int, is_table: Callable[[str], bool], search: Search | None = None) -> Reading:
    """What is asked, on top of what `search` says already: filters win over words.

    `is_table` says whether operations touched something of that name.
    """
    asked = search or Search()
    if '"' in question:
        told = (("words", question.strip()),)
        return Reading(replace(asked, text=question), told)
    rest: list[str] = []
    heard: dict[str, str] = {}
    for word in phrases(question):
        plain = word.strip(".,;:!?()").casefold()
        if not _hear(plain, heard, now_unix_ns, asked) and plain not in SENTENCE and plain:
            rest.append(word.strip(",;!?"))
    if heard.get("action") or asked.action:
        table = next((word for word in rest if not asked.table and not word.isdigit() and is_table(word)), "")
        if table:
            heard["table"] = table
            rest.remove(table)
    asked = _applied(asked, heard, rest, now_unix_ns)
    return Reading(asked, tuple(_told(heard, rest)))


def _hear(word: str, heard: dict[str, str], now_unix_ns: int, asked: Search) -> bool:
    """Take a word for a filter, where it is one and that filter is not given already."""
    action = "change" if word in CHANGING else "read" if word in READING else ""
    if action and not asked.action and "action" not in heard:
        heard["action"] = action
        return True
    if word in VERDICTS and not asked.verdict:
        heard["verdict"] = VERDICTS[word]
        return True
    spelt = SPANS.get(word, word)
    if asked.since_unix_ns or asked.until_unix_ns or "time" in heard or not _is_time(spelt, now_unix_ns):
        return False
    heard["time"] = spelt
    return True


def _is_time(word: str, now_unix_ns: int) -> bool:
    if word.isdigit():
        return False  # a number is a key: a year, or a day without its hyphens, is not meant by one
    try:
        span(word, now_unix_ns)
    except NoTime:
        return False
    return True


def _applied(asked: Search, heard: dict[str, str], rest: list[str], now_unix_ns: int) -> Search:
    changes: dict[str, str | int] = {name: heard[name] for name in ("action", "verdict", "table") if name in heard}
    if "time" in heard:
        meant = span(heard["time"], now_unix_ns)
        changes |= {"since_unix_ns": meant.since_unix_ns}
        if meant.until_unix_ns not in {meant.since_unix_ns, now_unix_ns}:
            changes |= {"until_unix_ns": meant.until_unix_ns}
    return replace(asked, text=" ".join((asked.text, *rest)).strip(), **changes)  # type: ignore[arg-type]  # by name


def _told(heard: dict[str, str], rest: list[str]) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = [
        (name, ACTION_WORDS.get(heard[name], heard[name])) for name in ("action", "table") if name in heard
    ]
    told += [("words", " ".join(rest))] if rest else []
    return told + [(name, heard[name]) for name in ("verdict", "time") if name in heard]
