"""From SFTP requests to what is being asked: which files, and what is done to them.

What it is: `plan`, a generator that asks the target where the paths of a request lead, and gives the facts that policy
decides on, with the request that is sent if it may be.
What it will not do: decide, or send.

Source: draft-ietf-secsh-filexfer-02, section 6; OpenSSH's PROTOCOL file, section 4.

Invariants:
- What is sent names exactly the paths that were decided on, resolved and absolute; the text of a symbolic link alone
  stays as it was written.
- A request that names two files is decided on both.
- A path that is not UTF-8 has no name that a rule could mean: its operation is not complete, and policy sees `unknown`.
"""

import shlex
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from doorward_core.model import Action, Atom, Target
from doorward_ssh.sftp_paths import Answer, Place, follow, is_folder, lexical, named, resolved, status, stop
from doorward_ssh.wire_sftp import (
    EXPAND_PATH,
    HARDLINK,
    HOME_DIRECTORY,
    LSETSTAT,
    POSIX_RENAME,
    STATVFS,
    Attrs,
    Flag,
    Kind,
    Request,
)

_SET_ID: Final = 0o6000  # setuid and setgid: who runs the file becomes somebody else
_WRITING: Final = Flag.WRITE | Flag.APPEND | Flag.CREAT | Flag.TRUNC

Key: TypeAlias = int | str
_LOOKING: Final[dict[Key, tuple[str, bool]]] = {
    Kind.STAT: ("sftp stat", True),
    Kind.LSTAT: ("sftp stat", False),
    Kind.OPENDIR: ("sftp readdir", True),
    Kind.READLINK: ("sftp readlink", False),
    STATVFS: ("sftp statvfs", True),
}
_CHANGING: Final[dict[Key, tuple[str, bool]]] = {Kind.REMOVE: ("sftp remove", False), Kind.RMDIR: ("sftp rmdir", False)}
_SETTING: Final[dict[Key, tuple[str, bool]]] = {
    Kind.SETSTAT: ("sftp setstat", True),
    LSETSTAT: ("sftp setstat", False),
    Kind.MKDIR: ("sftp mkdir", False),
}
_NAMING: Final[frozenset[Key]] = frozenset({Kind.REALPATH, EXPAND_PATH, HOME_DIRECTORY})
_MOVING: Final[dict[Key, str]] = {Kind.RENAME: "sftp rename", POSIX_RENAME: "sftp rename", HARDLINK: "sftp hardlink"}
# What can make a path lead elsewhere: nothing else that looks at paths is under way beside it.
REARRANGING: Final[frozenset[Key]] = frozenset({*_MOVING, Kind.SYMLINK})


