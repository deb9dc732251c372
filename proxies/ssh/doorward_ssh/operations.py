"""From what a channel asks for to what the gate decides: an `Operation` for each exec, shell and subsystem.

What it is: pure functions from a `ChannelRequest` and a `Site` to a `Reading`.
What it will not do: decide, or promise what a program does; an interactive shell is one operation, and what is typed
into it is none (threat model SSH-06, SSH-07).

Invariants:
- The digest covers everything that the target is given to begin with: the request's kind and bytes, whether there is a
  terminal, the environment, the account; so an approval is for exactly that.
- What cannot be read whole is not complete, and policy then sees `unknown`.
- What streams in afterwards is declared `unseen`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from doorward_core.model import Action, Atom, Operation, Target
from doorward_core.shell.analyze import analyze
from doorward_core.shell.nouns import Transfer

TEXT_CHARS: Final = 32 * 1024  # of a command, for people; the shell room reads no more than this many bytes either
STDIN: Final = "stdin"
NOT_TEXT: Final = "the command is not UTF-8, and what its bytes mean is for the target's shell to say"
AGENT: Final = "agent"  # what a channel may ask for, and never gets
X11: Final = "x11"


class Kind(StrEnum):
    """What starts on a channel (RFC 4254 section 6.5)."""

    EXEC = "exec"
    SHELL = "shell"
    SUBSYSTEM = "subsystem"


@dataclass(frozen=True, slots=True)
class Pty:
    """A terminal that was asked for (RFC 4254 section 6.2): its kind, its size, and its modes as they came."""

    term: str
    columns: int
    rows: int
    width: int = 0
    height: int = 0
    modes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelRequest:
    """What a client asks to start on one channel, with all that came before it there.

    `text` is the command line or the subsystem's name; empty for a shell. Where `not_text`, it is not what was sent: it
    shows bytes that are no UTF-8 as escapes, and must go nowhere.
    """

    kind: Kind
    text: str = ""
    pty: Pty | None = None
    environment: tuple[tuple[str, str], ...] = ()
    not_text: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """An operation, and what the relay wants to know of it.

    `transfer` says that the streams are a file transfer's own, whose bytes are not text.
    """

    operation: Operation
    transfer: Transfer | None = None


def read(request: ChannelRequest, *, account: str, seq: int, operation_id: bytes) -> Reading:
    """Say what a request asks for. `operation_id` is 16 random bytes."""
    around = _around(request)
    if request.kind is Kind.EXEC:
        return _read_exec(request, around, account, seq, operation_id)
    if request.kind is Kind.SHELL:
        target, verb, text = Target("shell", account), "shell", f"an interactive shell as {account}"
    else:
        target, verb, text = Target("subsystem", request.text), "subsystem", f"subsystem {request.text}"
    operation = Operation(
        id=operation_id,
        seq=seq,
        action=Action.EXECUTE,
        verb=verb,
        atoms=(Atom(Action.EXECUTE, target), *around),
        text=_shown(text),
        digest=digest(request, account),
        unseen=(STDIN,),
    )
    return Reading(operation)


def _read_exec(
    request: ChannelRequest, around: tuple[Atom, ...], account: str, seq: int, operation_id: bytes
) -> Reading:
    analysis = analyze(request.text)
    operation = Operation(
        id=operation_id,
        seq=seq,
        action=Action.TRANSFER if analysis.transfer else Action.EXECUTE,
        verb=analysis.verb or "exec",
        atoms=(*analysis.atoms, *around),
        text=_shown(request.text),
        digest=digest(request, account),
        complete=analysis.complete,
        text_truncated=len(request.text) > TEXT_CHARS,
        unseen=analysis.unseen,
        attributes={"problem": analysis.problem} if analysis.problem else {},
    )
    return Reading(operation, analysis.transfer)


def _around(request: ChannelRequest) -> tuple[Atom, ...]:
    """What a channel was given besides what it runs."""
    named = (Atom(Action.SESSION, Target("variable", name)) for name, _ in request.environment)
    return (*((Atom(Action.SESSION, Target("pty", request.pty.term)),) if request.pty else ()), *named)


def _shown(text: str) -> str:
    return text[:TEXT_CHARS]


def digest(request: ChannelRequest, account: str) -> bytes:
    """SHA-256 over everything that changes what runs; fields are length-prefixed, so that no two lists read alike."""
    fields: Iterable[str] = (
        "doorward-ssh/1",
        account,
        request.kind,
        request.text,
        request.pty.term if request.pty else "",
        "pty" if request.pty else "no pty",
        *(part for pair in request.environment for part in pair),
    )
    sha = hashlib.sha256()
    for field in fields:
        data = field.encode("utf-8", "surrogatepass")
        sha.update(len(data).to_bytes(8, "big"))
        sha.update(data)
    return sha.digest()
