"""SSH-01, 02, 04, 06, 07, 08, 10, 13, 15 of the threat model, against a running gateway with a recorder before its target.

Clients here are asyncssh's, made to misbehave, and raw sockets; each test ends with a well-behaved ssh that is served.
"""

import asyncio
import contextlib
import socket
import struct
import subprocess
import time
from pathlib import Path

import asyncssh
import pytest
from asyncssh.connection import SSHClientConnection
from asyncssh.constants import (
    MSG_CHANNEL_OPEN,
    MSG_GLOBAL_REQUEST,
    MSG_IGNORE,
    MSG_KEXINIT,
    MSG_SERVICE_ACCEPT,
    MSG_USERAUTH_REQUEST,
    MSG_USERAUTH_SUCCESS,
)
from asyncssh.packet import Boolean, String, UInt32

from doorward_ssh import algorithms

pytestmark = pytest.mark.need_sshd
ANY = ("anything",)


@pytest.fixture
def gateway(ssh_gateway):
    yield ssh_gateway
    done = ssh_gateway.ssh("echo", "served")
    assert (done.returncode, done.stdout) == (0, b"served\n")


def packet(kind, body=b"", length=None):
    """An unencrypted packet (RFC 4253 section 6)."""
    payload = bytes([kind]) + body
    padding = 8 - (len(payload) + 5) % 8 + 8
    size = len(payload) + padding + 1 if length is None else length
    return struct.pack(">IB", size, padding) + payload + bytes(padding)


def kexinit(*kex):
    lists = [",".join(kex).encode(), b"ssh-ed25519", *[b"aes128-gcm@openssh.com"] * 2, *[b"hmac-sha2-256"] * 2]
    lists += [b"none", b"none", b"", b""]
    return packet(MSG_KEXINIT, bytes(16) + b"".join(map(String, lists)) + Boolean(False) + UInt32(0))


class Raw:
    """A TCP connection that has exchanged versions and has read the gateway's KEXINIT."""

    def __init__(self, gateway):
        self.socket = socket.create_connection(("127.0.0.1", gateway.port), timeout=60)
        self.file = self.socket.makefile("rb")
        assert self.file.readline().startswith(b"SSH-2.0-Doorward")
        self.socket.sendall(b"SSH-2.0-Raw_1\r\n")
        size = struct.unpack(">I", self.file.read(4))[0]
        self.kexinit = self.file.read(size)

    def send(self, *packets):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it may be closed before all is said
            for one in packets:
                self.socket.sendall(one)

    def ended(self):
        """Whether the gateway closed it; it waits for that."""
        with contextlib.suppress(ConnectionResetError):
            while self.file.read(1):
                pass
        self.file.close()
        self.socket.close()
        return True

    def names(self):
        """The name lists of the gateway's KEXINIT."""
        at, lists = 1 + 1 + 16, []
        for _ in range(8):
            size = struct.unpack_from(">I", self.kexinit, at)[0]
            lists.append(self.kexinit[at + 4 : at + 4 + size].decode().split(","))
            at += 4 + size
        return lists


def client_options(gateway, groups=ANY, **how):
    key = gateway.certificate(groups=groups)
    pair = (asyncssh.read_private_key(key), asyncssh.read_certificate(f"{key}-cert.pub"))
    return {
        "config": None,
        "username": gateway.user,
        "client_keys": [pair],
        "known_hosts": str(gateway.known_hosts()),
        "agent_path": None,
        **how,
    }


async def connected(gateway, groups=ANY, **how):
    return await asyncssh.connect("127.0.0.1", gateway.port, **client_options(gateway, groups, **how))


# --- SSH-01 ----------------------------------------------------------------------------------------------------------


def test_ssh_01_strict_key_exchange_is_offered_and_nothing_that_needs_it(gateway):
    raw = Raw(gateway)
    kex, _, *ciphers, mac_in, mac_out, zip_in, zip_out = raw.names()
    assert "kex-strict-s-v00@openssh.com" in kex
    assert all(name.endswith("-gcm@openssh.com") for one in ciphers for name in one)
    assert not any("cbc" in name or "chacha" in name for one in ciphers for name in one)
    assert all("etm" in name for name in (*mac_in, *mac_out))
    assert (zip_in, zip_out) == (["none"], ["none"])
    raw.socket.close()
    raw.file.close()


