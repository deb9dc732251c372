"""Wrappers: what is inside, which words, and every option that is not listed refused."""

import pytest

from doorward_core.shell.nouns import Unclear, Word
from doorward_core.shell.wrappers import WRAPPERS, unwrap


def _words(line):
    return tuple(Word(item, None if item.startswith("$") else item) for item in line.split())


def _inner(line):
    program, *_ = line.split()
    found = unwrap(program, _words(line)[1:])
    if found is None:
        return None
    return [item.text if item.text is not None else [word.plain for word in item.words] for item in found]


@pytest.mark.parametrize(
    ("line", "inner"),
    [
        ("ls -l", None),
        ("env", []),
        ("env -i -u X ls -l", [["ls", "-l"]]),
        ("env -uX ls", [["ls"]]),
        ("env LANG=C TZ=UTC ls A=b", [["ls", "A=b"]]),
        ("sudo -nu root -- ls", [["ls"]]),
        ("sudo --user=root ls", [["ls"]]),
        ("sudo -l", []),
        ("timeout -k 5 10 ls", [["ls"]]),
        ("nice -n10 ls", [["ls"]]),
        ("stdbuf -oL -eL ls", [["ls"]]),
        ("xargs -0rn 5 rm -f", [["rm", "-f", None]]),
        ("xargs", [["echo", None]]),
        ("xargs -I X mv X /y/X z", [["mv", None, None, "z"]]),
        ("find . -exec rm {} ; -ok ls x {} +", [["rm", None], ["ls", "x", None]]),
        ("find . -name x", None),
        ("sh -ec ls x", ["ls"]),
        ("bash x", None),
        ("bash --norc -c x", None),
        ("su - root -c ls", ["ls"]),
        ("ssh -p 22 h ls -l", ["ls -l"]),
        ("eval ls -l", ["ls -l"]),
        ("watch -n 2 ls -l", ["ls -l"]),
        ("command -v ls", []),
        ("nsenter -t 1 -m ls", [["ls"]]),
    ],
)
def test_what_is_inside(line, inner):
    assert _inner(line) == inner


@pytest.mark.parametrize(
    "line",
    ["sudo", "sudo -s", "sudo -i ls", "sudo --preserve-env=PATH ls", "sudo $x ls", "sudo A=b ls", "env -S x", "env $x=b",
     "timeout 5", "timeout $x ls", "nice -5 ls", "nsenter -mt 1 ls", "nsenter -t 1", "watch -dn 2 ls", "watch -x ls",
     "xargs -a f ls", "xargs -i ls", "find $x", "find . -exec", "find . -exec ls {}", "find . -exec ;",
     "find . -exec ! -exec ls ;", "sh -c", "sh -c $x", "sh -c -x ls", "su", "su -s x -c ls", "su a b -c ls", "su $x -c ls",
     "ssh h", "ssh", "ssh -o x h ls", "ssh h $x", "eval $x", "eval", "exec", "strace -o f ls", "busybox", "chroot /x",
     "env -u", "exec -a x ls"],
)  # fmt: skip
def test_what_is_not_understood_is_refused(line):
    try:
        found = _inner(line)
    except Unclear:
        return
    # An assignment that is not plain is left where the program would stand, and is refused there.
    assert line == "env $x=b"
    assert found == [[None]]


@pytest.mark.parametrize("program", WRAPPERS)
def test_an_option_that_nobody_has_heard_of_is_refused_by_every_wrapper(program):
    for option in ("--unheard-of", "--unheard-of=x", "-@", "-@x"):
        with pytest.raises(Unclear):
            unwrap(program, _words(f"{option} ls"))


@pytest.mark.parametrize("program", WRAPPERS)
def test_a_word_that_is_not_plain_before_the_command_is_never_skipped(program):
    try:
        found = unwrap(program, _words("$x ls"))
    except Unclear:
        return
    assert found is not None
    assert found[0].words[0].plain is None


@pytest.mark.parametrize("line", ["chroot /x ls", "nsenter -t 1 ls", "ssh h ls", "find . -execdir ls ;"])
def test_what_moves_says_so(line):
    assert [item.moves for item in unwrap(line.split()[0], _words(line)[1:]) or ()] == [True]
