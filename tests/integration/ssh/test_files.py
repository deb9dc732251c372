"""Files through the gateway, by the clients that people use, to the real sshd and its own SFTP server."""

import hashlib
import os
import subprocess

import pytest
import ssh_stack

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
def gateway(_gateway, tmp_path_factory):
    _gateway.recorder.settle()
    yield _gateway
    while _gateway.clients:
        _gateway.clients.pop().close()


@pytest.fixture
def data(gateway, request):
    """A folder at the target of this test's own."""
    folder = gateway.data / request.node.name.partition("[")[0]
    folder.mkdir(exist_ok=True)
    return folder


def _sftp(gateway, *lines, groups=("files",), options=(), timeout=60):
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


def _finished(gateway, verb):
    """Of each operation of this verb that has ended: its text, and the record of its end."""
    asked = {
        e.operation_id: e.payload["text"] for e in gateway.entries("operation.decided") if e.header["verb"] == verb
    }
    return [(asked[e.operation_id], e) for e in gateway.entries("operation.finished") if e.operation_id in asked]


def test_sftp_puts_and_gets_a_file_whole(gateway, data, tmp_path):
    source = _random(tmp_path / "source", 20 * MIB + 13)
    done = _sftp(gateway, f"put {source} {data}/there", f"get {data}/there {tmp_path}/back", "bye")
    assert (done.returncode, done.stderr) == (0, b"")
    assert _digest(data / "there") == _digest(tmp_path / "back") == _digest(source)
