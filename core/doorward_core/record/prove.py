"""Inclusion and consistency proofs out of a tree's stored hashes.

Implements RFC 6962 sections 2.1.1 and 2.1.2, and the files of docs/spec/event-log.md section 7.3.
Pure: `hash_at(level, number)` gives the hash of the perfect subtree over 2^level leaves, `number` from the left;
reading them from tiles is `record.tile_hashes`'s. Checking what is made here is `record.proof_check`'s, by another way.

Invariant: only subtrees that are full within `size` are asked for.
"""

import base64
from collections.abc import Callable, Sequence
from typing import TypeAlias

from doorward_core.record.merkle import EMPTY_ROOT, node_hash

HashAt: TypeAlias = Callable[[int, int], bytes]
INCLUSION = "c2sp.org/tlog-proof@v1"
CONSISTENCY = "doorward/consistency-proof@1"


def tree_root(hash_at: HashAt, size: int) -> bytes:
    """MTH over the first `size` leaves."""
    return _range(hash_at, 0, size) if size else EMPTY_ROOT


def _range(hash_at: HashAt, start: int, end: int) -> bytes:
    """MTH(D[start:end]); `start` is a multiple of the largest power of two in the length, as RFC 6962 cuts."""
    length = end - start
    if length & (length - 1) == 0:
        level = length.bit_length() - 1
        return hash_at(level, start >> level)
    middle = start + _cut(length)
    return node_hash(_range(hash_at, start, middle), _range(hash_at, middle, end))


def _cut(length: int) -> int:
    """The largest power of two below a length of at least 2."""
    return 1 << ((length - 1).bit_length() - 1)


def inclusion(hash_at: HashAt, index: int, size: int) -> list[bytes]:
    """PATH(index, D[size]), from the leaf's sibling up; raises ValueError where there is no such leaf."""
    if not 0 <= index < size:
        raise ValueError(f"there is no entry {index} among {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _cut(end - start)
        if index < middle:
            path.append(_range(hash_at, middle, end))
            end = middle
        else:
            path.append(_range(hash_at, start, middle))
            start = middle
    return path[::-1]


def consistency(hash_at: HashAt, old_size: int, size: int) -> list[bytes]:
    """PROOF(old_size, D[size]); empty where both are the same, or the old tree was; ValueError where it shrank."""
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} entries does not extend one of {old_size}")
    if old_size in {0, size}:
        return []
    path: list[bytes] = []
    start, end = 0, size
    while old_size != end:
        middle = start + _cut(end - start)
        if old_size <= middle:
            path.append(_range(hash_at, middle, end))
            end = middle
        else:
            path.append(_range(hash_at, start, middle))
            start = middle
    if start:  # the old tree is no perfect subtree from the first leaf on: its last piece is told, too
        path.append(_range(hash_at, start, end))
    return path[::-1]


def inclusion_text(entry: bytes, index: int, path: Sequence[bytes], note: bytes) -> bytes:
    """The file that proves an entry."""
    head = f"{INCLUSION}\nextra {base64.b64encode(entry).decode()}\nindex {index}\n"
    return f"{head}{_lines(path)}\n".encode() + note


def consistency_text(old_size: int, old_root: bytes, path: Sequence[bytes], note: bytes) -> bytes:
    """The file that proves that a tree extends another."""
    head = f"{CONSISTENCY}\nold {old_size} {base64.b64encode(old_root).decode()}\n"
    return f"{head}{_lines(path)}\n".encode() + note


def _lines(path: Sequence[bytes]) -> str:
    return "".join(f"{base64.b64encode(item).decode()}\n" for item in path)
