"""What a witness's answer means to the gateway that asked.

Implements C2SP tlog-witness, the client's side, for `record.witnessing`.
Pure: status, content type and body come in.

A witness that names a size which this log never had, or that holds another root, holds another history: that is a
`Conflict`, and no error of transport.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from doorward_core.record.checkpoint import CheckpointError
from doorward_core.record.cosign import Cosignature, cosignatures
from doorward_core.record.witness import SIZE_TYPE, read_size

_REASONS = {
    400: "it does not understand the request",
    403: "it does not trust this log's key: give it `log.vkey`",
    404: "it does not know this log: give it `log.vkey`",
    503: "it cannot keep what it would cosign",
}


class Quarrel(StrEnum):
    """How a witness's history differs from ours."""

    AHEAD = "ahead"
    FORKED = "forked"
    INCONSISTENT = "inconsistent"


@dataclass(frozen=True, slots=True)
class Behind:
    """It holds an earlier checkpoint than we thought, of this size: ask again from there."""

    held: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """It holds another history; `held` is the size that it names, None where it names none."""

    what: Quarrel
    held: int | None = None


@dataclass(frozen=True, slots=True)
class Useless:
    """No cosignature, for a reason that says nothing about the log."""

    words: str


Answer: TypeAlias = Cosignature | Behind | Conflict | Useless


def read_answer(
    status: int, content_type: bytes, body: bytes, *, text: bytes, vkey: str, old_size: int, size: int
) -> Answer:
    """Read the answer to a request for a cosignature of `text`, of `size` entries, that began from `old_size`."""
    if status == 200:  # noqa: PLR2004 - HTTP's word for yes
        try:
            found = cosignatures(text, body, (vkey,))
        except CheckpointError as error:
            return Useless(f"it answered with no cosignature: {error}")
        return found[0] if found else Useless("it answered with a cosignature by another key")
    if status == 409:  # noqa: PLR2004 - the protocol's own
        return _conflict(content_type, body, old_size, size)
    if status == 422:  # noqa: PLR2004 - the protocol's own
        return Conflict(Quarrel.INCONSISTENT, old_size)
    return Useless(_REASONS.get(status, f"it answered with status {status}"))


def _conflict(content_type: bytes, body: bytes, old_size: int, size: int) -> Answer:
    if content_type.partition(b";")[0].strip().lower() != SIZE_TYPE:
        return Conflict(Quarrel.FORKED, size)
    held = read_size(body.decode("ascii", "replace").removesuffix("\n"))
    if held is None:
        return Useless("it answered with a size that is none")
    if held > size:
        return Conflict(Quarrel.AHEAD, held)
    if held == old_size:
        return Useless("it contradicts itself about what it holds")
    return Behind(held)


WORDS = {
    Quarrel.AHEAD: "has cosigned {held} entries of this log, which has {size}: the log was cut back, or there are two",
    Quarrel.FORKED: "has cosigned another log of {size} entries under this name: there are two",
    Quarrel.INCONSISTENT: "does not find this log of {size} entries to extend the {held} that it cosigned: "
    "it was rewritten, or there are two",
}


def quarrel_words(name: str, conflict: Conflict, size: int) -> str:
    """What is to be said of it, to operators and in readiness."""
    return f"witness {name} {WORDS[conflict.what].format(held=conflict.held, size=size)}"
