"""Files through the gateway, by the clients that people use, to the real sshd and its own SFTP server."""

import asyncio
import hashlib
import os
import subprocess
import time

import asyncssh
import paramiko
import pytest
import ssh_stack
import trio

from doorward_core.record.reader import LogReader

pytestmark = pytest.mark.need_sshd

POLICY = """\
version: 1
rules:
  - id: files
    effect: allow
    who: {{groups: [files]}}
    resource: web1
    do: [execute, read, write]
    targets: {{subsystem: [sftp], path: ["{data}", "{data}/*", "!{data}/secret/*"]}}
  - id: folders-move
    effect: allow
    who: {{groups: [movers]}}
    resource: web1
    do: [define]
    targets: {{path: ["{data}/*"]}}
  - id: readers
    effect: allow
    who: {{groups: [readers]}}
    resource: web1
    do: [execute, read]
    targets: {{subsystem: [sftp], path: ["{data}", "{data}/*"]}}
  - id: releases-need-a-human
    effect: hold
    who: {{groups: [files]}}
    resource: web1
    do: [write]
    targets: {{path: ["{data}/release/*"]}}
    approve: {{by: {{groups: [dba]}}, quorum: 1, within: 10m, grant: 5m}}
  - {{id: pieces-connect, effect: allow, who: {{groups: [pieces]}}, resource: web1, do: [execute], targets: {{subsystem: [sftp]}}}}
  - id: pieces
    effect: allow
    who: {{groups: [pieces]}}
    resource: web1
    do: [execute, read, write]
    commands: ["scp *"]
    targets: {{path: ["{data}", "{data}/*"]}}
    limit: {{bytes: 64KiB}}
  - id: transfers
    effect: allow
    who: {{groups: [transfers]}}
    resource: web1
    do: [execute, transfer, read, write]
    targets: {{path: ["{data}", "{data}/*"]}}
    commands: ["scp *", "rsync *", "git-upload-pack *", "git-receive-pack *"]
masks:
  - id: pii
    resource: web1
    detect: [email]
    with: partial
    except: {{groups: [transfers, files]}}
"""
MIB = 1 << 20


@pytest.fixture(scope="module")
def _gateway(tmp_path_factory):
    data = tmp_path_factory.mktemp("data").resolve()
    with ssh_stack.started(tmp_path_factory.mktemp("ssh-files"), policy=POLICY.format(data=data)) as gateway:
        gateway.data = data
        yield gateway


@pytest.fixture
def gateway(_gateway):
    _gateway.recorder.settle()
    yield _gateway
    while _gateway.clients:
        _gateway.clients.pop().close()
    _gateway.nothing_waits()


@pytest.fixture
def data(gateway, request):
    """A folder at the target of this test's own."""
    folder = gateway.data / request.node.name.partition("[")[0]
    folder.mkdir(exist_ok=True)
    return folder


def _sftp(gateway, *lines, groups=("files",), options=(), timeout=90):
    words = [
        "sftp",
        *gateway.options(groups=groups),
        *options,
        "-P",
        str(gateway.port),
        "-b",
        "-",
        f"{gateway.user}@127.0.0.1",
    ]
    text = "".join(f"{line}\n" for line in lines).encode()
    return subprocess.run(words, input=text, capture_output=True, timeout=timeout, check=False)


def _scp(gateway, *words, groups=("files",), options=(), timeout=120):
    whole = ["scp", *gateway.options(groups=groups), *options, "-P", str(gateway.port), *words]
    return subprocess.run(whole, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)


def _remote(gateway, path):
    return f"scp://{gateway.user}@127.0.0.1:{gateway.port}/{path}"


def _digest(path):
    return hashlib.sha256(path.read_bytes()).digest()


def _random(path, size):
    path.write_bytes(os.urandom(size))
    return path


def _finished(gateway, verb, about, within_s=60):
    """How each operation of this verb ended whose text has these words; what ends rides with the next checkpoint."""
    end = time.monotonic() + within_s
    while True:
        entries = list(LogReader(gateway.log).entries())
        asked = {
            entry.operation_id
            for entry in entries
            if entry.kind == "operation.decided" and entry.header["verb"] == verb and about in entry.payload["text"]
        }
        found = [entry for entry in entries if entry.kind == "operation.finished" and entry.operation_id in asked]
        if len(found) >= len(asked) > 0 or time.monotonic() > end:
            return found
        time.sleep(0.05)


