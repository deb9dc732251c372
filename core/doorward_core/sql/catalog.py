"""What a database holds, as one immutable snapshot: relations, functions, operators, casts and types.

It asks nobody: `doorward_core.sql.catalog_load` fills it, tests build it by hand.
It implements PostgreSQL's system catalogues (pg_class, pg_attribute, pg_proc, pg_operator, pg_cast, pg_type) as far as
an analysis needs them, and the name look-up of `src/backend/catalog/namespace.c`.

Invariants: built-in means an OID below `FIRST_USER_OID`, as initdb gives them; what is not in the snapshot is unknown,
never assumed; temporary schemas are never in it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

# FirstNormalObjectId (src/include/access/transam.h): what is below was made by initdb.
FIRST_USER_OID = 16384
# What every name resolves against first unless the path says otherwise.
CATALOG_SCHEMA = "pg_catalog"

ColumnId = tuple[int, int]
Name = tuple[str, ...]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `generated` is the expression of a generated column, empty for others."""

    attnum: int
    name: str
    type_oid: int
    typmod: int = -1
    not_null: bool = False
    generated: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation.

    `kind` is pg_class.relkind. `parents` and `children` are OIDs by inheritance, partitions included.
    `definition` is the query of a view or materialized view, every name in it qualified.
    """

    oid: int
    schema: str
    name: str
    kind: str
    columns: tuple[Column, ...] = ()
    parents: tuple[int, ...] = ()
    children: tuple[int, ...] = ()
    is_partition: bool = False
    definition: str = ""
    has_rules: bool = False
    has_triggers: bool = False
    row_security: bool = False

    @property
    def qualified(self) -> str:
        """The canonical name that policy sees."""
        return qualified(self.schema, self.name)

    @property
    def builtin(self) -> bool:
        """Whether initdb made it."""
        return self.oid < FIRST_USER_OID


@dataclass(frozen=True, slots=True)
class Function:
    """One function, aggregate, window function or procedure.

    `volatile` is pg_proc.provolatile, `kind` pg_proc.prokind. `most_args` is None where it is variadic.
    `outputs` are its OUT and TABLE columns with their types. `trusted` says that a well-known extension owns it.
    """

    oid: int
    schema: str
    name: str
    language: str = "internal"
    volatile: str = "v"
    kind: str = "f"
    returns_set: bool = False
    result_type: int = 0
    fewest_args: int = 0
    most_args: int | None = 0
    outputs: tuple[tuple[str, int], ...] = ()
    trusted: bool = False

    @property
    def qualified(self) -> str:
        """The canonical name that policy sees."""
        return qualified(self.schema, self.name)

    @property
    def builtin(self) -> bool:
        """Whether initdb made it."""
        return self.oid < FIRST_USER_OID

    def takes(self, count: int) -> bool:
        """Whether a call with `count` arguments could mean this one."""
        return self.fewest_args <= count and (self.most_args is None or count <= self.most_args)


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator that initdb did not make, with the function behind it."""

    schema: str
    name: str
    function: str
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Cast:
    """One cast that initdb did not make and that runs a function; `context` is pg_cast.castcontext."""

    source: int
    target: int
    function: str
    context: str
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class Type:
    """One type: `kind` is pg_type.typtype, `related` the base of a domain, the element of an array.

    `relation` is the relation of a composite type; `checks` are a domain's CHECK expressions.
    """

    oid: int
    schema: str
    name: str
    kind: str = "b"
    related: int = 0
    relation: int = 0
    checks: tuple[str, ...] = ()
    trusted: bool = False

    @property
    def builtin(self) -> bool:
        """Whether initdb made it."""
        return self.oid < FIRST_USER_OID


@dataclass(frozen=True, slots=True)
class Contents:
    """What a loader read, in no order."""

    relations: tuple[Relation, ...] = ()
    functions: tuple[Function, ...] = ()
    operators: tuple[Operator, ...] = ()
    casts: tuple[Cast, ...] = ()
    types: tuple[Type, ...] = ()
    schemas: frozenset[str] = frozenset()


