"""What calling something can do: functions, operators, casts and types, judged by name and by catalogue.

A function is safe if its name is written down as safe (`safe_functions`) *and* every candidate that the catalogue
finds under the search path is built in, or belongs to an extension that is as good as built in.
One candidate from anywhere else makes the call an `execute` atom, for overloads are chosen by type across all schemas
of the path, and this room infers no types.
It implements ARCHITECTURE.md, "Deciding on SQL"; threat model PG-08, PG-20, PG-21, PG-24, PG-25.
"""

from doorward_core.sql.catalog import CATALOG_SCHEMA, Catalog, Function, Name, Type, qualified
from doorward_core.sql.parse import UnreadableSQL, parse
from doorward_core.sql.safe_functions import SAFE, SAFE_VOLATILE
from doorward_core.sql.work import Work

# With these a value only shows itself: they cannot fail on it, and give NULL only for NULL.
SHOWING = frozenset(
    {"any_value", "array_agg", "avg", "btrim", "concat", "concat_ws", "count", "first_value", "initcap",
     "json_agg", "json_build_array", "jsonb_agg", "jsonb_build_array", "lag", "last_value", "lead", "left", "length",
     "lower", "ltrim", "max", "md5", "min", "quote_literal", "quote_nullable", "reverse", "right", "row_to_json",
     "rtrim", "string_agg", "substr", "sum", "to_json", "to_jsonb", "upper", "json_build_object",
     "jsonb_build_object", "json_object_agg", "jsonb_object_agg", "octet_length", "char_length",
     "character_length", "bit_length", "sha224", "sha256", "sha384", "sha512", "translate", "replace"}
)  # fmt: skip
SHOWING_OPERATORS = frozenset({"||"})
# These look up a key or a position: they only show their left side as long as the right side is not masked.
LOOKING_UP = frozenset({"->", "->>", "#>", "#>>"})
# Casts that never fail on any value.
SHOWING_TYPES = frozenset({"text", "varchar", "bpchar", "name", "char"})
SEQUENCE_WRITERS = frozenset({"nextval", "setval"})
# Volatile functions of trusted extensions that only make a value up.
_SAFE_IN_EXTENSIONS = frozenset({"uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "gen_random_uuid"})
# The sampling methods that are built in.
_TABLESAMPLE = frozenset({"system", "bernoulli"})


def safe_function(catalog: Catalog, name: Name, search_path: tuple[str, ...], count: int) -> bool:
    """Whether a call of `name` with `count` arguments is proved to read nothing and to change nothing."""
    candidates = [item for item in catalog.functions(name, search_path) if item.takes(count)]
    return bool(candidates) and all(_safe(item) for item in candidates)


def _safe(function: Function) -> bool:
    if function.kind == "p":
        return False
    if function.builtin and function.schema == CATALOG_SCHEMA:
        return function.name in SAFE_VOLATILE or (function.name in SAFE and function.volatile != "v")
    if function.builtin and function.schema == "information_schema":
        return function.volatile != "v"
    return function.trusted and (function.volatile != "v" or function.name in _SAFE_IN_EXTENSIONS)


def check_call(work: Work, name: Name, count: int) -> tuple[Function, ...]:
    """Write down what calling `name` does; gives the candidates, none if it is not proved safe."""
    work.seen_functions.add(name)
    catalog = work.lens.catalog
    if catalog is None:
        work.opaque("function", ".".join(name))
        work.incomplete("no catalogue: what the function is cannot be known")
        return ()
    found = catalog.functions(name, work.lens.path)
    candidates = tuple(item for item in found if item.takes(count)) or found
    if not candidates:
        if _names_safe_type(work, name):
            return ()
        work.opaque("function", ".".join(name))
        work.missing("function", name)
        return ()
    unsafe = [item for item in candidates if not _safe(item)]
    for item in unsafe:
        work.opaque("function", item.qualified)
    return () if unsafe else candidates


def _names_safe_type(work: Work, name: Name) -> bool:
    """Whether a call is a cast written as one: `text(x)`."""
    catalog = work.lens.catalog
    found = None if catalog is None else catalog.type(name, work.lens.path)
    if found is None:
        return False
    check_type(work, name)
    return True


def check_operator(work: Work, name: Name) -> bool:
    """Write down what an operator does; whether every candidate is built in."""
    work.seen_operators.add(name)
    catalog = work.lens.catalog
    if catalog is None:
        work.pure = False
        work.incomplete("no catalogue: what the operator is cannot be known")
        return False
    strange = [item for item in catalog.operators(name, work.lens.path) if not item.trusted]
    for item in strange:
        work.opaque("function", item.function)
    _check_implicit_casts(work)
    return not strange


def _check_implicit_casts(work: Work) -> None:
    """An implicit cast that runs a function can take part in any call: where one exists, it may have run."""
    catalog = work.lens.catalog
    if catalog is None:
        return
    for cast in catalog.casts:
        if cast.context == "i" and not cast.trusted:
            work.opaque("function", cast.function)


def check_type(work: Work, name: Name) -> None:
    """Write down what a cast to a type does: domains run their checks, user-made casts their functions."""
    work.seen_types.add(name)
    catalog = work.lens.catalog
    if catalog is None:
        if name[0] != CATALOG_SCHEMA:
            work.incomplete("no catalogue: what the type is cannot be known")
        return
    found = catalog.type(name, work.lens.path)
    if found is None:
        if _is_row_type(work, name):
            return
        work.opaque("type", ".".join(name))
        work.missing("type", name)
        return
    for cast in catalog.casts:
        if not cast.trusted and found.oid in {cast.source, cast.target}:
            work.opaque("function", cast.function)
    if not _harmless(catalog, found, ()):
        work.opaque("type", qualified(found.schema, found.name))


def _is_row_type(work: Work, name: Name) -> bool:
    """Built-in relations' row types are not in the snapshot; they hold nothing but built-in types."""
    found = work.lens.catalog.resolve(name, work.lens.path) if work.lens.catalog is not None else None
    return found is not None and found.builtin


def _harmless(catalog: Catalog, found: Type, seen: tuple[int, ...]) -> bool:
    """Whether making a value of the type runs no code but the server's own."""
    # Base types are made by superusers, with functions in C; enums and ranges run no function of their maker's.
    if found.builtin or found.trusted or found.kind in {"e", "p", "r", "m"} or found.oid in seen:
        return True
    seen = (*seen, found.oid)
    if found.kind == "d":
        base = catalog.type_by_oid(found.related)
        return (
            base is not None
            and _harmless(catalog, base, seen)
            and all(_safe_check(catalog, check) for check in found.checks)
        )
    if found.kind == "c":
        relation = catalog.relation_by_oid(found.relation)
        return relation is not None and all(
            part is not None and _harmless(catalog, part, seen)
            for part in (catalog.type_by_oid(column.type_oid) for column in relation.columns)
        )
    if not found.related:
        return found.kind == "b"
    element = catalog.type_by_oid(found.related)
    return element is not None and _harmless(catalog, element, seen)


def _safe_check(catalog: Catalog, expression: str) -> bool:
    """Whether a domain's CHECK expression calls nothing but safe functions; names in it are qualified."""
    try:
        census = parse(f"SELECT {expression}").statements[0].census
    except UnreadableSQL:
        return False
    for name in census.functions:
        found = catalog.functions(name, ())
        if not found or not all(_safe(item) for item in found):
            return False
    return not census.relations and not any(catalog.operators(name, ()) for name in census.operators)


def check_sample(work: Work, name: Name) -> None:
    """Write down what a TABLESAMPLE method does: any function of the right shape can be one."""
    work.seen_functions.add(name)
    if name[-1] not in _TABLESAMPLE or (len(name) > 1 and name[0] != CATALOG_SCHEMA):
        work.opaque("function", ".".join(name))
