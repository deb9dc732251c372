"""Lines that seem to have been typed: as they were sent, and nothing that was not echoed."""

import pytest

from doorward_console.recording import Piece
from doorward_console.typed import TypedReader

ON, OFF = "\x1b[?2004h", "\x1b[?2004l"


def typed(*texts, stream="stdout"):
    reader = TypedReader()
    return [
        one.text
        for at, text in enumerate(texts)
        for one in reader.feed(Piece(at, stream, text.encode(errors="replace")))
    ]


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (f"{ON}deploy@web1:~$ ls -l\r\n{OFF}\rtotal 0\r\n", ["ls -l"]),
        (f"{ON}$ \r\n{OFF}", []),
        (f"{ON}# sl\b\b\x1b[Kls\r\n{OFF}", ["ls"]),
        (f"{ON}\x1b[01;32mdeploy@web1\x1b[00m:\x1b[01;34m~\x1b[00m$ echo a$b # c\r\n{OFF}", ["echo a$b # c"]),
        ("deploy@web1:~$ uptime\r\n 10:00 up\r\n", ["uptime"]),
        ("[root@db ~]# id\r\n", ["id"]),
        ("Total: 5 $ 7\r\n", []),
        (f"{ON}$ vi\r\n{OFF}\x1b[?1049h\x1b[1;1Hroot@x:~$ fake\r\n\x1b[?1049l{ON}$ ls\r\n{OFF}", ["vi", "ls"]),
    ],
)
def test_lines_are_found(sent, found):
    assert typed(sent) == found
    assert typed(*sent) == found


def test_output_is_no_line_where_the_shell_says_which_are():
    assert typed(f"{ON}$ cat f\r\n{OFF}", "root@x:~# rm -rf /\r\n") == ["cat f"]


def test_what_is_not_echoed_is_not_there():
    assert typed(f"{ON}$ sudo id\r\n{OFF}", "[sudo] password for deploy: ", "\r\n", "uid=0\r\n") == ["sudo id"]


def test_stderr_of_a_command_is_no_terminal():
    assert typed("a@b:~$ x\r\n", stream="stderr") == []


def test_a_wrapped_line_is_one():
    reader = TypedReader()
    reader.feed(Piece(0, "resize", b"10x5"))
    assert [one.text for one in reader.feed(Piece(1, "stdout", f"{ON}$ echo 12345678\r\n{OFF}".encode()))] == [
        "echo 12345678"
    ]
