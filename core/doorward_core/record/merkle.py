"""The Merkle tree of RFC 6962, section 2.1, with SHA-256.

Pure. Hashes, the growing tree as tiles see it, and the two proofs with their checks (RFC 9162 sections 2.1.3 and 2.1.4
spell the same algorithms as iterations; those are followed here).
It will not store anything: complete tiles are handed to the caller.

Invariant: a Tree's root is MTH over the leaf hashes added so far, whatever the chunks they came in.
"""

from collections.abc import Sequence
from hashlib import sha256

HASH_BYTES = 32
TILE_WIDTH = 256  # C2SP tlog-tiles: 2^8 hashes
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """`SHA-256(0x00 || entry)`."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """`SHA-256(0x01 || left || right)`."""
    return sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Root over a power-of-two number of hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def root(hashes: Sequence[bytes]) -> bytes:
    """MTH over leaf hashes (RFC 6962 section 2.1)."""
    if not hashes:
        return EMPTY_ROOT
    accumulated = _fold(hashes, None)
    assert accumulated is not None
    return accumulated


def _fold(hashes: Sequence[bytes], right: bytes | None) -> bytes | None:
    """Hash perfect subtrees of `hashes`, smallest (rightmost) first, on to what stands right of them."""
    end = len(hashes)
    while end:
        width = end & -end
        subtree = perfect_root(hashes[end - width : end])
        right = subtree if right is None else node_hash(subtree, right)
        end -= width
    return right


class Tree:
    """A tree that only grows, kept as the hashes that no full tile covers yet.

    `levels[L]` holds the hashes of the incomplete tile at level L: at most 255 of them, so memory is constant.
    """

    def __init__(self) -> None:
        self.size = 0
        self.levels: list[list[bytes]] = [[]]

    def add(self, leaf: bytes) -> list[tuple[int, int, bytes]]:
        """Add one leaf hash; give the tiles that it completes as (level, number, 8,192 bytes), lowest first."""
        self.size += 1
        complete: list[tuple[int, int, bytes]] = []
        level, value = 0, leaf
        while True:
            row = self.levels[level]
            row.append(value)
            if len(row) < TILE_WIDTH:
                return complete
            number = self.size // TILE_WIDTH ** (level + 1) - 1
            complete.append((level, number, b"".join(row)))
            value = perfect_root(row)
            row.clear()
            level += 1
            if level == len(self.levels):
                self.levels.append([])

    def extend(self, leaves: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
        """Add leaf hashes, at most as many as the lowest tile has room for; give the tiles that they complete."""
        if not leaves:
            return []
        row = self.levels[0]
        if len(row) + len(leaves) > TILE_WIDTH:
            raise ValueError("more leaves than the lowest tile has room for")
        row += leaves[:-1]
        self.size += len(leaves) - 1
        return self.add(leaves[-1])

    def partial(self) -> list[tuple[int, int, bytes]]:
        """Give the incomplete tiles as (level, number, hashes), those that are not empty."""
        return [
            (level, self.size // TILE_WIDTH ** (level + 1), b"".join(row))
            for level, row in enumerate(self.levels)
            if row
        ]

    def root(self) -> bytes:
        """MTH over all leaves added so far."""
        right: bytes | None = None
        for row in self.levels:
            right = _fold(row, right)
        return EMPTY_ROOT if right is None else right


# --- proofs -----------------------------------------------------------------------------------------------------------


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, D[n]) of RFC 6962 section 2.1.1, over leaf hashes."""
    if len(hashes) <= 1:
        return []
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if index < split:
        return [*inclusion_proof(hashes[:split], index), root(hashes[split:])]
    return [*inclusion_proof(hashes[split:], index - split), root(hashes[:split])]


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether `leaf` is entry `index` of the tree of `size` with that root."""
    if not 0 <= index < size:
        return False
    node, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = node_hash(sibling, value)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            value = node_hash(value, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and value == expected_root


def consistency_proof(hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """PROOF(old_size, D[n]) of RFC 6962 section 2.1.2, over leaf hashes; 0 < old_size <= n."""
    return _subproof(hashes, old_size, whole=True)


def _subproof(hashes: Sequence[bytes], old_size: int, *, whole: bool) -> list[bytes]:
    if old_size == len(hashes):
        return [] if whole else [root(hashes)]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    if old_size <= split:
        return [*_subproof(hashes[:split], old_size, whole=whole), root(hashes[split:])]
    return [*_subproof(hashes[split:], old_size - split, whole=False), root(hashes[:split])]


def consistent(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of `old_size` is a prefix of the tree of `new_size`."""
    if old_size == new_size:
        return not proof and old_root == new_root
    if not 0 < old_size < new_size or not proof:
        return old_size == 0 and not proof and old_root == EMPTY_ROOT
    path = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    old_value = new_value = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            old_value = node_hash(sibling, old_value)
            new_value = node_hash(sibling, new_value)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            new_value = node_hash(new_value, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and old_value == old_root and new_value == new_root