def test_ssh_01_a_packet_smuggled_in_before_the_exchange_ends_the_connection(gateway):
    raw = Raw(gateway)
    raw.send(packet(MSG_IGNORE, String(b"")), kexinit("curve25519-sha256", "kex-strict-c-v00@openssh.com"))
    assert raw.ended()


# --- SSH-02 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "early",
    [
        packet(MSG_USERAUTH_REQUEST, String(b"deploy@web1") + String(b"ssh-connection") + String(b"none")),
        packet(MSG_USERAUTH_SUCCESS),
        packet(MSG_CHANNEL_OPEN, String(b"session") + UInt32(0) + UInt32(1 << 20) + UInt32(32768)),
        packet(MSG_GLOBAL_REQUEST, String(b"tcpip-forward") + Boolean(True) + String(b"") + UInt32(0)),
        packet(MSG_SERVICE_ACCEPT, String(b"ssh-connection")),
    ],
    ids=["login", "success", "channel", "forward", "accept"],
)
def test_ssh_02_what_comes_before_the_key_exchange_ends_the_connection(gateway, early):
    gateway.recorder.mark()
    raw = Raw(gateway)
    raw.send(early)
    assert raw.ended()
    assert gateway.recorder.sent == b""


class Rogue(SSHClientConnection):
    """Says something of its own where it should ask to log in."""

    say = ()

    def send_service_request(self, service):
        self._auth_complete = True
        for kind, body in self.say:
            self.send_packet(kind, body)
        self._auth_complete = False
        super().send_service_request(service)


async def rogue(gateway, *say, client=Rogue):
    loop = asyncio.get_running_loop()
    options = asyncssh.SSHClientConnectionOptions(**client_options(gateway), host="127.0.0.1", port=gateway.port)
    options.waiter = loop.create_future()
    made = type("Made", (client,), {"say": say})
    _, connection = await loop.create_connection(lambda: made(loop, options, wait="auth"), "127.0.0.1", gateway.port)
    try:
        with pytest.raises((asyncssh.Error, OSError)):
            async with asyncio.timeout(60):
                await options.waiter
    finally:
        connection.abort()
        await connection.wait_closed()


@pytest.mark.parametrize(
    "early",
    [
        (MSG_CHANNEL_OPEN, String(b"session") + UInt32(0) + UInt32(1 << 20) + UInt32(32768)),
        (MSG_GLOBAL_REQUEST, String(b"tcpip-forward") + Boolean(True) + String(b"") + UInt32(0)),
        (MSG_USERAUTH_SUCCESS, b""),
    ],
    ids=["channel", "forward", "success"],
)
def test_ssh_02_what_comes_before_the_login_ends_the_connection(gateway, early):
    gateway.recorder.mark()
    asyncio.run(rogue(gateway, early))
    assert gateway.recorder.sent == b""


# --- SSH-04 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x7FFFFFFF, 1 << 20])
def test_ssh_04_a_packet_of_an_absurd_length_ends_the_connection(gateway, length):
    raw = Raw(gateway)
    raw.send(packet(MSG_IGNORE, bytes(64), length=length))
    assert raw.ended()


@pytest.mark.parametrize("size", [1, 1023])
def test_ssh_04_nobody_has_output_sent_in_crumbs(gateway, size):
    async def nibble():
        client = await connected(gateway)
        with pytest.raises((asyncssh.Error, OSError)):
            await client.create_process("head -c 100000000 /dev/zero", encoding=None, max_pktsize=size)
        client.abort()

    asyncio.run(asyncio.wait_for(nibble(), 60))


def test_ssh_04_a_byte_that_was_changed_on_the_wire_ends_the_connection(gateway):
    async def changed():
        client = await connected(gateway)
        process = await client.create_process("cat", encoding=None)
        seal = client._send_encryption.encrypt_packet

        def bent(*arguments):
            packet, mac = seal(*arguments)
            return packet[:9] + bytes([packet[9] ^ 1]) + packet[10:], mac

        client._send_encryption.encrypt_packet = bent
        process.stdin.write(bytes(100))
        with pytest.raises(asyncssh.MACError):
            await process.stdout.read()
        await client.wait_closed()

    asyncio.run(asyncio.wait_for(changed(), 60))


