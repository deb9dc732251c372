"""Where in a JSON text the masked members are, without making a document of it.

It knows nothing of what becomes of them, and keeps no value: only the open arrays and objects, as states of the paths.
The bulk of a text is stepped over by one possessive pattern a run (no backtracking, so linear), which stops only where
meaning hangs on it: a name that a path speaks of, a bracket, what is escaped, what is not JSON.
Implements RFC 8259 as far as telling where values begin and end; texts may follow each other (NDJSON, RFC 7464).

Invariants:
- `scan` stands between two tokens when it returns; what is after that place was not looked at for good.
- Brackets pair, strings end, and a string stands before `,`, `:` or a closing bracket, or the text is refused:
  no reader may find a member where this one found none.
"""

import re
from typing import Final

from doorward_core.errors import UnreadableBody
from doorward_core.mask.json_paths import Paths, State
from doorward_core.model import Mask

MAX_DEPTH: Final = 1_000  # parsers give up at about this depth themselves (Python's json, Java's Jackson)
_MAX_STARTED_BYTES: Final = 65_536  # of a name and half a word: it is read again with every chunk

_WS: Final = rb"[ \t\r\n]*+"
_BODY: Final = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
STRING: Final = rb'"' + _BODY + rb'"'
_NUMBER: Final = rb"-?[0-9][0-9.+\-eE]*+"
_WORD: Final = rb"true|false|null"
_ENDS: Final = rb"(?=" + _WS + rb"[,}\]])"
_ENDED: Final = rb"(?=[ \t\r\n,}\]])"

# Groups: the name with its quotes, a scalar, a bracket.
_ITEM: Final = re.compile(
    rb"[ \t\r\n,]*+(?:(" + STRING + rb")" + _WS + rb":" + _WS + rb")?(?:(" + STRING + _ENDS + rb"|(?:" + _NUMBER + rb"|"
    + _WORD + rb")" + _ENDED + rb")|([\[{]))",
    re.DOTALL,
)  # fmt: skip
_TOP: Final = re.compile(
    rb"[ \t\r\n\x1e]*+()(?:((?:" + STRING + rb"|" + _NUMBER + rb"|" + _WORD + rb")(?=[ \t\r\n\x1e]))|([\[{]))",
    re.DOTALL,
)
_GAP: Final = re.compile(rb"[ \t\r\n\x1e]*+")
_COMMAS: Final = re.compile(rb"[ \t\r\n,]*+")
_BETWEEN: Final = frozenset(b" \t\r\n,")
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

# What may still become a token: an open string; strings that wait for what follows them; the start of a word.
_BEFORE: Final = rb"[ \t\r\n,]*+(?:" + STRING + _WS + rb":" + _WS + rb")?"
_OPEN: Final = re.compile(_BEFORE + rb'"(' + _BODY + rb")\\?\Z", re.DOTALL)
_CLOSED: Final = re.compile(rb"[ \t\r\n,]*+(?:" + STRING + _WS + rb":?" + _WS + rb"){0,2}\Z", re.DOTALL)
_STARTED: Final = re.compile(
    _BEFORE + rb"(?:[0-9.+\-eE]{0,4096}+|t(?:r(?:ue?)?)?|f(?:a(?:l(?:se?)?)?)?|n(?:u(?:ll?)?)?)\Z", re.DOTALL
)
_TAIL: Final = re.compile(_BODY, re.DOTALL)

_QUOTE: Final = 0x22
_CLOSER: Final = {ord("{"): ord("}"), ord("["): ord("]")}
_CLOSERS: Final = frozenset(_CLOSER.values())

Edit = tuple[int, int, Mask]


def _skipper(guard: bytes, after_escapes: bytes, levels: int = 1) -> re.Pattern[bytes]:
    """The pattern that steps over all in one array or object, and over what is in it if it is whole, `levels` deep.

    `guard` stands behind the quote that begins a string: it must not match where the scanner has to stop.
    """
    string = (
        rb'"' + guard + rb'[^"\\]*+(?:"(?=' + _WS + rb'[,:}\]])|(?:\\.[^"\\]*+)++"(?=' + _WS + after_escapes + rb"))"
    )
    atom = rb"(?:" + string + rb"|[ \t\r\n,:0-9.+\-eE]++|" + _WORD + rb")"
    step = atom
    for _ in range(levels):
        step = rb"(?:" + atom + rb"|\{" + step + rb"*+\}|\[" + step + rb"*+\])"
    return re.compile(step + rb"*+", re.DOTALL)


def skip_unknown(paths: Paths) -> re.Pattern[bytes]:
    """The pattern that stops at every name that these paths speak of. Compile it once for all bodies."""
    names = _BODY if paths.every_name else b"(?i:" + b"|".join(re.escape(name).encode() for name in paths.names) + b")"
    # A name with a backslash in it may spell anything: it is stopped at too.
    return _skipper(rb"(?!" + names + rb'"' + _WS + rb":)", rb"[,}\]]")