def test_sftp_puts_and_gets_a_file_whole(gateway, data, tmp_path):
    source = _random(tmp_path / "source", 20 * MIB + 13)
    done = _sftp(gateway, f"put {source} {data}/there", f"get {data}/there {tmp_path}/back", "bye")
    assert (done.returncode, done.stderr) == (0, b"")
    assert _digest(data / "there") == _digest(tmp_path / "back") == _digest(source)


def test_sftp_lists_names_moves_and_removes(gateway, data):
    (data / "a.txt").write_text("a")
    done = _sftp(
        gateway, f"cd {data}", "ls -l", "mkdir folder", "rename a.txt folder/b.txt", "symlink b.txt folder/link",
        "ls -l folder", "chmod 600 folder/b.txt", "rm folder/link", "rm folder/b.txt", "rmdir folder", "df .",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"b.txt" in done.stdout
    assert list(data.iterdir()) == []


def test_a_refused_file_says_why_on_stderr_and_stays(gateway, data, tmp_path):
    (gateway.data / "secret").mkdir(exist_ok=True)
    secret = gateway.data / "secret" / "key"
    secret.write_text("top secret")
    gateway.recorder.mark()
    done = _sftp(gateway, f"get {secret} {tmp_path}/stolen")
    assert done.returncode == 1
    assert b"doorward: refused: " in done.stderr
    assert not (tmp_path / "stolen").exists()
    done = _sftp(gateway, f"put {tmp_path / 'x'} /etc/cron.d/x", f"rm {secret}")
    assert done.returncode == 1
    assert secret.exists()


@pytest.mark.parametrize("mode", [["-O"], ["-s"]], ids=["legacy protocol", "sftp"])
def test_scp_carries_files_and_folders_both_ways(gateway, data, tmp_path, mode):
    groups = ("transfers",) if mode == ["-O"] else ("files",)
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True)
    _random(tree / "one", 3 * MIB)
    _random(tree / "deep" / "two", 100_000)
    folder = data / mode[0].strip("-")
    folder.mkdir()
    there = f"{gateway.user}@127.0.0.1:{folder}"
    done = _scp(gateway, *mode, "-r", str(tree), there, groups=groups)
    assert (done.returncode, done.stderr) == (0, b"")
    done = _scp(gateway, *mode, "-rp", f"{there}/tree", str(tmp_path / "back"), groups=groups)
    assert (done.returncode, done.stderr) == (0, b"")
    for name in ("one", "deep/two"):
        assert _digest(tmp_path / "back" / name) == _digest(folder / "tree" / name) == _digest(tree / name)


def test_legacy_scp_is_a_command_and_is_refused_to_who_has_sftp_alone(gateway, data, tmp_path):
    _random(tmp_path / "x", 10)
    done = _scp(gateway, "-O", str(tmp_path / "x"), f"{gateway.user}@127.0.0.1:{data}/x", groups=("files",))
    assert done.returncode != 0
    assert b"doorward: refused" in done.stderr
    assert not (data / "x").exists()


def test_a_held_upload_waits_and_then_goes_on(gateway, data, tmp_path):
    (gateway.data / "release").mkdir(exist_ok=True)
    source = _random(tmp_path / "new", 300_000)
    words = [
        "sftp",
        *gateway.options(groups=("files",)),
        "-P",
        str(gateway.port),
        "-b",
        "-",
        f"{gateway.user}@127.0.0.1",
    ]
    client = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert client.stdin is not None
    client.stdin.write(f"put {source} {gateway.data}/release/new\n".encode())
    client.stdin.flush()
    request = gateway.waiting()[0]
    assert request["verb"] == "sftp open-write"
    assert not (gateway.data / "release" / "new").exists()
    assert gateway.vote(request["id"])[0] == 200
    out, err = client.communicate(timeout=90)
    assert client.returncode == 0, (out, err)
    assert b"eld for approval" in err
    assert request["id"].encode() in err
    assert _digest(gateway.data / "release" / "new") == _digest(source)


def test_a_file_ends_at_its_limit_and_what_cannot_be_limited_is_refused(gateway, data, tmp_path):
    small, large = _random(data / "small", 60_000), _random(data / "large", 300_000)
    got = tmp_path / "got"
    done = _sftp(gateway, f"get {small} {got}", groups=("pieces",))
    assert (done.returncode, _digest(got)) == (0, _digest(small)), done.stderr
    assert _sftp(gateway, f"get {large} {got}", groups=("pieces",)).returncode == 1
    assert got.stat().st_size <= 65536
    assert _sftp(gateway, f"put {large} {data}/new", groups=("pieces",)).returncode == 1
    assert (data / "new").stat().st_size <= 65536
    whole = gateway.ssh("scp", "-f", str(small), groups=("pieces",))
    assert (whole.returncode, b"Policy demands `limit` here" in whole.stderr) == (126, True), whole


