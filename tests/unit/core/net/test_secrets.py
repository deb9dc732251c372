import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from doorward_core import config
from doorward_core.errors import UpstreamUnavailable
from doorward_core.net import secrets
from doorward_core.net.secrets import MAX_SECRET_BYTES, SecretKeeper, SecretSource, missing, resolve_secret

CANARY = "hunter2-canary"


@dataclass
class Source:
    env: str | None = None
    file: Path | None = None
    exec: tuple[str, ...] | None = None
    ttl: float | None = None


def program(code, **more):
    return Source(exec=(sys.executable, "-c", code), **more)


async def refused(source):
    with pytest.raises(UpstreamUnavailable) as raised:
        await resolve_secret(source)
    assert CANARY not in str(raised.value)
    assert raised.value.__cause__ is None
    return str(raised.value)


def test_the_configurations_source_is_one():
    source: SecretSource = config.SecretSource(env="A")
    assert source.env == "A"


async def test_a_secret_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("DOORWARD_TEST_SECRET", CANARY)
    secret = await resolve_secret(Source(env="DOORWARD_TEST_SECRET"))
    assert secret.reveal() == CANARY
    assert CANARY not in repr(secret)
    monkeypatch.delenv("DOORWARD_TEST_SECRET")
    assert "DOORWARD_TEST_SECRET is not set" in await refused(Source(env="DOORWARD_TEST_SECRET"))


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"hunter2", "hunter2"),
        (b" hunter2 \n\n", " hunter2 \n"),
        ("pässwort\n".encode(), "pässwort"),
    ],
)
async def test_a_secret_comes_from_a_file_without_its_line_end(tmp_path, content, secret):
    (tmp_path / "s").write_bytes(content)
    assert (await resolve_secret(Source(file=tmp_path / "s"))).reveal() == secret


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "gives none"),
        (b"\n", "gives none"),
        (CANARY.encode() + b"\0", "gives none"),
        (CANARY.encode() + b"\xff", "does not give UTF-8"),
        (CANARY.encode() * 10_000, "more than 65536 bytes"),
    ],
)
async def test_a_file_that_holds_no_secret_is_refused(tmp_path, content, said):
    (tmp_path / "s").write_bytes(content)
    assert said in await refused(Source(file=tmp_path / "s"))


async def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "No such file" in await refused(Source(file=tmp_path / "none"))


async def test_a_secret_comes_from_a_program_that_no_shell_reads():
    source = Source(exec=(sys.executable, "-c", "import sys; print(sys.argv[1])", "$HOME; `id`"))
    assert (await resolve_secret(source)).reveal() == "$HOME; `id`"


async def test_a_program_that_fails_is_refused_and_its_words_are_not_repeated():
    code = f"import sys; print('{CANARY}'); print('{CANARY}', file=sys.stderr); sys.exit(3)"
    assert "ended with 3" in await refused(program(code))
    assert "No such file" in await refused(Source(exec=("/nowhere/vault",)))


async def test_a_program_that_says_too_much_is_ended():
    code = f"import sys\nwhile True: sys.stdout.write('{CANARY}' * 1000)"
    assert "more than 65536 bytes" in await refused(program(code))


async def test_a_program_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(secrets, "EXEC_TIMEOUT_S", 0.2)
    assert "took longer than" in await refused(program("import time; time.sleep(3600)"))


async def test_a_program_reads_no_input():
    assert (await resolve_secret(program("import sys; print(len(sys.stdin.read()))"))).reveal() == "0"


class Clock:
    now = 0

    def __call__(self):
        return self.now


def counting(tmp_path, **more):
    """A program that prints how often it was asked."""
    code = (
        f"import pathlib; p = pathlib.Path({str(tmp_path / 'n')!r}); p.open('a').write('x'); print(len(p.read_text()))"
    )
    return program(code, **more)


async def test_what_a_program_gave_is_used_again_for_its_ttl(tmp_path):
    clock = Clock()
    keeper = SecretKeeper(clock)
    source = counting(tmp_path, ttl=60.0)
    assert (await keeper.get(source)).reveal() == "1"
    clock.now = 59_999_999_999
    assert (await keeper.get(source)).reveal() == "1"
    clock.now = 60_000_000_000
    assert (await keeper.get(source)).reveal() == "2"
    keeper.forget(source)
    assert (await keeper.get(source)).reveal() == "3"
    clock.now = 0
    assert (await keeper.get(source)).reveal() == "4"


async def test_without_a_ttl_it_is_asked_each_time(tmp_path):
    keeper = SecretKeeper(Clock())
    source = counting(tmp_path)
    assert [(await keeper.get(source)).reveal() for _ in range(2)] == ["1", "2"]


async def test_many_who_ask_at_once_ask_once(tmp_path):
    keeper = SecretKeeper(Clock())
    source = counting(tmp_path, ttl=60.0)
    got = []

    async def ask():
        got.append((await keeper.get(source)).reveal())

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
    assert got == ["1"] * 5


async def test_a_failure_is_not_remembered(tmp_path):
    keeper = SecretKeeper(Clock())
    source = Source(file=tmp_path / "s", ttl=60.0)
    with pytest.raises(UpstreamUnavailable):
        await keeper.get(source)
    (tmp_path / "s").write_text("x")
    assert (await keeper.get(source)).reveal() == "x"


async def test_one_who_gives_up_waiting_ends_the_program_and_leaves_the_keeper_well(tmp_path):
    keeper = SecretKeeper(Clock())
    slow = program("import time; time.sleep(3600)", ttl=60.0)
    with trio.move_on_after(0.2) as scope:
        await keeper.get(slow)
    assert scope.cancelled_caught
    assert not keeper._asking[id(slow)].locked()


def test_what_is_missing_is_seen_without_having_it(tmp_path, monkeypatch):
    monkeypatch.delenv("APP_PASSWORD", raising=False)
    assert missing(Source(env="APP_PASSWORD")) == "environment variable APP_PASSWORD is not set"
    monkeypatch.setenv("APP_PASSWORD", CANARY)
    assert missing(Source(env="APP_PASSWORD")) == ""
    gone = tmp_path / "app.secret"
    assert missing(Source(file=gone)) == f"file {gone} cannot be read"
    gone.write_text(CANARY)
    assert missing(Source(file=gone)) == ""
    assert missing(program("raise SystemExit(1)")) == ""  # nothing is run for it


@pytest.mark.parametrize("content", ["", "\n", "\r\n"])
def test_what_is_there_and_empty_is_missing_too(tmp_path, monkeypatch, content):
    monkeypatch.setenv("APP_PASSWORD", "")
    assert missing(Source(env="APP_PASSWORD")) == "environment variable APP_PASSWORD is empty"
    path = tmp_path / "app.secret"
    path.write_text(content)
    assert missing(Source(file=path)) == f"file {path} is empty"
    path.write_text("x" + content)
    assert missing(Source(file=path)) == ""


def test_a_folder_a_huge_file_and_a_program_that_is_not_there_are_missing_too(tmp_path):
    assert missing(Source(file=tmp_path)) == f"file {tmp_path} cannot be read"
    huge = tmp_path / "huge"
    huge.write_bytes(b"x" * (MAX_SECRET_BYTES + 1))
    assert missing(Source(file=huge)) == f"file {huge} has more than {MAX_SECRET_BYTES} bytes"
    assert (
        missing(Source(exec=("no-such-program-here",)))
        == "program no-such-program-here is not there, or may not be run"
    )


def test_a_pipe_is_not_read_from(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert missing(Source(file=pipe)) == ""
