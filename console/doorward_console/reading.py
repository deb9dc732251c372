"""SQL text as an operation, for explaining and testing policies.

It is pure. It reads a text as a gateway would at the start of a session: no prepared names, no transaction.
What it gives is for policy to look at, and nothing else: it has no digest and is never sent anywhere.
Without a catalogue no name can be resolved, so that most statements are not complete, as they would be for a gateway
whose target cannot be reached.
"""

from doorward_core.mask.select import column_masks
from doorward_core.model import Action, Atom, Mask, Operation, Target
from doorward_core.sql.analysis import STRICTEST_FIRST, Context
from doorward_core.sql.analyze import analyze
from doorward_core.sql.catalog import Catalog
from doorward_core.sql.names import split_path
from doorward_core.sql.parse import UnreadableSQL, parse

DEFAULT_SEARCH_PATH = '"$user", public'


def read_sql(
    text: str,
    catalog: Catalog | None,
    masks: tuple[Mask, ...],
    *,
    search_path: str = DEFAULT_SEARCH_PATH,
    user: str = "",
) -> Operation:
    """The operation that a text is. ValueError if `search_path` is not a list of names."""
    path = split_path(search_path)
    if path is None:
        raise ValueError(f"{search_path} is not a search_path")
    try:
        message = parse(text)
    except UnreadableSQL as error:
        return _unreadable(text, str(error))
    context = Context(
        catalog, tuple(user if name == "$user" else name for name in path), masked=_masked(catalog, masks)
    )
    analyses = analyze(message, context)
    if not analyses:
        return _operation(text, "EMPTY", (Atom(Action.SESSION, Target("transaction", "empty")),), "")
    atoms = tuple(dict.fromkeys(atom for one in analyses for atom in one.atoms))
    verb = "; ".join(dict.fromkeys(one.verb for one in analyses))
    problem = next((one.problem or "it could not be read whole" for one in analyses if not one.complete), "")
    return _operation(text, verb, atoms, problem)


def _unreadable(text: str, problem: str) -> Operation:
    return _operation(text, "UNREADABLE", (Atom(Action.UNKNOWN, Target("opaque", "UNREADABLE")),), problem)


def _operation(text: str, verb: str, atoms: tuple[Atom, ...], problem: str) -> Operation:
    actions = {atom.action for atom in atoms}
    strictest = next(action for action in STRICTEST_FIRST if action in actions)
    return Operation(
        id=b"",
        seq=0,
        action=Action.UNKNOWN if problem else strictest,
        verb=verb,
        atoms=atoms,
        text=text,
        digest=b"",
        complete=not problem,
        attributes={"problem": problem},
    )


def _masked(catalog: Catalog | None, masks: tuple[Mask, ...]) -> dict[int, frozenset[int]]:
    if catalog is None:
        return {}
    found = column_masks(
        masks,
        (
            (one.oid, f"{one.schema}.{one.name}", tuple((column.attnum, column.name) for column in one.columns))
            for one in catalog.relations
        ),
    )
    return {oid: frozenset(columns) for oid, columns in found.items()}
