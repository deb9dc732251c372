"""What SFTP requests ask for: both paths, after the target's own REALPATH, and what is more than writing."""

import pytest
from sftp_stand import Stand

from doorward_core.model import Action
from doorward_ssh import operations_sftp
from doorward_ssh.wire_sftp import HARDLINK, LSETSTAT, POSIX_RENAME, STATVFS, Attrs, Flag, Kind, Request

R, W, A, D = "read", "write", "admin", "define"


def _attrs(mode: int) -> Attrs:
    return Attrs(b"\0\0\0\4" + mode.to_bytes(4, "big"), permissions=mode)


SETUID = _attrs(0o104755)
OWNED = Attrs(bytes.fromhex("00000002 00000000 00000000"), owner=(0, 0))


@pytest.mark.parametrize(
    ("request_", "verb", "atoms"),
    [
        (Request(Kind.OPEN, 1, path=b"a", flags=Flag.READ), "sftp open-read", [(R, "/home/deploy/a")]),
        (Request(Kind.OPEN, 1, path=b"/srv/link", flags=Flag.READ), "sftp open-read", [(R, "/etc/shadow")]),
        (Request(Kind.OPEN, 1, path=b"/srv/x", flags=0x1A), "sftp open-write", [(W, "/srv/x")]),
        (Request(Kind.OPEN, 1, path=b"/srv/x", flags=0x03), "sftp open-read-write", [(R, "/srv/x"), (W, "/srv/x")]),
        # O_RDONLY | O_TRUNC empties a file all the same.
        (Request(Kind.OPEN, 1, path=b"/srv/x", flags=0x10), "sftp open-read-write", [(R, "/srv/x"), (W, "/srv/x")]),
        (Request(Kind.OPEN, 1, path=b"/srv/x", flags=0), "sftp open-read", [(R, "/srv/x")]),
        (
            Request(Kind.OPEN, 1, path=b"/srv/x", flags=0x1A, attrs=SETUID),
            "sftp open-write",
            [(W, "/srv/x"), (A, "/srv/x")],
        ),
        (Request(Kind.STAT, 1, path=b"/srv/link"), "sftp stat", [(R, "/etc/shadow")]),
        (Request(Kind.LSTAT, 1, path=b"/srv/link"), "sftp stat", [(R, "/srv/link")]),
        (Request(Kind.OPENDIR, 1, path=b"/srv/up"), "sftp readdir", [(R, "/")]),
        (Request(Kind.READLINK, 1, path=b"/srv/link"), "sftp readlink", [(R, "/srv/link")]),
        (Request(Kind.REALPATH, 1, path=b"/srv/link"), "sftp realpath", [(R, "/etc/shadow")]),
        (Request(Kind.REMOVE, 1, path=b"/srv/link"), "sftp remove", [(W, "/srv/link")]),
        (Request(Kind.RMDIR, 1, path=b"/srv/../srv"), "sftp rmdir", [(W, "/srv")]),
        (Request(Kind.MKDIR, 1, path=b"/srv/up/new/"), "sftp mkdir", [(W, "/new")]),
        (Request(Kind.SETSTAT, 1, path=b"/srv/link", attrs=OWNED), "sftp setstat", [(W, "/etc/shadow"), (A, "/etc/shadow")]),
        (Request(Kind.EXTENDED, 1, name=LSETSTAT, path=b"/srv/link"), "sftp setstat", [(W, "/srv/link")]),
        (Request(Kind.EXTENDED, 1, name=STATVFS, path=b"/srv/link"), "sftp statvfs", [(R, "/etc/shadow")]),
        (Request(Kind.RENAME, 1, path=b"/srv/a.txt", other=b"/srv/b"), "sftp rename", [(W, "/srv/a.txt"), (W, "/srv/b")]),
        (
            Request(Kind.EXTENDED, 1, name=POSIX_RENAME, path=b"/srv/link", other=b"/home/deploy/b"),
            "sftp rename",
            [(R, "/srv/link"), (W, "/srv/link"), (W, "/home/deploy/b")],
        ),
        (
            Request(Kind.RENAME, 1, path=b"/srv/folder", other=b"/srv/other"),
            "sftp rename",
            [(W, "/srv/folder"), (W, "/srv/other"), (D, "/srv/folder")],
        ),
        (
            Request(Kind.EXTENDED, 1, name=HARDLINK, path=b"/etc/shadow", other=b"/etc/b"),
            "sftp hardlink",
            [(R, "/etc/shadow"), (W, "/etc/shadow"), (W, "/etc/b")],
        ),
    ],
    ids=lambda item: item.name or Kind(item.kind).name if isinstance(item, Request) else None,
)  # fmt: skip
def test_a_request_is_what_it_does_to_the_files_it_reaches(request_: Request, verb: str, atoms: list) -> None:
    stand = Stand()
    stand.send(request_)
    (task,) = stand.asked
    assert task.facts is not None
    assert task.facts.verb == verb
    assert stand.names() == atoms
    assert task.facts.doubt == ""