def test_ssh_04_channels_are_bounded_in_number(gateway):
    async def flood():
        async with await connected(gateway) as client:
            running = [await client.create_process("cat") for _ in range(64)]  # until nobody types any more
            with pytest.raises(asyncssh.ChannelOpenError):
                await client.create_process("cat")
            for one in running:
                one.close()
            await asyncio.gather(*(one.wait_closed() for one in running))
            assert (await client.run("echo on")).stdout == "on\n"

    asyncio.run(flood())


def test_ssh_04_endless_key_exchanges_end_the_connection(gateway):
    async def again_and_again():
        client = await connected(gateway)
        try:
            with pytest.raises((asyncssh.Error, OSError)):
                for _ in range(64):
                    client._send_kexinit()
                    client._kexinit_sent = True
                    while not client._kex_complete or client._kexinit_sent:
                        await asyncio.sleep(0)
                        if client.is_closed() or client._transport is None:
                            raise asyncssh.ConnectionLost("cut")
        finally:
            client.abort()
            await client.wait_closed()

    asyncio.run(asyncio.wait_for(again_and_again(), 100))


def memory(gateway):
    lines = Path(f"/proc/{gateway.process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) // 1024


def test_ssh_04_a_window_that_is_never_read_makes_the_gateway_hold_nothing(gateway):
    async def deaf():
        async with await connected(gateway) as client:
            before = memory(gateway)
            process = await client.create_process("head -c 300000000 /dev/zero", encoding=None, window=1 << 31)
            await process.stdout.read(1)
            client._transport.pause_reading()
            await asyncio.sleep(2)
            assert memory(gateway) < before + 40
            client.abort()

    asyncio.run(deaf())


def test_ssh_04_a_window_sent_byte_by_byte_into_a_hold_is_bounded(gateway, tmp_path):
    async def drip():
        async with await connected(gateway, groups=("crew-operators",)) as client:
            process = await client.create_process(f"touch {tmp_path / 'x'}", encoding=None)
            await process.stderr.readline()
            before = memory(gateway)
            for _ in range(100):
                for _ in range(1000):
                    process.channel._send_buf.append((bytearray(b"x"), None))
                    process.channel._send_buf_len += 1
                    process.channel._flush_send_buf()
                await asyncio.sleep(0)
            await asyncio.sleep(0.5)
            assert memory(gateway) < before + 20
            client.abort()

    asyncio.run(drip())


# --- SSH-06, SSH-07, SSH-08 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "$(printf '\\162\\155') -rf /tmp/nothing",
        'bash -c "$(echo cm0gLXJmIC8K | base64 -d)"',
        "eval echo hi",
        "r''m -rf /tmp/nothing",
        "echo ${IFS}hi",
        "python3 -c 'print(1)'",
        "echo hi; rm -rf /tmp/nothing",
        "echo hi | sh",
        "env rm -rf /tmp/nothing",
    ],
)
def test_ssh_06_an_obfuscated_command_does_not_begin(gateway, command):
    gateway.recorder.mark()
    done = gateway.ssh(command)
    assert done.returncode == 126
    assert done.stderr.startswith(b"doorward: refused: ")
    assert gateway.recorder.sent == b""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LD_PRELOAD", "/tmp/x.so"),
        ("PATH", "/tmp"),
        ("BASH_ENV", "/tmp/x"),
        ("GIT_SSH_COMMAND", "x"),
        ("PROMPT_COMMAND", "x"),
        ("LC_ALL", "C\x1b[31m"),
        ("LC_ALL", "ja_JP.SJIS"),
        ("TERM", "../../tmp/x"),
    ],
)
def test_ssh_08_a_variable_that_is_not_listed_does_not_arrive(gateway, name, value):
    async def ask():
        async with await connected(gateway) as client:
            return (await client.run(f"printf '%s' \"${name}\"", env={name: value, "TZ": "UTC"})).stdout

    assert value not in asyncio.run(ask())


def test_ssh_08_variables_are_bounded_in_number(gateway):
    async def ask():
        async with await connected(gateway) as client:
            many = {f"LC_{number}": "C" for number in range(5000)}
            return (await client.run("env | grep -c ^LC_", env=many)).stdout

    assert int(asyncio.run(ask())) <= 64


