"""SSH-05, SSH-09, SSH-11, SSH-12: files and forwards, past an SFTP target and a sshd whose bytes are recorded."""

import asyncio
import contextlib
import hashlib
import os
import subprocess

import asyncssh
import pytest
import ssh_stack
import trio
from sftp_stand import Stand, Target

from doorward_core.errors import ClientProtocolError
from doorward_core.mask.detect import Detectors
from doorward_ssh import wire_sftp as wire
from doorward_ssh.machine_sftp_line import MAX_OUTSTANDING
from doorward_ssh.wire_sftp import Attrs, Code, Flag, Kind, Request

ALLOWED = "/srv"


def only_srv(facts) -> bool:
    """A policy: everything below /srv, nothing else, and nothing that could not be read."""
    inside = all(atom.target.name == ALLOWED or atom.target.name.startswith(f"{ALLOWED}/") for atom in facts.atoms)
    return inside and not facts.doubt and all(str(atom.action) in {"read", "write"} for atom in facts.atoms)


def touched(stand: Stand) -> list[tuple[int, bytes, bytes]]:
    """What reached the target, questions about paths aside."""
    asking = {Kind.REALPATH, Kind.LSTAT}
    return [(item.kind, item.path, item.other) for item in stand.target.requests if item.kind not in asking]


# --- SSH-05 -----------------------------------------------------------------------------------------------------------

EXEC_ALONE = """\
version: 1
rules:
  - id: everything-that-is-run
    effect: allow
    who: {groups: [crew-operators]}
    resource: web1
    do: [execute]
    commands: ["*"]
"""


@pytest.mark.need_sshd
@pytest.mark.parametrize(
    "words",
    [
        ("-s", "sftp"),
        ("-s", "netconf"),
        ("-s", "unheard-of"),
        ("scp -f /etc/passwd",),
        ("scp -t /tmp",),
        ("scp -r -t -- /tmp",),
        ("/usr/bin/scp -f /etc/passwd",),
        ("rsync --server --sender -logDtpre.iLsfxCIvu . /etc/passwd",),
        ("rsync --server -vlogDtpre.iLsfxC . /tmp/",),
        ("git-upload-pack '/srv/repo.git'",),
        ("git receive-pack /srv/repo.git",),
        ("/usr/lib/openssh/sftp-server",),
        ("sftp-server",),
        ("internal-sftp",),
    ],
    ids=" ".join,
)
def test_ssh_05_an_allow_of_commands_is_no_allow_of_files(own_exec_gateway, words):
    gateway = own_exec_gateway
    gateway.recorder.mark()
    options, command = (("-s",), words[1:]) if words[0] == "-s" else ((), words)
    done = gateway.ssh(*command, options=options)
    assert done.returncode == 126, done
    assert b"doorward: refused" in done.stderr
    assert gateway.recorder.sent == b""


@pytest.fixture(scope="module")
def own_exec_gateway(tmp_path_factory):
    with ssh_stack.started(tmp_path_factory.mktemp("ssh-exec"), policy=EXEC_ALONE) as gateway:
        yield gateway


# --- SSH-11 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        Request(Kind.OPEN, 1, path=b"/srv/link", flags=Flag.READ),
        Request(Kind.OPEN, 1, path=b"/srv/up/etc/shadow", flags=Flag.READ),
        Request(Kind.OPEN, 1, path=b"/srv/out", flags=Flag.WRITE | Flag.CREAT),
        Request(Kind.STAT, 1, path=b"/srv/link"),
        Request(Kind.SETSTAT, 1, path=b"/srv/link"),
        Request(Kind.OPENDIR, 1, path=b"/srv/up/home"),
        Request(Kind.REMOVE, 1, path=b"/srv/up/etc/shadow"),
        Request(Kind.MKDIR, 1, path=b"/srv/up/etc/cron.d"),
        Request(Kind.RENAME, 1, path=b"/srv/a.txt", other=b"/etc/passwd"),
        Request(Kind.RENAME, 1, path=b"/etc/shadow", other=b"/srv/mine"),
        Request(Kind.EXTENDED, 1, name=wire.POSIX_RENAME, path=b"/srv/up/etc/shadow", other=b"/srv/mine"),
        Request(Kind.EXTENDED, 1, name=wire.HARDLINK, path=b"/etc/shadow", other=b"/srv/mine"),
        Request(Kind.SYMLINK, 1, path=b"/etc/shadow", other=b"/srv/mine"),
        Request(Kind.SYMLINK, 1, path=b"../etc/shadow", other=b"/srv/mine"),
        Request(Kind.SYMLINK, 1, path=b"/srv/a.txt", other=b"/etc/mine"),
        Request(Kind.READLINK, 1, path=b"/srv/up/etc/x"),
        Request(Kind.REALPATH, 1, path=b"/srv/link"),
    ],
)
@pytest.mark.parametrize("openssh", [True, False])
def test_ssh_11_a_symbolic_link_leads_no_further_than_a_path_does(request_: Request, openssh: bool) -> None:
    target = Target()
    target.files["/srv/out"] = "/etc/new"
    stand = Stand(target=target, allow=only_srv, openssh=openssh)
    assert stand.code(request_) == Code.PERMISSION_DENIED
    assert touched(stand) == []


