"""YAML as an operator writes it: plain data, and where each value stands in its file.

What it is: a strict reader of one YAML document into dicts, lists and scalars, with a map from key path to line, so
that whoever checks the data can say `file:line: key.path: what is wrong`.

What it will not do: build objects, follow aliases, honour tags, or guess.
Only `true`, `false`, `null`, plain decimal numbers and text exist: `no`, `on`, `0600`, `1:30`, `2026-12-31` are text.
(YAML 1.1 would make them False, True, 384, 90 and a date; a country list with `no` in it is the classic accident.)

Implements: the event stream of YAML 1.1 as PyYAML parses it; resolution is a subset of the YAML 1.2 core schema.

Invariants: pure; iterative, so that depth cannot exhaust the stack; bounded in size, depth and nodes; a key that stands
twice in one mapping is a problem, never a silent last-one-wins; every problem is collected.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

Data: TypeAlias = "bool | int | float | str | list[Data] | dict[str, Data] | None"
KeyPath: TypeAlias = tuple[str | int, ...]

MAX_TEXT_CHARS = 4 * 1024 * 1024
"""No hand-written configuration comes near this; a file named by mistake (a dump, a log) does."""
MAX_DEPTH = 32
"""The deepest key of our own schemas lies at nine."""
MAX_NODES = 200_000
"""Each costs some hundred bytes of memory; a policy of ten thousand rules fits."""
MAX_KEY_SHOWN = 80
"""Of a key, in a message; the longest name that we ourselves allow."""

MAX_DECEIVING = 20
"""Such faults told; the rest are like them."""

_AT_PROBLEM: Mapping[str, str] = {
    "mapping values are not allowed": "is this line indented like its neighbours, and text with `: ` in it in quotes?",
    "expected <block end>": "is this line indented like its neighbours?",
    "character '\\t'": "indent with blanks, not with tabs",
    "cannot start any token": "put text that begins with such a character in quotes",
    "alphabetic or numeric character": "put text that begins with `*` or `&` in quotes",
}
_AT_BEGINNING: Mapping[str, str] = {
    "could not find expected ':'": "this line has a key without its `: `, or is not indented",
    "expected ',' or": "a bracket that opens here is not closed, or a comma is missing",
    "found unexpected end of stream": "a quote that opens here is not closed",
}
"""By words of the parser's, which are about grammars: what most often has to be done, at the place that it names.

The second ones are found late, and have to be mended where it began to read.
"""
_DECEIVING = re.compile("\r(?!\n)|[\x85\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\Z")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,17}\Z")
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: where, and what is wrong in words."""

    line: int
    path: KeyPath
    message: str

    def render(self, name: str) -> str:
        """`file:line: key.path: message`; a fault of the whole file has no key path."""
        where = render_path(self.path)
        return f"{name}:{self.line}: {where}: {self.message}" if where else f"{name}:{self.line}: {self.message}"


@dataclass(slots=True)
class Document:
    """What one file holds.

    `lines` gives the line (from 1) of each key and each list item by its path; the empty path is the document.
    `problems` are faults of form; data beside them is still given, so that faults of content are found in the same run.
    """

    name: str
    data: Data = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: KeyPath) -> int:
        """The line of a path, or of the nearest thing around it (a key that is missing has no line of its own)."""
        for end in range(len(path), -1, -1):
            found = self.lines.get(path[:end])
            if found is not None:
                return found
        return 1

    def problem(self, path: KeyPath, message: str) -> Problem:
        """A fault of content at this path."""
        return Problem(self.line(path), path, message)


