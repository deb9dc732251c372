"""The target's credentials: had when needed, from where the operator keeps them.

What it is: `resolve_secret` (environment, file, or any secret manager's own program) and `SecretKeeper`, which asks a
program again only after its `ttl`.
What it will not do: show a secret, or what a failing program printed: either may end up in a log.

Invariants: bounded in size and time; one program runs at a time per source; one line end is taken off, nothing else.
A secret that cannot be had raises UpstreamUnavailable: the connection that needs it ends, and the next one asks again.
Cancellation ends the program that was asked and leaves the keeper as it was.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import trio

from doorward_core.errors import UpstreamUnavailable
from doorward_core.model import Secret

MAX_SECRET_BYTES = 65_536
"""A PEM bundle fits; a file named by mistake does not fill the memory."""
EXEC_TIMEOUT_S = 15.0
"""A secret manager that needs longer than a login may take is down."""

_NS_PER_S = 1_000_000_000


class SecretUnavailable(UpstreamUnavailable):
    """A secret cannot be had. The message is for operators: it says where the secret should have been."""


class SecretSource(Protocol):
    """Where a secret is to be had: exactly one of `env`, `file` and `exec` is set; `ttl` is in seconds.

    `doorward_core.config.SecretSource` is one.
    """

    @property
    def env(self) -> str | None:
        """An environment variable's name."""

    @property
    def file(self) -> Path | None:
        """A file that holds the secret and nothing else."""

    @property
    def exec(self) -> tuple[str, ...] | None:
        """A program and its arguments, which prints the secret and nothing else; no shell reads it."""

    @property
    def ttl(self) -> float | None:
        """How long what a file or a program gave may be used again; None asks each time."""


async def resolve_secret(source: SecretSource) -> Secret:
    """Get a secret from its source, now. Raises UpstreamUnavailable."""
    if source.env is not None:
        value = os.environ.get(source.env)
        if value is None:
            raise SecretUnavailable(f"a secret cannot be had: environment variable {source.env} is not set")
        return _checked(value, f"environment variable {source.env}")
    if source.file is not None:
        return _decoded(await _from_file(source.file), f"file {source.file}")
    if source.exec is not None:
        return _decoded(await _from_program(source.exec), f"program {source.exec[0]}")
    raise SecretUnavailable("a secret cannot be had: no source is configured")


def missing(source: SecretSource) -> str:
    """What keeps a secret from being had, as far as one can see without having it; empty where nothing does."""
    if source.env is not None:
        value = os.environ.get(source.env)
        return "" if value else f"environment variable {source.env} is {'not set' if value is None else 'empty'}"
    if source.file is not None:
        return _missing_file(source.file)
    program = source.exec[0] if source.exec else ""
    return "" if shutil.which(program) else f"program {program} is not there, or may not be run"


def _missing_file(path: Path) -> str:
    """The same for a file. Only one that is too short for more than a line's end is looked into."""
    try:
        if path.is_dir() or not os.access(path, os.R_OK):
            return f"file {path} cannot be read"
        size = path.stat().st_size if path.is_file() else MAX_SECRET_BYTES  # a pipe is left alone
        if size <= len(b"\r\n") and not path.read_bytes().strip(b"\r\n"):
            return f"file {path} is empty"
    except OSError:
        return f"file {path} cannot be read"
    return f"file {path} has more than {MAX_SECRET_BYTES} bytes" if size > MAX_SECRET_BYTES else ""


class SecretKeeper:
    """Remembers what a source gave for its `ttl`. `clock` gives nanoseconds since the epoch."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._known: dict[int, tuple[SecretSource, Secret, int]] = {}
        self._asking: dict[int, trio.Lock] = {}

    async def get(self, source: SecretSource) -> Secret:
        """The secret of a source: remembered, or had now. Raises UpstreamUnavailable."""
        if source.ttl is None:
            return await resolve_secret(source)
        known = self._fresh(source)
        if known is not None:
            return known
        # By identity: sources come from the configuration, and `_known` keeps each alive, so that no id is reused.
        key = id(source)
        async with self._asking.setdefault(key, trio.Lock()):
            known = self._fresh(source)
            if known is None:
                now = self._clock()
                known = await resolve_secret(source)
                self._known[key] = (source, known, now)
            return known

    def _fresh(self, source: SecretSource) -> Secret | None:
        """What is remembered, if it is young enough."""
        known = self._known.get(id(source))
        # A clock that went back makes a secret look younger than it is; it is then asked for again.
        if known is None or not known[2] <= self._clock() < known[2] + int((source.ttl or 0) * _NS_PER_S):
            return None
        return known[1]

    def forget(self, source: SecretSource) -> None:
        """Ask again next time: the target refused what was remembered."""
        self._known.pop(id(source), None)


async def _from_file(path: Path) -> bytes:
    try:
        async with await trio.open_file(path, "rb") as file:
            data: bytes = await file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise SecretUnavailable(f"a secret cannot be had: file {path}: {error.strerror}") from None
    return data


async def _from_program(argv: tuple[str, ...]) -> bytes:
    """What a program prints. Its stderr is thrown away: it may repeat what it was about to print."""
    command = list(argv)
    what = f"a secret cannot be had: program {argv[0]}"
    data = bytearray()
    try:
        async with trio.open_nursery() as nursery:
            with trio.fail_after(EXEC_TIMEOUT_S):
                process: trio.Process = await nursery.start(_run, command)
                assert process.stdout is not None
                while len(data) <= MAX_SECRET_BYTES and (piece := await process.stdout.receive_some()):
                    data += piece
                if len(data) > MAX_SECRET_BYTES:
                    nursery.cancel_scope.cancel()
                else:
                    await process.wait()
    except* OSError as group:
        first = _first(group)
        reason = first.strerror if isinstance(first, OSError) else str(first)
        raise SecretUnavailable(f"{what}: {reason}") from None
    except* trio.TooSlowError:
        raise SecretUnavailable(f"{what} took longer than {EXEC_TIMEOUT_S:g} seconds") from None
    if len(data) <= MAX_SECRET_BYTES and process.returncode != 0:
        raise SecretUnavailable(f"{what} ended with {process.returncode}")
    return bytes(data)


async def _run(command: list[str], task_status: trio.TaskStatus[trio.Process] = trio.TASK_STATUS_IGNORED) -> None:
    """Run a program under the caller's nursery; cancelling kills it."""
    await trio.run_process(
        command,
        stdin=b"",
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
        task_status=task_status,
    )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _decoded(data: bytes, where: str) -> Secret:
    if len(data) > MAX_SECRET_BYTES:
        raise SecretUnavailable(f"a secret cannot be had: {where} gives more than {MAX_SECRET_BYTES} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise SecretUnavailable(f"a secret cannot be had: {where} does not give UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    return _checked(text, where)


def _checked(text: str, where: str) -> Secret:
    if not text or "\x00" in text:
        raise SecretUnavailable(f"a secret cannot be had: {where} gives none")
    return Secret(text)
