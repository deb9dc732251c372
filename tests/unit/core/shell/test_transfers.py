"""File transfers by their far ends; what nearly is one is refused, what is none is left alone."""

import pytest

from doorward_core.shell.nouns import Transfer, Unclear, Word
from doorward_core.shell.transfers import recognise


def _ask(line):
    program, *words = line.split()
    return recognise(program, tuple(Word(item, None if item.startswith("$") else item) for item in words))


@pytest.mark.parametrize(
    ("line", "transfer"),
    [
        ("scp -f a /b", Transfer("scp", "read", ("./a", "/b"))),
        ("scp -d -t -- -a", Transfer("scp", "write", ("./-a",))),
        ("rsync --server -e. . a", Transfer("rsync", "write", ("./a",))),
        (
            "rsync --server --sender -logDtpre.iLsfxCIvu --numeric-ids --timeout=5 . /a",
            Transfer("rsync", "read", ("/a",)),
        ),
        ("git-upload-pack --strict a", Transfer("git", "read", ("./a",))),
        ("git receive-pack a", Transfer("git", "write", ("./a",))),
        ("tar -cf - a b", Transfer("tar", "read", ("./a", "./b"))),
        ("tar --no-same-permissions --no-same-owner -xmf - -C /a", Transfer("tar", "write", ("/a",))),
        ("tar xf -", Transfer("tar", "write", (".",))),
    ],
)
def test_recognised(line, transfer):
    assert _ask(line) == transfer


@pytest.mark.parametrize("line", ["ls -f", "scp a b", "rsync a b", "git status", "tar czf x y", "tar cf - --x y",
                                  "tar xf - a", "tar cf -", "tar cf - $x"])  # fmt: skip
def test_no_transfer(line):
    assert _ask(line) is None


@pytest.mark.parametrize(
    "line",
    ["scp -f", "scp -f $x", "scp -ft x", "scp -fS x", "scp -f ../x", "rsync --server .", "rsync --server . $x",
     "rsync --server --rsh=x . a", "rsync --server $x . a", "rsync -x --server . a", "rsync --server a",
     "git-upload-pack", "git-upload-pack a b", "git-upload-pack -x", "git-upload-pack $x"],
)  # fmt: skip
def test_nearly_a_transfer(line):
    with pytest.raises(Unclear):
        _ask(line)
