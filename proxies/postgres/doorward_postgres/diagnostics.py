"""Errors, notices and notifications on their way to the client, with the values in them hidden.

PostgreSQL quotes values in messages: `invalid input syntax for type integer: "jane@example.com"`,
`Key (email)=(jane@example.com) already exists`, `RAISE NOTICE '%', email`, `COPY customer, line 1: "..."`.
It frames nothing: `wire` decodes and encodes.
Implements ARCHITECTURE.md, "Masking", and PostgreSQL's protocol, "Error and Notice Message Fields".

Invariants:
- Where a statement touches a masked column, no text that the target composed passes: M becomes the SQLSTATE's own
  wording, D, W, q and what is unknown are dropped, H says why.
- Names (schema, table, column, type, constraint) pass only where no procedural code can have written them: `W` shows
  that it ran. The same for a SQLSTATE that is not the server's own.
- Fields keep their order, and what a client's driver needs (S, V, C, M) is always there.
"""

from collections.abc import Iterable
from typing import Final

from doorward_core.mask.detect import Detectors
from doorward_postgres.sqlstates import WORDING, wording

WITHHELD: Final = "The target's own message is withheld, because this statement touches masked columns."

_RAISED: Final = "P0001"  # the code of a RAISE that names none
# Severity, code, position in the client's own text, and where in the server's source it was raised.
_HARMLESS: Final = frozenset("SVCPpFLR")
_NAMES: Final = frozenset("stcdn")
_SEVERITIES: Final = frozenset({"ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "DEBUG", "INFO", "LOG"})
_NO_TEXT: Final = frozenset("SVCPpLFR")
_CODE_CHARS: Final = 5

Fields = list[tuple[str, str]]  # (field type, text), in the order of the message


def hide_diagnostic(
    fields: Iterable[tuple[str, str]], *, touches_masked: bool, detectors: Detectors | None, key: bytes
) -> tuple[Fields, dict[str, int]]:
    """An ErrorResponse's or NoticeResponse's fields as the client may see them, and what was hidden, counted by label.

    `touches_masked`: the statement can reach a masked column, whether it reads or writes.
    Without it only what the detectors find is replaced.
    """
    given = list(fields)
    if touches_masked:
        return _withheld(given), {"diagnostic": 1}
    if detectors is None:
        return given, {}
    counts: dict[str, int] = {}
    shown: Fields = []
    for kind, text in given:
        if kind in _NO_TEXT:
            shown.append((kind, text))
            continue
        masked, labels = hide_text(text, detectors=detectors, key=key)
        for label in labels:
            counts[label] = counts.get(label, 0) + 1
        shown.append((kind, masked))
    return shown, counts


def hide_text(text: str, *, detectors: Detectors, key: bytes) -> tuple[str, tuple[str, ...]]:
    """One text (a notification's payload, a message) without what the detectors find in it, and the labels of that."""
    masked, labels = detectors.mask(text.encode("utf-8", "surrogateescape"), key=key)
    return (masked.decode("utf-8", "surrogateescape") if labels else text), labels


def _withheld(given: Fields) -> Fields:
    """Nothing that the target composed. A field of a type that this protocol version does not know is dropped."""
    by_code = any(kind == "W" for kind, _ in given)
    code = _code(next((text for kind, text in given if kind == "C"), ""), by_code=by_code)
    shown: Fields = []
    for kind, text in given:
        if kind == "C":
            shown.append((kind, code))
        elif kind == "M":
            shown += [(kind, wording(code)), ("H", WITHHELD)]
        elif kind == "V":
            shown.append((kind, text if text in _SEVERITIES else "ERROR"))
        elif (kind in "Pp" and text.isdecimal()) or kind == "S" or (kind in _HARMLESS | _NAMES and not by_code):
            shown.append((kind, text))
    return shown


def _code(code: str, *, by_code: bool) -> str:
    """The SQLSTATE; one that procedural code made up is not passed on: five characters of its choice are a message."""
    known = code in WORDING or (not by_code and len(code) == _CODE_CHARS and code.isascii() and code.isalnum())
    return code if known else _RAISED
