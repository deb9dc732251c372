"""What a JSON Patch takes out of an object: what it copies, moves, or asks about.

    [{"op": "copy", "from": "/data/password", "path": "/metadata/annotations/x"}]    a masked value, where no mask is

What it is: `takes_hidden`, by where an operation takes from and where masks are owed.
What it will not do: apply a patch, or look at what one writes (`documents`, `objects` do).

Implements: RFC 6902, and RFC 6901 as API servers read it: what stands before the first `/` is nothing to them.
Invariants: pure; a doubt is a yes: a patch that cannot be read, a place above a hidden one, a name or a number that
might be either.
"""

from typing import Final

from doorward_core.mask.json_paths import Paths, State
from doorward_k8s.documents import JSON_PATCH, Json, Unreadable, read_document

_TAKEN: Final = {"copy": "from", "move": "from", "test": "path"}
_GIVING: Final = frozenset({"add", "remove", "replace"})
# What tools test so as not to write over somebody else's work. A mask on one of these is no secret's.
_ANYBODYS: Final = frozenset({
    "/metadata/resourceVersion", "/metadata/uid", "/metadata/generation", "/metadata/name", "/metadata/namespace",
})  # fmt: skip


def takes_hidden(body: bytes, media: str, paths: Paths) -> bool:
    """Whether a body is a JSON Patch that could take something to where `paths` do not hide it, or guess at it."""
    if media != JSON_PATCH or not paths:
        return False
    try:
        patch = read_document(body, media)
    except Unreadable:
        return True
    return not isinstance(patch, list) or any(_takes(item, paths) for item in patch)


def _takes(item: Json, paths: Paths) -> bool:
    if not isinstance(item, dict):
        return True
    op = item.get("op")
    if not isinstance(op, str):
        return True
    if op in _GIVING:
        return False
    pointer = item.get(_TAKEN.get(op, ""))
    if not isinstance(pointer, str):
        return True
    return pointer not in _ANYBODYS and _meets(pointer, paths)


def _meets(pointer: str, paths: Paths) -> bool:
    """Whether something is hidden at a place, around it, or below it."""
    states: list[State] = [paths.root]
    for step in pointer.split("/")[1:]:
        if any(state.mask is not None for state in states):
            return True
        name = step.replace("~1", "/").replace("~0", "~")
        states = [below for state in states for below in (state.member(name), state.other) if not below.dead]
    return bool(states)
