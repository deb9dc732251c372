"""What an analysis is asked and what it answers: the nouns of this room.

They do nothing, and know no server.
`Context` is everything outside the text that changes what the text means; `StatementAnalysis` is what was found.
Everything that could not be proved is written as not proved: `complete`, `pure` and `clear` are True only by proof.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from doorward_core.model import Action, Atom
from doorward_core.sql.catalog import Catalog, ColumnId
from doorward_core.sql.session import SessionEffect

STRICTEST_FIRST = (
    Action.UNKNOWN,
    Action.ADMIN,
    Action.DEFINE,
    Action.EXECUTE,
    Action.WRITE,
    Action.TRANSFER,
    Action.FORWARD,
    Action.PROBE,
    Action.READ,
    Action.SESSION,
    Action.CONNECT,
)
"""Of the actions of its atoms, the first of these is what a text as a whole is called."""


@dataclass(frozen=True, slots=True)
class Context:
    """The session in which a message is read.

    `search_path` is expanded ("$user" resolved). `masked` names masked columns by relation OID and attribute number;
    views, partitions and generated columns are followed here, and need not be in it.
    `prepared` and `cursors` give the text that made a name: of the statement prepared or declared, or of the whole
    PREPARE or DECLARE. `temp_names` are temporary relations made in this session: an unqualified use of one is not
    resolved.
    `uncertain` says that the catalogue may be behind (uncommitted DDL, opaque code that ran): nothing is then proved.
    `settled` says that no search_path change awaits COMMIT or ROLLBACK, so that neither changes it.
    Keep one object as long as nothing in it changes: it remembers what it worked out.
    """

    catalog: Catalog | None
    search_path: tuple[str, ...] = ()
    masked: Mapping[int, frozenset[int]] = field(default_factory=dict)
    prepared: Mapping[str, str] = field(default_factory=dict)
    cursors: Mapping[str, str] = field(default_factory=dict)
    temp_names: frozenset[str] = frozenset()
    uncertain: bool = False
    settled: bool = True
    memo: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of the result, in order.

    `clear`: the tree proves that no mask is owed. `origin`: exactly this base column, unchanged, and nothing else.
    `tainted`: the masked base columns that may flow in; empty and not clear means that nothing could be proved.
    A proof holds only where RowDescription has the same number of columns under the same names.
    """

    name: str
    clear: bool
    origin: ColumnId | None = None
    tainted: frozenset[ColumnId] = frozenset()


@dataclass(frozen=True, slots=True)
class CopyInfo:
    """What a COPY moves, and how it is written.

    `direction` is "in" or "out" as the server sees it; `end` is "stdin", "stdout", "file" or "program".
    `relation` is 0 for a query; `columns` are the relation's attribute numbers in the order copied;
    `outputs` are the columns of COPY ... TO, of a relation or a query; None where they could not be derived.
    `readable` is False where an option was not understood: its payload cannot be masked.
    """

    direction: str
    end: str
    relation: int = 0
    columns: tuple[int, ...] = ()
    outputs: tuple[OutputColumn, ...] | None = None
    format: str = "text"
    delimiter: str = "\t"
    quote: str = '"'
    escape: str = '"'
    null: str = "\\N"
    header: bool = False
    encoding: str = ""
    readable: bool = True


@dataclass(frozen=True, slots=True)
class StatementAnalysis:
    """What one statement does.

    `problem` says in words for whoever sent it why it is not `complete`; where that is a name that stands for nothing,
    `absent` is its kind and the name as written (`relation nosuch`).
    `pure`: proved to do nothing but read catalogue-resolved relations through safe built-in functions.
    `reads` are the OIDs of relations, base tables of views included, whose rows may reach the client, in results or
    in errors; `touches_masked` says that a masked column is within reach, so that messages can carry its values.
    `inner` says how it was seen through (`EXECUTE name`, `FETCH name`, `EXPLAIN`); its atoms are among `atoms`.
    `stands_for` are the (kind, name, text) of each prepared name and cursor in it: without them its own text says
    nothing of what runs.
    `outputs` is None where the result's columns could not be derived.
    """

    verb: str
    atoms: tuple[Atom, ...]
    complete: bool
    problem: str
    pure: bool
    effect: SessionEffect | None
    reads: frozenset[int]
    touches_masked: bool
    outputs: tuple[OutputColumn, ...] | None
    returns_rows: bool
    copy: CopyInfo | None = None
    inner: str = ""
    absent: str = ""
    stands_for: tuple[tuple[str, str, str], ...] = ()
