"""What a command line does: the programs it runs, with their arguments, and the files its redirections touch.

What it is: `analyze` for a line that a target's shell will read (SSH exec), and `analyze_words` for words that no shell
reads (Kubernetes exec).
What it will not do: promise what a program does with its arguments; claim anything of an interactive shell; read the
target's files, aliases or PATH. The target's login shell is taken for one of sh, dash, bash, ksh, zsh: `scan` refuses
what they read differently, and a csh or fish is not for deciding by command.

Implements for command lines what ARCHITECTURE.md, "Deciding on SQL", says: what cannot be seen through is not complete;
threat model SSH-05, SSH-06, SSH-08, K-09.

Invariants: pure; no input raises; input, nesting and number of commands are bounded; `complete` is True only if every
program that can run, but those that a listed program runs by itself, is in `commands`.
"""

import re
from collections.abc import Iterable, Sequence

from tree_sitter import Node

from doorward_core.model import Action, Atom, Target
from doorward_core.shell.environment import harmless_assignment
from doorward_core.shell.nouns import Command, CommandAnalysis, Redirection, Transfer, Unclear, Word, spell
from doorward_core.shell.parse import STDIN_ELSEWHERE, Place, Tree, check, parse
from doorward_core.shell.programs import MOVING, canonical, canonical_path, look_into, reads_stdin
from doorward_core.shell.scan import Run, Scan, read_word, scan
from doorward_core.shell.transfers import READ, recognise
from doorward_core.shell.wrappers import Inner, unwrap

MAX_COMMAND_BYTES = 32 * 1024
"""Nobody reads more than this before approving it; ansible's longest lines have 4 KiB."""
MAX_UNCLEAR_BYTES = 2048
"""What the scan refused is given to the grammar only for naming what it can, and some of it (`a=(a=(…`) costs
time that grows with the square of its length."""
MAX_COMMANDS = 256
"""Programs named by one line, inner ones included."""
MAX_SHELLS = 4
"""Shells within shells (`ssh … sudo sh -c …` has three)."""
MAX_WRAPPERS = 8
"""Wrappers within wrappers, for one command."""
MAX_PROBLEM_CHARS = 200

_SWALLOWABLE = re.compile(r"[^\x00-\x7f][\\|`]")
"""In another character set than UTF-8 (SJIS, GBK) such a sign may be the second half of a character."""
_IDLE_FILES = frozenset({"/dev/null"})
_NETWORK_FILES = ("/dev/tcp/", "/dev/udp/")


def analyze(command: str) -> CommandAnalysis:
    """Take apart a line that a shell will read. Never raises."""
    reading = _Reading()
    reading.read_line(command, Place(), shells=0)
    return reading.result()


def analyze_words(words: Sequence[str]) -> CommandAnalysis:
    """Take apart a command whose words go to the kernel as they are. Never raises."""
    reading = _Reading()
    problem = _unreadable("".join(words)) if words else "there is no command"
    if not problem and sum(len(word) + 1 for word in words) > MAX_COMMAND_BYTES:
        problem = f"it is longer than {MAX_COMMAND_BYTES} bytes"
    if problem:
        reading.doubt(problem)
    else:
        reading.run(tuple(Word.of(word) for word in words), (), Place(), 0, 0)
    return reading.result()


def _unreadable(text: str) -> str:
    """Why a text is not read at all; empty where it is."""
    if any(not (char.isprintable() or char in "\t\n") for char in text):
        return "it holds control, format or unprintable characters, or is not UTF-8"
    return ""


