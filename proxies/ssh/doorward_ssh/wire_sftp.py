"""SFTP version 3 on the wire: packets, the fields of requests, and what a gateway answers by itself.

What it is: the frame walker of one direction of an SFTP channel, decoders and encoders.
What it will not do: know which packet may come next (`machine_sftp`), or what one means (`operations_sftp`).

Source: draft-ietf-secsh-filexfer-02, sections 3 to 8; OpenSSH's PROTOCOL file, section 4 (sftp).

    uint32  length of all that follows, big-endian
    byte    type
    uint32  request id                      (INIT and VERSION: the version)
    ...     fields by type; a string is a uint32 and so many bytes

Invariants: pure. Every length is checked against what is there and against a bound before anything is made of it.
A request with a byte too few or too many is not read at all; `decode(encode(request))` is the same request.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import Any, Final

from doorward_core.errors import ClientProtocolError, ProtocolError, UpstreamProtocolError

VERSION: Final = 3
# OpenSSH's own bound on a message is 256 KiB; the slack is for the fields around data of that length.
MAX_PACKET_BYTES: Final = 256 * 1024 + 1024
MAX_HANDLE_BYTES: Final = 256  # the draft's own bound
MAX_PATH_BYTES: Final = 4096  # PATH_MAX: the kernel refuses what is longer
MAX_NAME_BYTES: Final = 64  # of an extension; the longest known has 30
MAX_EXTENSIONS: Final = 64  # announced in one VERSION, or beside one set of attributes
MAX_NAMES: Final = 10_000  # in one NAME; OpenSSH sends 100 at most
MAX_MESSAGE_BYTES: Final = 1024  # of the words in a STATUS of ours

_U32: Final = Struct(">I")
_U64: Final = Struct(">Q")
_HEAD_ID: Final = Struct(">IBI")
HEADER_BYTES: Final = 5


class Kind(IntEnum):
    """Packet types, by the draft's names."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


class Code(IntEnum):
    """Codes of a STATUS."""

    OK = 0
    EOF = 1
    NO_SUCH_FILE = 2
    PERMISSION_DENIED = 3
    FAILURE = 4
    BAD_MESSAGE = 5
    NO_CONNECTION = 6
    CONNECTION_LOST = 7
    OP_UNSUPPORTED = 8


class Flag(IntEnum):
    """The bits of an OPEN."""

    READ = 0x01
    WRITE = 0x02
    APPEND = 0x04
    CREAT = 0x08
    TRUNC = 0x10
    EXCL = 0x20


ALL_FLAGS: Final = 0x3F

_SIZE, _UIDGID, _PERMISSIONS, _ACMODTIME, _EXTENDED = 0x01, 0x02, 0x04, 0x08, 0x80000000
_ALL_ATTRS: Final = _SIZE | _UIDGID | _PERMISSIONS | _ACMODTIME | _EXTENDED


class Malformed(Exception):
    """One request cannot be read; its frame can, so that it alone is answered with BAD_MESSAGE."""


@dataclass(frozen=True, slots=True)
class Attrs:
    """File attributes. `raw` is how they were written, and how they are written again."""

    raw: bytes = b"\0\0\0\0"
    size: int | None = None
    owner: tuple[int, int] | None = None
    permissions: int | None = None
    times: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request; the fields that its type does not have are empty.

    `path` and `other` are the first and the second path as they stand in the packet; `target` is the handle that
    `copy-data` writes to; `data` and `more` of `users-groups-by-id` are its two lists; `name` is an extension's.
    """

    kind: int
    id: int
    path: bytes = b""
    other: bytes = b""
    handle: bytes = b""
    target: bytes = b""
    flags: int = 0
    offset: int = 0
    length: int = 0
    to_offset: int = 0
    data: bytes = b""
    more: bytes = b""
    name: str = ""
    attrs: Attrs = field(default_factory=Attrs)


class Fields:
    """Reads the fields of one packet, each against what is left of it."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self._at = at

    def _take(self, size: int) -> int:
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise Malformed("a packet is shorter than its fields")
        return start

    def u32(self) -> int:
        """A uint32."""
        found: int = _U32.unpack_from(self._data, self._take(4))[0]
        return found

    def u64(self) -> int:
        """A uint64."""
        found: int = _U64.unpack_from(self._data, self._take(8))[0]
        return found

    def string(self, most: int = MAX_PACKET_BYTES) -> bytes:
        """A string of at most so many bytes."""
        size = self.u32()
        if size > most:
            raise Malformed(f"a field has {size} bytes, more than {most}")
        start = self._take(size)
        return self._data[start : start + size]

    def path(self) -> bytes:
        """A path: NUL ends one for the target, and would not for us."""
        found = self.string(MAX_PATH_BYTES)
        if b"\0" in found:
            raise Malformed("a path has a NUL byte in it")
        return found

    def handle(self) -> bytes:
        """A handle."""
        return self.string(MAX_HANDLE_BYTES)

    def attrs(self) -> Attrs:
        """File attributes (draft, section 5)."""
        start = self._at
        flags = self.u32()
        if flags & ~_ALL_ATTRS:
            raise Malformed("attributes have bits that version 3 does not know")
        size = self.u64() if flags & _SIZE else None
        owner = (self.u32(), self.u32()) if flags & _UIDGID else None
        permissions = self.u32() if flags & _PERMISSIONS else None
        times = (self.u32(), self.u32()) if flags & _ACMODTIME else None
        if flags & _EXTENDED:
            count = self.u32()
            if count > MAX_EXTENSIONS:
                raise Malformed(f"attributes have {count} extensions")
            for _ in range(count):
                self.string(MAX_PATH_BYTES)
                self.string(MAX_PATH_BYTES)
        return Attrs(self._data[start : self._at], size, owner, permissions, times)

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._at == len(self._data)

    def end(self) -> None:
        """Refuse what is left over."""
        if not self.done:
            raise Malformed("a packet is longer than its fields")


