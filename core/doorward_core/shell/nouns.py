"""What a command line is taken apart into.

What it is: the frozen nouns of this room: words, redirections, commands, transfers and the whole analysis; and the one
spelling in which a command's arguments stand in an atom.
What it will not do: read anything.

Invariants: pure; a `Word` whose value only the target's shell can know has `plain` None, whatever else is known of it;
`spell` maps different lists of arguments to different texts.
"""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from doorward_core.model import Atom

UNKNOWN_WORD = "$"
"""Stands, unquoted, for an argument that is not plain; a real argument of that text is spelt `'$'`."""


def names(text: str) -> frozenset[str]:
    """A table of names, written with blanks between them."""
    return frozenset(text.split())


class Unclear(Exception):
    """Some part of a command line that this room does not vouch for. The message is for an agent to read."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it was written, and its value where no shell could read another one."""

    text: str
    plain: str | None

    @classmethod
    def of(cls, value: str) -> "Word":
        """A word that never went through a shell."""
        return cls(shlex.quote(value), value)


@dataclass(frozen=True, slots=True)
class Redirection:
    """`descriptor operator target`. The descriptor is -1 where none was written; `2>&1` has the target `1`."""

    operator: str
    target: Word
    descriptor: int = -1

    @property
    def feeds_stdin(self) -> bool:
        """Whether it takes the place of standard input."""
        return self.operator in {"<", "<&"} and self.descriptor in {-1, 0}


@dataclass(frozen=True, slots=True)
class Command:
    """One program and its arguments.

    `program` is canonical: `/usr/bin/ls` is `ls`; it is empty where only the target's shell knows it.
    `wraps` tells a wrapper whose inner command was read too and stands beside it in the list.
    """

    program: str
    arguments: tuple[Word, ...]
    redirections: tuple[Redirection, ...] = ()
    background: bool = False
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Transfer:
    """A command that speaks a file transfer protocol over its standard streams.

    `direction` is `read` (files leave the target) or `write` (files arrive there).
    `paths` are as `Target("path")` names them, in the order of the command line.
    """

    protocol: str
    direction: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommandAnalysis:
    """What a command line amounts to.

    `complete` is False where some of it could not be read whole; `problem` then says what, in words for an agent, and
    atoms and commands are what was recognised nevertheless.
    `verb` is the first program. `unseen` names input that streams in afterwards and is not decided on.
    """

    complete: bool
    problem: str
    verb: str
    atoms: tuple[Atom, ...]
    commands: tuple[Command, ...]
    transfer: Transfer | None
    unseen: tuple[str, ...]


def spell(arguments: Iterable[Word]) -> str:
    """The arguments as one text: quoted as a POSIX shell reads them, `$` for each that is not plain."""
    return " ".join(UNKNOWN_WORD if word.plain is None else shlex.quote(word.plain) for word in arguments)
