"""Where paths lead: as the target says, links included."""

import pytest
from sftp_stand import Target

from doorward_core.errors import UpstreamProtocolError
from doorward_ssh import sftp_paths
from doorward_ssh import wire_sftp as wire
from doorward_ssh.sftp_paths import Place
from doorward_ssh.wire_sftp import Kind


def _run(asking, target: Target) -> Place:
    answer = None
    while True:
        try:
            question = next(asking) if answer is None else asking.send(answer)
        except StopIteration as end:
            return end.value
        reader = wire.from_server()
        reader.receive(target.feed(wire.encode(question)))
        packet = reader.take()
        assert packet is not None
        answer = packet[0], packet[2]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/srv/a.txt", b"/srv/a.txt"),
        (b"..//..//srv/./a.txt", b"/srv/a.txt"),
        (b"/srv/link", b"/etc/shadow"),
        (b"/srv/up/etc/shadow", b"/etc/shadow"),
        (b"/srv/new.txt", b"/srv/new.txt"),
        (b"/srv/nowhere", b"/srv/new.txt"),
        (b"new", b"/home/deploy/new"),
        (b"/", b"/"),
    ],
)
@pytest.mark.parametrize("strict", [False, True], ids=["OpenSSH's REALPATH", "REALPATH of what is there"])
def test_a_path_is_followed_to_its_end(path: bytes, expected: bytes, strict: bool) -> None:
    target = Target()
    target.strict = strict
    place = _run(sftp_paths.follow(path, b"/home/deploy"), target)
    if strict and path == b"/srv/nowhere":
        assert place.doubt  # something is there, and nobody says where it leads
    else:
        assert place == Place(expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/srv/link", b"/srv/link"),
        (b"/srv/up/srv/link", b"/srv/link"),
        (b"link", b"/home/deploy/link"),
        (b"/srv/link/", b"/etc/shadow"),
        (b"/srv/up/.", b"/"),
        (b"/x", b"/x"),
    ],
)
def test_the_last_part_is_not_followed_where_it_is_what_is_meant(path: bytes, expected: bytes) -> None:
    assert _run(sftp_paths.stop(path, b"/home/deploy"), Target()).path == expected


def test_what_cannot_be_resolved_keeps_the_targets_own_refusal() -> None:
    place = _run(sftp_paths.follow(b"/missing/../missing/x", b"/"), Target())
    assert place.path == b"/missing/x"
    assert wire.decode_status(place.failure)[0] == wire.Code.NO_SUCH_FILE


@pytest.mark.parametrize("path", [b"relative", b"/a/../b", b"/a//b", b"/a/", b"", b"/a\0b"])
def test_a_target_that_does_not_resolve_is_not_believed(path: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        sftp_paths.resolved(wire.encode_one_name(1, path)[9:])


def test_no_name_or_two_are_no_answer() -> None:
    with pytest.raises(UpstreamProtocolError):
        sftp_paths.named(b"\0\0\0\0")
    with pytest.raises(UpstreamProtocolError):
        sftp_paths.named(b"\0\0\0\1\0\0")


def test_success_is_no_refusal() -> None:
    with pytest.raises(UpstreamProtocolError):
        sftp_paths.status((Kind.STATUS, b"\0\0\0\0"))
    with pytest.raises(UpstreamProtocolError):
        sftp_paths.status((Kind.DATA, b""))


def test_what_is_not_said_to_be_a_file_may_be_a_folder() -> None:
    assert sftp_paths.is_folder((Kind.ATTRS, b"\0\0\0\0"))
    assert not sftp_paths.is_folder((Kind.ATTRS, b"\0\0\0\4" + (0o100644).to_bytes(4, "big")))
