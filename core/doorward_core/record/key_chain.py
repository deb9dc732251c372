"""Which key signs a log's checkpoints from which size on, as the log itself says and each old key confirms.

Implements docs/spec/event-log.md section 7.1 for `record.verify`; shares nothing with the writer.
Pure. Only entries below the checkpoint that is being verified may come in: then the last key of the chain must have
signed that checkpoint, so whoever leads the chain to a key that is not theirs gains nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from doorward_core.record.audit import OPENED, ROTATED, Problem
from doorward_core.record.proof import Key, ProofError
from doorward_core.record.strict import Strict


@dataclass(slots=True)
class Chain:
    """(size from which on it signs, key), in order; `problems` are entries that should change a key and do not."""

    keys: list[tuple[int, Key]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def at(self, size: int) -> Key | None:
        """The key that signs a checkpoint of this size."""
        found = [key for since, key in self.keys if since <= size]
        return found[-1] if found else None


def key_chain(pinned: Key | None, origin: str, special: Iterable[Strict], first: int) -> Chain:
    """Follow the changes of keys from the log's first key, or from the pinned one where the chain does not lead there.

    `first` is the first entry that is still here; with all of them, the log's key is announced by entry 0.
    """
    items = list(special)
    own = _first_key(items, origin, first)
    chain = _follow(own, items, origin) if own is not None else Chain()
    if pinned is None:
        if own is None:
            chain.problems.append(Problem(None, "no key was given, and the log names none"))
        return chain
    if any(key.public == pinned.public for _, key in chain.keys):
        return chain
    return _follow(pinned, items, origin)


def _first_key(items: list[Strict], origin: str, first: int) -> Key | None:
    opened = next((item for item in items if item.kind == OPENED and item.index >= first), None)
    if opened is None or (not first and opened.index):
        return None
    return _announced(opened.head.get("vkey"), origin)


def _follow(key: Key, items: list[Strict], origin: str) -> Chain:
    chain = Chain([(0, key)])
    for item in items:
        if item.kind != ROTATED:
            continue
        new, signature = _announced(item.head.get("vkey"), origin), item.head.get("signature")
        if new is None or not isinstance(signature, bytes):
            chain.problems.append(Problem(item.index, "a change of keys that names no key"))
            continue
        text = f"doorward/key-rotation/v1\n{origin}\n{item.index}\n{item.head['vkey']}\n"
        # One that our key did not sign is of no account: it leads up to the pinned key, or to nobody's.
        if chain.keys[-1][1].check(signature, text.encode()):
            chain.keys.append((item.index + 1, new))
    return chain


def _announced(vkey: object, origin: str) -> Key | None:
    try:
        key = Key.parse(vkey) if isinstance(vkey, str) else None
    except ProofError:
        return None
    return key if key is not None and key.origin == origin else None
