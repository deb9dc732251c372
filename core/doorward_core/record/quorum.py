"""The verifier's own reading of cosignatures: which of the witnesses that a reader trusts stand behind a checkpoint.

Implements docs/spec/event-log.md section 7.2 (C2SP tlog-cosignature, Ed25519) for `record.verify`.
It shares nothing with `record.cosign`, which gateway and witness use.
Pure. A witness counts once; lines by anybody else are ignored.
"""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from doorward_core.record.proof import Key, ProofError, read_note

_VKEY = re.compile(r"([!-*,-~]{1,128})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})")
_KIND = b"\x04"
_TIME_END, _LINE_BYTES = 12, 76  # key id, u64 of time, 64 bytes of signature


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What stands behind a checkpoint: when each witness signed (POSIX seconds), and who of those asked for did not."""

    times: Mapping[str, int]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Required:
    """The witnesses that a reader trusts, and how many of them must have signed."""

    witnesses: tuple[Key, ...] = ()
    quorum: int = 0

    @classmethod
    def of(cls, vkeys: Sequence[str], quorum: int) -> "Required":
        """From vkeys; without a quorum, all of them. Raises ProofError."""
        keys = tuple(witness_key(vkey) for vkey in vkeys)
        if len({key.origin for key in keys}) != len(keys):
            raise ProofError("a witness was named twice: each counts once")
        if len({key.public for key in keys}) != len(keys):
            raise ProofError("two witnesses have one key: they count once")
        if quorum > len(keys):
            raise ProofError(f"a quorum of {quorum} is never reached by {len(keys)} witnesses")
        return cls(keys, quorum or len(keys))

    def judge(self, note: bytes) -> tuple[Mapping[str, int], str]:
        """Who signed and when, and what is missing; "" where nothing is."""
        try:
            found = cosigned(note, self.witnesses)
        except ProofError as error:
            return {}, f"the checkpoint's witnesses: {error}"
        count, names = len(found.times), ", ".join(found.missing)
        if count >= self.quorum:
            return found.times, ""
        return found.times, f"cosigned by {count} of the {self.quorum} witnesses that are required; missing: {names}"


def witness_key(vkey: str) -> Key:
    """Read a witness's `name+keyid+base64`; raises ProofError."""
    match = _VKEY.fullmatch(vkey.strip())
    if match is None:
        raise ProofError("not a witness's vkey: that is one line, NAME+KEYID+KEY, as `doorward witness init` prints it")
    name, identifier, encoded = match.groups()
    data = base64.b64decode(encoded)
    if data[:1] != _KIND or sha256(name.encode() + b"\n" + data).digest()[:4].hex() != identifier:
        raise ProofError("a witness's vkey whose key id is not that of its key, or that is of another type")
    return Key(name, bytes.fromhex(identifier), data[1:])


def cosigned(note: bytes, witnesses: Iterable[Key]) -> Cosigned:
    """Which of the witnesses signed; raises ProofError where a line in the name of one is wrong."""
    _, text, lines = read_note(note)
    times: dict[str, int] = {}
    missing: list[str] = []
    for key in witnesses:
        mine = [blob for name, blob in lines if name == key.origin and blob[:4] == key.identifier]
        for blob in mine:
            time_s = int.from_bytes(blob[4:_TIME_END], "big")
            message = f"cosignature/v1\ntime {time_s}\n".encode() + text
            if len(blob) != _LINE_BYTES or time_s >> 63 or not key.check(blob[_TIME_END:], message):
                raise ProofError(f"the cosignature by {key.origin} is wrong")
            times[key.origin] = max(time_s, times.get(key.origin, 0))
        if not mine:
            missing.append(key.origin)
    return Cosigned(times, tuple(missing))
