"""Variables that change nothing but how output looks; everything else is not harmless."""

import pytest

from doorward_core.shell.environment import harmless_assignment, harmless_variable


@pytest.mark.parametrize(
    "text",
    ["LANG=C", "LANG=en_US.UTF-8", "LC_ALL=de_DE.utf8", "LC_ALL=", "TZ=UTC", "TZ=America/Argentina/Ushuaia",
     "TERM=xterm-256color", "NO_COLOR=1", "COLUMNS=80"],
)  # fmt: skip
def test_harmless(text):
    assert harmless_assignment(text)


@pytest.mark.parametrize(
    "text",
    ["LANG=ja_JP.SJIS", "LANG=../../x", "LC_ALL=C\n", "LC_X=C", "LC_=C", "TZ=/etc/x", "TZ=:x", "TZ=../x", "TERM=a/b",
     "COLUMNS=x", "PATH=/bin", "LD_PRELOAD=", "IFS=", "lang=C", "LANG", "=C", "", "LANGUAGE=de", "LOCPATH=x"],
)  # fmt: skip
def test_not_harmless(text):
    assert not harmless_assignment(text)


def test_a_name_and_its_value():
    assert harmless_variable("LC_TIME", "C")
    assert not harmless_variable("LC_TIME", "\x1b[2J")
