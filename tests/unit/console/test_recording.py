"""Which output belongs to what, from the entries of a log; what is missing is counted."""

from doorward_console.recording import Piece, piece, recordings
from doorward_core.record.reader import Content, Entry

SESSION, SHELL, EXEC = b"s" * 16, b"1" * 16, b"2" * 16


def entry(kind, operation=SHELL, header=None, payload=None, at=0):
    content = Content.SEALED if payload is None else Content.CLEAR
    return Entry(at, at, kind, SESSION, operation, header or {}, payload, content, b"", 1, True)


def decided(operation=SHELL, verdict="permit", **payload):
    return entry("operation.decided", operation, {"verdict": verdict, "verb": "x", "subject": "crew-7"}, payload)


def chunk(data, operation=SHELL, stream="stdout", at=0):
    return entry("stream.chunk", operation, {"stream": stream}, None if data is None else {"data": data}, at)


def test_pieces_are_put_to_their_channel():
    shell, command = recordings(
        [decided(SHELL), decided(EXEC), chunk(b"a"), chunk(b"b", EXEC), chunk(b"100x30", stream="resize"), chunk(b"c")]
    )
    assert [one.data for one in shell.pieces] == [b"a", b"100x30", b"c"]
    assert (shell.size, shell.terminal, command.terminal) == ((100, 30), True, False)


def test_the_terminal_s_kind_is_among_what_was_decided():
    (one,) = recordings([decided(atoms=[{"kind": "pty", "name": "xterm"}]), chunk(b"a")])
    assert (one.term, one.terminal, one.size) == ("xterm", True, (80, 24))


def test_of_a_command_the_beginning_stands_for_it():
    shown = {"shown": b"hello", "shown_format": "ssh.output", "shown_truncated": True}
    (one,) = recordings([decided(text="echo"), entry("operation.finished", header={"code": "0"}, payload=shown, at=9)])
    assert (one.pieces, one.cut, one.code) == ([Piece(9, "stdout", b"hello")], True, "0")


def test_what_cannot_be_read_is_counted():
    (one,) = recordings([decided(), chunk(None), chunk(b"a")])
    assert (one.missing, len(one.pieces)) == (1, 1)
    assert piece(chunk(None)) is None


def test_what_was_refused_or_said_nothing_is_no_recording():
    assert recordings([decided(verdict="deny"), chunk(b"a"), decided(EXEC)]) == []


def test_a_size_is_two_numbers():
    sizes = [Piece(0, "resize", data).size for data in (b"80x24", b"0x0", b"x", b"80x24;rm", b"999999x1")]
    assert sizes == [(80, 24), None, None, None, None]
    assert Piece(0, "stdout", b"80x24").size is None
    assert Piece(0, "resize", b"0x0").resize
