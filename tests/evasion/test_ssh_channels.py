"""SSH-03, 08, 09, 10, 11, 12 of the threat model: what a client of its own making does with channels.

Clients here are asyncssh's, which say what no real client says; each test ends with a well-behaved ssh that is served.
"""

import asyncio
import contextlib

import asyncssh
import pytest
import ssh_stack
from asyncssh.packet import Boolean, String, UInt32

from doorward_core.event import EventKind

pytestmark = pytest.mark.need_sshd

SEEN = """\
version: 1
rules:
  - {id: all, effect: allow, who: {groups: [seen]}, resource: web1, do: [any]}
masks:
  - {id: pii, resource: web1, detect: [email, card], with: partial, strict: true}
"""


@pytest.fixture
def gateway(ssh_gateway):
    yield ssh_gateway
    done = ssh_gateway.ssh("echo", "served")
    assert (done.returncode, done.stdout) == (0, b"served\n")


@pytest.fixture
def seen(own_ssh_gateway):
    """A gateway where everything is allowed, and nothing shown in clear."""
    return own_ssh_gateway(policy=SEEN)


def run(work, seconds=100):
    return asyncio.run(asyncio.wait_for(work, seconds))


# --- SSH-09: what is never forwarded is on record ------------------------------------------------------------------


def refused_kinds(gateway):
    return [
        entry.payload["atoms"][0]["kind"]
        for entry in gateway.entries(EventKind.OPERATION_DECIDED)
        if entry.header["verdict"] == "deny"
    ]


def test_ssh_09_an_agent_and_x11_are_refused_and_each_is_on_record_once(own_ssh_gateway):
    gateway = own_ssh_gateway()
    x11 = Boolean(False) + String(b"MIT-MAGIC-COOKIE-1") + String(b"00" * 16) + UInt32(0)

    async def ask():
        async with await gateway.connected() as client:
            process = await client.create_process("cat")
            made = process.channel._make_request
            answers = [await made(b"auth-agent-req@openssh.com"), await made(b"x11-req", x11)]
            answers += [await made(b"auth-agent-req@openssh.com"), await made(b"x11-req", x11)]
            process.stdin.write_eof()
            await process.wait()
            return answers

    assert run(ask()) == [False] * 4
    assert sorted(refused_kinds(gateway)) == ["agent", "x11"]


def test_ssh_09_a_tunnel_is_refused_and_on_record(own_ssh_gateway):
    gateway = own_ssh_gateway()

    async def ask():
        async with await gateway.connected() as client:
            with pytest.raises(asyncssh.ChannelOpenError):
                await client.create_tun(asyncssh.SSHTunTapSession)

    run(ask())
    gateway.stop()
    assert refused_kinds(gateway) == ["tunnel"]


# --- SSH-10: requests in any order -----------------------------------------------------------------------------------


def test_ssh_10_a_channel_whose_command_has_ended_runs_nothing_more(gateway, tmp_path):
    async def again():
        async with await gateway.connected() as client:
            process = await client.create_process("cat")
            process.stdin.write_eof()
            channel = process.channel
            answers = [channel._make_request(b"exec", String(f"touch {tmp_path / 'x'}")) for _ in range(20)]
            return [answer for answer in await asyncio.gather(*answers, return_exceptions=True) if answer is True]

    assert run(again()) == []
    assert not (tmp_path / "x").exists()


def test_ssh_10_a_thousand_channels_that_say_nothing_are_bounded(gateway):
    async def flood():
        async with await gateway.connected() as client:
            opened = refused = 0
            for _ in range(1000):
                channel = asyncssh.channel.SSHClientChannel(
                    client, client._loop, "strict", None, "strict", 1 << 21, 1 << 15
                )
                try:
                    await channel._open(b"session")
                    opened += 1
                except asyncssh.ChannelOpenError:
                    refused += 1
            return opened, refused

    assert run(flood()) == (64, 936)


# --- SSH-11: what was held is what runs ------------------------------------------------------------------------------


