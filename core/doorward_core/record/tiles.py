"""C2SP tlog-tiles: where tiles and entry bundles lie, and what a bundle looks like.

Implements docs/spec/event-log.md section 6.
Pure. Paths are relative to the tree's folder, with `/`.
"""

from collections.abc import Iterable
from struct import Struct

ENTRIES = "entries"
_LENGTH_BYTES = 2
_LENGTH = Struct(">H").pack


def tile_path(level: int | str, number: int, width: int = 256) -> str:
    """Path of a tile (`level` a number) or a bundle (`level` is ENTRIES); `width` below 256 gives the partial one."""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:  # noqa: PLR2004 - groups of three digits
        number //= 1000
        groups.append(f"x{number % 1000:03d}")
    path = f"tile/{level}/{'/'.join(reversed(groups))}"
    return path if width == 256 else f"{path}.p/{width}"  # noqa: PLR2004 - a full tile


def pack_bundle(entries: Iterable[bytes]) -> bytes:
    """`u16 length || entry`, repeated."""
    return b"".join([piece for entry in entries for piece in (_LENGTH(len(entry)), entry)])


def unpack_bundle(data: bytes) -> list[bytes]:
    """Give the entries; raises ValueError where a length goes past the end.

    | width | field |
    |---|---|
    | u16 | length of the entry |
    | length | entry |
    """
    entries: list[bytes] = []
    at, end = 0, len(data)
    while at < end:
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start], "big")
        if at > end or start > end:
            raise ValueError("an entry bundle that ends inside an entry")
        entries.append(data[start:at])
    return entries
