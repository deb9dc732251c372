"""Commands that are one end of a file transfer: what scp, rsync and git run at the far end, and kubectl cp's tar.

What it is: `recognise`, which gives the direction and the paths of such a command.
What it will not do: follow the transfer. The protocol runs over standard streams afterwards and is not decided on, and
a name within a folder that is sent is the sender's choice.

Implements: OpenSSH's legacy scp protocol (`scp -f` reads, `scp -t` writes), rsync's `--server`, git's pack protocol
(gitprotocol-pack), and the two tar commands of kubectl cp.

Invariants: pure; an option that is not known here makes the command not recognised, and never half recognised: what
calls itself a server of files and is not recognised is refused (`Unclear`).
"""

import re

from doorward_core.shell.nouns import Transfer, Unclear, Word
from doorward_core.shell.programs import canonical_path

READ = "read"
WRITE = "write"

_GIT = {"git-upload-pack": READ, "git-upload-archive": READ, "git-receive-pack": WRITE}
_SCP_LETTERS = frozenset("ftrpdvqE")
_RSYNC_SHORT = re.compile(r"-[A-Za-df-z]*(?:e[0-9.]*[A-Za-z]*)?")
_RSYNC_LONG = re.compile(
    r"--(?:sender|delete(?:-before|-during|-after|-delay|-excluded)?|delete-missing-args|force|ignore-errors|inplace"
    r"|append|append-verify|size-only|ignore-times|ignore-existing|existing|safe-links|copy-unsafe-links|munge-links"
    r"|numeric-ids|partial|no-[a-z-]+|specials|stats|itemize-changes|omit-dir-times|one-file-system|fuzzy|sparse"
    r"|preallocate|xattrs|acls|mkpath|fsync|open-noatime|old-compress|new-compress|zc=[a-z0-9]+|zl=-?[0-9]+"
    r"|(?:bwlimit|block-size|timeout|max-size|min-size|modify-window|compress-level|max-delete|max-alloc|checksum-seed"
    r"|out-format|log-format|checksum-choice|compress-choice|compress-threads|iconv|stop-at|time-limit|skip-compress"
    r"|info|debug)=[A-Za-z0-9 %,._:+/*^-]*)"
)
_TAR_READ: tuple[tuple[str, ...], ...] = (("cf", "-"), ("-cf", "-"))
_TAR_WRITE: tuple[tuple[str, ...], ...] = (
    ("xmf", "-"), ("-xmf", "-"), ("xf", "-"), ("-xf", "-"),
    ("--no-same-permissions", "--no-same-owner", "-xmf", "-"),
)  # fmt: skip


def recognise(program: str, arguments: tuple[Word, ...]) -> Transfer | None:
    """The transfer that a command is, or None. Raises `Unclear` where it is one that is not understood."""
    words = [word.plain for word in arguments]
    if program == "git" and words and f"git-{words[0]}" in _GIT:
        program, words = f"git-{words[0]}", words[1:]
    if program in _GIT:
        return _git(program, words)
    if program == "scp":
        return _scp(words)
    if program == "rsync" and "--server" in words:
        return _rsync(words)
    return _tar(words) if program == "tar" else None


def _paths(protocol: str, words: list[str | None]) -> tuple[str, ...]:
    plain = [word for word in words if word is not None]
    if len(plain) != len(words) or not plain:
        raise Unclear(f"a path of this {protocol} transfer is not plain")
    return tuple(canonical_path(word) for word in plain)


def _git(program: str, words: list[str | None]) -> Transfer:
    if words[:1] == ["--strict"]:
        words = words[1:]
    if len(words) != 1 or (words[0] or "-").startswith("-"):
        raise Unclear(f"the arguments of `{program}` are not the usual ones")
    return Transfer("git", _GIT[program], _paths("git", words))


def _scp(words: list[str | None]) -> Transfer | None:
    """`scp -f path…` and `scp -t path`; without either it is the client, which is a program like others."""
    at, letters = 0, ""
    while at < len(words) and (words[at] or "").startswith("-") and words[at] != "--":
        letters += (words[at] or "")[1:]
        at += 1
    if not {"f", "t"} & set(letters):
        return None
    if set(letters) - _SCP_LETTERS or {"f", "t"} <= set(letters):
        raise Unclear("the options of `scp` are not the usual ones")
    if words[at : at + 1] == ["--"]:
        at += 1
    return Transfer("scp", READ if "f" in letters else WRITE, _paths("scp", words[at:]))


def _rsync(words: list[str | None]) -> Transfer:
    """`rsync --server [--sender] options . path…`."""
    at = 0
    while at < len(words) and words[at] != ".":
        word = words[at]
        short_or_known = word is not None and (_RSYNC_SHORT.fullmatch(word) or _RSYNC_LONG.fullmatch(word))
        if word is None or not (short_or_known or (at == 0 and word == "--server")):
            raise Unclear("the options of `rsync --server` are not the usual ones")
        at += 1
    if words[:1] != ["--server"] or at >= len(words):
        raise Unclear("the arguments of `rsync --server` are not the usual ones")
    return Transfer("rsync", READ if "--sender" in words else WRITE, _paths("rsync", words[at + 1 :]))


def _tar(words: list[str | None]) -> Transfer | None:
    """What kubectl cp runs; any other tar is a program like others."""
    for form in _TAR_READ:
        if tuple(words[: len(form)]) == form:
            return Transfer("tar", READ, _paths("tar", words[len(form) :])) if not _has_options(words[2:]) else None
    for form in _TAR_WRITE:
        rest = words[len(form) :]
        if tuple(words[: len(form)]) == form:
            if rest and (rest[0] != "-C" or len(rest) != 2):  # noqa: PLR2004 - an option and its value
                return None
            return Transfer("tar", WRITE, _paths("tar", rest[1:] or ["."]))
    return None


def _has_options(words: list[str | None]) -> bool:
    return not words or any(word is None or word.startswith("-") for word in words)
