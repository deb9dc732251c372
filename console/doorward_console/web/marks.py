"""Somebody's text as markup that cannot deceive: every character that could, is a mark that says what it is.

What it is: one function from text to safe markup, used wherever a statement, a value or a reason is shown whole.
What it will not do: lay out, shorten, or interpret. All of the text is in the result, in its order.

Invariants: pure; every character of the text is escaped; what cannot be seen, or would turn the direction of reading,
becomes its code point in a mark; a letter that is not what it looks like keeps its shape, and is marked with its name;
long runs of blanks and empty lines, which push a text's end out of sight, become a mark that counts them.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from markupsafe import Markup, escape

from doorward_core.approvals.flags import FlagKind, pieces, visible

LONGEST_BLANKS: Final = 120
"""Blanks in a row that indentation and alignment need at most; more of them hide what follows."""
LONGEST_EMPTY_LINES: Final = 3
"""Empty lines in a row; more of them push what follows below the fold."""
MAX_MARKS: Final = 5_000
"""Marks in one text, at a hundred bytes each; beyond it, characters are written out without one (`visible`)."""
_GAP: Final = re.compile(rf"(?:[ \t]*\n){{{LONGEST_EMPTY_LINES + 2},}}|[ \t]{{{LONGEST_BLANKS + 1},}}")
_WRITTEN_OUT: Final = frozenset({FlagKind.CONTROL, FlagKind.BIDI, FlagKind.INVISIBLE})
_CLASSES: Final = {
    FlagKind.CONTROL: "odd control",
    FlagKind.BIDI: "odd bidi",
    FlagKind.INVISIBLE: "odd invisible",
    FlagKind.CONFUSABLE: "odd confusable",
    FlagKind.NON_ASCII: "odd foreign",
}


def marked(text: object) -> Markup:
    """The whole text as safe markup."""
    written = str(text).replace("\r\n", "\n")
    if written.isascii() and written.isprintable() and len(written) <= LONGEST_BLANKS:
        return escape(written)
    room = MAX_MARKS
    parts: list[Markup] = []
    for kind, part in pieces(written):
        if kind is None:
            parts += _plain(part)
            continue
        parts += (_mark(kind, character) for character in part[:room])
        parts.append(escape(visible(part[room:])))
        room -= min(room, len(part))
    return Markup("").join(parts)


def _plain(text: str) -> Iterator[Markup]:
    """Text with nothing odd in it but, perhaps, much of nothing."""
    end = 0
    for gap in _GAP.finditer(text):
        yield escape(text[end : gap.start()])
        lines = gap[0].count("\n")
        words = f"{lines - 1:,} empty lines" if lines else f"{len(gap[0]):,} blanks"
        between = "\n" if lines else " "
        yield Markup('{}<span class="odd gap">{}</span>{}').format(between, words, between)
        end = gap.end()
    yield escape(text[end:])


def _mark(kind: FlagKind, character: str) -> Markup:
    code = f"U+{ord(character):04X}"
    name = f"{code} {unicodedata.name(character, '')}".strip()
    shown = code if kind in _WRITTEN_OUT else character
    return Markup('<span class="{}" title="{}">{}</span>').format(_CLASSES[kind], name, shown)