def test_a_rejected_upload_is_refused(gateway, data, tmp_path):
    source = _random(tmp_path / "worse", 300)
    (gateway.data / "release").mkdir(exist_ok=True)
    words = [
        "sftp",
        *gateway.options(groups=("files",)),
        "-P",
        str(gateway.port),
        "-b",
        "-",
        f"{gateway.user}@127.0.0.1",
    ]
    client = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert client.stdin is not None
    client.stdin.write(f"put {source} {gateway.data}/release/worse\n".encode())
    client.stdin.flush()
    request = gateway.waiting()[0]
    assert gateway.vote(request["id"], "reject", reason="not on a Friday")[0] == 200
    _, err = client.communicate(timeout=90)
    assert client.returncode == 1
    assert b"not on a Friday" in err
    assert not (gateway.data / "release" / "worse").exists()


def test_what_passed_is_on_record_with_its_digest(gateway, data, tmp_path):
    source = _random(tmp_path / "source", MIB)
    assert _sftp(gateway, f"put {source} {data}/x", f"get {data}/x {tmp_path}/back").returncode == 0
    up = _finished(gateway, "sftp open-write", str(data))
    down = _finished(gateway, "sftp open-read", str(data))
    assert [(entry.header["bytes_up"], entry.payload["shown_digest"]) for entry in up] == [(MIB, _digest(source))]
    assert [(entry.header["bytes_down"], entry.payload["shown_digest"]) for entry in down] == [(MIB, _digest(source))]
    assert down[0].payload["shown"] == source.read_bytes()[:65536]


def test_text_is_masked_and_what_is_not_text_is_not(gateway, data, tmp_path):
    text = b"".join(b"%d,alice%d@example.com,Berlin\n" % (n, n) for n in range(40_000))
    (data / "users.csv").write_bytes(text)
    (data / "tool").write_bytes(b"\0" + text)
    done = _sftp(gateway, f"get {data}/users.csv {tmp_path}/u", f"get {data}/tool {tmp_path}/t", groups=("readers",))
    assert (done.returncode, done.stderr) == (0, b"")
    found = (tmp_path / "u").read_bytes()
    assert len(found) == len(text)
    assert b"@" not in found
    assert found.startswith(b"0,******************,Berlin\n")
    assert _digest(tmp_path / "t") == _digest(data / "tool")
    (entry,) = _finished(gateway, "sftp open-read", "users.csv")
    assert entry.header["masked"] == {"email": 40_000}