# --- frames ----------------------------------------------------------------------------------------------------------


class PacketReader:
    """Cuts one direction of a channel into packets: (type, id or version, the bytes behind it)."""

    def __init__(self, fault: type[ProtocolError]) -> None:
        self._fault = fault
        self._buffer = bytearray()

    @property
    def buffered(self) -> int:
        """Bytes that wait for the rest of their packet, or to be taken."""
        return len(self._buffer)

    def receive(self, data: bytes) -> None:
        """Take a chunk."""
        self._buffer += data

    def take(self) -> tuple[int, int, bytes] | None:
        """The next whole packet, or None. Raises the direction's ProtocolError for what cannot be framed."""
        buffer = self._buffer
        if len(buffer) < 4:  # noqa: PLR2004 - a uint32
            return None
        size: int = _U32.unpack_from(buffer)[0]
        if not HEADER_BYTES <= size <= MAX_PACKET_BYTES:
            raise self._fault(f"an SFTP packet says that it has {size} bytes")
        if len(buffer) < 4 + size:
            return None
        kind = buffer[4]
        number: int = _U32.unpack_from(buffer, 5)[0]
        body = bytes(memoryview(buffer)[9 : 4 + size])
        del buffer[: 4 + size]
        return kind, number, body

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        while (packet := self.take()) is not None:
            yield packet


def from_client() -> PacketReader:
    """The reader of what a client sends."""
    return PacketReader(ClientProtocolError)


def from_server() -> PacketReader:
    """The reader of what a target sends."""
    return PacketReader(UpstreamProtocolError)


def packet(kind: int, number: int, *parts: bytes) -> bytes:
    """One packet."""
    size = HEADER_BYTES + sum(map(len, parts))
    return b"".join((_HEAD_ID.pack(size, kind, number), *parts))


def string(data: bytes) -> bytes:
    """A string field."""
    return _U32.pack(len(data)) + data


# --- requests --------------------------------------------------------------------------------------------------------

POSIX_RENAME: Final = "posix-rename@openssh.com"
HARDLINK: Final = "hardlink@openssh.com"
STATVFS: Final = "statvfs@openssh.com"
FSTATVFS: Final = "fstatvfs@openssh.com"
FSYNC: Final = "fsync@openssh.com"
LSETSTAT: Final = "lsetstat@openssh.com"
LIMITS: Final = "limits@openssh.com"
EXPAND_PATH: Final = "expand-path@openssh.com"
COPY_DATA: Final = "copy-data"
HOME_DIRECTORY: Final = "home-directory"
USERS_GROUPS: Final = "users-groups-by-id@openssh.com"

# The fields of each request in their order: the attribute of `Request`, and how it is written.
Layout = tuple[tuple[str, str], ...]
_PATH: Final[Layout] = (("path", "path"),)
_PATHS: Final[Layout] = (("path", "path"), ("other", "path"))
_HANDLE: Final[Layout] = (("handle", "handle"),)
_PATH_ATTRS: Final[Layout] = (("path", "path"), ("attrs", "attrs"))

LAYOUTS: Final[dict[int, Layout]] = {
    Kind.OPEN: (("path", "path"), ("flags", "u32"), ("attrs", "attrs")),
    Kind.CLOSE: _HANDLE,
    Kind.READ: (("handle", "handle"), ("offset", "u64"), ("length", "u32")),
    Kind.WRITE: (("handle", "handle"), ("offset", "u64"), ("data", "string")),
    Kind.LSTAT: _PATH,
    Kind.FSTAT: _HANDLE,
    Kind.SETSTAT: _PATH_ATTRS,
    Kind.FSETSTAT: (("handle", "handle"), ("attrs", "attrs")),
    Kind.OPENDIR: _PATH,
    Kind.READDIR: _HANDLE,
    Kind.REMOVE: _PATH,
    Kind.MKDIR: _PATH_ATTRS,
    Kind.RMDIR: _PATH,
    Kind.REALPATH: _PATH,
    Kind.STAT: _PATH,
    Kind.RENAME: _PATHS,
    Kind.READLINK: _PATH,
    Kind.SYMLINK: _PATHS,
}
EXTENSIONS: Final[dict[str, Layout]] = {
    POSIX_RENAME: _PATHS,
    HARDLINK: _PATHS,
    STATVFS: _PATH,
    FSTATVFS: _HANDLE,
    FSYNC: _HANDLE,
    LSETSTAT: _PATH_ATTRS,
    LIMITS: (),
    EXPAND_PATH: _PATH,
    COPY_DATA: (("handle", "handle"), ("offset", "u64"), ("length", "u64"), ("target", "handle"), ("to_offset", "u64")),
    HOME_DIRECTORY: _PATH,  # of the user whose name stands where others have a path
    USERS_GROUPS: (("data", "string"), ("more", "string")),
}