# Where no name counts, eight levels at once cost nothing and save a call for each bracket. Where names count, more
# than one was measured: what was stepped into and has to be left again costs more than it saves.
_DEAD_LEVELS: Final = 8
_SKIP_ALL: Final = _skipper(b"", rb"[,:}\]]", _DEAD_LEVELS)


class PathScanner:
    """One text, or one after another, read as it comes. `scan` goes on where it stopped."""

    def __init__(self, paths: Paths, skip: re.Pattern[bytes] | None = None) -> None:
        self._root = paths.root
        self._skip = skip or skip_unknown(paths)
        self._state = paths.root
        self._stack: list[tuple[State, int]] = []
        self._wait_from = -1  # where the search for the end of an open string goes on
        self._wait_quote = False
        self._begun = False

    @property
    def between(self) -> bool:
        """Whether every text so far is whole."""
        return not self._stack

    def scan(self, held: bytearray, at: int, edits: list[Edit]) -> int:
        """Read on from `at`, add to `edits` what is masked, and give the place up to which everything is read."""
        if self._wait_from >= 0 and not self._came(held):
            return at
        if not self._begun:
            if _BYTE_ORDER_MARK.startswith(held[:3]) and len(held) < len(_BYTE_ORDER_MARK):
                return at
            at += len(_BYTE_ORDER_MARK) * held.startswith(_BYTE_ORDER_MARK)
            self._begun = True
        at = self._run(held, at, edits)
        at = _GAP.match(held, at).end()  # type: ignore[union-attr]  # it matches the empty text
        self._wait(held, at)
        return at

    def moved(self, by: int) -> None:
        """Tell that so many bytes in front of what is held are gone."""
        if self._wait_from >= 0:
            self._wait_from -= by

    def _run(self, held: bytearray, at: int, edits: list[Edit]) -> int:  # noqa: C901 - a call a token costs a tenth
        """Token by token, until there is no whole one. This is the loop that everything hangs on."""
        item, skip, stack, state = _ITEM.match, self._skip.match, self._stack, self._state
        size = len(held)
        while True:
            if not stack:
                found = _TOP.match(held, at)
            else:
                if state.dead:
                    at = _SKIP_ALL.match(held, at).end()  # type: ignore[union-attr]  # it matches the empty text
                elif state.plain:
                    at = skip(held, at).end()  # type: ignore[union-attr]  # it matches the empty text
                elif at < size and held[at] in _BETWEEN:
                    at = _COMMAS.match(held, at).end()  # type: ignore[union-attr]  # it matches the empty text
                byte = held[at] if at < size else 0
                if byte in _CLOSERS:
                    state, closer = stack.pop()
                    if closer != byte:
                        raise UnreadableBody("the brackets of JSON do not pair")
                    at += 1
                    continue
                if byte in _CLOSER:
                    state, at = self._open(state, state.other, byte), at + 1
                    continue
                found = item(held, at)
            if found is None:
                break
            at = found.end()
            name, scalar, bracket = found.group(1, 2, 3)
            below = self._root if not stack else state.spelt(name) if name else state.other
            if scalar is None:
                state = self._open(state, below, bracket[0])
            elif below.mask is not None and stack:
                edits.append((found.start(2), found.end(2), below.mask))
        self._state = state
        return at

    def _open(self, state: State, below: State, bracket: int) -> State:
        if len(self._stack) >= MAX_DEPTH:
            raise UnreadableBody(f"JSON is nested more than {MAX_DEPTH} deep")
        self._stack.append((state, _CLOSER[bracket]))
        return below

    def _wait(self, held: bytearray, at: int) -> None:
        """Find out what the rest waits for, or that it can never become JSON."""
        self._wait_from = -1
        if at == len(held):
            return
        opened = _OPEN.match(held, at)
        if opened is not None:
            self._wait_from, self._wait_quote = opened.end(1), True
        elif _CLOSED.match(held, at):
            self._wait_from, self._wait_quote = len(held), False
        elif not _STARTED.match(held, at) or len(held) - at > _MAX_STARTED_BYTES:
            raise UnreadableBody("the body is not the JSON that it says it is")

    def _came(self, held: bytearray) -> bool:
        """Whether what was waited for has come: so that a long string is not read again with every chunk."""
        if not self._stack and not self._wait_quote:
            return True
        if not self._wait_quote:
            gap = _GAP.match(held, self._wait_from)
            self._wait_from = gap.end() if gap else self._wait_from
            return self._wait_from < len(held)
        stop = _TAIL.match(held, self._wait_from).end()  # type: ignore[union-attr]  # it matches the empty text
        self._wait_from = stop
        return stop < len(held) and held[stop] == _QUOTE