class _Reading:
    """What has been found so far."""

    def __init__(self) -> None:
        self._commands: list[Command] = []
        self._atoms: dict[Atom, None] = {}
        self._problem = ""
        self._unseen = False
        self._moved = False
        self._relative = False
        self._transfer: Transfer | None = None
        self._unclear_bytes = 0

    def result(self) -> CommandAnalysis:
        """The analysis."""
        if self._moved and self._relative:
            self.doubt("a relative path stands beside a change of folder")
        if not self._commands:
            self.doubt("it names no program")
        transfer = self._transfer
        if transfer is not None and sum(not item.wraps for item in self._commands) != 1:
            if transfer.protocol != "tar":
                self.doubt("a file transfer stands beside other commands")
            transfer = None
        return CommandAnalysis(
            not self._problem,
            self._problem[:MAX_PROBLEM_CHARS],
            next((item.program for item in self._commands if item.program), ""),
            tuple(self._atoms),
            tuple(self._commands),
            transfer,
            ("stdin",) if self._unseen else (),
        )

    def doubt(self, problem: str) -> None:
        """Note that something is not understood; the first such thing is told."""
        self._problem = self._problem or problem

    # --- text ------------------------------------------------------------------------------------------------------

    def read_line(self, text: str, place: Place, *, shells: int) -> None:
        """Read what a shell will read."""
        problem = _unreadable(text)
        encoded = b"" if problem else text.encode()
        if len(encoded) > MAX_COMMAND_BYTES:
            problem = f"it is longer than {MAX_COMMAND_BYTES} bytes"
        if shells > MAX_SHELLS:
            problem = f"shells nest deeper than {MAX_SHELLS}"
        if problem:
            self.doubt(problem)
            return
        if _SWALLOWABLE.search(text):
            self.doubt("a sign after a letter beyond ASCII may be part of it in another character set")
        found: Scan | None = None
        try:
            found = scan(encoded.decode("latin-1"))
        except Unclear as unclear:
            self.doubt(str(unclear))
            self._unclear_bytes += len(encoded)
            if self._unclear_bytes > MAX_UNCLEAR_BYTES:
                return
        tree = parse(encoded)
        if tree.problems:
            self.doubt(tree.problems[0][1])
        self._read_commands(tree, found, encoded, place, shells)

    def _read_commands(self, tree: Tree, found: Scan | None, text: bytes, place: Place, shells: int) -> None:
        runs: dict[int, Run] = {}
        if found is not None:
            try:
                check(tree, found)
                runs = {run.start: run for run in found.runs}
            except Unclear as unclear:
                self.doubt(str(unclear))
        read: set[int] = set()
        for node, own in tree.commands:
            stands = Place(
                own.stdin if own.stdin == STDIN_ELSEWHERE else place.stdin, own.background or place.background
            )
            run = runs.get(node.start_byte)
            if run is None or node.end_byte > run.end:
                self.doubt("which words belong to which command can be read in two ways")
                run = _from_node(node, text)
            read.add(run.start)
            self._read_run(run, stands, shells)
        for start, run in runs.items():
            if start not in read:
                self._read_unowned(run)

    def _read_run(self, run: Run, place: Place, shells: int) -> None:
        if any(item.plain is None or not harmless_assignment(item.plain) for item in run.assignments):
            self.doubt("a variable is set that may change what the command does")
        if any(item.feeds_stdin for item in run.redirections):
            place = Place(STDIN_ELSEWHERE, place.background)
        self.run(tuple(run.words), tuple(run.redirections), place, shells, 0)
        self._redirect(run.redirections)

    def _read_unowned(self, run: Run) -> None:
        """Redirections of a group are nobody's; anything else without a command is an assignment that stays."""
        if run.words or run.assignments or not run.closes:
            self.doubt("a variable is set for what follows")
        self._redirect(run.redirections)

    # --- commands --------------------------------------------------------------------------------------------------

    def run(
        self, words: tuple[Word, ...], redirections: tuple[Redirection, ...], place: Place, shells: int, depth: int
    ) -> None:
        """Take note of one command, and of what it runs in its turn."""
        if len(self._commands) >= MAX_COMMANDS or depth > MAX_WRAPPERS:
            self.doubt(f"it has more than {MAX_COMMANDS} commands, or wrappers nest deeper than {MAX_WRAPPERS}")
            return
        arguments = words[1:]
        program, inner = "", None
        try:
            program = self._program(words)
            known_as = program.rpartition("/")[2]  # what it is called, wherever it lies, says what it may do
            inner = unwrap(known_as, arguments)
            plainly = not redirections and place == Place()
            if inner is None and not self._is_transfer(program, arguments, plainly=plainly):
                look_into(known_as, arguments)
        except Unclear as unclear:
            self.doubt(str(unclear))
        self._commands.append(Command(program, arguments, redirections, place.background, wraps=bool(inner)))
        self._atoms[Atom(Action.EXECUTE, Target("command", program, (), spell(arguments)))] = None
        self._moved = self._moved or program in MOVING
        if not inner:
            self._unseen = self._unseen or (place.stdin != STDIN_ELSEWHERE and reads_stdin(program, arguments))
        for item in inner or ():
            self._read_inner(item, place, shells, depth)

    def _program(self, words: tuple[Word, ...]) -> str:
        if not words or words[0].plain is None:
            raise Unclear("which program runs is known only to the target's shell")
        program = canonical(words[0].plain)
        self._relative = self._relative or program.startswith("./")
        return program

    def _read_inner(self, inner: Inner, place: Place, shells: int, depth: int) -> None:
        self._moved = self._moved or inner.moves
        if inner.fed:
            self._unseen = self._unseen or place.stdin != STDIN_ELSEWHERE
            place = Place(STDIN_ELSEWHERE, place.background)
        if inner.text is not None:
            self.read_line(inner.text, place, shells=shells + 1)
        else:
            self.run(inner.words, (), place, shells, depth + 1)

    def _is_transfer(self, program: str, arguments: tuple[Word, ...], *, plainly: bool) -> bool:
        """A transfer is the client's own where its streams are the session's; a tar elsewhere is a program."""
        transfer = recognise(program, arguments)
        if transfer is None or (transfer.protocol == "tar" and not plainly):
            return False
        if not plainly:
            raise Unclear("the streams of a file transfer go elsewhere")
        self._transfer = transfer
        action = Action.READ if transfer.direction == READ else Action.WRITE
        for path in transfer.paths:
            self._touch(action, path)
        return True

    # --- files -----------------------------------------------------------------------------------------------------

    def _redirect(self, redirections: Iterable[Redirection]) -> None:
        for item in redirections:
            if item.operator in {"<&", ">&"}:
                continue
            action = Action.READ if item.operator == "<" else Action.WRITE
            try:
                if item.target.plain is not None:
                    self._touch(action, canonical_path(item.target.plain))
                else:
                    self.doubt("the file of a redirection is known only to the target's shell")
            except Unclear as unclear:
                self.doubt(str(unclear))

    def _touch(self, action: Action, path: str) -> None:
        if path in _IDLE_FILES:
            return
        self._relative = self._relative or not path.startswith("/")
        if path.startswith(_NETWORK_FILES):
            self.doubt("a redirection to the network")
        self._atoms[Atom(action, Target("path", path))] = None


def _from_node(node: Node, text: bytes) -> Run:
    """What a tree alone says of a command, for naming it: what is named so is never complete."""
    run = Run(node.start_byte, node.end_byte)
    for child in node.children:
        if child.is_named and child.type not in {"variable_assignment", "file_redirect", "comment"}:
            run.words.append(read_word(text[child.start_byte : child.end_byte].decode("latin-1")))
    return run
