import json

from evidence_stand import Stand, ident

from doorward_console.evidence import casts
from doorward_console.evidence.casts import Casts
from doorward_console.evidence.opening import Opener


def _recorded(stand: Stand) -> tuple[Casts, dict[str, bytes]]:
    source, opener, put = stand.done().source(), Opener(None), {}
    found = Casts(source.origin, 0, put.__setitem__)
    for index in range(source.size):
        item = source.parsed(index)
        found.take(item, opener.open(item, item.payload)[1])
    found.finish()
    return found, put


def test_a_terminal_becomes_a_recording_and_harmless_text(stand):
    session = stand.terminal(1, "berta", (b"$ ls\r\n", b"caf\xc3", b"\xa9\x1b]0;title\x07\x1b[31m red\r\n"))
    found, put = _recorded(stand)
    (cast,) = found.found
    lines = [json.loads(line) for line in put[cast.file].splitlines()]
    assert lines[0]["width"] == 80
    assert "".join(event[2] for event in lines[1:]) == "$ ls\r\ncaf\u00e9\x1b]0;title\x07\x1b[31m red\r\n"
    assert put[cast.file[:-5] + ".txt"].decode() == "$ ls\ncaf\u00e9 red\n\n"
    assert (cast.session, cast.pieces, cast.who, cast.where) == (session.hex(), 4, "berta", "app@host")


def test_what_began_before_the_period_or_goes_on_behind_it_is_recorded_in_part(stand):
    stand.add("stream.chunk", {"stream": "stdout", "offset": 9}, {"data": b"late\n"}, ident(1), ident(2))
    found, put = _recorded(stand)
    assert [cast.pieces for cast in found.found] == [1]
    assert b"late" in put[found.found[0].file]


def test_recordings_are_bounded_and_what_is_left_out_is_counted(stand, monkeypatch):
    monkeypatch.setattr(casts, "ONE_BYTES", 10)
    stand.terminal(1, "berta", (b"123456789", b"0123456789"))
    stand.terminal(2, "berta", (b"short",))
    found, _ = _recorded(stand)
    assert (len(found.found), found.left_out) == (1, 1)


def test_operations_without_output_leave_nothing(stand):
    session = stand.session(1, "anna")
    stand.finished(session, "anna", stand.operation(session, "anna", 1))
    found, put = _recorded(stand)
    assert (found.found, put) == ([], {})