def test_ssh_11_a_link_that_is_swapped_while_people_decide_is_noticed() -> None:
    stand = Stand()
    stand.target.files["/srv/now"] = "/srv/a.txt"
    stand.send(Request(Kind.OPEN, 1, path=b"/srv/now", flags=Flag.READ))
    stand.machine.hold(stand.asked[0])
    stand.target.files["/srv/now"] = "/etc/shadow"
    stand.decide(stand.asked[0], yes=True)
    stand.settle()
    assert touched(stand) == []
    assert wire.decode_status(stand.answers[0][2])[0] == Code.PERMISSION_DENIED


def test_ssh_11_a_link_that_the_client_swaps_in_one_breath_is_not_followed() -> None:
    stand = Stand(allow=only_srv)
    stand.target.files["/srv/real"] = "/etc"
    stand.send(
        Request(Kind.MKDIR, 1, path=b"/srv/d"),
        Request(Kind.STAT, 2, path=b"/srv/d/shadow"),
        Request(Kind.RENAME, 3, path=b"/srv/real", other=b"/srv/d"),
        Request(Kind.OPEN, 4, path=b"/srv/d/shadow", flags=Flag.READ),
    )
    assert [item for item in touched(stand) if item[0] == Kind.OPEN] == []


def test_ssh_11_what_is_opened_is_the_path_that_was_decided_on() -> None:
    stand = Stand(allow=lambda facts: True)
    stand.open(b"/srv/../srv/up/srv/a.txt")
    assert touched(stand) == [(Kind.OPEN, b"/srv/a.txt", b"")]


def test_ssh_11_a_folder_is_not_moved_from_under_its_rules_by_leave_to_write() -> None:
    stand = Stand(allow=only_srv)
    request = Request(Kind.RENAME, 1, path=b"/srv/folder", other=b"/srv/elsewhere")
    assert stand.code(request) == Code.PERMISSION_DENIED
    assert touched(stand) == []


@pytest.mark.parametrize(
    "request_",
    [
        Request(Kind.WRITE, 2, data=b"x"),
        Request(Kind.FSETSTAT, 2, attrs=Attrs(b"\0\0\0\4" + (0o104755).to_bytes(4, "big"), permissions=0o104755)),
        Request(Kind.EXTENDED, 2, name=wire.FSYNC),
    ],
)
def test_ssh_11_a_handle_that_was_opened_to_read_changes_nothing(request_: Request) -> None:
    stand = Stand(allow=lambda facts: str(facts.action) == "read")
    handle = stand.open(b"/srv/a.txt")
    fields = {"handle": handle, "data": request_.data, "attrs": request_.attrs, "name": request_.name}
    assert stand.code(Request(request_.kind, 2, **fields)) == Code.PERMISSION_DENIED
    assert touched(stand) == [(Kind.OPEN, b"/srv/a.txt", b"")]


@pytest.mark.parametrize("handle", [b"target-2", b"\0" * 8, b"", b"\0\0\0\0\0\0\0\2"])
def test_ssh_11_a_handle_that_was_not_given_is_none(handle: bytes) -> None:
    stand = Stand(allow=only_srv)
    stand.open(b"/srv/a.txt")
    assert stand.read(handle, 0, 10) == Code.FAILURE