def render_path(path: Sequence[str | int]) -> str:
    """`rules[2].tables[0]`, as a person would write it."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            # A key is the operator's, but a message may end up in a log: no character in it may forge a line there.
            key = step if step.isprintable() else "".join(c if c.isprintable() else "?" for c in step)
            text += f".{key[:MAX_KEY_SHOWN]}" if text else key[:MAX_KEY_SHOWN]
    return text


def read_document(text: str, name: str) -> Document:
    """Read one YAML document. Never raises for content: what is wrong is in `problems`."""
    document = Document(name, None, {(): 1})
    if len(text) > MAX_TEXT_CHARS:
        document.problems.append(Problem(1, (), f"the file is larger than {MAX_TEXT_CHARS} characters"))
        return document
    text = _shown_as_it_is(document, text)
    reader = _Reader(document)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if not reader.take(event):
                break
    except yaml.MarkedYAMLError as error:
        document.problems.append(_not_yaml(error, tuple(step for step in reader.path if step != "")))
    except yaml.YAMLError as error:
        # ReaderError: a character that YAML does not allow; its message names position and character, not content.
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        document.problems.append(Problem(line, (), f"not valid YAML: {getattr(error, 'reason', 'unreadable')}"))
    return document


def _not_yaml(error: yaml.MarkedYAMLError, path: KeyPath) -> Problem:
    """What the parser stumbled on, and what most often has to be done about it."""
    message = str(error.problem or error.context)
    late = next((said for words, said in _AT_BEGINNING.items() if words in message), None)
    said = late or next((said for words, said in _AT_PROBLEM.items() if words in message), None)
    marks = (error.context_mark, error.problem_mark) if late else (error.problem_mark, error.context_mark)
    line = next((mark.line + 1 for mark in marks if mark is not None), 1)
    return Problem(line, path, f"not valid YAML: {said} ({message})" if said else f"not valid YAML: {message}")


def _shown_as_it_is(document: Document, text: str) -> str:
    """Refuse characters that make a reviewer see another file than the one that is read.

    YAML ends a line, and so a comment, at U+2028 and its like, where most editors show none; bidirectional controls
    turn the order of what is shown. They are taken out here, so that the lines of all other faults are right.
    """
    for match in _DECEIVING.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        what = f"the invisible character U+{ord(match[0]):04X} can make this line read as another"
        document.problems.append(Problem(line, (), what))
        if len(document.problems) >= MAX_DECEIVING:
            break
    return _DECEIVING.sub(" ", text)


@dataclass(slots=True)
class _Open:
    """A list or mapping that is still being read. `key` is what the next value of a mapping belongs to."""

    value: list[Data] | dict[str, Data]
    key: str | None = None
    key_line: int = 0
    duplicate: bool = False
    items: int = 0


class _Reader:
    """Builds data from parse events, with an explicit stack."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: list[_Open] = []
        self.nodes = 0
        self.documents = 0

    @property
    def path(self) -> KeyPath:
        """Where the next value stands."""
        return tuple(level.items if isinstance(level.value, list) else (level.key or "") for level in self.open)

    def take(self, event: yaml.Event) -> bool:
        """Take one event; False means that reading on makes no sense."""
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                self._fault(event, "a second document starts here (`---`); one file holds one")
                return False
        elif isinstance(event, yaml.AliasEvent):
            self._fault(event, "aliases (`*name`) are not read; write the value out")
            self._put(None, event)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            return self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        return self.nodes <= MAX_NODES or self._too_much(event)

    def _too_much(self, event: yaml.Event) -> bool:
        self._fault(event, f"the file holds more than {MAX_NODES} values")
        return False

    def _fault(self, event: yaml.Event, message: str) -> None:
        self.document.problems.append(Problem(_line(event), self.path, message))

    def _awaits_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].value, dict) and self.open[-1].key is None

    def _start(self, event: yaml.CollectionStartEvent) -> bool:
        if event.anchor is not None or event.tag is not None:
            self._fault(event, "anchors (`&name`) and tags (`!name`) are not read")
        if len(self.open) >= MAX_DEPTH:
            self._fault(event, f"nested deeper than {MAX_DEPTH} levels")
            return False
        if self._awaits_key():
            self._fault(event, "a key must be plain text")
            return False
        fresh: list[Data] | dict[str, Data] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
        self._note(event)
        self.nodes += 1
        self.open.append(_Open(fresh))
        return True

    def _end(self) -> None:
        closed = self.open.pop()
        self._attach(closed.value)

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if event.anchor is not None or event.tag is not None:
            self._fault(event, "anchors (`&name`) and tags (`!name`) are not read")
        if not _is_text(event.value):
            # Half a character: only an escape (`"\ud800"`) can make one, and no file, log or peer could be given it.
            self._fault(event, "an escape here makes half a character (a lone surrogate)")
            event.value = "?"
        if self._awaits_key():
            self._key(event)
        else:
            self._put(_resolve(event), event)

    def _key(self, event: yaml.ScalarEvent) -> None:
        level = self.open[-1]
        assert isinstance(level.value, dict)
        level.key = event.value
        level.key_line = _line(event)
        level.duplicate = event.value in level.value
        if level.duplicate:
            first = self.document.line(self.path)
            self._fault(event, f"this key stands here twice (first on line {first})")

    def _put(self, value: Data, event: yaml.Event) -> None:
        if self._awaits_key():
            self.open[-1].key = ""  # an alias as a key: already a fault
        else:
            self.nodes += 1
            self._note(event)
            self._attach(value)

    def _note(self, event: yaml.Event) -> None:
        """Remember the line: a mapping's value stands where its key stands, for that is what a person looks for."""
        level = self.open[-1] if self.open else None
        line = level.key_line if level is not None and level.key is not None else _line(event)
        self.document.lines.setdefault(self.path, line)

    def _attach(self, value: Data) -> None:
        if not self.open:
            self.document.data = value
            return
        level = self.open[-1]
        if isinstance(level.value, list):
            level.value.append(value)
            level.items += 1
            return
        if not level.duplicate and level.key is not None:
            level.value[level.key] = value
        level.key = None
        level.duplicate = False


def _is_text(value: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in value) if not value.isascii() else True


def _line(event: yaml.Event) -> int:
    """The line of an event, from 1. (Only events made without a text have no mark.)."""
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _resolve(event: yaml.ScalarEvent) -> Data:
    """What a scalar means: quoted is always text; plain is a word, a decimal number, or text."""
    value: str = event.value
    if event.style is not None:
        return value
    if value in _WORDS:
        return _WORDS[value]
    if _INTEGER.match(value):
        return int(value)
    if _DECIMAL.match(value):
        return float(value)
    return value
