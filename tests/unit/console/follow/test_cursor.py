"""How far a log was shipped."""

import pytest

from doorward_console.follow.cursor import Cursor, CursorProblem, read
from doorward_core.record.reader import LogReader


def test_it_is_read_back(tmp_path, log):
    reader = LogReader(log)
    assert read(tmp_path / "c", "gw.example", reader) == Cursor("gw.example", 0, "")
    cursor = Cursor("gw.example", 3, reader.leaf(2).hex())
    cursor.write(tmp_path / "c")
    assert read(tmp_path / "c", "gw.example", reader) == cursor
    assert (tmp_path / "c").stat().st_mode & 0o077 == 0


def test_a_log_that_is_another_one_is_not_followed_on(tmp_path, log):
    reader = LogReader(log)
    Cursor("gw.example", 3, "00" * 32).write(tmp_path / "c")
    with pytest.raises(CursorProblem, match="entry 2 is not the one"):
        read(tmp_path / "c", "gw.example", reader)
    with pytest.raises(CursorProblem, match=r"of the log 'gw\.example'"):
        read(tmp_path / "c", "other", reader)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"origin":"gw.example","next":-1,"leaf":""}', b"x" * 5000])
def test_what_is_no_cursor_is_refused(tmp_path, log, content):
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(CursorProblem, match="not a cursor"):
        read(tmp_path / "c", "gw.example", LogReader(log))
