"""Programs that run another one: which of their words are the inner command.

What it is: a table of wrappers with the options that are understood of each, and `unwrap`, which gives what is inside.
What it will not do: guess at an option that is not in the table; whatever is not listed makes the line not readable.

Invariants: pure; `unwrap` gives the inner words as they stood, or the text that an inner shell will read, and never
drops one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from doorward_core.shell.environment import harmless_assignment
from doorward_core.shell.nouns import Unclear, Word
from doorward_core.shell.programs import POSIX_SHELLS


@dataclass(frozen=True, slots=True)
class Inner:
    """What a wrapper runs: `words` of a command, or `text` for a shell; neither where it runs nothing further.

    `moves` tells that relative paths within mean something else than outside; `fed` that the inner command's standard
    input is not the wrapper's.
    """

    words: tuple[Word, ...] = ()
    text: str | None = None
    moves: bool = False
    fed: bool = False


@dataclass(frozen=True, slots=True)
class Wrapper:
    """How a wrapper reads its words: options, then so many operands, then the command.

    `flags` and `valued` are options without and with a value. `clusters` allows short ones to be written together:
    where some short option has a value that may be left out, `-dn 2` and `-d -n 2` are not the same.
    `idle` are options with which no command is run. `joined` tells that the words are joined and read by a shell.
    `alone` tells that it does something harmless without a command.
    """

    flags: str = ""
    valued: str = ""
    idle: str = ""
    operands: int = 0
    assignments: bool = False
    joined: bool = False
    alone: bool = False
    moves: bool = False
    clusters: bool = False


WRAPPERS: dict[str, Wrapper] = {
    "sudo": Wrapper(
        "-n -S -H -b -k -E --non-interactive --stdin --set-home --background --preserve-env",
        "-u -g -p -C -T --user --group --prompt",
        "-l -v -V -K --list --validate --version",
        assignments=True,
        clusters=True,
    ),
    "doas": Wrapper("-n", "-u", "-L"),
    "env": Wrapper("-i - -0 --ignore-environment --null", "-u --unset", "--version", assignments=True, alone=True),
    "nice": Wrapper("", "-n --adjustment", "--version", alone=True),
    "ionice": Wrapper("-t", "-c -n --class --classdata", "-p -P -u"),
    "nohup": Wrapper("", "", "--version"),
    "timeout": Wrapper(
        "-v --preserve-status --foreground --verbose", "-k -s --kill-after --signal", "--version", operands=1
    ),
    "time": Wrapper("-p", alone=True),
    "stdbuf": Wrapper("", "-i -o -e --input --output --error", "--version"),
    "setsid": Wrapper("-c -f -w --ctty --fork --wait", "", "-V --version"),
    "chroot": Wrapper("", "--userspec --groups", "--version", operands=1, moves=True),
    "nsenter": Wrapper(
        "-m -u -i -n -p -U -C -T -a -F --mount --uts --ipc --net --pid --all", "-t --target", moves=True
    ),
    "strace": Wrapper("-f -ff -c -C -q -qq -r -t -tt -ttt -T -v -y -yy -i", "-e -s -P -b", "-V"),
    "watch": Wrapper("-b -d -e -g -t -c --color --beep --differences --no-title", "-n --interval", "-v", joined=True),
    "busybox": Wrapper(idle="--list --list-full --help"),
    "exec": Wrapper("-c -l"),
    "command": Wrapper("-p", idle="-v -V"),
    "builtin": Wrapper(),
    "eval": Wrapper(joined=True),
    "ssh": Wrapper(
        "-4 -6 -a -C -k -n -q -T -t -tt -v -x",
        "-b -c -i -l -m -p",
        "-V",
        operands=1,
        joined=True,
        moves=True,
        clusters=True,
    ),
}

_SHELL_FLAGS = frozenset("eflux")
"""Options of a shell that go before `-c` without changing how its text is read: -l also reads the profile."""
_FIND_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_XARGS = Wrapper(
    "-0 -r -t -x --null --no-run-if-empty --verbose", "-n -L -P -s -d -E -I --max-args --max-procs", clusters=True
)


def unwrap(program: str, arguments: tuple[Word, ...]) -> tuple[Inner, ...] | None:
    """What a program runs; None where it is no wrapper. Raises `Unclear` where it is one that is not understood."""
    special = _SPECIAL.get(program)
    if special is not None:
        return special(program, arguments)
    if program in POSIX_SHELLS:
        return _shell(program, arguments)
    wrapper = WRAPPERS.get(program)
    return None if wrapper is None else _by_table(program, wrapper, arguments)


def _by_table(program: str, wrapper: Wrapper, arguments: tuple[Word, ...]) -> tuple[Inner, ...]:
    """What a wrapper of the table runs."""
    rest, idle, _ = _take_options(program, wrapper, arguments)
    if idle:
        return ()
    if wrapper.assignments:
        rest = _take_assignments(program, rest)
    _require_plain(program, rest[: wrapper.operands])
    operands, rest = rest[: wrapper.operands], rest[wrapper.operands :]
    if not rest:
        if wrapper.alone and not operands:
            return ()
        raise Unclear(f"`{program}` without a command may start a shell or wait for one")
    if wrapper.joined:
        text = " ".join(_require_plain(program, rest))
        return (Inner(text=text, moves=wrapper.moves),)
    return (Inner(rest, moves=wrapper.moves),)


def _take_options(
    program: str, wrapper: Wrapper, words: tuple[Word, ...]
) -> tuple[tuple[Word, ...], bool, dict[str, str]]:
    """Take the options off: gives the rest, whether one of them means that nothing is run, and the values by option."""
    flags, valued, idle = wrapper.flags.split(), wrapper.valued.split(), wrapper.idle.split()
    values: dict[str, str] = {}
    resting = False
    at = 0
    while at < len(words):
        word = words[at].plain
        if word is None:
            raise Unclear(f"a word of `{program}` before its command is not plain")
        if word == "--":
            at += 1
            break
        if not word.startswith("-") or (word == "-" and "-" not in flags):
            break
        at += 1
        name, equals, value = word.partition("=")
        if word in flags or word in idle:
            resting = resting or word in idle
        elif equals and name.startswith("--") and name in valued:
            values[name] = value
        else:
            at = _take_short(program, wrapper, words, at, values)
    return words[at:], resting, values


def _take_short(program: str, wrapper: Wrapper, words: tuple[Word, ...], at: int, values: dict[str, str]) -> int:
    """Take the option before place `at`, with its value if that is the next word; gives the new place."""
    word = words[at - 1].plain or ""
    flags, valued = wrapper.flags.split(), wrapper.valued.split()
    known = word in valued or not word.startswith("--")
    letters = [word] if word in valued else [f"-{letter}" for letter in word[1:]]
    for index, option in enumerate(letters if known else ()):
        if option in valued:
            attached = "" if option == word else word[index + 2 :]
            if attached:
                values[option] = attached
                return at
            if at >= len(words):
                break
            values[option] = _require_plain(program, words[at : at + 1])[0]
            return at + 1
        if option not in flags or not wrapper.clusters:
            break
        if index + 1 == len(letters):
            return at
    raise Unclear(f"the option `{word[:40]}` of `{program}` is not read here")


def _take_assignments(program: str, words: tuple[Word, ...]) -> tuple[Word, ...]:
    for at, word in enumerate(words):
        if word.plain is None or "=" not in word.plain:
            return words[at:]
        if not harmless_assignment(word.plain):
            raise Unclear(f"`{program}` is given a variable that may change what its command does")
    return ()


def _require_plain(program: str, words: tuple[Word, ...]) -> tuple[str, ...]:
    values = tuple(word.plain for word in words if word.plain is not None)
    if len(values) != len(words):
        raise Unclear(f"a word that `{program}` depends on is not plain")
    return values


def _shell(program: str, arguments: tuple[Word, ...]) -> tuple[Inner, ...] | None:
    """`sh -c text`; None where it is something else, for the table of interpreters to judge."""
    at, found = 0, False
    while at < len(arguments) and not found:
        word = arguments[at].plain
        if word is None or not word.startswith("-") or word.startswith("--"):
            return None
        letters = set(word[1:])
        if not letters or letters - _SHELL_FLAGS - {"c"}:
            return None
        found = "c" in letters
        at += 1
    if not found:
        return None
    if at >= len(arguments) or arguments[at].plain is None or (arguments[at].plain or "").startswith(("-", "+")):
        raise Unclear(f"the text that `{program} -c` runs is known only to the target's shell")
    return (Inner(text=arguments[at].plain),)


def _xargs(program: str, arguments: tuple[Word, ...]) -> tuple[Inner, ...]:
    """What standard input adds is not plain: at the end, or wherever the text of `-I` stands."""
    rest, _, values = _take_options(program, _XARGS, arguments)
    if not rest:
        return (Inner((Word.of("echo"), _ADDED), fed=True),)
    replaced = values.get("-I")
    if replaced is None:
        return (Inner((*rest, _ADDED), fed=True),)
    words = tuple(Word(word.text, None) if replaced in (word.plain or replaced) else word for word in rest)
    return (Inner(words, fed=True),)


_ADDED = Word("…", None)


def _find(program: str, arguments: tuple[Word, ...]) -> tuple[Inner, ...] | None:
    """Each `-exec … ;` and `-exec … +`; `{}` within is a path that only the target knows."""
    _require_plain(program, arguments)
    inner: list[Inner] = []
    at = 0
    while at < len(arguments):
        word = arguments[at].plain
        at += 1
        if word not in _FIND_RUNS:
            continue
        start = at
        while at < len(arguments) and arguments[at].plain != ";" and not _plus(arguments, at):
            at += 1
        if at >= len(arguments) or at == start or any(item.plain in _FIND_RUNS for item in arguments[start:at]):
            raise Unclear("where `-exec` of `find` ends is not clear")
        words = tuple(Word(item.text, None) if "{}" in (item.plain or "") else item for item in arguments[start:at])
        inner.append(Inner(words, moves=word in {"-execdir", "-okdir"}))
        at += 1
    return tuple(inner) or None


def _plus(arguments: tuple[Word, ...], at: int) -> bool:
    return arguments[at].plain == "+" and at > 0 and arguments[at - 1].plain == "{}"


def _su(program: str, arguments: tuple[Word, ...]) -> tuple[Inner, ...]:
    """`su [-] [user] -c text`: the text is read by that user's shell, which is taken for a POSIX one."""
    text: str | None = None
    words = list(_require_plain(program, arguments))
    users = 0
    while words:
        word = words.pop(0)
        if word in {"-c", "--command"} and words and text is None:
            text = words.pop(0)
        elif word not in {"-", "-l", "--login"}:
            users += 1
            if word.startswith("-") or users > 1:
                raise Unclear(f"the word `{word[:40]}` of `{program}` is not read here")
    if text is None:
        raise Unclear(f"`{program}` without `-c` starts a shell")
    return (Inner(text=text),)


_SPECIAL: dict[str, Callable[[str, tuple[Word, ...]], tuple[Inner, ...] | None]] = {
    "xargs": _xargs,
    "find": _find,
    "su": _su,
    "runuser": _su,
}
