"""Command patterns: what `commands: ["uptime", "systemctl status *"]` matches.

What it is: patterns over a program and its arguments, word by word, for targets of kind `command`: their name is the
program, their detail the arguments as `shell` spells them (quoted as a POSIX shell reads them, a bare `$` for each
argument whose value only the target's shell knows).
What it will not do: look at the text of a command line, or know what a program does.

Invariants: pure. In an allow a pattern speaks of what it writes out and of nothing else, and never of arguments that
are not plain; in a hold or a block it speaks of the same with whatever follows, and of every command of its program
whose arguments are not all plain. So a doubt never loosens.
"""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from doorward_core.policy.glob import Names, compile_names

COMMAND = "command"
_WORD = re.compile(r"""(?:'[^']*'|"[^"]*"|[^\s'"])+""")
_UNKNOWN = "$"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One pattern: the program, its arguments one by one, and whether any number of others may follow."""

    program: Names
    arguments: tuple[Names, ...]
    open_ended: bool

    def match(self, program: str, arguments: tuple[str, ...] | None, *, broadly: bool) -> bool:
        """Whether it speaks of this command; `arguments` are None where they are not all plain."""
        if not self.program.match(program):
            return False
        if arguments is None:
            return broadly
        if len(arguments) < len(self.arguments):
            return False
        if len(arguments) > len(self.arguments) and not (self.open_ended or broadly):
            return False
        return all(names.match(word) for names, word in zip(self.arguments, arguments, strict=False))


@dataclass(frozen=True, slots=True)
class Commands:
    """A compiled list of command patterns; those that began with `!` take away again."""

    positive: tuple[_Pattern, ...]
    negative: tuple[_Pattern, ...]

    def match(self, program: str, detail: str, *, allows: bool) -> bool:
        """Whether a rule with these patterns speaks of a command; `allows` tells an allow from a hold or a block."""
        arguments = _arguments(detail)
        return any(item.match(program, arguments, broadly=not allows) for item in self.positive) and not any(
            item.match(program, arguments, broadly=allows) for item in self.negative
        )


def split_pattern(pattern: str) -> list[str]:
    """The words of a pattern: quotes keep blanks together and are not part of it. Raises ValueError, for people."""
    words = shlex.split(pattern.removeprefix("!"), comments=False)
    if not words or words[0].split() != words[:1] or "\\" in pattern:
        message = "names no program, or has a backslash"
        raise ValueError(message)
    if any(word.startswith("!") for word in words):
        message = "a word of a command cannot begin with `!` here; write `?` for any one character"
        raise ValueError(message)
    if "/" in words[0] and not words[0].startswith(("/", "./", "*", "?")):
        message = "a program is a name, an absolute path, or begins with `./`"
        raise ValueError(message)
    return words


def compile_commands(patterns: Iterable[str]) -> Commands:
    """Compile a list of patterns that `rules` has checked."""
    listed = list(patterns)
    return Commands(
        tuple(_compile(item) for item in listed if not item.startswith("!")),
        tuple(_compile(item) for item in listed if item.startswith("!")),
    )


def _compile(pattern: str) -> _Pattern:
    program, *words = split_pattern(pattern)
    open_ended = words[-1:] == ["*"]
    arguments = words[:-1] if open_ended else words
    return _Pattern(compile_names([program]), tuple(compile_names([word]) for word in arguments), open_ended)


def plain(detail: str) -> bool:
    """Whether each argument that a detail spells is known before the target's shell has seen it."""
    return _UNKNOWN not in _WORD.findall(detail)


def _arguments(detail: str) -> tuple[str, ...] | None:
    """The arguments that a detail spells; None where one is not plain, or it is not spelt as it should be."""
    words = _WORD.findall(detail)
    if not plain(detail):
        return None
    try:
        found = tuple(shlex.split(detail, comments=False))
    except ValueError:
        return None
    return found if len(found) == len(words) else None
