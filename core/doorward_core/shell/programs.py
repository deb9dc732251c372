"""Programs by what has to be known of them: what runs text as code, what changes the meaning of what follows.

What it is: tables, and `canonical`, the one name that a program has in policies.
What it will not do: say what a program does with its files: that is for the author of a policy, who allows it.

Invariants: pure; a program that is in no table is taken for one that does not run other programs named in its
arguments. So a block by name is advice and an allow by name is a boundary, as docs/policy.md says.
"""

import posixpath
import re

from doorward_core.shell.nouns import Unclear, Word, names

SYSTEM_FOLDERS = frozenset({"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"})
"""Where a bare name is found on the PATH that sshd and container images set."""

POSIX_SHELLS = names("sh bash dash ash ksh ksh93 mksh zsh rbash")
OTHER_SHELLS = names("fish csh tcsh yash rc es nu elvish xonsh pwsh powershell")

_INTERPRETER = re.compile(
    r"(?:python|pypy|perl|ruby|php|lua|luajit|node|nodejs|tclsh|wish|guile|groovy|scala|julia|erl|ghci|ocaml|Rscript|R)"
    r"[0-9.]*(?:-config)?"
)
AWKS = names("awk gawk mawk nawk original-awk")
OPAQUE = names(
    # runs commands that it is given as text, now or later, or starts a shell of its own
    """at batch parallel script expect tmux screen gdb lldb m4 dc ed ex vi vim view nvim nano emacs pico more less most
    man crontab pkexec unshare systemd-run start-stop-daemon flock sg newgrp setpriv runcon capsh chrt taskset prlimit
    setarch linux32 linux64 i386 x86_64 uname26 ltrace perf valgrind fakeroot fakechroot proot bwrap firejail unbuffer
    rlwrap socat nc ncat netcat telnet dbus-run-session xvfb-run gosu su-exec tini dumb-init daemonize entr run-parts
    inotifywait incrontab anacron faketime eatmydata numactl cpulimit choom chronic torsocks proxychains proxychains4
    toybox login agetty getty sulogin machinectl lxc-attach ld.so ldd deno bun irb pry osascript jshell bpython ipython
    ipython3 jupyter slsh ssh-agent rlogin rsh mosh mosh-server daemon setlock softlimit chpst s6-setuidgid envdir
    envuidgid aa-exec cgexec catchsegv startx xterm git-shell
    sftp-server internal-sftp netconf psql mysql mariadb sqlite3 mongo mongosh redis-cli cqlsh clickhouse-client
    """
)

_NAME = re.compile(r"[\w.+@:,][\w.+@:,-]*|\[")
"""No `-` or `%` first (options and jobs), no `=` (assignments), nothing that some shell or `find` reads as syntax."""

REFUSED_BUILTINS = names(
    """alias autoload bg bind caller compgen complete compopt coproc declare dirs disable disown
    emulate enable export fc fg float functions getopts hash hist history integer jobs let local logout mapfile popd
    print pushd read readarray readonly return set setopt shift shopt source suspend trap typeset unalias unfunction
    unhash unset unsetopt vared whence zcompile zle zmodload ."""
)
"""They change what later words mean, or read some of their arguments as code (`unset 'a[$(x)]'`)."""
MOVING = frozenset({"cd", "chdir"})

_RUNNING_OPTIONS: dict[str, tuple[str, ...]] = {
    "tar": ("--to-command", "--checkpoint-action", "--use-compress-program", "--rsh-command", "--rmt-command",
            "--info-script", "--new-volume-script"),
    "rsync": ("--rsh", "--rsync-path", "--daemon", "--config", "--log-file", "-e"),
    "scp": ("-S", "-o", "-F", "-J", "-D"),
    "sftp": ("-S", "-o", "-F", "-J", "-D", "-s"),
    "git": ("-c", "--exec-path", "--config-env", "--upload-pack", "--receive-pack", "-u", "-O", "--open-files-in-pager",
            "-x", "--exec", "--ext-diff", "--extcmd"),
    "make": ("--eval", "-E", "-f", "--file", "--makefile"),
    "sort": ("--compress-program",),
    "split": ("--filter",),
    "zip": ("-T", "-TT", "--unzip-command"),
    "tcpdump": ("-z",),
    "nmap": ("--script",),
    "test": ("-v", "-R"),
    "[": ("-v", "-R"),
    "printf": ("-v",),
    "wait": ("-p",),
    "wget": ("--use-askpass",),
}  # fmt: skip
"""Options that name a program to run, or that are read as code. Long ones may be shortened, short ones grown on to."""
_GIT_RUNNING_VERBS = names("difftool mergetool bisect filter-branch foreach instaweb submodule config")

QUIET = names(
    """: true false echo printf pwd cd test [ exit uptime date hostname hostnamectl id whoami who w groups uname arch
    ls stat df du free ps top pgrep pkill kill killall mkdir rmdir rm mv cp ln touch chmod chown chgrp sleep systemctl
    journalctl service timedatectl localectl loginctl networkctl resolvectl lsblk lscpu lsof lsmod lspci lsusb dmesg
    findmnt mount umount ip ss netstat ping traceroute dig host nslookup getent which type readlink realpath basename
    dirname seq nproc env printenv locale vmstat iostat mpstat sar last lastlog tty umask find ulimit uuidgen mktemp
    truncate dpkg-query rpm snap getconf getfacl lsattr swapon sysctl
    """
)
"""Programs that read nothing from standard input, whatever their arguments (`-` excepted)."""

_READERS = names("cat tac file md5sum sha1sum sha256sum sha512sum")
"""Programs that read nothing from standard input where every argument is a path."""

