"""What is odd about a text that someone else wrote, and how to show it without obeying it.

An approver reads a statement that an agent wrote; an auditor reads what a data author stored.
Neither their terminal nor their eye may be led by it (threat model AP-04, SSH-14): escapes, characters that turn
the direction of reading, characters that take no room, and letters that only look like others.

It is pure; it changes no text that is kept, forwarded or signed: only what is shown.
Categories are Unicode's (UAX 44), directions UAX 9, the idea of mixed scripts UTS 39.

Invariants:

- What `visible` gives has no control character but newline and tab, and no character that is invisible or changes
  direction; applied twice it changes nothing more.
- `flags` of a plain ASCII text without controls is empty.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

MAX_NAMED = 8
"""How many different characters a flag names; the count says how many there were."""

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BLANK_LETTERS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Letters and marks that draw nothing: Hangul fillers, Khmer inherent vowels, the empty Braille pattern."""
_PLAIN_CONTROLS = frozenset("\n\t")
_LAYOUT = str.maketrans("", "", "\n\t")


class FlagKind(StrEnum):
    """What may mislead a reader, worst first."""

    CONTROL = "control"
    BIDI = "bidi"
    INVISIBLE = "invisible"
    CONFUSABLE = "confusable"
    NON_ASCII = "non-ascii"


MEANING = {
    FlagKind.CONTROL: "control characters, which a terminal would obey",
    FlagKind.BIDI: "characters that change the direction of reading",
    FlagKind.INVISIBLE: "characters that cannot be seen",
    FlagKind.CONFUSABLE: "words that mix alphabets: a letter may not be the one it looks like",
    FlagKind.NON_ASCII: "characters outside ASCII",
}


@dataclass(frozen=True, slots=True)
class Flag:
    """One kind of oddity: how often, where first (an offset in characters), and which characters, by name."""

    kind: FlagKind
    count: int
    first: int
    characters: tuple[str, ...]

    @property
    def words(self) -> str:
        """The flag as a line for a reader."""
        return f"{self.count} x {MEANING[self.kind]}: {', '.join(self.characters)}"


def flags(text: str) -> tuple[Flag, ...]:
    """Say what may mislead a reader of this text, worst first; each character counts once, for its worst kind."""
    if text.isascii() and text.translate(_LAYOUT).isprintable():
        return ()
    found: dict[FlagKind, list[int]] = {}
    confusable = _mixed_words(text)
    for place in range(len(text)):
        kind = _kind(text, place)
        if kind is FlagKind.NON_ASCII and place in confusable:
            kind = FlagKind.CONFUSABLE
        if kind is not None:
            found.setdefault(kind, []).append(place)
    return tuple(
        Flag(kind, len(places), places[0], _names(text[place] for place in places))
        for kind in FlagKind
        if (places := found.get(kind))
    )


def visible(text: str, *, lines: bool = True) -> str:
    """Write out, as `<U+202E>`, whatever would not be seen or would be obeyed; `lines=False` for text within a line."""
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return "".join(
        character
        if (character in _PLAIN_CONTROLS and lines) or (character not in _PLAIN_CONTROLS and _harmless(character))
        else f"<U+{ord(character):04X}>"
        for character in text
    )


def pieces(text: str) -> Iterator[tuple[FlagKind | None, str]]:
    """The text in parts, in order, each with the kind of its characters; None for what misleads nobody."""
    confusable = _mixed_words(text)
    start, last = 0, None
    for place in range(len(text)):
        kind = _kind(text, place)
        if kind is FlagKind.NON_ASCII and place in confusable:
            kind = FlagKind.CONFUSABLE
        if kind is not last:
            if place > start:
                yield last, text[start:place]
            start, last = place, kind
    if text:
        yield last, text[start:]


def _harmless(character: str) -> bool:
    return _kind(character, 0) in (None, FlagKind.NON_ASCII)


def _kind(text: str, place: int) -> FlagKind | None:
    """The kind of one character; a carriage return before a newline is part of the line's end."""
    character = text[place]
    if " " <= character <= "~" or character in _PLAIN_CONTROLS:
        return None
    category = unicodedata.category(character)
    if category == "Cc":
        ends_line = character == "\r" and text[place + 1 : place + 2] == "\n"
        return None if ends_line else FlagKind.CONTROL
    if character in _BIDI:
        return FlagKind.BIDI
    # Format, surrogate, private and unassigned characters; separators other than the blank; fillers; and the
    # variation selectors, which are marks without a shape.
    if category in ("Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs") or character in _BLANK_LETTERS:
        return FlagKind.INVISIBLE
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return FlagKind.INVISIBLE
    return FlagKind.NON_ASCII


def _mixed_words(text: str) -> frozenset[int]:
    """Offsets of the letters outside ASCII in words that mix scripts, or that imitate ASCII (full width, maths)."""
    mixed: set[int] = set()
    start = 0
    for place in range(len(text) + 1):
        if place < len(text) and (text[place].isalnum() or text[place] == "_"):
            continue
        word = text[start:place]
        if not word.isascii():
            scripts = {_script(character) for character in word if character.isalpha()}
            mixed.update(
                start + index
                for index, character in enumerate(word)
                if not character.isascii() and (len(scripts) > 1 or unicodedata.normalize("NFKC", character).isascii())
            )
        start = place + 1
    return frozenset(mixed)


def _script(character: str) -> str:
    """The script as the first word of the character's name (LATIN, CYRILLIC, GREEK), which is enough to tell a mix."""
    return unicodedata.name(character, "UNNAMED").partition(" ")[0]


def _names(characters: Iterable[str]) -> tuple[str, ...]:
    unique = list(dict.fromkeys(characters))
    names = [f"U+{ord(one):04X} {unicodedata.name(one, '')}".strip() for one in unique[:MAX_NAMED]]
    return (*names, "...") if len(unique) > MAX_NAMED else tuple(names)
