"""How values flow: from which masked columns the value of an expression may come, and what is proved about it.

It knows no syntax. It implements ARCHITECTURE.md, "Masks"; threat model PG-80, PG-83.

Invariants: joining flows never loses a taint and never proves anything; `origin` survives only where a value is
passed on unchanged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from doorward_core.sql.catalog import Catalog, ColumnId, Relation

NOTHING: frozenset[ColumnId] = frozenset()
# Relation kinds that hold rows of their own.
STORED = frozenset("rpmfS")


@dataclass(frozen=True, slots=True)
class Flow:
    """Where a value comes from.

    `taint`: masked base columns that may flow in. `proven`: all else that flows in is proved to owe no mask.
    `origin`: it is this very column's value. `constant`: it was supplied with the statement.
    """

    taint: frozenset[ColumnId] = NOTHING
    proven: bool = True
    origin: ColumnId | None = None
    constant: bool = False

    @property
    def clear(self) -> bool:
        """Whether it is proved to owe no mask."""
        return self.proven and not self.taint

    def changed(self) -> "Flow":
        """The same flow, no longer any column's own value."""
        if self.origin is None and not self.constant:
            return self
        return Flow(self.taint, self.proven)


CLEAR = Flow()
CONSTANT = Flow(constant=True)
UNPROVEN = Flow(proven=False)


def join(flows: Iterable[Flow]) -> Flow:
    """Mix flows into one value."""
    taint = NOTHING
    proven = True
    for flow in flows:
        if flow.taint:
            taint |= flow.taint
        proven = proven and flow.proven
    if not taint:
        return CLEAR if proven else UNPROVEN
    return Flow(taint, proven)


def alternative(first: Flow, second: Flow) -> Flow:
    """Either of two values, as a set operation gives them."""
    if first == second:
        return first
    return join((first, second))


@dataclass(frozen=True, slots=True)
class Named:
    """A column of a row source: its name and its flow. `attnum` is 0 where it is not a relation's own."""

    name: str
    flow: Flow
    attnum: int = 0


class Masks(Protocol):
    """Which columns of a relation are masked by themselves, before anything is followed."""

    def own(self, relation: Relation) -> frozenset[int]:
        """Attribute numbers."""

    @property
    def empty(self) -> bool:
        """Whether no column of anything is masked."""


class MaskTable:
    """The masks in force for a session."""

    __slots__ = ("_columns",)

    def __init__(self, columns: Mapping[int, frozenset[int]]) -> None:
        self._columns = {oid: numbers for oid, numbers in columns.items() if numbers}

    def own(self, relation: Relation) -> frozenset[int]:
        """Attribute numbers masked on the relation itself."""
        return self._columns.get(relation.oid, frozenset())

    @property
    def empty(self) -> bool:
        """Whether no column of anything is masked."""
        return not self._columns


class EveryColumn:
    """Masks that mark every stored column: analysing a view under them gives all its base columns."""

    __slots__ = ()

    def own(self, relation: Relation) -> frozenset[int]:
        """Attribute numbers of everything that is stored."""
        if relation.kind not in STORED:
            return frozenset()
        return frozenset(column.attnum for column in relation.columns)

    @property
    def empty(self) -> bool:
        """Never: everything is marked."""
        return False


def family_taint(catalog: Catalog, masks: Masks, relation: Relation) -> dict[str, frozenset[ColumnId]]:
    """Marked columns by name, over the relation and all that inherits from it or that it inherits from.

    A mask on a partitioned table holds for its partitions read directly; one on a partition holds for its parent.
    """
    found: dict[str, frozenset[ColumnId]] = {}
    family = (relation.oid, *catalog.ancestors(relation.oid), *catalog.descendants(relation.oid))
    for oid in family:
        member = catalog.relation_by_oid(oid)
        if member is None:
            continue
        marked = masks.own(member)
        if not marked:
            continue
        for column in member.columns:
            if column.attnum in marked:
                found[column.name] = found.get(column.name, NOTHING) | {(member.oid, column.attnum)}
    return found