def decode(kind: int, number: int, body: bytes) -> Request:
    """One request of a client. Raises Malformed; a type or extension that is not known gives one without fields."""
    fields, name = Fields(body), ""
    if kind == Kind.EXTENDED:
        name = fields.string(MAX_NAME_BYTES).decode("ascii", "replace")
    bare = Request(kind, number, name=name)
    written = layout(bare)
    if written is None:
        return bare
    found = {attribute: _READERS[code](fields) for attribute, code in written}
    fields.end()
    return Request(kind, number, name=name, **found)


def encode(request: Request, number: int | None = None) -> bytes:
    """The packet of a request of a known type, under its own id or another one."""
    parts = [string(request.name.encode("ascii"))] if request.kind == Kind.EXTENDED else []
    parts += [_WRITERS[code](getattr(request, attribute)) for attribute, code in layout(request) or ()]
    return packet(request.kind, request.id if number is None else number, *parts)


def layout(request: Request) -> Layout | None:
    """The fields of a request, in their order; None where its type is not known."""
    return EXTENSIONS.get(request.name) if request.kind == Kind.EXTENDED else LAYOUTS.get(request.kind)


_READERS: Final[dict[str, Callable[[Fields], Any]]] = {
    "path": Fields.path,
    "handle": Fields.handle,
    "string": Fields.string,
    "u32": Fields.u32,
    "u64": Fields.u64,
    "attrs": Fields.attrs,
}
_WRITERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "path": string,
    "handle": string,
    "string": string,
    "u32": _U32.pack,
    "u64": _U64.pack,
    "attrs": lambda attrs: attrs.raw,
}


# --- answers ---------------------------------------------------------------------------------------------------------


def encode_status(number: int, code: int, words: str) -> bytes:
    """A STATUS with words for people."""
    text = words.encode("utf-8", "replace")[:MAX_MESSAGE_BYTES]
    return packet(Kind.STATUS, number, _U32.pack(code), string(text), string(b"en"))


def encode_handle(number: int, handle: bytes) -> bytes:
    """A HANDLE."""
    return packet(Kind.HANDLE, number, string(handle))


def encode_data(number: int, data: bytes) -> bytes:
    """A DATA."""
    return packet(Kind.DATA, number, string(data))


def encode_one_name(number: int, path: bytes) -> bytes:
    """A NAME with one name and no attributes, as REALPATH is answered."""
    return packet(Kind.NAME, number, _U32.pack(1), string(path), string(path), _U32.pack(0))


def encode_hello(kind: int, extensions: tuple[tuple[bytes, bytes], ...] = ()) -> bytes:
    """An INIT or a VERSION."""
    return packet(kind, VERSION, *(string(part) for pair in extensions for part in pair))


def decode_hello(body: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The extensions that an INIT or VERSION names. Raises Malformed."""
    fields = Fields(body)
    found: list[tuple[bytes, bytes]] = []
    while not fields.done:
        if len(found) >= MAX_EXTENSIONS:
            raise Malformed("too many extensions are announced")
        found.append((fields.string(MAX_PATH_BYTES), fields.string(MAX_PATH_BYTES)))
    return tuple(found)


def decode_status(body: bytes) -> tuple[int, bytes]:
    """Code and words. Some servers leave out the words."""
    fields = Fields(body)
    code = fields.u32()
    return code, b"" if fields.done else fields.string()[:MAX_MESSAGE_BYTES]


def decode_handle(body: bytes) -> bytes:
    """The handle."""
    fields = Fields(body)
    found = fields.handle()
    fields.end()
    return found


def decode_data(body: bytes) -> bytes:
    """The data."""
    fields = Fields(body)
    found = fields.string()
    fields.end()
    return found


def decode_attrs(body: bytes) -> Attrs:
    """The attributes of an ATTRS."""
    return Fields(body).attrs()


def decode_names(body: bytes) -> tuple[tuple[bytes, bytes, Attrs], ...]:
    """Names with what `ls -l` shows of them, and attributes."""
    fields = Fields(body)
    count = fields.u32()
    if count > MAX_NAMES:
        raise Malformed(f"{count} names in one answer")
    found = tuple((fields.string(MAX_PATH_BYTES), fields.string(), fields.attrs()) for _ in range(count))
    fields.end()
    return found
