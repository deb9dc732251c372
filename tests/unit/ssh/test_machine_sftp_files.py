"""Open files: each does what it was opened for, in order, within its limits, and with its values hidden."""

import hashlib

import pytest
from sftp_stand import Stand, Target

from doorward_core.errors import UpstreamProtocolError
from doorward_core.mask.detect import Detectors
from doorward_core.model import Limit
from doorward_ssh import wire_sftp as wire
from doorward_ssh.machine_sftp_files import MAX_HANDLES, MAX_OFFSET
from doorward_ssh.sftp_contents import BEFORE_BYTES
from doorward_ssh.wire_sftp import Code, Flag, Kind, Request

EMAIL = Detectors(("email",))


def _yes(facts) -> bool:
    return True


def _text(size: int) -> bytes:
    return b"".join(b"line %06d of user%d@example.com\n" % (number, number) for number in range(size // 30))


def test_a_file_is_read_and_its_digest_kept() -> None:
    stand = Stand(allow=_yes)
    stand.target.files["/srv/big"] = content = bytes(range(256)) * 600
    handle = stand.open(b"/srv/big")
    found = b"".join(stand.read(handle, at, 32768) for at in range(0, len(content), 32768))
    assert found == content
    assert stand.read(handle, len(content), 1) == Code.EOF
    assert stand.code(Request(Kind.CLOSE, 9, handle=handle)) == Code.OK
    ((permit, outcome),) = stand.outcomes
    assert permit.operation.verb == "sftp open-read"
    assert (outcome.bytes_down, outcome.native_code) == (len(content), "SSH_FX_OK")
    assert outcome.shown_digest == hashlib.sha256(content).digest()
    assert outcome.shown == content[:65536]
    assert outcome.shown_truncated


def test_a_file_is_written_and_its_digest_kept() -> None:
    stand = Stand(allow=_yes)
    handle = stand.open(b"/srv/new", Flag.WRITE | Flag.CREAT | Flag.TRUNC)
    for at, data in ((0, b"abc"), (3, b"def")):
        assert stand.code(Request(Kind.WRITE, 2, handle=handle, offset=at, data=data)) == Code.OK
    stand.code(Request(Kind.CLOSE, 9, handle=handle))
    assert stand.target.files["/srv/new"] == b"abcdef"
    outcome = stand.outcomes[0][1]
    assert (outcome.bytes_up, outcome.shown, outcome.shown_format) == (6, b"", "sftp.written")
    assert outcome.shown_digest == hashlib.sha256(b"abcdef").digest()


@pytest.mark.parametrize(
    ("flags", "request_"),
    [
        (Flag.READ, Request(Kind.WRITE, 1, data=b"x")),
        (Flag.READ, Request(Kind.EXTENDED, 1, name=wire.FSYNC)),
        (Flag.READ, Request(Kind.READDIR, 1)),
        (Flag.WRITE, Request(Kind.READ, 1, length=10)),
        (0, Request(Kind.READ, 1, length=10)),
    ],
)
def test_a_handle_does_what_it_was_opened_for(flags: int, request_: Request) -> None:
    stand = Stand(allow=_yes)
    if flags:
        handle = stand.open(b"/srv/a.txt", flags)
    else:
        handle = wire.decode_handle(stand.ask(Request(Kind.OPENDIR, 1, path=b"/srv"))[1])
    before = len(stand.target.requests)
    kind, body = stand.ask(wire_with(request_, handle))
    assert (kind, wire.decode_status(body)[0]) == (Kind.STATUS, Code.PERMISSION_DENIED)
    assert len(stand.target.requests) == before


def wire_with(request: Request, handle: bytes) -> Request:
    return Request(request.kind, request.id, handle=handle, data=request.data, length=request.length, name=request.name)


def test_a_handle_is_ours_and_never_used_twice() -> None:
    stand = Stand(allow=_yes)
    first = stand.open(b"/srv/a.txt")
    stand.code(Request(Kind.CLOSE, 1, handle=first))
    second = stand.open(b"/srv/a.txt")
    assert first != second
    assert not second.startswith(b"target")
    assert stand.read(first, 0, 10) == Code.FAILURE
    assert stand.read(second, 0, 10) == b"hello"


def test_setting_by_handle_is_decided_and_nothing_of_that_handle_overtakes_it() -> None:
    stand = Stand(allow=lambda facts: facts.verb != "sftp setstat")
    handle, other = stand.open(b"/srv/a.txt"), stand.open(b"/srv/a.txt")
    stand.allow = None
    stand.send(
        Request(Kind.FSETSTAT, 1, handle=handle),
        Request(Kind.READ, 2, handle=handle, length=9),
        Request(Kind.CLOSE, 3, handle=handle),
        Request(Kind.READ, 4, handle=other, length=9),
    )
    assert [number for _, number, _ in stand.answers] == [4]
    assert stand.names()[-1] == ("write", "/srv/a.txt")
    stand.decide(stand.asked[-1], yes=False)
    stand.settle()
    assert [number for _, number, _ in stand.answers] == [4, 1, 2, 3]
    assert Kind.FSETSTAT not in [item.kind for item in stand.target.requests]


def test_setting_by_handle_goes_on_when_permitted() -> None:
    stand = Stand(allow=_yes)
    handle = stand.open(b"/srv/a.txt", Flag.WRITE)
    assert stand.code(Request(Kind.FSETSTAT, 1, handle=handle)) == Code.OK
    assert [item.kind for item in stand.target.requests][-1] == Kind.FSETSTAT


def test_open_handles_are_bounded() -> None:
    stand = Stand(allow=_yes)
    for _ in range(MAX_HANDLES):
        stand.open(b"/srv/a.txt")
    assert stand.code(Request(Kind.OPEN, 1, path=b"/srv/a.txt", flags=Flag.READ)) == Code.FAILURE


def test_content_over_a_limit_neither_leaves_nor_arrives() -> None:
    stand = Stand(allow=_yes, limit=Limit(bytes=6))
    handle = stand.open(b"/srv/a.txt", Flag.READ | Flag.WRITE)
    assert stand.read(handle, 0, 5) == b"hello"
    assert stand.read(handle, 0, 5) == Code.FAILURE
    assert stand.code(Request(Kind.WRITE, 1, handle=handle, data=b"xy")) == Code.FAILURE
    assert stand.target.files["/srv/a.txt"] == b"hello"


def test_a_limit_of_names_ends_a_listing() -> None:
    stand = Stand(allow=_yes, limit=Limit(rows=0))
    handle = wire.decode_handle(stand.ask(Request(Kind.OPENDIR, 1, path=b"/srv"))[1])
    assert stand.code(Request(Kind.READDIR, 1, handle=handle)) == Code.FAILURE


def test_names_of_a_folder_are_counted() -> None:
    stand = Stand(allow=_yes)
    handle = wire.decode_handle(stand.ask(Request(Kind.OPENDIR, 1, path=b"/srv"))[1])
    assert stand.code(Request(Kind.READDIR, 1, handle=handle)) == Code.OK
    assert stand.code(Request(Kind.READDIR, 1, handle=handle)) == Code.EOF
    stand.code(Request(Kind.CLOSE, 1, handle=handle))
    assert stand.outcomes[-1][1].rows == 1


@pytest.mark.parametrize("step", [1, 7, 1000, 32768, 1 << 20])
@pytest.mark.parametrize("most", [100_000, 9000])
def test_a_value_is_hidden_however_the_file_is_read(step: int, most: int) -> None:
    content = _text(3000 if step < 10 else 60_000)
    stand = Stand(allow=_yes, detectors=EMAIL)
    stand.target.files["/srv/users"] = content
    stand.target.most = most  # a target that gives less at once than it was asked for
    handle = stand.open(b"/srv/users")
    found, at = b"", 0
    while isinstance(piece := stand.read(handle, at, step), bytes):
        found += piece
        at += len(piece)
    assert piece == Code.EOF
    assert len(found) == len(content)
    assert b"@" not in found
    assert found[:15] == b"line 000000 of "
    assert stand.code(Request(Kind.CLOSE, 1, handle=handle)) == Code.OK
    assert stand.outcomes[0][1].masked == {"email": content.count(b"@")}


def test_reading_in_any_order_shows_no_more() -> None:
    content = _text(40_000)
    stand = Stand(allow=_yes, detectors=EMAIL)
    stand.target.files["/srv/users"] = content
    handle = stand.open(b"/srv/users")
    for at in range(len(content) - 5, -1, -977):
        piece = stand.read(handle, at, 900)
        assert isinstance(piece, bytes)
        assert b"example" not in piece
        assert b"@" not in piece


def test_a_file_that_is_not_text_passes_as_it_is_and_is_counted() -> None:
    content = b"\x7fELF\0 alice@example.com " * 100
    stand = Stand(allow=_yes, detectors=EMAIL)
    stand.target.files["/srv/tool"] = content
    assert stand.read(stand.open(b"/srv/tool"), 0, 10_000) == content
    assert stand.machine.files.binary == 1


def test_content_that_is_owed_a_mask_is_not_copied_at_the_target() -> None:
    for detectors, code in ((EMAIL, Code.OP_UNSUPPORTED), (None, Code.OK)):
        stand = Stand(allow=_yes, detectors=detectors)
        source, target = stand.open(b"/srv/a.txt"), stand.open(b"/srv/b.txt", Flag.WRITE | Flag.CREAT)
        request = Request(Kind.EXTENDED, 1, name=wire.COPY_DATA, handle=source, target=target)
        assert stand.code(request) == code
        swapped = Request(Kind.EXTENDED, 1, name=wire.COPY_DATA, handle=target, target=source)
        assert stand.code(swapped) == Code.PERMISSION_DENIED


def test_an_offset_beyond_every_file_is_its_end() -> None:
    for detectors in (None, EMAIL):
        stand = Stand(allow=_yes, detectors=detectors)
        assert stand.read(stand.open(b"/srv/a.txt"), (1 << 64) - 1, 10) == Code.EOF
        assert stand.read(stand.open(b"/srv/a.txt"), MAX_OFFSET, 10) == Code.EOF


def test_a_target_that_sends_more_than_was_asked_for_ends_the_channel() -> None:
    class Generous(Target):
        def answer(self, request: Request) -> bytes:
            if request.kind == Kind.READ:
                return wire.encode_data(request.id, b"x" * (request.length + 1))
            return super().answer(request)

    stand = Stand(target=Generous(), allow=_yes)
    handle = stand.open(b"/srv/a.txt")
    with pytest.raises(UpstreamProtocolError):
        stand.read(handle, 0, 5)


def test_the_window_reaches_back_over_what_was_given_before() -> None:
    text = b"x" * (BEFORE_BYTES + 100) + b" alice@example.com\n"
    stand = Stand(allow=_yes, detectors=EMAIL)
    stand.target.files["/srv/t"] = text
    handle = stand.open(b"/srv/t")
    assert stand.read(handle, len(text) - 5, 5) == b"****\n"
