"""SQL text to trees: PostgreSQL's own grammar (libpg_query 18 through postgast) decides what was said.

It refuses what it cannot read, and decides nothing.
Implements ARCHITECTURE.md, "Deciding on SQL"; threat model PG-03, PG-04, PG-05, PG-09, PG-10.

Invariants: a text holding NUL never reaches the C library (it stops reading there, the server does too, but later
bytes would differ); no text reaches it that could nest deeper than `DEEPEST_CHAIN` (its recursion has no check of its
own: 30,000 chained operators end the process); whatever comes back is the tree of exactly the text given.
"""

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass

from google._upb._message import SetAllowOversizeProtos
from google.protobuf.message import DecodeError, Message
from postgast import PgQueryError
from postgast import normalize as _normalize
from postgast import parse as _parse
from postgast import scan as _scan
from postgast.pg_query_pb2 import Token

from doorward_core.sql.census import Census, take_census
from doorward_core.sql.verbs import verb_of

# A simple protocol message may be this long; the configured `statement_bytes` is usually smaller.
LONGEST_STATEMENT_BYTES = 64 * 1024 * 1024
# The deepest tree that the C library has to build. It was seen to fail between 20,000 and 30,000 with an 8 MiB stack.
DEEPEST_CHAIN = 8_000
# Each level costs two bytes at least (`+1`), so that a shorter text cannot nest deeper than DEEPEST_CHAIN.
UNSCANNED_BYTES = 2 * DEEPEST_CHAIN
# What one message may be made of. Reading a token costs some 10 µs here and 400 bytes of tree, so that a few megabytes
# of `1,1,1` would hold everybody up for minutes. 65,535 rows of `($1::int),`, the most that one Bind fills, are less.
MOST_TOKENS = 400_000
# What the cache may hold, and what one entry is reckoned at: trees were measured at 20 to 40 times their text.
CACHE_BYTES = 32 * 1024 * 1024
TREE_FACTOR = 40
# Of a parser's message, what is kept: it quotes the statement.
MESSAGE_CHARACTERS = 300

# The default of 100 levels refuses about 45 chained operators; depth is bounded before the decoder sees the tree.
SetAllowOversizeProtos(True)

_OPENING = frozenset({Token.Value("ASCII_40"), Token.Value("ASCII_91")})
_CLOSING = frozenset({Token.Value("ASCII_41"), Token.Value("ASCII_93")})
_RESETTING = frozenset({Token.Value("ASCII_44"), Token.Value("ASCII_59")})
_LEAVES = frozenset(
    Token.Value(name)
    for name in ("IDENT", "UIDENT", "FCONST", "SCONST", "USCONST", "BCONST", "XCONST", "ICONST", "PARAM", "ASCII_46",
                 "SQL_COMMENT", "C_COMMENT")
)  # fmt: skip