class Catalog:
    """The snapshot, indexed. `version` changes if, and only if, its contents do.

    `source` is the digest of the server's answers that it was made from, empty where it was made of something else.
    """

    __slots__ = ("_functions", "_oids", "_operators", "_relations", "_types", "_types_by_oid", "casts", "database",
                 "lineage", "memo", "schemas", "server_version", "source", "version")  # fmt: skip

    def __init__(
        self,
        contents: Contents,
        *,
        database: str,
        server_version: int,
        version: str,
        lineage: "Callable[[Catalog, Relation], Mapping[int, frozenset[ColumnId]] | None] | None" = None,
        source: bytes = b"",
    ) -> None:
        self.database = database
        self.server_version = server_version
        self.version = version
        self.source = source
        self.schemas = contents.schemas
        self.casts = contents.casts
        self.lineage = lineage
        # Facts worked out from the snapshot alone, kept for its lifetime: views' lineage, plain columns.
        self.memo: dict[object, object] = {}
        self._relations = {(item.schema, item.name): item for item in contents.relations}
        self._oids = {item.oid: item for item in contents.relations}
        self._functions = _group((item.schema, item.name, item) for item in contents.functions)
        self._operators = _group((item.schema, item.name, item) for item in contents.operators)
        self._types = {(item.schema, item.name): item for item in contents.types}
        self._types_by_oid = {item.oid: item for item in contents.types}

    def relation(self, schema: str, name: str) -> Relation | None:
        """Find a relation by its full name."""
        return self._relations.get((schema, name))

    def relation_by_oid(self, oid: int) -> Relation | None:
        """Find a relation by its OID."""
        return self._oids.get(oid)

    @property
    def relations(self) -> Iterable[Relation]:
        """Every relation."""
        return self._oids.values()

    def resolve(self, name_parts: Name, search_path: tuple[str, ...]) -> Relation | None:
        """Find what a name of one, two or three parts means under a search path."""
        schema, name = self._split(name_parts)
        if schema is not None:
            return self._relations.get((schema, name))
        for place in effective_path(search_path):
            found = self._relations.get((place, name))
            if found is not None:
                return found
        return None

    def functions(self, name_parts: Name, search_path: tuple[str, ...]) -> tuple[Function, ...]:
        """Every function that a call by this name could mean; overloads are found in all schemas of the path."""
        return self._overloads(self._functions, name_parts, search_path)

    def operators(self, name_parts: Name, search_path: tuple[str, ...]) -> tuple[Operator, ...]:
        """Every operator not made by initdb that this name could mean."""
        return self._overloads(self._operators, name_parts, search_path)

    def type(self, name_parts: Name, search_path: tuple[str, ...]) -> Type | None:
        """Find what a type's name means under a search path."""
        schema, name = self._split(name_parts)
        if schema is not None:
            return self._types.get((schema, name))
        for place in effective_path(search_path):
            found = self._types.get((place, name))
            if found is not None:
                return found
        return None

    def type_by_oid(self, oid: int) -> Type | None:
        """Find a type by its OID."""
        return self._types_by_oid.get(oid)

    def ancestors(self, oid: int) -> tuple[int, ...]:
        """Every relation that this one inherits from, at any remove."""
        return self._reach(oid, up=True)

    def descendants(self, oid: int) -> tuple[int, ...]:
        """Every relation whose rows a read of this one gives, at any remove."""
        return self._reach(oid, up=False)

    def base_columns(self, oid: int, attnum: int) -> frozenset[ColumnId] | None:
        """Every table column whose values this column can expose, itself included; None where that is not known.

        Views are followed through their definitions, partitions and inheritance in both directions.
        """
        relation = self._oids.get(oid)
        if relation is None or self.lineage is None:
            return None
        columns = self.lineage(self, relation)
        return None if columns is None else columns.get(attnum)

    def _reach(self, oid: int, *, up: bool) -> tuple[int, ...]:
        found: dict[int, None] = {}
        stack = [oid]
        while stack:
            relation = self._oids.get(stack.pop())
            if relation is None:
                continue
            for other in relation.parents if up else relation.children:
                if other not in found and other != oid:
                    found[other] = None
                    stack.append(other)
        return tuple(found)

    def _split(self, parts: Name) -> tuple[str | None, str]:
        """Give schema and name; a catalogue part that is not this database matches nothing."""
        if len(parts) == 1:
            return None, parts[0]
        if len(parts) == 2:  # noqa: PLR2004 - schema and name
            return parts[0], parts[1]
        if len(parts) == 3 and parts[0] == self.database:  # noqa: PLR2004 - database, schema and name
            return parts[1], parts[2]
        return "", ""

    def _overloads(
        self, index: "Mapping[tuple[str, str], tuple[Found, ...]]", parts: Name, search_path: tuple[str, ...]
    ) -> "tuple[Found, ...]":
        schema, name = self._split(parts)
        if schema is not None:
            return index.get((schema, name), ())
        found: tuple[Found, ...] = ()
        for place in effective_path(search_path):
            found += index.get((place, name), ())
        return found


def effective_path(search_path: tuple[str, ...]) -> tuple[str, ...]:
    """Put pg_catalog first where the path does not name it; pg_temp is the caller's to think of."""
    return search_path if CATALOG_SCHEMA in search_path else (CATALOG_SCHEMA, *search_path)


def qualified(schema: str, name: str) -> str:
    """Write a name so that no two names read the same: parts holding a dot or a quote are quoted."""
    return f"{_part(schema)}.{_part(name)}" if schema else _part(name)


def _part(text: str) -> str:
    if "." in text or '"' in text or not text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _group(items: Iterable[tuple[str, str, Found]]) -> dict[tuple[str, str], tuple[Found, ...]]:
    grouped: dict[tuple[str, str], list[Found]] = {}
    for schema, name, item in items:
        grouped.setdefault((schema, name), []).append(item)
    return {key: tuple(found) for key, found in grouped.items()}