@dataclass(frozen=True, slots=True)
class Facts:
    """What policy decides on. `doubt` says why it could not be read whole; "" where it was."""

    verb: str
    action: Action
    atoms: tuple[Atom, ...]
    text: str
    doubt: str = ""
    pure: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens if it may: `send` goes to the target.

    Or the answer is known: `name` is a path to be named, `failure` the body of a STATUS.
    """

    facts: Facts
    places: tuple[bytes, ...] = ()
    send: Request | None = None
    name: bytes = b""
    failure: bytes = b""


Planning: TypeAlias = Generator[Request, Answer, Plan]


def key(request: Request) -> Key:
    """What tells requests apart: their type, or the name of their extension."""
    return request.name or request.kind


def plan(request: Request, start: bytes, *, openssh: bool) -> Planning:
    """Ask where a request leads, and say what it asks. It is one of those that name paths.

    `openssh` tells that the target takes the arguments of SYMLINK in OpenSSH's order, the text of the link first.
    """
    what = key(request)
    if what == Kind.OPEN:
        return (yield from _open(request, start))
    if what in _NAMING:
        return (yield from _name(request, start))
    if what in _MOVING:
        return (yield from _move(request, start, _MOVING[what]))
    if what == Kind.SYMLINK:
        return (yield from _symlink(request, start, openssh=openssh))
    verb, followed = _LOOKING.get(what) or _CHANGING.get(what) or _SETTING[what]
    place = yield from (follow if followed else stop)(request.path, start)
    action = Action.READ if what in _LOOKING else Action.WRITE
    atoms = [_atom(action, place.path), *_escalations(place.path, request.attrs)]
    words = _attributes(request.attrs) if what in _SETTING else ""
    facts = _facts(verb, action, atoms, (place,), words, pure=action is Action.READ)
    return Plan(facts, (place.path,), replace(request, path=place.path), failure=place.failure)


def set_by_handle(path: bytes, attrs: Attrs) -> Facts:
    """FSETSTAT: what SETSTAT of the path would be, whatever the handle was opened for."""
    atoms = [_atom(Action.WRITE, path), *_escalations(path, attrs)]
    return _facts("sftp setstat", Action.WRITE, atoms, (Place(path),), _attributes(attrs))


def reads(flags: int) -> bool:
    """Whether a file opened so may be read: without any flag it is, too."""
    return bool(flags & Flag.READ) or not flags & Flag.WRITE


def writes(flags: int) -> bool:
    """Whether opening a file so, or what follows, may change it."""
    return bool(flags & _WRITING)


def _open(request: Request, start: bytes) -> Planning:
    place = yield from follow(request.path, start)
    atoms = []
    if reads(request.flags):
        atoms.append(_atom(Action.READ, place.path))
    if writes(request.flags):
        atoms += [_atom(Action.WRITE, place.path), *_escalations(place.path, request.attrs)]
    verb = "sftp open-" + "-".join(str(atom.action) for atom in atoms[:2] if atom.action is not Action.ADMIN)
    action = Action.WRITE if writes(request.flags) else Action.READ
    facts = _facts(verb, action, atoms, (place,), _attributes(request.attrs) if writes(request.flags) else "")
    return Plan(facts, (place.path,), replace(request, path=place.path), failure=place.failure)


def _name(request: Request, start: bytes) -> Planning:
    """REALPATH and its kin tell where links lead and what is there: the answer is what is decided on."""
    answer = yield request
    if answer[0] == Kind.NAME:
        path = resolved(answer[1]) if request.kind == Kind.REALPATH else lexical(start, named(answer[1]))
        facts = _facts("sftp realpath", Action.READ, [_atom(Action.READ, path)], (Place(path),), pure=True)
        return Plan(facts, (path,), name=path)
    status(answer)
    path = lexical(start, request.path) if request.kind == Kind.REALPATH else request.path
    facts = _facts("sftp realpath", Action.READ, [_atom(Action.READ, path)], (Place(path),), pure=True)
    return Plan(facts, (path,), failure=answer[1])


def _move(request: Request, start: bytes, verb: str) -> Planning:
    """Both names are written. What lies under another name may be read there, so it must be readable where it was."""
    old = yield from stop(request.path, start)
    new = yield from stop(request.other, start)
    atoms = [_atom(Action.WRITE, old.path), _atom(Action.WRITE, new.path)]
    elsewhere = old.path.rpartition(b"/")[0] != new.path.rpartition(b"/")[0]
    if elsewhere or verb == "sftp hardlink":
        atoms.insert(0, _atom(Action.READ, old.path))
    failure = old.failure or new.failure
    if not failure and verb != "sftp hardlink" and is_folder((yield Request(Kind.LSTAT, 0, path=old.path))):
        # All that is in it gets another name, and rules speak of names.
        atoms.append(_atom(Action.DEFINE, old.path))
    facts = _facts(verb, Action.WRITE, atoms, (old, new))
    send = replace(request, path=old.path, other=new.path)
    return Plan(facts, (old.path, new.path), send, failure=failure)


def _symlink(request: Request, start: bytes, *, openssh: bool) -> Planning:
    """The name of the link is written; what it leads to must be readable.

    The draft says (link, target). OpenSSH and its clients do (target, link), and so do ours: they are told that this is
    such a server. For a target that is not known to do so too the arguments are swapped, and both names are taken for
    the link.
    """
    pairs = (
        [(request.other, request.path)] if openssh else [(request.other, request.path), (request.path, request.other)]
    )
    atoms: list[Atom] = []
    links: list[Place] = []
    targets: list[Place] = []
    for name, text in pairs:
        link = yield from stop(name, start)
        folder = link.path.rpartition(b"/")[0]
        target = yield from follow(text if text.startswith(b"/") else folder + b"/" + text, start)
        atoms += [_atom(Action.WRITE, link.path), _atom(Action.READ, target.path)]
        links.append(link)
        targets.append(replace(target, failure=b""))  # a link may lead to what is not there
    facts = _facts("sftp symlink", Action.WRITE, atoms, (links[0], targets[0], *links[1:], *targets[1:]))
    if not openssh:
        swapped = replace(request, path=request.other, other=request.path)
        return Plan(facts, tuple(place.path for place in (*links, *targets)), swapped)
    send = replace(request, other=links[0].path)
    return Plan(facts, (links[0].path, targets[0].path), send, failure=links[0].failure)


# --- words -----------------------------------------------------------------------------------------------------------


def shown(path: bytes) -> str:
    """A path as text."""
    return path.decode("utf-8", "backslashreplace")


def _atom(action: Action, path: bytes) -> Atom:
    return Atom(action, Target("path", shown(path)))


def _escalations(path: bytes, attrs: Attrs) -> list[Atom]:
    """Giving a file away, or letting it run as somebody else, is more than writing."""
    if attrs.owner is not None or (attrs.permissions or 0) & _SET_ID:
        return [_atom(Action.ADMIN, path)]
    return []


def _attributes(attrs: Attrs) -> str:
    words = []
    if attrs.size is not None:
        words.append(f"size={attrs.size}")
    if attrs.owner is not None:
        words.append(f"owner={attrs.owner[0]}:{attrs.owner[1]}")
    if attrs.permissions is not None:
        words.append(f"mode={attrs.permissions & 0o7777:04o}")
    if attrs.times is not None:
        words.append(f"atime={attrs.times[0]} mtime={attrs.times[1]}")
    return " ".join(words)


def _facts(
    verb: str, action: Action, atoms: list[Atom], places: tuple[Place, ...], words: str = "", *, pure: bool = False
) -> Facts:
    doubt = next((place.doubt for place in places if place.doubt), "")
    if any(not _is_text(place.path) for place in places):
        doubt = "a path is not UTF-8"
    text = " ".join([verb, *(shlex.quote(shown(place.path)) for place in places), *([words] if words else [])])
    return Facts(verb, action, tuple(dict.fromkeys(atoms)), text, doubt, pure)


def _is_text(path: bytes) -> bool:
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
