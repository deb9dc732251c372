"""Many at once, and more than four gigabytes: what a gateway holds does not grow with either."""

import asyncio
import contextlib
import hashlib
import os
import subprocess
from pathlib import Path

import asyncssh
import pytest

pytestmark = [pytest.mark.need_sshd, pytest.mark.slow]
ANY = {"groups": ("anything",)}
SHELLS, TRANSFERS = 100, 10
MIB = 1 << 20
PIECE = 40 * MIB
FAR = 4096 * MIB  # beyond 32 bits


def memory(process):
    """What the process holds, in MiB."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) // 1024


async def _shell(gateway, key):
    """A connection of its own with a shell in a terminal that waits for somebody to type."""
    pair = (asyncssh.read_private_key(key), asyncssh.read_certificate(f"{key}-cert.pub"))
    client = await asyncssh.connect(
        "127.0.0.1", gateway.port, username=gateway.user, client_keys=[pair], agent_path=None, config=None,
        known_hosts=str(gateway.known_hosts()),
    )  # fmt: skip
    process = await client.create_process(term_type="dumb", encoding=None)
    process.stdin.write(b"stty -echo; PS1=; echo re''ady\n")
    await process.stdout.readuntil(b"ready")
    return client, process


async def _transfer(gateway, number):
    """Half of them one way, half the other; what arrived."""
    down = number % 2 == 0
    text = b"%d" % number * 64
    fill = f"yes {text.decode()} | head -c {PIECE}"
    words = gateway.command(fill if down else "sha256sum", **ANY)
    process = await asyncio.create_subprocess_exec(
        *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    line = text + b"\n"
    whole = line * (PIECE // len(line) + 1)
    expected = hashlib.sha256(whole[:PIECE]).hexdigest()
    if not down:
        said, _ = await process.communicate(whole[:PIECE])
        return said.split()[0].decode() == expected
    process.stdin.close()
    sha = hashlib.sha256()
    while piece := await process.stdout.read(MIB):
        sha.update(piece)
    await process.wait()
    return sha.hexdigest() == expected


@contextlib.asynccontextmanager
async def _shells(gateway, count):
    """So many shells, eight of them being made at a time."""
    key, room = gateway.certificate(**ANY), asyncio.Semaphore(8)

    async def one():
        async with room:
            return await _shell(gateway, key)

    shells = await asyncio.gather(*(one() for _ in range(count)))
    try:
        yield shells
    finally:
        for client, _ in shells:
            client.abort()
        await asyncio.gather(*(client.wait_closed() for client, _ in shells))


def test_a_hundred_idle_shells_and_ten_transfers_grow_nothing(own_ssh_gateway):
    gateway = own_ssh_gateway()

    async def run():
        async with _shells(gateway, SHELLS) as shells:
            assert all(await asyncio.gather(*(_transfer(gateway, number) for number in range(TRANSFERS))))
            before = memory(gateway.process)
            highest = before
            for _ in range(2):
                running = asyncio.gather(*(_transfer(gateway, number) for number in range(TRANSFERS)))
                while not running.done():
                    await asyncio.wait([running], timeout=0.1)
                    highest = max(highest, memory(gateway.process))
                assert all(running.result())
            assert highest < before + 40, "ten transfers have windows of 2 MiB, and nothing more"
            assert memory(gateway.process) < before + 20
            for _, process in shells:
                process.stdin.write(b"echo st''ill\n")
            await asyncio.gather(*(process.stdout.readuntil(b"still") for _, process in shells))
            return memory(gateway.process)

    assert asyncio.run(run()) < 400


def _sftp(gateway, *lines):
    words = ["sftp", *gateway.options(**ANY), "-P", str(gateway.port), "-b", "-", f"{gateway.user}@127.0.0.1"]
    text = "".join(f"{line}\n" for line in lines).encode()
    done = subprocess.run(words, input=text, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


def test_a_file_goes_on_beyond_four_gigabytes_both_ways(ssh_gateway, tmp_path):
    """Only the last part of it passes, so that the sizes and offsets are those of such a file, and the time is not."""
    there, here = tmp_path / "there", tmp_path / "here"
    tail = os.urandom(3 * MIB)
    for path, whole in ((there, True), (here, False)):
        with path.open("wb") as file:
            file.truncate(FAR - MIB)
            if whole:
                file.seek(FAR - MIB)
                file.write(tail)
    _sftp(ssh_gateway, f"reget {there} {here}")
    assert here.stat().st_size == FAR - MIB + len(tail)
    with here.open("rb") as file:
        file.seek(FAR - MIB)
        assert file.read() == tail
    with there.open("r+b") as file:
        file.truncate(FAR - MIB)
    _sftp(ssh_gateway, f"reput {here} {there}")
    with there.open("rb") as file:
        file.seek(FAR - MIB)
        assert file.read() == tail