def test_ssh_11_setuid_and_other_owners_are_more_than_writing() -> None:
    stand = Stand(allow=only_srv)
    setuid = Attrs(b"\0\0\0\4" + (0o104755).to_bytes(4, "big"), permissions=0o104755)
    assert stand.code(Request(Kind.SETSTAT, 1, path=b"/srv/a.txt", attrs=setuid)) == Code.PERMISSION_DENIED
    opening = Request(Kind.OPEN, 1, path=b"/srv/new", flags=Flag.WRITE | Flag.CREAT, attrs=setuid)
    assert stand.code(opening) == Code.PERMISSION_DENIED
    assert touched(stand) == []


# --- SSH-12 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [b"..//etc/shadow", b"/srv/..//..//etc/shadow", b"/srv/./../etc/./shadow", b"//etc//shadow"]
)
def test_ssh_12_dots_and_slashes_are_read_as_the_target_reads_them(path: bytes) -> None:
    stand = Stand(allow=only_srv)
    assert stand.code(Request(Kind.OPEN, 1, path=path, flags=Flag.READ)) == Code.PERMISSION_DENIED
    assert touched(stand) == []


@pytest.mark.parametrize("path", [b"/srv/a.txt\0", b"/srv/a.txt\0/../../etc/shadow", b"/srv/" + b"x" * (1 << 17)])
def test_ssh_12_nul_bytes_and_endless_names_reach_nobody(path: bytes) -> None:
    stand = Stand(allow=lambda facts: True)
    stand.feed(wire.packet(Kind.OPEN, 1, wire.string(path), (1).to_bytes(4, "big"), bytes(4)))
    assert wire.decode_status(stand.answers[0][2])[0] == Code.BAD_MESSAGE
    assert stand.target.requests == []


def test_ssh_12_a_name_in_another_encoding_is_no_name_that_a_rule_means() -> None:
    stand = Stand(allow=only_srv)
    assert stand.code(Request(Kind.OPEN, 1, path=b"/srv/\xff", flags=Flag.READ)) == Code.PERMISSION_DENIED
    assert touched(stand) == []


def test_ssh_12_a_name_of_a_megabyte_ends_the_channel() -> None:
    with pytest.raises(ClientProtocolError):
        Stand().feed((1 << 20).to_bytes(4, "big") + b"\x03")


def test_ssh_12_a_hundred_thousand_reads_wait_at_the_client() -> None:
    class Silent(Target):
        def feed(self, data: bytes) -> bytes:
            self._reader.receive(data)
            count = 0
            for kind, number, body in self._reader:
                request = wire.decode(kind, number, body) if kind != Kind.INIT else None
                count += request is not None and request.kind == Kind.READ
                if request is not None and request.kind == Kind.READ:
                    self.requests.append(request)
                    continue
                packet = wire.packet(kind, number, body)
                self._reader, kept = wire.from_client(), self._reader
                answered = super().feed(packet)
                self._reader = kept
                return answered
            return b""

    stand = Stand(target=Silent(), allow=only_srv)
    handle = stand.open(b"/srv/a.txt")
    many = wire.encode(Request(Kind.READ, 1, handle=handle, length=32768)) * 100_000
    stand.feed(many)
    assert len([item for item in stand.target.requests if item.kind == Kind.READ]) == MAX_OUTSTANDING
    assert stand.machine.buffered_bytes > len(many) // 2


@pytest.mark.parametrize("name", ["check-file-name", "md5-hash@x", "vendor-id", "x" * 64, "SUPPORTED2"])
def test_ssh_12_an_extension_that_is_not_known_reaches_nobody(name: str) -> None:
    stand = Stand(allow=lambda facts: True)
    stand.feed(wire.packet(Kind.EXTENDED, 1, wire.string(name.encode()), wire.string(b"/etc/shadow")))
    assert wire.decode_status(stand.answers[0][2])[0] == Code.OP_UNSUPPORTED
    assert stand.target.requests == []


@pytest.mark.parametrize("step", [1, 3, 17, 8192])
def test_ssh_12_a_masked_value_does_not_come_out_in_pieces(step: int) -> None:
    content = b"x" * 9000 + b" alice@example.com " + b"y" * 9000
    stand = Stand(allow=only_srv, detectors=Detectors(("email",)))
    stand.target.files["/srv/t"] = content
    handle = stand.open(b"/srv/t")
    found = b""
    for at in range(8990, 9030, step):
        piece = stand.read(handle, at, step)
        assert isinstance(piece, bytes)
        found += piece
    assert found == b"x" * 10 + b" " + b"*" * 17 + b" " + b"y" * (len(found) - 29)