@pytest.mark.parametrize("size", [0, 1, 32768, 261_120, 5 * MIB + 1])
def test_sizes_around_the_packets_of_clients_come_through(gateway, data, tmp_path, size):
    source = _random(tmp_path / "s", size)
    done = _sftp(gateway, f"put {source} {data}/s{size}", f"get {data}/s{size} {tmp_path}/b", options=("-B", "32768"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert _digest(tmp_path / "b") == _digest(source)


def test_a_download_is_taken_up_where_it_ended(gateway, data, tmp_path):
    source = _random(data / "s", MIB)
    (tmp_path / "b").write_bytes(source.read_bytes()[:400_000])
    assert _sftp(gateway, f"reget {source} {tmp_path}/b").returncode == 0
    assert _digest(tmp_path / "b") == _digest(source)
    (entry,) = _finished(gateway, "sftp open-read", str(data))
    assert entry.payload["shown_digest"] == b""


@pytest.mark.need_rsync
def test_rsync_copies_both_ways(gateway, data, tmp_path):
    source = tmp_path / "tree"
    (source / "deep").mkdir(parents=True)
    _random(source / "one", 2 * MIB)
    _random(source / "deep" / "two", 30_000)
    shell = " ".join(["ssh", *gateway.options(groups=("transfers",)), "-p", str(gateway.port)])
    for words in (
        [f"{source}/", f"{gateway.user}@127.0.0.1:{data}/t/"],
        [f"{gateway.user}@127.0.0.1:{data}/t/", f"{tmp_path}/back/"],
    ):
        done = subprocess.run(["rsync", "-az", "-e", shell, *words], capture_output=True, timeout=90, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
    assert _digest(tmp_path / "back" / "one") == _digest(source / "one")
    assert _digest(tmp_path / "back" / "deep" / "two") == _digest(source / "deep" / "two")
    refused = subprocess.run(
        ["rsync", "-az", "-e", shell, f"{gateway.user}@127.0.0.1:/etc/hostname", f"{tmp_path}/x"],
        capture_output=True, timeout=90, check=False,
    )  # fmt: skip
    assert refused.returncode != 0
    assert b"doorward: refused" in refused.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.need_git
def test_git_clones_and_pushes(gateway, data, tmp_path):
    def git(*words, where=tmp_path):
        identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"]
        shell = " ".join(["ssh", *gateway.options(groups=("transfers",)), "-p", str(gateway.port)])
        environment = {
            **os.environ,
            "GIT_SSH_COMMAND": shell,
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
        }
        return subprocess.run(
            ["git", *identity, *words], cwd=where, env=environment, capture_output=True, timeout=90, check=False
        )

    repository = data / "project.git"
    assert git("init", "--bare", str(repository)).returncode == 0
    url = f"{gateway.user}@127.0.0.1:{repository}"
    assert git("clone", url, "work").returncode == 0
    _random(tmp_path / "work" / "blob", MIB)
    assert git("add", ".", where=tmp_path / "work").returncode == 0
    assert git("commit", "-m", "First", where=tmp_path / "work").returncode == 0
    pushed = git("push", "origin", "main", where=tmp_path / "work")
    assert pushed.returncode == 0, pushed.stderr
    assert git("clone", url, "again").returncode == 0
    assert _digest(tmp_path / "again" / "blob") == _digest(tmp_path / "work" / "blob")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_paramiko_reads_writes_and_lists(gateway, data, tmp_path):
    source = _random(tmp_path / "source", 3 * MIB + 1)
    key = gateway.certificate(groups=("files",))
    private = paramiko.Ed25519Key.from_private_key_file(str(key))
    private.load_certificate(f"{key}-cert.pub")
    with paramiko.Transport(("127.0.0.1", gateway.port)) as transport:
        transport.connect(username=gateway.user, pkey=private)
        with paramiko.SFTPClient.from_transport(transport) as client:
            client.put(str(source), f"{data}/p")
            client.get(f"{data}/p", str(tmp_path / "back"))
            client.posix_rename(f"{data}/p", f"{data}/q")
            assert client.listdir(str(data)) == ["q"]
            with client.open(f"{data}/q", "r") as opened:
                opened.seek(MIB)
                assert opened.read(10) == source.read_bytes()[MIB : MIB + 10]
            with pytest.raises(PermissionError, match="doorward: refused"):
                client.stat("/etc/shadow")
            with pytest.raises(PermissionError, match="doorward: refused"):
                client.remove("/etc/hostname")
    assert _digest(tmp_path / "back") == _digest(source)


async def test_asyncssh_reads_and_writes_many_files_at_once(gateway, data, tmp_path):
    for number in range(8):
        _random(tmp_path / f"f{number}", 500_000 + number)
    key = gateway.certificate(groups=("files",))

    async def work():
        async with asyncssh.connect(
            "127.0.0.1", gateway.port, username=gateway.user, client_keys=[(str(key), f"{key}-cert.pub")],
            known_hosts=str(gateway.known_hosts()), config=None, agent_path=None,
        ) as connection:  # fmt: skip
            async with connection.start_sftp_client() as client:
                await asyncio.gather(*(client.put(str(tmp_path / f"f{n}"), f"{data}/f{n}") for n in range(8)))
                await asyncio.gather(*(client.get(f"{data}/f{n}", str(tmp_path / f"b{n}")) for n in range(8)))
                assert sorted(await client.listdir(str(data)))[-8:] == [f"f{n}" for n in range(8)]
                with pytest.raises(asyncssh.SFTPPermissionDenied, match="doorward: refused"):
                    await client.open("/etc/passwd")
                await client.symlink("f1", f"{data}/link")
                assert await client.realpath(f"{data}/link") == f"{data}/f1"

    await trio.to_thread.run_sync(asyncio.run, work())
    for number in range(8):
        assert _digest(tmp_path / f"b{number}") == _digest(tmp_path / f"f{number}")
    assert str((data / "link").readlink()) == "f1"
