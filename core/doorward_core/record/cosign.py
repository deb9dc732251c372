"""Cosignatures: what a witness adds to a checkpoint, by C2SP tlog-cosignature with Ed25519.

Implements docs/spec/event-log.md section 7.2.
Pure: keys and the time come in, lines go out; `record.quorum` reads them for the verifier, with code of its own.
It will not judge a checkpoint: that it is consistent with the one before is what `record.witness` sees to.

| width | field of a line's base64 |
|---|---|
| 4 | key id |
| u64 | POSIX time in seconds |
| 64 | Ed25519 over `cosignature/v1 LF time <t> LF || note text` |
"""

import base64
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from doorward_core.record.checkpoint import (
    COSIGNATURE,
    MAX_NOTE,
    CheckpointError,
    key_id,
    make_vkey,
    parse_vkey,
    public_bytes,
    split,
)

MAX_TIME_S = 2**63 - 1
_STAMPED = struct.Struct(">4sQ64s")
_DASH = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One line that was checked: who, when, and the line itself with its newline."""

    name: str
    time_s: int
    line: bytes


def message(text: bytes, time_s: int) -> bytes:
    """What is signed."""
    if not 0 <= time_s <= MAX_TIME_S:
        raise CheckpointError("a time that no cosignature can have")
    return f"cosignature/v1\ntime {time_s}\n".encode() + text


def witness_vkey(name: str, key: Ed25519PrivateKey) -> str:
    """The public form of a witness's key."""
    return make_vkey(name, public_bytes(key.public_key()), COSIGNATURE)


def cosign(text: bytes, name: str, key: Ed25519PrivateKey, time_s: int) -> bytes:
    """Give the signature line over a note's text, with its newline."""
    identifier = key_id(name, public_bytes(key.public_key()), COSIGNATURE)
    blob = _STAMPED.pack(identifier, time_s, key.sign(message(text, time_s)))
    return f"{_DASH}{name} {base64.b64encode(blob).decode()}\n".encode()


def cosignatures(text: bytes, lines: bytes, vkeys: Iterable[str]) -> tuple[Cosignature, ...]:
    """Give the cosignatures by these witnesses, one for each, that stand among signature lines.

    Raises CheckpointError where a line is none, or where one by a witness's name and key id does not verify.
    """
    if len(lines) > MAX_NOTE:
        raise CheckpointError("an answer that is too long")
    known = {}
    for vkey in vkeys:
        name, public = parse_vkey(vkey, COSIGNATURE)
        known[name, key_id(name, public, COSIGNATURE)] = public
    found: dict[str, Cosignature] = {}
    for name, blob in split(text + b"\n" + lines)[1]:
        signer = known.get((name, blob[:4]))
        if signer is not None:
            found.setdefault(name, _checked(text, name, blob, signer))
    return tuple(found.values())


def _checked(text: bytes, name: str, blob: bytes, public: bytes) -> Cosignature:
    if len(blob) != _STAMPED.size:
        raise CheckpointError(f"a cosignature by {name} of the wrong length")
    _, time_s, signature = _STAMPED.unpack(blob)
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message(text, time_s))
    except InvalidSignature as error:
        raise CheckpointError(f"the cosignature by {name} is wrong") from error
    return Cosignature(name, time_s, f"{_DASH}{name} {base64.b64encode(blob).decode()}\n".encode())