def test_ssh_11_the_environment_of_what_is_held_does_not_change(gateway, tmp_path):
    path = tmp_path / "x"

    async def change():
        async with await gateway.connected(groups=("crew-operators",)) as client:
            process = await client.create_process(f"touch {path}", env={"TZ": "UTC"})
            await process.stderr.readline()
            for kind, body in ((b"env", String(b"TZ") + String(b"EST")), (b"exec", String(b"rm -r /srv"))):
                assert await process.channel._make_request(kind, body) is False
            client.abort()

    run(change())
    assert not path.exists()


# --- SSH-12 and beyond: bytes that are no text -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        b"echo \xff\xfe",
        b"echo a\0b",
        b"\0",
        b"touch '{path}'\xc3",
        b"echo " + b"x" * 200_000,
        b"echo " + b"x" * 1_000_000,
    ],
    ids=["latin", "nul", "only nul", "cut", "200 KB", "1 MB"],
)
def test_ssh_06_a_command_that_is_no_text_or_has_no_end_does_not_begin(gateway, tmp_path, command):
    path = tmp_path / "x"
    answer = asked(gateway, b"exec", command.replace(b"{path}", str(path).encode()))
    assert answer == ("cut" if len(command) > 300_000 else 126)
    assert not path.exists()


def asked(gateway, kind, what):
    """The exit status of what is asked for on a channel of its own; "no" where it is not answered with one."""

    async def ask():
        async with await gateway.connected(groups=("crew-operators",)) as client:
            channel = asyncssh.channel.SSHClientChannel(
                client, client._loop, "strict", None, "strict", 1 << 21, 1 << 15
            )
            await channel._open(b"session")
            try:
                if not await channel._make_request(kind, String(what)):
                    return "no"
                await channel.wait_closed()
            except (asyncssh.Error, OSError):
                return "cut"
            return channel.get_exit_status()

    return run(ask())


@pytest.mark.parametrize("name", [b"sftp\0", b"SFTP", b"\xff", b"", b"sftp " * 20_000])
def test_ssh_05_a_subsystem_is_named_exactly(gateway, name):
    assert asked(gateway, b"subsystem", name) in {126, "no"}


# --- masks: one value, cut and mixed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        "printf ana.; sleep 0.05; printf beck@; sleep 0.05; printf 'shop.example\\n'",
        "for c in a n a . b e c k @ s h o p . e x a m p l e; do printf $c; printf . >&2; done; echo",
        "printf 'ana.beck@shop' ; printf 'noise\\n' >&2; printf '.example\\n'",
        "head -c 65530 /dev/zero | tr '\\0' ' '; echo ana.beck@shop.example",
    ],
    ids=["slowly", "letter by letter", "between two of stderr", "across a packet"],
)
def test_a_value_that_comes_in_pieces_is_masked(seen, command):
    done = seen.ssh(command, groups=("seen",))
    assert done.returncode == 0, done
    assert b"ana.beck" not in done.stdout
    assert b"@" in done.stdout


# --- SSH-03: credentials ---------------------------------------------------------------------------------------------


def test_ssh_03_a_certificate_of_another_gateway_is_none(own_ssh_gateway):
    ours, theirs = own_ssh_gateway(), own_ssh_gateway()
    key = theirs.certificate(groups=("anything",))
    assert theirs.ssh("true", key=key).returncode == 0
    assert ours.ssh("true", key=key).returncode == 255


def test_ssh_03_a_connection_does_not_outlive_the_token_that_it_came_from(own_ssh_gateway):
    gateway = own_ssh_gateway(config=ssh_stack.CONFIG.replace("max_age: 1h", "skew: 1s, max_age: 1h"))

    async def stay(token):
        async with await gateway.connected(client_keys=None, password=token) as client:
            process = await client.create_process("echo up; read word")
            return await process.stdout.readline(), await process.stderr.read()

    for lifetime_s in (4, 12, 40):  # the shortest in which a command begins, however long that takes here
        with contextlib.suppress(asyncssh.Error, OSError):
            up, said = run(stay(gateway.token(groups=("anything",), lifetime_s=lifetime_s)))
            if up:
                break
    assert (up, "the credential of this session has expired" in said) == ("up\n", True)