class UnreadableSQL(ValueError):
    """The text cannot be read as SQL; the message says why, in words that are safe to show to whoever sent it.

    `grammar` is True where the grammar refuses it, as the server's own would.
    """

    def __init__(self, message: str, *, grammar: bool = False) -> None:
        super().__init__(message)
        self.grammar = grammar


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """One statement: its command tag's words, its own text, its raw parse tree (a `Node`), and what is named in it."""

    verb: str
    text: str
    tree: Message
    kind: str
    census: Census


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A whole message: zero statements (white space and comments only), one, or several."""

    text: str
    statements: tuple[ParsedStatement, ...]


class _Cache:
    """Least recently used trees, bounded in reckoned bytes."""

    __slots__ = ("_entries", "_size")

    def __init__(self) -> None:
        self._entries: OrderedDict[str, ParsedMessage] = OrderedDict()
        self._size = 0

    def get(self, text: str) -> ParsedMessage | None:
        found = self._entries.get(text)
        if found is not None:
            with suppress(KeyError):  # long texts are read in a thread, which may have pushed it out just now
                self._entries.move_to_end(text)
        return found

    def put(self, message: ParsedMessage) -> None:
        cost = _cost(message.text)
        if cost > CACHE_BYTES // 8 or message.text in self._entries:
            return
        self._entries[message.text] = message
        self._size += cost
        with suppress(KeyError):
            while self._size > CACHE_BYTES:
                text, _ = self._entries.popitem(last=False)
                self._size -= _cost(text)


def _cost(text: str) -> int:
    return 1024 + TREE_FACTOR * len(text)


_cache = _Cache()


def parse(text: str) -> ParsedMessage:
    """Read `text`; raises UnreadableSQL. The same text gives the same object while the cache remembers it."""
    found = _cache.get(text)
    if found is None:
        found = _read(text)
        _cache.put(found)
    return found


def _read(text: str) -> ParsedMessage:
    data = _checked(text)
    try:
        if len(data) > UNSCANNED_BYTES:
            _refuse_intricate(text)
        result = _parse(text)
    except PgQueryError as error:
        # Of what the parser may say (its stack has a limit, too), these come from the grammar and the scanner.
        grammar = any(words in error.message for words in (" at or near ", " at end of input"))
        raise UnreadableSQL(error.message[:MESSAGE_CHARACTERS], grammar=grammar) from error
    except DecodeError as error:
        raise UnreadableSQL("the statement is nested too deeply") from error
    statements = []
    for raw in result.stmts:
        end = raw.stmt_location + raw.stmt_len if raw.stmt_len else len(data)
        kind = raw.stmt.WhichOneof("node")
        own = data[raw.stmt_location : end].decode().strip()
        statements.append(ParsedStatement(verb_of(kind, raw.stmt), own, raw.stmt, kind, take_census(raw.stmt)))
    return ParsedMessage(text, tuple(statements))


def _checked(text: str) -> bytes:
    if "\x00" in text:
        raise UnreadableSQL("the statement holds a NUL byte")
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise UnreadableSQL("the statement is not valid Unicode") from error
    if len(data) > LONGEST_STATEMENT_BYTES:
        raise UnreadableSQL(f"the statement is longer than {LONGEST_STATEMENT_BYTES} bytes")
    return data


def _refuse_intricate(text: str) -> None:
    """Bound the size and the depth of the tree from its flat tokens.

    Each operator or key word since the last comma at the same depth of parentheses may add one level.
    """
    tokens = _scan(text).tokens
    if len(tokens) > MOST_TOKENS:
        raise UnreadableSQL(f"the statement has more than {MOST_TOKENS} words and signs; send it in parts")
    chains = [0]
    total = 0
    for item in tokens:
        token = item.token
        if token in _LEAVES:
            continue
        if token in _RESETTING:
            total -= chains[-1]
            chains[-1] = 0
            continue
        if token in _CLOSING:
            total -= chains.pop() if len(chains) > 1 else 0
            continue
        chains[-1] += 1
        total += 1
        if token in _OPENING:
            chains.append(0)
        if total > DEEPEST_CHAIN:
            raise UnreadableSQL(f"the statement may nest deeper than {DEEPEST_CHAIN} levels")


# What makes a literal part of the meaning: a statement that is not plain DML, or one of these names in it.
_PLAIN = frozenset({"select_stmt", "insert_stmt", "update_stmt", "delete_stmt"})
_LITERAL_FUNCTIONS = frozenset({"set_config", "nextval", "setval", "currval", "current_setting"})
_LITERAL_TYPES = frozenset(
    {"regclass", "regproc", "regprocedure", "regoper", "regoperator", "regtype", "regrole", "regnamespace",
     "regconfig", "regdictionary", "regcollation", "regdatabase"}
)  # fmt: skip


def normalize_key(text: str) -> str | None:
    """Give the text with its literals replaced, where no literal can change what the analysis says; else None."""
    message = parse(text)
    for statement in message.statements:
        if statement.kind not in _PLAIN:
            return None
        if any(name[-1] in _LITERAL_FUNCTIONS for name in statement.census.functions):
            return None
        if any(name[-1] in _LITERAL_TYPES for name in statement.census.types):
            return None
    try:
        return str(_normalize(text))
    except PgQueryError:
        return None
