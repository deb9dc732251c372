"""Token recognition: where words begin and end, and what they are once their quotes are gone.

What it is: a reader of POSIX shell tokens (POSIX.1-2024, Shell Command Language, 2.2 Quoting and 2.3 Token Recognition)
for the part of the language that sh, dash, bash, ksh and zsh read alike.
What it will not do: know grammar. The tree (`parse`) knows it, and both have to find the same tokens.

Invariants: pure; it raises `Unclear` wherever two shells could disagree on a boundary or a value, and on nothing else;
work is linear in the length, nesting is bounded.

It works on the bytes of a command line, each as one character (ISO 8859-1), so that its offsets are the tree's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from doorward_core.shell.nouns import Redirection, Unclear, Word, names

MAX_NESTING = 8
"""Substitutions within substitutions. Ansible needs two; each costs a frame of recursion here."""
MAX_TOKENS = 1024
"""Past it nobody reads what they approve; the tree of so many takes a tenth of a second."""
MAX_PIECES = 4 * MAX_TOKENS
"""Quoted and bare parts of words, and expansions: each costs the tree a node."""

OPENING = frozenset({"if", "then", "elif", "else", "while", "until", "do", "{", "!"})
CLOSING = frozenset({"fi", "done", "}"})
REFUSED = names("case esac for in select function coproc [[ ]] namespace repeat foreach end nocorrect noglob always -")
"""Reserved words of some shell, where a program's name is expected; what they begin is not read."""

