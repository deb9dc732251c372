"""The ZIP file that a bundle is: one form, byte for byte.

Implements docs/spec/evidence.md section 3.
Members are packed as they come, into a temporary file, and put in the order of their names when the bundle is closed,
with the manifest among them; what is written is whole or not there at all.
It will not make a ZIP of more than 4 GiB, or of more members than the format has room for without extensions.
"""

import hashlib
import json
import os
import re
import struct
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from doorward_core.errors import RecordError

FORMAT: Final = "doorward-evidence@1"
MANIFEST: Final = "manifest.json"
MAX_MEMBERS: Final = 65_534
MAX_MEMBER: Final = 64 * 1024 * 1024
MAX_FILE: Final = (1 << 32) - 1
LEVEL: Final = 1  # of deflate: a million entries are packed in seconds, at a tenth more than the best would take
_NAME: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*){0,5}")
_COMPONENT: Final = 100
_COMPONENT_END: Final = 33
_MAX_NAME: Final = 200
_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_NEEDED, _MADE_BY, _DEFLATE, _DATE, _ATTRIBUTES = 20, 0x0314, 8, 33, 0x81A40000
_COMMENT: Final = f"{FORMAT} sha256:".encode()
_DIGEST: Final = 64
_COPY: Final = 1 << 20


def canonical(value: object) -> bytes:
    """JSON in its only form."""
    return (json.dumps(value, sort_keys=True, indent=1) + "\n").encode("ascii")


def component(name: str) -> str:
    """A name as a component of a member's path."""
    plain = "_-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    found = "".join(
        letter if letter in plain or (letter == "." and place) else "".join(f"~{byte:02x}" for byte in letter.encode())
        for place, letter in enumerate(name)
    )
    if len(found) <= _COMPONENT:
        return found
    # Longer ones would not fit into a member's name: their hash, so that they differ, and their end, to be read.
    return f"~~{hashlib.sha256(name.encode()).hexdigest()}~{found[-_COMPONENT_END:]}"


@dataclass(frozen=True, slots=True)
class _Packed:
    name: str
    at: int
    packed: int
    size: int
    crc: int
    digest: str


class Container:
    """A bundle that is being made; a context manager, at whose end without a fault the file is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spool = tempfile.TemporaryFile(dir=path.absolute().parent)  # noqa: SIM115 - closed at the end
        self._at = 0
        self._members: dict[str, _Packed] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._close()
        finally:
            self._spool.close()

    def add(self, name: str, data: bytes) -> None:
        """Put a member in; RecordError for what a bundle has no room for."""
        if len(name) > _MAX_NAME or not _NAME.fullmatch(name) or name in self._members:
            raise RecordError(f"a bundle cannot hold a file named {name!a}")
        if len(data) > MAX_MEMBER:
            raise RecordError(f"{name}: a bundle holds no file of {len(data)} bytes")
        if len(self._members) >= MAX_MEMBERS:
            raise RecordError("the bundle would have too many files; choose a shorter period")
        packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
        self._spool.write(packed)
        digest = hashlib.sha256(data).hexdigest()
        self._members[name] = _Packed(name, self._at, len(packed), len(data), zlib.crc32(data), digest)
        self._at += len(packed)

    def _close(self) -> None:
        files = {name: member.digest for name, member in self._members.items()}
        self.add(MANIFEST, canonical({"format": FORMAT, "files": files}))
        if self._at + sum(2 * len(name) + 100 for name in self._members) >= MAX_FILE:
            raise RecordError("the bundle would be larger than 4 GiB; choose a shorter period, or a scope")
        made = self._path.with_name(self._path.name + ".tmp")
        try:
            self._write(made)
            made.replace(self._path)
        finally:
            made.unlink(missing_ok=True)

    def _write(self, path: Path) -> None:
        digest, offset = hashlib.sha256(), 0
        directory: list[bytes] = []
        with path.open("wb") as file:

            def put(data: bytes) -> None:
                file.write(data)
                digest.update(data)

            for name in sorted(self._members):
                member, letters = self._members[name], name.encode()
                both = (member.crc, member.packed, member.size, len(letters), 0)
                put(_LOCAL.pack(b"PK\x03\x04", _NEEDED, 0, _DEFLATE, 0, _DATE, *both) + letters)
                directory.append(
                    _CENTRAL.pack(
                        b"PK\x01\x02", _MADE_BY, _NEEDED, 0, _DEFLATE, 0, _DATE, *both, 0, 0, 0, _ATTRIBUTES, offset
                    )
                    + letters
                )
                self._spool.seek(member.at)
                left = member.packed
                while left:
                    piece = self._spool.read(min(left, _COPY))
                    put(piece)
                    left -= len(piece)
                offset += _LOCAL.size + len(letters) + member.packed
            listed = b"".join(directory)
            count = len(self._members)
            put(listed)
            put(_END.pack(b"PK\x05\x06", 0, 0, count, count, len(listed), offset, len(_COMMENT) + _DIGEST) + _COMMENT)
            file.write(digest.hexdigest().encode())
            file.flush()
            os.fsync(file.fileno())
