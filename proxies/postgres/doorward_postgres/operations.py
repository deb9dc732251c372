"""From messages to what is being asked: the `Operation` of a Query, a Parse, a Bind or a FunctionCall.

What it is: the join of one message with the analysis of its text, its parameters, and the tracked state of its session.
What it will not do: decide, await, or parse SQL itself (`doorward_core.sql` does).

Source: PostgreSQL protocol, "Message Formats" (Query, Parse, Bind, FunctionCall); ARCHITECTURE.md, "Deciding on SQL".

Invariants:
- `digest` covers everything that changes meaning: text, what the prepared names and cursors in it stand for, parameters
  with their formats and types, account, database, search_path, role.
- A text that cannot be read becomes an operation that is not `complete`; policy then sees `unknown`.
- Remembered analyses are keyed by everything that they depend on, and bounded in bytes.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, Literal

from doorward_core.model import Action, Atom, Mask, Operation, Target
from doorward_core.sql.analysis import STRICTEST_FIRST, Context
from doorward_core.sql.analyze import analyze
from doorward_core.sql.catalog import Catalog
from doorward_core.sql.parse import ParsedMessage, UnreadableSQL, parse
from doorward_postgres.machine import Phase, Question
from doorward_postgres.names import NameTable, Prepared
from doorward_postgres.readings import Reading, Readings
from doorward_postgres.state import IN_TRANSACTION, SessionState

GRAMMAR: Final = "grammar"  # in the place of an absent name: the text is no SQL at all
MAX_TEXT_CHARS: Final = 1024 * 1024  # of one statement kept for people; the digest covers all of it
MAX_PARAMETER_CHARS: Final = 16 * 1024  # of one bound value kept for people
MAX_PARAMETERS: Final = 1000
LONG_TEXT_CHARS: Final = 16 * 1024  # reading costs about 1 ms for each 1,000 characters

REPEATABLE_VERBS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE"})

_TEXT_OIDS: Final = frozenset({18, 19, 25, 114, 142, 705, 1042, 1043})  # char name text json xml unknown bpchar varchar
_INTEGERS: Final = {20: 8, 21: 2, 23: 4, 26: 4}  # int8 int2 int4 oid
_FLOATS: Final = {700: Struct("!f"), 701: Struct("!d")}


MAX_DIGESTS: Final = 16  # sessions' states for which the beginning of one statement's digest is kept
MAX_CONTEXTS: Final = 64  # search_paths remembered for one view; past them the oldest is made anew


@dataclass(slots=True)
class View:
    """What an analysis depends on besides the text and the session: the catalogue, and who may not see what.

    `masks` maps the OID of a relation to its masked columns by number; `version` changes whenever either does.
    """

    catalog: Catalog | None
    masks: Mapping[int, Mapping[int, Mask]]
    version: int
    # What columns of known relations owe, as `results.lookup` found it: as many as the catalogue has columns.
    owed: dict[tuple[int, int], Mask | Literal["clear"]] = field(default_factory=dict)
    # What sessions with this view have read, for the others. One for all views of a resource: its keys say which.
    shared: Readings = field(default_factory=Readings)
    _contexts: dict[tuple[str, ...], Context] = field(default_factory=dict)
    masked: Mapping[int, frozenset[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.masked = {oid: frozenset(columns) for oid, columns in self.masks.items()}

    def context(self, search_path: tuple[str, ...]) -> Context:
        """The context of a plain session with this search_path: one object, for it remembers what it worked out."""
        found = self._contexts.get(search_path)
        if found is None:
            if len(self._contexts) >= MAX_CONTEXTS:
                del self._contexts[next(iter(self._contexts))]
            found = self._contexts[search_path] = Context(self.catalog, search_path, self.masked)
        return found


@dataclass(slots=True)
class Reader:
    """Reads the messages of one session. `role` and `account` are the login at the target."""

    account: str
    database: str
    seq: int = 0
    _known: Readings = field(default_factory=Readings)

    def read(self, question: Question, state: SessionState, prepared: NameTable[Prepared], view: View) -> Reading:
        """The statements of a message, from memory where nothing that they depend on has changed."""
        if question.phase is Phase.FUNCTION_CALL:
            return _unreadable("FUNCTION CALL", "fast-path function calls are not read; use SELECT")
        text = question.text
        key = (text, state.search_path, state.role, view.version)
        plain = not state.uncertain and not state.temp_names and state.settled
        known = self._known.get(key) if plain else None
        if known is not None:
            return known
        # A long text is read in a thread, and what is shared belongs to the event loop's.
        shared = (*key, state.user) if plain and len(text) <= LONG_TEXT_CHARS else None
        found = view.shared.get(shared) if shared is not None else None
        reading = found.own() if found is not None else _analyse(text, state, prepared, view)
        if plain and all(one.verb in REPEATABLE_VERBS for one in reading.analyses):
            reading.repeatable = True
            self._known.keep(key, text, reading)
            if shared is not None and found is None:
                view.shared.keep(shared, text, reading.own())
        return reading

    def operation(
        self, question: Question, reading: Reading, state: SessionState, id_: bytes, seq: int = 0
    ) -> Operation:
        """The operation of a message; `id_` is 16 random bytes, `seq` its number where it has been given one."""
        if not seq:
            seq = self.seq = self.seq + 1
        parameters, cut = _parameters(question)
        text = question.text
        return Operation(
            id_,
            seq,
            reading.action,
            reading.verb if question.phase is not Phase.PARSE else f"PARSE {reading.verb}",
            reading.atoms,
            text[:MAX_TEXT_CHARS],
            self._digest(question, reading, state),
            reading.complete,
            reading.pure and not state.wrote,
            text_truncated=max(len(text), len(reading.stands_for)) > MAX_TEXT_CHARS or cut,
            parameters=parameters,
            unseen=reading.unseen,
            in_transaction=state.status == IN_TRANSACTION,
            attributes={
                "search_path": state.search_path,
                "database": self.database,
                "problem": reading.problem,
                "absent": reading.absent,
                "stands_for": reading.stands_for[:MAX_TEXT_CHARS],
            },
        )

    def _digest(self, question: Question, reading: Reading, state: SessionState) -> bytes:
        key = (question.text, state.search_path, state.role, question.parameter_oids)
        begun = reading.digests.get(key)
        if begun is None:
            begun = hashlib.sha256()
            session = (self.account, self.database, state.search_path, state.role)
            for text in (question.text, reading.stands_for, *session):
                _add(begun, text.encode("utf-8", "surrogatepass"))
            _add(begun, repr(question.parameter_oids).encode())
            if len(reading.digests) < MAX_DIGESTS:
                reading.digests[key] = begun
        digest = begun.copy()
        if question.bind is not None:
            _add(digest, repr(question.bind.param_formats).encode())
            for value in question.bind.params:
                _add(digest, b"\x00" if value is None else b"\x01" + value)
        if question.call is not None:
            _add(digest, question.frame)
        return digest.digest()


def _add(digest: "hashlib._Hash", part: bytes) -> None:
    digest.update(len(part).to_bytes(8, "big") + part)


def _unreadable(verb: str, problem: str, absent: str = "") -> Reading:
    atoms = (Atom(Action.UNKNOWN, Target("opaque", verb)),)
    return Reading(verb, Action.UNKNOWN, atoms, (), complete=False, problem=problem, absent=absent)


def _analyse(text: str, state: SessionState, prepared: NameTable[Prepared], view: View) -> Reading:
    try:
        message = parse(text)
    except UnreadableSQL as error:
        return _unreadable("UNREADABLE", str(error), GRAMMAR if error.grammar else "")
    context = _context(message, state, prepared, view)
    analyses = analyze(message, context)
    if not analyses:
        return Reading(
            "EMPTY", Action.SESSION, (Atom(Action.SESSION, Target("transaction", "empty")),), (), complete=True
        )
    atoms = tuple(dict.fromkeys(atom for one in analyses for atom in one.atoms))
    actions = {atom.action for atom in atoms}
    complete = all(one.complete for one in analyses)
    action = next((one for one in STRICTEST_FIRST if one in actions), Action.SESSION) if complete else Action.UNKNOWN
    verb = "; ".join(dict.fromkeys(one.verb for one in analyses))[:200]
    problem, absent = next(((one.problem, one.absent) for one in analyses if one.problem), ("", ""))
    return Reading(verb, action, atoms, analyses, complete, problem, absent)


def _context(message: ParsedMessage, state: SessionState, prepared: NameTable[Prepared], view: View) -> Context:
    """What the message is read under. Plain statements of plain sessions share one, which remembers what it found."""
    plain = not state.uncertain and not state.temp_names and state.settled
    if plain and all(one.verb in REPEATABLE_VERBS for one in message.statements):
        return view.context(state.path_elements())
    return Context(
        catalog=view.catalog,
        search_path=state.path_elements(),
        masked=view.masked,
        prepared={name: thing.text for name, thing in prepared.entries.items()},
        cursors=state.cursors,
        temp_names=frozenset(state.temp_names),
        uncertain=state.uncertain,
        settled=state.settled,
    )


def _parameters(question: Question) -> tuple[tuple[str | None, ...], bool]:
    """Bound values as a person may read them, and whether anything was cut."""
    if question.bind is not None:
        return shown_parameters(question.bind.params, question.bind.param_formats, question.parameter_oids)
    if question.call is not None:
        return shown_parameters(question.call.args, question.call.arg_formats, question.parameter_oids)
    return (), False


def shown_parameters(
    values: tuple[bytes | None, ...], formats: tuple[int, ...], oids: tuple[int, ...]
) -> tuple[tuple[str | None, ...], bool]:
    """Values as a person may read them, and whether anything was cut."""
    shown: list[str | None] = []
    cut = len(values) > MAX_PARAMETERS
    for position, value in enumerate(values[:MAX_PARAMETERS]):
        if value is None:
            shown.append(None)
            continue
        oid = oids[position] if position < len(oids) else 0
        text = _shown(value, oid, binary=_format(formats, position) == 1)
        cut = cut or len(text) > MAX_PARAMETER_CHARS
        shown.append(text[:MAX_PARAMETER_CHARS])
    return tuple(shown), cut


def _format(formats: tuple[int, ...], position: int) -> int:
    if len(formats) == 1:
        return formats[0]
    return formats[position] if position < len(formats) else 0


def _shown(value: bytes, oid: int, *, binary: bool) -> str:
    if not binary or oid in _TEXT_OIDS:
        return value.decode("utf-8", "backslashreplace")
    if _INTEGERS.get(oid) == len(value):
        return str(int.from_bytes(value, "big", signed=oid != 26))  # noqa: PLR2004 - OID of the type oid, unsigned
    layout = _FLOATS.get(oid)
    if layout is not None and layout.size == len(value):
        return repr(layout.unpack(value)[0])
    return "\\x" + value[: MAX_PARAMETER_CHARS + 1].hex()