def test_ssh_12_a_masked_file_is_not_copied_behind_a_nul_byte_and_read_there() -> None:
    stand = Stand(allow=only_srv, detectors=Detectors(("email",)))
    stand.target.files["/srv/t"] = b"alice@example.com"
    source, copy = stand.open(b"/srv/t"), stand.open(b"/srv/copy", Flag.READ | Flag.WRITE | Flag.CREAT)
    stand.code(Request(Kind.WRITE, 1, handle=copy, data=b"\0"))
    request = Request(Kind.EXTENDED, 2, name=wire.COPY_DATA, handle=source, target=copy, to_offset=1)
    assert stand.code(request) == Code.OP_UNSUPPORTED
    assert stand.target.files["/srv/copy"] == b"\0"


# --- SSH-09 -----------------------------------------------------------------------------------------------------------

FORWARDS = [
    ("-W", "127.0.0.1:22"), ("-W", "[::ffff:127.0.0.1]:22"), ("-W", "0:22"), ("-W", "0x7f.1:22"), ("-W", "localhost:22"),
    ("-W", "169.254.169.254:80"), ("-W", "2852039166:80"), ("-W", "[fe80::1]:22"), ("-W", "10.0.0.1:22"),
]  # fmt: skip


@pytest.mark.need_sshd
@pytest.mark.parametrize("options", FORWARDS, ids=lambda words: words[1])
def test_ssh_09_nobody_is_forwarded_anywhere_by_default(ssh_gateway, options):
    ssh_gateway.recorder.mark()
    done = ssh_gateway.ssh(options=("-v", *options))
    assert done.returncode != 0
    assert done.stdout == b""
    assert b"doorward: refused" in done.stderr
    assert ssh_gateway.recorder.sent == b""


@pytest.mark.need_sshd
async def test_ssh_09_every_other_way_out_is_shut_as_well_inside_a_session_that_runs(ssh_gateway):
    key = ssh_gateway.certificate()

    async def work():
        async with asyncssh.connect(
            "127.0.0.1", ssh_gateway.port, username=ssh_gateway.user, client_keys=[(str(key), f"{key}-cert.pub")],
            known_hosts=str(ssh_gateway.known_hosts()), config=None, agent_path=None,
        ) as connection:  # fmt: skip
            done = await connection.run("echo in")
            assert done.stdout == "in\n"
            for host, port in (("127.0.0.1", 22), ("::1", 22), ("169.254.169.254", 80), ("bad host", 1), ("", 22)):
                with pytest.raises(asyncssh.ChannelOpenError, match="doorward: refused"):
                    await connection.open_connection(host, port)
            with pytest.raises(asyncssh.ChannelOpenError, match="doorward: refused"):
                await connection.open_unix_connection("/run/docker.sock")
            for opening in (connection.open_tun, connection.open_tap):
                with pytest.raises(asyncssh.ChannelOpenError):
                    await opening()
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.start_server(lambda *_: None, "127.0.0.1", 0)
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.start_unix_server(lambda *_: None, "/tmp/doorward-never")
            done = await connection.run("echo still in")
            assert done.stdout == "still in\n"

    await trio.to_thread.run_sync(asyncio.run, work())


@pytest.mark.need_sshd
def test_ssh_09_no_agent_of_anybody_reaches_the_target(own_ssh_gateway, tmp_path):
    agent = subprocess.run(
        ["ssh-agent", "-s", "-a", str(tmp_path / "agent")], capture_output=True, check=True, text=True
    )
    process = int(agent.stdout.split("SSH_AGENT_PID=")[1].split(";")[0])
    try:
        gateway = own_ssh_gateway()
        options = ("-A", "-o", f"IdentityAgent={tmp_path / 'agent'}", "-o", "ForwardAgent=yes")
        done = gateway.ssh("echo [$SSH_AUTH_SOCK]", options=options, groups=("anything",))
        assert done.stdout == b"[]\n", done
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, 15)


def test_ssh_12_what_was_read_is_on_record_by_its_digest() -> None:
    stand = Stand(allow=only_srv)
    handle = stand.open(b"/srv/a.txt")
    assert stand.read(handle, 0, 100) == b"hello"
    stand.code(Request(Kind.CLOSE, 1, handle=handle))
    assert stand.outcomes[0][1].shown_digest == hashlib.sha256(b"hello").digest()
