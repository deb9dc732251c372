"""Which file a path of an SFTP request leads to, as the target itself says.

What it is: generators that yield the questions for the target (REALPATH, LSTAT) and are sent its answers.
What it will not do: send anything, or trust a lexical reading where there is another one: a symbolic link defeats it.

Source: draft-ietf-secsh-filexfer-02, sections 6.11 (REALPATH) and 6.8 (LSTAT).
OpenSSH resolves a path whose last part is not there yet, and a link that leads to nowhere as well; servers that resolve
only what is there are asked for the folder, and whether anything stands at that name.

Invariants: pure; a path that is given is absolute and has no `.`, `..` or empty part; each costs three questions at
most. What lies between an answer and its use is the target's: another of its users may put a link there meanwhile.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, TypeAlias

from doorward_core.errors import UpstreamProtocolError
from doorward_ssh.wire_sftp import (
    MAX_PATH_BYTES,
    Attrs,
    Code,
    Kind,
    Malformed,
    Request,
    decode_attrs,
    decode_names,
    decode_status,
)

Answer: TypeAlias = tuple[int, bytes]  # type and body of what the target answered
_FOLDER: Final = 0o040000
_TYPE: Final = 0o170000
_SPECIAL: Final = frozenset({b"", b".", b".."})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads.

    `failure` is the body of the STATUS with which the target refused to resolve it: nothing can be done there, and
    `path` is then only what the words say. `doubt` says why nobody can tell where it leads.
    """

    path: bytes
    failure: bytes = b""
    doubt: str = ""


Asking: TypeAlias = Generator[Request, Answer, Place]


def lexical(start: bytes, path: bytes) -> bytes:
    """What the words of a path say, links aside."""
    kept: list[bytes] = []
    for part in (path if path.startswith(b"/") else start + b"/" + path).split(b"/"):
        if part == b"..":
            del kept[-1:]
        elif part not in _SPECIAL:
            kept.append(part)
    return b"/" + b"/".join(kept)


def join(folder: bytes, name: bytes) -> bytes:
    """A name in a folder."""
    return folder.rstrip(b"/") + b"/" + name


def split(path: bytes) -> tuple[bytes, bytes] | None:
    """Folder and name; None where the last part is no name (`.`, `..`, a slash): then all of it is to be followed."""
    folder, slash, name = path.rpartition(b"/")
    if name in _SPECIAL:
        return None
    return (folder or (b"/" if slash else b".")), name


def follow(path: bytes, start: bytes) -> Asking:
    """Where a path leads when its last part is followed too (open, stat, opendir)."""
    answer = yield Request(Kind.REALPATH, 0, path=path)
    if answer[0] == Kind.NAME:
        return Place(resolved(answer[1]))
    failure = status(answer)
    parts = split(path.rstrip(b"/"))
    if parts is None or failure[0] not in {Code.NO_SUCH_FILE, Code.FAILURE}:
        return Place(lexical(start, path), failure=answer[1])
    place = yield from within(parts, path, start)
    if place.failure:
        return Place(place.path, failure=answer[1])
    found = yield Request(Kind.LSTAT, 0, path=place.path)
    if found[0] == Kind.ATTRS or status(found)[0] != Code.NO_SUCH_FILE:
        return Place(place.path, doubt="the target cannot say where it leads")
    return place


def stop(path: bytes, start: bytes) -> Asking:
    """Where a path leads when its last part is not followed (lstat, remove, rename, the name of a new link)."""
    parts = split(path)
    if parts is None:
        return (yield from follow(path, start))
    return (yield from within(parts, path, start))


def within(parts: tuple[bytes, bytes], path: bytes, start: bytes) -> Asking:
    """A name in the folder that the folder's path leads to."""
    answer = yield Request(Kind.REALPATH, 0, path=parts[0])
    if answer[0] == Kind.NAME:
        joined = join(resolved(answer[1]), parts[1])
        if len(joined) > MAX_PATH_BYTES:
            return Place(joined[:MAX_PATH_BYTES], doubt="it is too long")
        return Place(joined)
    status(answer)
    return Place(lexical(start, path), failure=answer[1])


def resolved(body: bytes) -> bytes:
    """The path in an answer to REALPATH. Raises UpstreamProtocolError where it is none."""
    path = named(body)
    if path != lexical(b"/", path):
        raise UpstreamProtocolError("the answer to REALPATH is not an absolute path without dots")
    return path


def named(body: bytes) -> bytes:
    """The one name in an answer. Raises UpstreamProtocolError where there is none, or several."""
    try:
        names = decode_names(body)
    except Malformed as error:
        raise UpstreamProtocolError(f"the answer to a question about a path cannot be read: {error}") from None
    if len(names) != 1 or b"\0" in names[0][0]:
        raise UpstreamProtocolError("a question about a path was not answered with one name")
    return names[0][0]


def status(answer: Answer) -> tuple[int, bytes]:
    """Code and words of an answer that must be a STATUS of a failure. Raises UpstreamProtocolError where it is not."""
    if answer[0] == Kind.STATUS:
        try:
            found = decode_status(answer[1])
        except Malformed:
            found = (Code.OK, b"")
        if found[0] != Code.OK:
            return found
    raise UpstreamProtocolError("a question about a path was answered with something else")


def is_folder(answer: Answer) -> bool:
    """Whether an answer to LSTAT speaks of a folder; what is not there is none, what is not said may be one."""
    if answer[0] != Kind.ATTRS:
        status(answer)
        return False
    try:
        attrs: Attrs = decode_attrs(answer[1])
    except Malformed as error:
        raise UpstreamProtocolError(f"the answer to LSTAT cannot be read: {error}") from None
    return attrs.permissions is None or attrs.permissions & _TYPE == _FOLDER
