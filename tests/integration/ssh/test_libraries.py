"""Libraries that log in with a token of two kilobytes, and a connection that ends with the token that opened it."""

import asyncio
import time

import asyncssh
import paramiko
import pytest
from ssh_stack import CONFIG

pytestmark = pytest.mark.need_sshd
# What paramiko waits for by itself is over after 15 and 30 s.
PATIENT = {"timeout": 300, "banner_timeout": 300, "auth_timeout": 300}


def long_token(gateway, **how):
    """What identity providers give to somebody in many groups."""
    token = gateway.token(groups=("anything", *(f"team-{number:03}-of-the-department" for number in range(70))), **how)
    assert len(token) > 2048
    return token


def test_paramiko_runs_a_command_with_a_token_as_password(ssh_gateway):
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        client.connect(
            "127.0.0.1", ssh_gateway.port, ssh_gateway.user, long_token(ssh_gateway),
            look_for_keys=False, allow_agent=False, **PATIENT,
        )  # fmt: skip
        _, out, err = client.exec_command("cat /etc/hostname >/dev/null; echo out; echo err >&2; exit 7", timeout=60)
        assert (out.read(), err.read()) == (b"out\n", b"err\n")
        assert out.channel.recv_exit_status() == 7


def test_paramiko_answers_the_one_question_of_keyboard_interactive(ssh_gateway):
    token = long_token(ssh_gateway)
    with paramiko.Transport(("127.0.0.1", ssh_gateway.port)) as transport:
        transport.banner_timeout = transport.auth_timeout = PATIENT["timeout"]
        transport.start_client(timeout=PATIENT["timeout"])
        asked = []

        def answers(_title, _words, prompts):
            asked.extend(prompts)
            return [token for _ in prompts]

        transport.auth_interactive(ssh_gateway.user, answers)
        assert [echo for _, echo in asked] == [False]
        channel = transport.open_session(timeout=60)
        channel.exec_command("echo in")
        assert channel.makefile().read() == b"in\n"


def test_paramiko_is_told_that_a_token_is_not_good(ssh_gateway):
    with paramiko.SSHClient() as client:
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
        with pytest.raises(paramiko.AuthenticationException):
            client.connect(
                "127.0.0.1", ssh_gateway.port, ssh_gateway.user, long_token(ssh_gateway)[:-4] + "AAAA",
                look_for_keys=False, allow_agent=False, **PATIENT,
            )  # fmt: skip


def connected(gateway, token):
    return asyncssh.connect(
        "127.0.0.1", gateway.port, username=gateway.user, password=token, client_keys=None, agent_path=None,
        config=None, known_hosts=str(gateway.known_hosts()),
    )  # fmt: skip


def test_asyncssh_runs_commands_side_by_side_with_a_token(ssh_gateway):
    async def run():
        async with connected(ssh_gateway, long_token(ssh_gateway)) as client:
            done = await asyncio.gather(*(client.run(f"cat; exit {code}", input=f"{code}") for code in range(10)))
            assert [(one.stdout, one.exit_status) for one in done] == [(f"{code}", code) for code in range(10)]

    asyncio.run(run())


def test_a_connection_ends_with_the_token_that_opened_it_and_so_does_what_runs(own_ssh_gateway):
    gateway = own_ssh_gateway(config=CONFIG.replace("max_age: 1h", "max_age: 1h, skew: 1s"))

    async def run(token):
        async with connected(gateway, token) as client:
            process = await client.create_process("echo up; read word")
            if await process.stdout.readline() != "up\n":
                return False
            assert "expired" in await process.stderr.readline()
            await client.wait_closed()
            return True

    # The shortest in which a command begins, however long that takes here.
    assert any(_lived(run(long_token(gateway, lifetime_s=lifetime_s))) for lifetime_s in (4, 12, 40))
    end = time.monotonic() + 60
    while not (closed := gateway.entries("session.closed")):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert {entry.header["reason"] for entry in closed} == {"the credential expired"}


def _lived(work):
    """Whether it began before its token was over."""
    try:
        return asyncio.run(asyncio.wait_for(work, 60))
    except (asyncssh.Error, OSError):
        return False


def test_a_connection_that_carries_nothing_is_ended_and_one_that_does_is_not(own_ssh_gateway):
    gateway = own_ssh_gateway(config=CONFIG + "limits: {{idle: 4s}}\n")
    token = long_token(gateway)

    async def run():
        busy, process = await reading(gateway, token)
        async with busy:
            async with connected(gateway, token) as idle:  # which came later, so that the other has been there longer
                await idle.wait_closed()
            process.stdin.write("still\n")
            assert await process.stdout.readline() == "still\n"
            await busy.wait_closed()

    asyncio.run(run())
    end = time.monotonic() + 60
    while len(closed := gateway.entries("session.closed")) < 2 or len(closed) < len(gateway.entries("session.opened")):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert {entry.header["reason"] for entry in closed} == {"idle for too long"}


async def reading(gateway, token):
    """A connection on which a command runs, and the command; on a busy machine one may idle for too long before that."""
    while True:
        client = await connected(gateway, token)
        try:
            process = await client.create_process("echo up; read word; echo $word")
            if await process.stdout.readline() == "up\n":
                return client, process
        except (asyncssh.Error, OSError):
            pass
        client.close()
        await client.wait_closed()