@pytest.mark.parametrize(
    ("openssh", "atoms"),
    [
        (True, [(W, "/srv/new"), (R, "/etc/shadow")]),
        (False, [(W, "/srv/new"), (R, "/etc/shadow"), (W, "/etc/shadow"), (R, "/srv/new")]),
    ],
)
def test_the_arguments_of_a_symbolic_link_are_swapped_by_openssh_and_in_doubt_both_are_the_link(
    openssh: bool, atoms: list
) -> None:
    stand = Stand(openssh=openssh)
    stand.send(Request(Kind.SYMLINK, 1, path=b"../etc/shadow" if openssh else b"/etc/shadow", other=b"/srv/new"))
    assert sorted(stand.names()) == sorted(atoms)


def test_what_is_sent_is_what_was_decided_on_and_the_text_of_a_link_stays() -> None:
    stand = Stand(allow=lambda facts: True)
    stand.send(Request(Kind.OPEN, 1, path=b"/srv/../srv/link", flags=Flag.READ))
    stand.send(Request(Kind.SYMLINK, 2, path=b"../x", other=b"/srv/up/srv/new"))
    sent = [request for request in stand.target.requests if request.kind in {Kind.OPEN, Kind.SYMLINK}]
    assert [(request.path, request.other) for request in sent] == [(b"/etc/shadow", b""), (b"../x", b"/srv/new")]


def test_a_target_that_follows_the_draft_gets_the_link_first() -> None:
    stand = Stand(openssh=False, allow=lambda facts: True)
    stand.send(Request(Kind.SYMLINK, 2, path=b"text", other=b"/srv/new"))
    assert [(item.path, item.other) for item in stand.target.requests if item.kind == Kind.SYMLINK] == [
        (b"/srv/new", b"text")
    ]


def test_a_path_that_is_not_utf8_is_not_complete() -> None:
    facts = operations_sftp.set_by_handle(b"/srv/\xff", Attrs())
    assert facts.doubt == "a path is not UTF-8"
    assert facts.action is Action.WRITE


def test_looking_changes_nothing_and_opening_may() -> None:
    stand = Stand()
    stand.send(Request(Kind.STAT, 1, path=b"/srv"), Request(Kind.OPEN, 2, path=b"/srv/a.txt", flags=Flag.READ))
    assert [task.facts.pure for task in stand.asked if task.facts] == [True, False]


def test_a_person_reads_quoted_paths_and_what_is_set() -> None:
    stand = Stand()
    stand.send(Request(Kind.MKDIR, 1, path=b"/srv/a b", attrs=_attrs(0o755)))
    (task,) = stand.asked
    assert task.facts is not None
    assert task.facts.text == "sftp mkdir '/srv/a b' mode=0755"