_OPERATORS = re.compile(r"&&|\|\||;;&|;;|;&|\|&|&>>|&>|<<<|<<-|<<|<>|<&|>&|>>|>\||<\(|>\(|[;&|()<>]")
_REDIRECTIONS = frozenset({"<", ">", ">>", ">|", "<&", ">&"})
_CONTROL = frozenset({"&&", "||", ";", "&", "|", "(", ")"})
_REFUSED_OPERATORS = {
    "<<": "a here-document", "<<-": "a here-document", "<<<": "a here-string", "<(": "a process substitution",
    ">(": "a process substitution", "&>": "`&>`, which POSIX shells read otherwise; write `>file 2>&1`",
    "&>>": "`&>>`, which POSIX shells read otherwise; write `>>file 2>&1`", "|&": "`|&`; write `2>&1 |`",
    "<>": "`<>`", ";;": "`;;`", ";&": "`;&`", ";;&": "`;;&`",
}  # fmt: skip
_LITERAL = re.compile(r"""[^ \t\n;&|()<>\\'"$`*?\[{}~!=]+""")
_LITERAL_ALONE = frozenset({"[", "=", "!"})
"""Special within a longer word, and nothing but themselves where they are the whole of an argument."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!_-]|\{(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!])\}")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_PATTERN_LIKE_REDIRECTION = re.compile(r"<[0-9]*-[0-9]*>")


@dataclass(slots=True)
class Run:
    """The words and redirections between two control operators, reserved words taken off.

    `start` and `end` are offsets; `closes` tells that it stands after `)`, `}`, `fi` or `done`.
    """

    start: int = -1
    end: int = -1
    words: list[Word] = field(default_factory=list)
    assignments: list[Word] = field(default_factory=list)
    redirections: list[Redirection] = field(default_factory=list)
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """Every token of a text: `tokens` are (start, end), new-lines and comments left out."""

    tokens: frozenset[tuple[int, int]]
    keywords: frozenset[int]
    assignments: frozenset[tuple[int, int]]
    comments: frozenset[tuple[int, int]]
    runs: tuple[Run, ...]


def scan(text: str) -> Scan:
    """Read a whole text. Raises `Unclear`."""
    if _PATTERN_LIKE_REDIRECTION.search(text):
        raise Unclear("`<n-m>` is a pattern to some shells")
    reader = _Reader(text)
    reader.read_list(0, len(text), "", 0)
    return Scan(
        frozenset(reader.tokens),
        frozenset(reader.keywords),
        frozenset(reader.assignments),
        frozenset(reader.comments),
        tuple(reader.runs),
    )


def read_word(text: str) -> Word:
    """Read one word by itself; what is not exactly one word is not plain."""
    reader = _Reader(text)
    try:
        end, word = reader.read_word(0, len(text), 0)
    except Unclear:
        return Word(_text(text), None)
    return word if end == len(text) else Word(_text(text), None)


def _text(piece: str) -> str:
    """Characters of bytes to characters of UTF-8."""
    return piece.encode("latin-1").decode("utf-8", "replace")


class _Reader:
    """A place in a text, and what was found before it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.tokens: set[tuple[int, int]] = set()
        self.keywords: set[int] = set()
        self.assignments: set[tuple[int, int]] = set()
        self.comments: set[tuple[int, int]] = set()
        self.runs: list[Run] = []
        self._pieces_read = 0

    # --- lists -----------------------------------------------------------------------------------------------------

    def read_list(self, at: int, limit: int, closer: str, nesting: int) -> int:
        """Read commands up to `limit`, or to the `closer` that belongs to none of them; gives the offset behind."""
        if nesting > MAX_NESTING:
            raise Unclear(f"substitutions nest deeper than {MAX_NESTING}")
        run, open_groups = Run(), 0
        for start, end, operator in self._pieces(at, limit):
            at = end
            if operator == ")" and closer == ")" and open_groups == 0:
                self._finish(run)
                self._token(start, end)
                return end
            if operator in _CONTROL or operator == "\n":
                self._finish(run)
                open_groups += {"(": 1, ")": -1}.get(operator, 0)
                run = Run(closes=operator == ")")
                if operator != "\n":
                    self._token(start, end)
            elif operator:
                at = self._redirection(run, (start, end), -1, limit, nesting)
            else:
                at = self._add(run, start, limit, nesting)
            self._at = at
        self._finish(run)
        if closer or open_groups:
            raise Unclear("a parenthesis is not closed")
        return limit

    def _pieces(self, at: int, limit: int) -> Iterator[tuple[int, int, str]]:
        """Operators and new-lines, and the starts of words as empty operators; the consumer moves `_at` on."""
        self._at = at
        while True:
            at = self._at
            while at < limit and self._text[at] in " \t":
                at += 1
            if at >= limit:
                return
            char = self._text[at]
            if char == "#":
                end = self._text.find("\n", at, limit)
                end = limit if end < 0 else end
                self.comments.add((at, end))
                self._at = end
                continue
            found = _OPERATORS.match(self._text, at, limit)
            if char == "\n":
                yield at, at + 1, "\n"
            elif found is None:
                yield at, at, ""
            else:
                self._refuse_operator(found.group(), at)
                yield at, found.end(), found.group()

    def _refuse_operator(self, operator: str, at: int) -> None:
        if operator in _REFUSED_OPERATORS:
            raise Unclear(f"{_REFUSED_OPERATORS[operator]} is not read here")
        if operator == "(" and self._text.startswith("((", at):
            raise Unclear("`((` is arithmetic to some shells")

    def _add(self, run: Run, start: int, limit: int, nesting: int) -> int:
        """Add one word to a run, or the redirection that begins with a digit; gives the offset behind it."""
        end, word = self.read_word(start, limit, nesting)
        raw = self._text[start:end]
        following = self._text[end : end + 1] if end < limit else ""
        if following == "(":
            raise Unclear("a parenthesis right after a word begins a function or a pattern")
        if following in {"<", ">"} and (raw.isdigit() or raw.startswith("{")):
            if len(raw) != 1 or raw == "{":
                raise Unclear(f"`{raw}{following}` is read otherwise by other shells")
            found = _OPERATORS.match(self._text, end, limit)
            assert found is not None
            self._refuse_operator(found.group(), end)
            self._token(start, end)
            _begin(run, start)
            return self._redirection(run, found.span(), int(raw), limit, nesting)
        self._token(start, end)
        self._place(run, start, end, raw, word)
        return end

    def _place(self, run: Run, start: int, end: int, raw: str, word: Word) -> None:
        """Put a word where it belongs: reserved word, assignment, program or argument."""
        if not run.words and not run.assignments and run.start < 0:
            if raw in OPENING or raw in CLOSING:
                self.keywords.add(start)
                run.closes = raw in CLOSING
                return
            if raw in REFUSED:
                raise Unclear(f"`{raw}` is not read here")
        if run.closes:
            raise Unclear(f"`{_text(raw)[:40]}` stands where only an operator or a redirection may")
        _begin(run, start)
        run.end = end
        if not run.words and _ASSIGNMENT.match(raw):
            self.assignments.add((start, end))
            run.assignments.append(word)
        else:
            run.words.append(word)

    def _redirection(self, run: Run, span: tuple[int, int], descriptor: int, limit: int, nesting: int) -> int:
        """Read the target of the redirection whose operator is at `span`; gives the offset behind it."""
        start, end = span
        operator = self._text[start:end]
        _begin(run, start)
        at = end
        while at < limit and self._text[at] in " \t":
            at += 1
        target_end, word = self.read_word(at, limit, nesting)
        raw = self._text[at:target_end]
        if operator in {"<&", ">&"}:
            if len(raw) != 1 or not (raw.isdigit() or raw == "-"):
                raise Unclear(f"`{operator}` is read here only before a digit or `-`")
            if raw == "-" and at != end:
                raise Unclear(f"write `{operator}-` without a blank")
        if raw == "-" and operator in {"<&", ">&"}:
            self._token(start, target_end)
        else:
            self._token(start, end)
            self._token(at, target_end)
        run.redirections.append(Redirection(operator, word, descriptor))
        run.end = target_end
        return target_end

    def _finish(self, run: Run) -> None:
        if run.redirections and not run.words and not run.assignments and not run.closes:
            raise Unclear("a redirection without a command")
        if run.start >= 0:
            self.runs.append(run)

    def _count_piece(self) -> None:
        self._pieces_read += 1
        if self._pieces_read > MAX_PIECES:
            raise Unclear(f"its words have more than {MAX_PIECES} parts")

    def _token(self, start: int, end: int) -> None:
        self.tokens.add((start, end))
        if len(self.tokens) > MAX_TOKENS:
            raise Unclear(f"it has more than {MAX_TOKENS} words and operators")

    # --- words -----------------------------------------------------------------------------------------------------

    def read_word(self, at: int, limit: int, nesting: int) -> tuple[int, Word]:
        """Read the word that begins here; gives the offset behind it. Quotes go, and nothing else is resolved."""
        start, parts, literal = at, list[str](), True
        while at < limit:
            char = self._text[at]
            if char in " \t\n;&|()<>":
                break
            self._count_piece()
            found = _LITERAL.match(self._text, at, limit)
            if found:
                parts.append(found.group())
                at = found.end()
            elif char == "\\":
                parts.append(self._escaped(at, limit))
                at += 2
            elif char == "'":
                at = self._single_quoted(at + 1, limit, parts)
            elif char == '"':
                at, known = self._double_quoted(at + 1, limit, nesting, parts)
                literal = literal and known
            elif char in "$`":
                at = self._expansion(at, limit, nesting, quoted=False)
                literal = False
            elif char == "{" and self._text.startswith("{}", at, limit):
                parts.append("{}")
                at += 2
            else:
                literal = literal and char == "=" and at > start
                parts.append(char)
                at += 1
        if at == start:
            raise Unclear("a word is missing")
        raw = self._text[start:at]
        literal = literal or raw in _LITERAL_ALONE
        return at, Word(_text(raw), _text("".join(parts)) if literal else None)

    def _single_quoted(self, at: int, limit: int, parts: list[str]) -> int:
        end = self._text.find("'", at, limit)
        if end < 0:
            raise Unclear("a quote is not closed")
        parts.append(self._text[at:end])
        return end + 1

    def _escaped(self, at: int, limit: int) -> str:
        following = self._text[at + 1 : at + 2] if at + 1 < limit else ""
        if following in {"", "\n"}:
            raise Unclear("a line continuation is not read here; write it on one line")
        return following

    def _double_quoted(self, at: int, limit: int, nesting: int, parts: list[str]) -> tuple[int, bool]:
        """Read up to the closing quote; gives the offset behind it, and whether all of it is literal."""
        literal = True
        while at < limit:
            char = self._text[at]
            if char == '"':
                return at + 1, literal
            if char == "\\":
                following = self._escaped(at, limit)
                parts.append(following if following in '$`"\\' else char + following)
                literal = literal and following != "!"
                at += 2
            elif char in "$`":
                at = self._expansion(at, limit, nesting, quoted=True)
                literal = False
            else:
                literal = literal and char != "!"
                parts.append(char)
                at += 1
        raise Unclear("a quote is not closed")

    def _expansion(self, at: int, limit: int, nesting: int, *, quoted: bool) -> int:
        """Step over one `$` or back-quote, reading what runs within; gives the offset behind it."""
        self._count_piece()
        if self._text[at] == "`":
            return self._back_quoted(at, limit, nesting, quoted=quoted)
        at += 1
        following = self._text[at : at + 1] if at < limit else ""
        if following in {"'", '"'} and not quoted:
            raise Unclear(f"`${following}` is read otherwise by other shells")
        if following == "(":
            if self._text.startswith("((", at):
                raise Unclear("arithmetic is not read here")
            self._token(at - 1, at + 1)
            return self.read_list(at + 1, limit, ")", nesting + 1)
        found = _VARIABLE.match(self._text, at, limit)
        if found:
            return found.end()
        if following in {"{", "["}:
            raise Unclear("`${…}` is read here only around a variable's name" if following == "{" else "`$[`")
        return at

    def _back_quoted(self, at: int, limit: int, nesting: int, *, quoted: bool) -> int:
        end = self._text.find("`", at + 1, limit)
        inner = self._text[at + 1 : end]
        if end < 0 or "\\" in inner or (quoted and ('"' in inner or "'" in inner)):
            raise Unclear("a back-quoted command with quotes or escapes is not read here; write `$(…)`")
        self._token(at, at + 1)
        self._token(end, end + 1)
        self.read_list(at + 1, end, "", nesting + 1)
        return end + 1


def _begin(run: Run, start: int) -> None:
    if run.start < 0:
        run.start = start