_SAFE_SED = re.compile(
    r"(?:(?:[0-9]+|\$)(?:,(?:[0-9]+|\$))?)?[pdq=]"
    r"|/[^/\\\n]*/[pdq]"
    r"|s([/|#,])(?:(?!\1)[^\\\n])*\1(?:(?!\1)[^\\\n])*\1[gpiI0-9]*"
)
_SED_FLAGS = frozenset({"-n", "-E", "-r", "-s", "-u", "-z", "-i", "--quiet", "--silent", "--regexp-extended"})


def canonical(program: str) -> str:
    """The one name of a program: a bare one for what lies where bare names are looked for. Raises `Unclear`."""
    if "/" not in program:
        if not _NAME.fullmatch(program):
            raise Unclear("a program's name is not one that every shell would look for")
        return program
    parts = program.split("/")
    if ".." in parts or parts[-1] in {"", "."}:
        raise Unclear("the path of a program has `..` in it")
    folder, name = posixpath.split(canonical_path(program))
    if not _NAME.fullmatch(name):
        raise Unclear("a program's name is not one that every shell would look for")
    return name if folder in SYSTEM_FOLDERS else f"{folder}/{name}"


def canonical_path(path: str) -> str:
    """A path without doubled slashes and dots; a relative one begins with `./`. Raises `Unclear` for `..`."""
    parts = path.split("/")
    if ".." in parts or not path:
        raise Unclear("a path has `..` in it, or is empty")
    kept = "/".join(part for part in parts if part not in {"", "."})
    return f"/{kept}" if path.startswith("/") else f"./{kept}" if kept else "."


def look_into(program: str, arguments: tuple[Word, ...]) -> None:
    """Raise `Unclear` where a program may run what its arguments or its standard input say."""
    if program in REFUSED_BUILTINS:
        raise Unclear(f"`{program}` changes what the commands beside it mean, or reads words as code")
    if program in POSIX_SHELLS or program in OTHER_SHELLS or _INTERPRETER.fullmatch(program) or program in AWKS:
        _look_into_interpreter(program, arguments)
    elif program in OPAQUE:
        raise Unclear(f"`{program}` can run what is not seen here")
    elif program == "sed":
        _look_into_sed(arguments)
    elif program in _RUNNING_OPTIONS or "ld-linux" in program:
        _look_into_options(program, arguments)


def reads_stdin(program: str, arguments: tuple[Word, ...]) -> bool:
    """Whether a program may read its standard input."""
    if program in _READERS and arguments and all((word.plain or "-")[0] != "-" for word in arguments):
        return any("/dev/" in (word.plain or "") for word in arguments)
    return program not in QUIET or any(word.plain in {None, "-"} or "/dev/" in (word.plain or "") for word in arguments)


def _look_into_interpreter(program: str, arguments: tuple[Word, ...]) -> None:
    """A script file alone is understood: what is in it is the target's."""
    plain = [word.plain for word in arguments]
    if plain == ["--version"] or (plain == ["-V"] and program.startswith("python")):
        return
    if program in AWKS:
        if plain[:1] != ["-f"] or any(word is None or word.startswith("-") or "=" in word for word in plain[1:]):
            raise Unclear(f"`{program}` runs the code in its arguments")
        plain = plain[1:]
    script = plain[0] if plain else ""
    if not script or script.startswith("-"):
        raise Unclear(f"`{program}` runs code from its options or its standard input; name a script file")
    if canonical_path(script).startswith(("/dev/", "/proc/")):
        raise Unclear(f"`{program}` would read its code from a stream")


def _look_into_sed(arguments: tuple[Word, ...]) -> None:
    """The scripts that only print, delete and replace; `e`, `w` and `r` of GNU sed run programs and touch files."""
    scripts: list[str | None] = []
    words = [word.plain for word in arguments]
    operands: list[str | None] = []
    while words:
        word = words.pop(0)
        if word == "-e" and words:
            scripts.append(words.pop(0))
        elif word is not None and not word.startswith("-"):
            operands.append(word)
        elif word is None:
            raise Unclear("a word of `sed` is not plain")
        elif word not in _SED_FLAGS:
            raise Unclear(f"the option `{word[:40]}` of sed is not read here")
    scripts = scripts or operands[:1]
    if not scripts or any(item is None or not _SAFE_SED.fullmatch(item) for item in scripts):
        raise Unclear("a script of sed can run programs; only the plainest are read here")


def _look_into_options(program: str, arguments: tuple[Word, ...]) -> None:
    if "ld-linux" in program:
        raise Unclear("the dynamic linker runs the program that it is given")
    for index, word in enumerate(arguments):
        if word.plain is None:
            raise Unclear(f"`{program}` has options that run programs, and not all of its arguments are plain")
        if any(_means(word.plain, option) for option in _RUNNING_OPTIONS[program]):
            raise Unclear(f"`{word.plain[:40]}` makes `{program}` run something that is not seen here")
        if program == "tar" and (index == 0 or re.match(r"-[^-]", word.plain)) and re.search("[IF]", word.plain[:12]):
            raise Unclear("an option of tar runs a program")
        if program == "git" and word.plain in _GIT_RUNNING_VERBS:
            raise Unclear(f"`git {word.plain}` runs programs that are not seen here")


def _means(word: str, option: str) -> bool:
    """Whether a word could be this option: a long one shortened or with a value, a short one in a cluster."""
    if option.startswith("--"):
        name = word.split("=", 1)[0]
        return name.startswith("--") and name != "--" and (option.startswith(name) or name == option)
    return word.startswith(option) or (re.match(r"-[A-Za-z0-9]", word) is not None and option[1] in word[1:8])
