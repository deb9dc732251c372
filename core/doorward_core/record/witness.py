"""A witness's mind: one request to add a checkpoint, and what becomes of it, by C2SP tlog-witness.

Implements docs/spec/event-log.md section 7.2, the witness's side.
Pure: what was cosigned last comes in, and what is to be kept and answered goes out; `record.witness_server` keeps it.
It will not serve logs of another format: a checkpoint with extension lines is refused.

Invariants: nothing is cosigned that is not proved to extend what was cosigned last, whoever signed it; every part of a
request is bounded before it is looked at; two checkpoints that cannot both be true are given back as evidence.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from doorward_core.record.checkpoint import (
    Checkpoint,
    CheckpointError,
    key_id,
    parse_text,
    parse_vkey,
    split,
    unbase64,
    verify,
)
from doorward_core.record.merkle import EMPTY_ROOT, HASH_BYTES, consistent

MAX_PROOF_LINES = 63
"""The protocol's own bound, and more than any tree of 2^63 entries needs."""
MAX_BODY = 64 * 1024
"""A checkpoint with all the signatures that it may have, and 63 lines of proof, fit in a fifth of that."""
_MAX_SIZE_DIGITS = 19
SIZE_TYPE = b"text/x.tlog.size"
TEXT_TYPE = b"text/plain; charset=utf-8"


class Finding(StrEnum):
    """What is wrong with a log, where it is more than a request out of order."""

    FORKED = "another root for a size that was cosigned"
    INCONSISTENT = "not proved to extend the checkpoint that was cosigned"


@dataclass(frozen=True, slots=True)
class Request:
    """An add-checkpoint request, read but not believed."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Held:
    """What was cosigned last for an origin; `note` is the log's own, empty before the first."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: bytes = b""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. Where `status` is 200, `request` is to be kept, and then cosigned; `finding` asks for evidence."""

    status: int
    words: str
    content_type: bytes = TEXT_TYPE
    request: Request | None = None
    finding: Finding | None = None


class RequestError(ValueError):
    """A body that is no add-checkpoint request."""


def read_request(body: bytes) -> Request:
    """Read `old <size>`, proof lines, an empty line and a checkpoint; raises RequestError for anything else."""
    if len(body) > MAX_BODY:
        raise RequestError("the body is too long")
    head, found, note = body.partition(b"\n\n")
    if not found:
        raise RequestError("there is no empty line behind the proof")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise RequestError("the proof is not ASCII") from error
    old_size = read_size(first.removeprefix("old ")) if first.startswith("old ") else None
    if old_size is None:
        raise RequestError("the first line is not `old` and a size")
    if len(lines) > MAX_PROOF_LINES:
        raise RequestError(f"more than {MAX_PROOF_LINES} lines of proof")
    try:
        proof = tuple(unbase64(line) for line in lines)
        checkpoint = parse_text(split(note)[0])
    except CheckpointError as error:
        raise RequestError(str(error)) from error
    if any(len(item) != HASH_BYTES for item in proof):
        raise RequestError("a line of proof that is no hash")
    return Request(old_size, proof, note, checkpoint)


def write_request(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The same, to be sent."""
    lines = "".join(f"{base64.b64encode(item).decode()}\n" for item in proof)
    return f"old {old_size}\n{lines}\n".encode() + note


def read_size(text: str) -> int | None:
    """A size in its only spelling, or None."""
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_SIZE_DIGITS or (text[0] == "0" and text != "0"):
        return None
    return int(text)


def consider(request: Request, trusted: tuple[str, ...], held: Held) -> Verdict:  # noqa: PLR0911 - one for each answer
    """Decide on a request; `trusted` are the vkeys of its origin, none where it is unknown.

    The order is the protocol's, so that who cannot sign learns nothing of what is held.
    """
    checkpoint = request.checkpoint
    if not trusted:
        return Verdict(404, "this witness does not know that origin")
    if not _signed(request, trusted):
        return Verdict(403, "not signed by a key that this witness trusts for that origin")
    if request.old_size > checkpoint.size:
        return Verdict(400, "the old size is above the checkpoint's")
    if request.old_size != held.size:
        return Verdict(409, str(held.size), SIZE_TYPE)
    if checkpoint.size == held.size and checkpoint.root != held.root:
        return Verdict(409, Finding.FORKED.value, request=request, finding=Finding.FORKED)
    if checkpoint.size == held.size and request.proof:
        return Verdict(422, "a proof where there is nothing to prove")
    if not consistent(held.size, checkpoint.size, held.root, checkpoint.root, request.proof):
        return Verdict(422, Finding.INCONSISTENT.value, request=request, finding=Finding.INCONSISTENT)
    return Verdict(200, "", request=request)


def _signed(request: Request, trusted: tuple[str, ...]) -> bool:
    """Whether one of the trusted keys signed it; a line by its name and id that fails counts as none."""
    for vkey in trusted:
        try:
            if verify(request.note, vkey) == request.checkpoint:
                return True
        except CheckpointError:
            continue
    return False


def own_lines(note: bytes, trusted: tuple[str, ...]) -> bytes:
    """The note with the signatures of trusted keys alone: what is kept must not grow by what strangers add."""
    text, signatures = split(note)
    wanted = {(name, key_id(name, public)) for name, public in map(parse_vkey, trusted)}
    lines = note[len(text) + 1 :].split(b"\n")
    kept = [line for line, (name, blob) in zip(lines, signatures, strict=False) if (name, blob[:4]) in wanted]
    return text + b"\n" + b"".join(line + b"\n" for line in kept)


def evidence(held: Held, request: Request, finding: Finding) -> bytes:
    """Both notes, and what is wrong, in a text that stands alone: each note is between lines of dashes."""
    proof = "".join(f"{item.hex()}\n" for item in request.proof)
    return b"".join(
        (
            f"{finding.value}\norigin {request.checkpoint.origin}\n".encode(),
            f"--- cosigned by this witness, size {held.size}\n".encode(),
            held.note,
            f"--- offered, size {request.checkpoint.size}, from old size {request.old_size}\n".encode(),
            request.note,
            f"--- the proof that came with it\n{proof}---\n".encode(),
        )
    )
