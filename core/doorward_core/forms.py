"""Maps of which most is the same each time: the constant part is one object, so that whoever packs them packs it once.

What it is: `Form`, a read-only mapping of a `Base` and of what varies; events about one statement, and of one session.
What it will not do: pack anything; `doorward_core.record.encode` does, and keeps what it made of a base in `packed`.

Invariants: a `Base` never changes; the names of what varies are given in ascending order, and none is in the base.
"""

from collections.abc import Iterator, Mapping

from doorward_core.event import Value


class Base:
    """The constant part. `packed` belongs to the encoder: the pieces between what varies, by the names of that."""

    __slots__ = ("fields", "packed")

    def __init__(self, fields: Mapping[str, Value]) -> None:
        self.fields: dict[str, Value] = dict(fields)
        self.packed: dict[tuple[str, ...], tuple[bytes, ...]] = {}


class Form(Mapping[str, Value]):
    """A base filled in: a mapping as any other."""

    __slots__ = ("base", "rest")

    def __init__(self, base: Base, rest: dict[str, Value]) -> None:
        self.base = base
        self.rest = rest

    def __getitem__(self, name: str) -> Value:
        return self.rest[name] if name in self.rest else self.base.fields[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.base.fields
        yield from self.rest

    def __len__(self) -> int:
        return len(self.base.fields) + len(self.rest)
