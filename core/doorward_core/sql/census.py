"""What a tree names, counted without understanding: the second look that keeps the first one honest.

The analysis walks a tree by meaning, handler by handler.
A handler that forgets a field would lose what stands in it.
So every tree is also walked blindly, once, by its protobuf fields, and the names found are kept.
An analysis that ends without having met every one of them is not complete (`doorward_core.sql.analyze`).
It resolves nothing and decides nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from google.protobuf.message import Message

Name = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Census:
    """Every function, relation, operator, type and column name in a tree, as written."""

    functions: frozenset[Name]
    relations: frozenset[Name]
    operators: frozenset[Name]
    types: frozenset[Name]
    columns: frozenset[Name]


def strings(nodes: Iterable[Message]) -> Name:
    """Read a list of String nodes as a dotted name; a star is "*"."""
    return tuple(node.string.sval if node.HasField("string") else "*" for node in nodes)


def relation_name(node: Message) -> Name:
    """Read a RangeVar as a dotted name."""
    parts = (node.catalogname, node.schemaname, node.relname)
    return tuple(part for part in parts if part)


def take_census(root: Message) -> Census:
    """Walk every field under `root`, with a stack of our own (trees are deeper than Python's)."""
    found: dict[str, set[Name]] = {"FuncCall": set(), "RangeVar": set(), "A_Expr": set(), "TypeName": set(),
                                   "ColumnRef": set()}  # fmt: skip
    stack: list[Message] = [root]
    while stack:
        message = stack.pop()
        kind = message.DESCRIPTOR.name
        names = found.get(kind)
        if names is not None:
            names.add(_READ[kind](message))
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            if field.is_repeated:
                stack.extend(value)
            else:
                stack.append(value)
    return Census(
        functions=frozenset(found["FuncCall"]),
        relations=frozenset(found["RangeVar"]),
        operators=frozenset(found["A_Expr"]),
        types=frozenset(found["TypeName"]),
        columns=frozenset(found["ColumnRef"]),
    )


_READ: dict[str, Callable[[Message], Name]] = {
    "FuncCall": lambda node: strings(node.funcname),
    "RangeVar": relation_name,
    "A_Expr": lambda node: strings(node.name),
    "TypeName": lambda node: strings(node.names),
    "ColumnRef": lambda node: strings(node.fields),
}