# --- SSH-10 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [b"exec", b"shell", b"subsystem", b"pty-req", b"env"])
def test_ssh_10_nothing_is_added_to_a_channel_that_runs(gateway, tmp_path, kind):
    bodies = {
        b"exec": String(f"touch {tmp_path / 'x'}"),
        b"shell": b"",
        b"subsystem": String(b"sftp"),
        b"pty-req": String(b"xterm") + UInt32(80) + UInt32(24) + UInt32(0) + UInt32(0) + String(b"\0"),
        b"env": String(b"TZ") + String(b"UTC"),
    }

    async def twice():
        async with await connected(gateway) as client:
            process = await client.create_process("cat")
            assert await process.channel._make_request(kind, bodies[kind]) is False
            process.stdin.write_eof()
            await process.wait()

    asyncio.run(twice())
    assert not (tmp_path / "x").exists()


def test_ssh_10_a_block_on_one_channel_opens_no_other(gateway):
    async def both():
        async with await connected(gateway, groups=("crew-operators",)) as client:
            refused = await client.run("rm -r /srv")
            allowed = await client.run("echo on")
            shell = await client.run(term_type="xterm")
            return refused.exit_status, allowed.stdout, shell.exit_status

    assert asyncio.run(both()) == (126, "on\n", 126)


def test_ssh_10_a_signal_during_a_hold_reaches_nobody(gateway, tmp_path):
    gateway.recorder.mark()

    async def impatient():
        async with await connected(gateway, groups=("crew-operators",)) as client:
            process = await client.create_process(f"touch {tmp_path / 'x'}")
            await process.stderr.readline()
            process.channel.send_signal("KILL")
            process.channel.send_break(100)
            process.channel.change_terminal_size(1, 1)
            assert (await client.run("echo on")).stdout == "on\n"
            client.abort()

    asyncio.run(impatient())
    assert not (tmp_path / "x").exists()


# --- SSH-07, SSH-13 --------------------------------------------------------------------------------------------------


def test_ssh_07_a_shell_s_input_is_declared_unseen_and_no_statement_is_claimed(own_ssh_gateway):
    gateway = own_ssh_gateway()
    gateway.ssh("-tt", stdin=b"e\x7fecho on\x17\x17echo off\nexit\n", groups=ANY)
    decided = wait_for(gateway, "operation.decided")
    assert [(entry.header["verb"], entry.header["unseen"]) for entry in decided] == [("shell", ["stdin"])]
    assert "echo" not in str(decided[0].payload)


def test_ssh_13_what_is_typed_without_echo_is_not_in_the_record(own_ssh_gateway):
    gateway = own_ssh_gateway(level="payload")

    async def typing():
        async with await connected(gateway) as client:
            process = await client.create_process("stty -echo; echo ready; read x; echo got ${#x}", term_type="xterm")
            await process.stdout.readline()
            process.stdin.write("hunter2secret\n")
            assert "got 13" in await process.stdout.readline()

    asyncio.run(typing())
    wait_for(gateway, "session.closed")
    assert b"got 13" in b"".join(entry.payload["data"] for entry in gateway.entries("stream.chunk"))
    assert not any(b"hunter2secret" in repr(entry).encode() for entry in gateway.entries())


def wait_for(gateway, kind, within_s=60):
    end = time.monotonic() + within_s
    while not (found := gateway.entries(kind)):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


# --- SSH-15 ----------------------------------------------------------------------------------------------------------


def other_key(folder):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "other")], check=True)
    return " ".join((folder / "other.pub").read_text().split()[:2])


def test_ssh_15_a_target_with_another_key_gets_nothing(own_ssh_gateway, tmp_path):
    key = other_key(tmp_path)
    (tmp_path / "known").write_text(f"[127.0.0.1]:1 {key}\n")
    for known in (f"host_key: {key}", f"host_ca: {key}", f"known_hosts: {tmp_path / 'known'}"):
        gateway = own_ssh_gateway(known=f"{known}, connect_timeout: 10m")  # it is said at once, and not by a deadline
        done = gateway.ssh("echo", "hello")
        assert (done.returncode, done.stdout) == (255, b"")
        assert b"doorward: the target is not available" in done.stderr
        assert "accepted" not in gateway.target.log().lower()
        gateway.stop()


def test_ssh_15_no_sha1_signature_of_a_host_is_asked_for():
    assert "ssh-rsa" not in algorithms.SIGNATURES
    assert not any("sha1" in name for name in (*algorithms.KEX_TARGETS, *algorithms.MACS))
