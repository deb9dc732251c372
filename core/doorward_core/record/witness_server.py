"""A witness as a process: keeps what it cosigned last, answers, and keeps evidence against a log that has two faces.

Implements docs/spec/event-log.md section 7.2 and C2SP tlog-witness (`POST add-checkpoint`); `record.witness` decides.
A trio shell over files. It will not keep entries, or anything else of a log but its newest checkpoint.

| path below `state` | what |
|---|---|
| `<SHA-256 of the origin, hex>.checkpoint` | the note that was cosigned last, and the cosignature |
| `evidence/<digest>.txt` | two notes that cannot both be true, and what is wrong |
| `lock` | taken by the one process |

Invariants: a checkpoint is on stable storage before its cosignature leaves; an origin's requests are decided one at a
time; what is read back must carry this witness's own signature, or it does not start.
Cancelled between keeping and answering, it holds a checkpoint whose cosignature nobody has: it is asked for it again.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
import trio

from doorward_core.config import Door
from doorward_core.errors import RecordError
from doorward_core.net import listen
from doorward_core.net.control import Call, ControlServer, Problem, Reply, Route
from doorward_core.net.tls import ServerTls
from doorward_core.record.checkpoint import COSIGNATURE, CheckpointError, parse_text, split
from doorward_core.record.cosign import cosign, cosignatures
from doorward_core.record.journal import replace_file, sync_folder
from doorward_core.record.keys import signing_key
from doorward_core.record.witness import (
    TEXT_TYPE,
    Held,
    Request,
    RequestError,
    Verdict,
    consider,
    evidence,
    own_lines,
    read_request,
)
from doorward_core.record.witness_settings import WitnessSettings

MAX_EVIDENCE: Final = 1000
"""Whoever holds a log's key could otherwise fill the disk with pairs; the first of them say all."""
_MAX_KEPT_BYTES: Final = 1024 * 1024
_SUFFIX: Final = ".checkpoint"
CANNOT_KEEP: Final = "this witness cannot keep what it would cosign"

log = structlog.get_logger()


class Witness:
    """One witness. Make it once for a state folder; `close` lets go of that."""

    def __init__(self, settings: WitnessSettings, clock: Callable[[], int] = time.time_ns) -> None:
        """Raises RecordError where the key or what was kept cannot be used."""
        self._settings = settings
        self._clock = clock
        self._unkept = False
        settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _take_lock(settings.state)
        try:
            if not settings.key.exists():
                raise RecordError(f"there is no key at {settings.key}; `doorward witness init` makes one")  # noqa: TRY301
            self._key, self.vkey = signing_key(settings.key, settings.name, COSIGNATURE)
            self._held = {origin: self._load(origin) for origin in settings.logs}
        except BaseException:
            self.close()
            raise
        self._turns = {origin: trio.Lock() for origin in settings.logs}

    def close(self) -> None:
        """Let go of the state folder."""
        os.close(self._lock)

    def _place(self, origin: str) -> Path:
        return self._settings.state / (hashlib.sha256(origin.encode()).hexdigest() + _SUFFIX)

    def _load(self, origin: str) -> Held:
        """What was cosigned last; a file that this witness did not sign would let it cosign a fork."""
        path = self._place(origin)
        if not path.exists():
            return Held()
        with path.open("rb") as file:
            note = file.read(_MAX_KEPT_BYTES)
        useless = f"{path}: what was cosigned last for {origin} cannot be used: "
        try:
            text, _ = split(note)
            checkpoint = parse_text(text)
            signed = cosignatures(text, note[len(text) + 1 :], (self.vkey,))
        except CheckpointError as error:
            raise RecordError(f"{useless}{error}") from error
        if checkpoint.origin != origin or not signed:
            raise RecordError(f"{useless}it is not signed by this witness's key, or is of another origin")
        return Held(checkpoint.size, checkpoint.root, note)

    def routes(self) -> tuple[Route, ...]:
        """What it answers. All but the first are ours: what it holds, for whoever compares, and whether it can keep."""
        return (
            Route("POST", "/add-checkpoint", self._add, public=True),
            Route("GET", "/checkpoints/{digest}", self._show, public=True),
            Route("GET", "/healthz", self._health, public=True),
        )

    async def _health(self, _call: Call) -> Reply:
        """Red from a checkpoint that could not be kept until one is: a full disk shows here, and repairs itself."""
        await trio.lowlevel.checkpoint()
        if self._unkept:
            raise Problem(503, CANNOT_KEEP)
        return Reply(200, b"ok\n", TEXT_TYPE)

    async def _show(self, call: Call) -> Reply:
        await trio.lowlevel.checkpoint()
        for origin, held in self._held.items():
            if held.note and hashlib.sha256(origin.encode()).hexdigest() == call.parameters["digest"]:
                return Reply(200, held.note, TEXT_TYPE)
        raise Problem(404, "nothing was cosigned under that name: it is the SHA-256 of an origin, in hex")

    async def _add(self, call: Call) -> Reply:
        try:
            request = read_request(call.body)
        except RequestError as error:
            raise Problem(400, str(error)) from error
        origin = request.checkpoint.origin
        if origin not in self._turns:
            return _answer(consider(request, (), Held()))
        async with self._turns[origin]:
            verdict = consider(request, self._settings.logs[origin], self._held[origin])
            if verdict.finding is not None:
                await self._accuse(origin, request, verdict)
            if verdict.status != 200:  # noqa: PLR2004 - HTTP's word for yes
                return _answer(verdict)
            return Reply(200, await self._cosign(origin, request), TEXT_TYPE)

    async def _cosign(self, origin: str, request: Request) -> bytes:
        """Sign, keep, and only then give the line.

        Crash before the rename: the older checkpoint is held. After it: this one, whose line nobody was given.
        """
        kept = own_lines(request.note, self._settings.logs[origin])
        line = cosign(request.checkpoint.text(), self._settings.name, self._key, self._clock() // 1_000_000_000)
        if request.checkpoint.size != self._held[origin].size or not self._held[origin].note:
            await self._keep(self._place(origin), kept + line)
            self._held[origin] = Held(request.checkpoint.size, request.checkpoint.root, kept + line)
        return line

    async def _accuse(self, origin: str, request: Request, verdict: Verdict) -> None:
        """Keep both notes. Each pair is kept once, however often it is offered."""
        assert verdict.finding is not None
        text = evidence(self._held[origin], request, verdict.finding)
        folder = self._settings.state / "evidence"
        path = folder / (hashlib.sha256(text).hexdigest()[:32] + ".txt")
        size, held = request.checkpoint.size, self._held[origin].size
        log.error("witness.refused", origin=origin, why=verdict.finding.value, size=size, held=held, evidence=str(path))
        folder.mkdir(mode=0o700, exist_ok=True)
        if not path.exists() and sum(1 for _ in folder.iterdir()) < MAX_EVIDENCE:
            await self._keep(path, text)

    async def _keep(self, path: Path, data: bytes) -> None:
        """Put a file in place durably; what fails is told, and nothing is cosigned."""
        try:
            await trio.to_thread.run_sync(lambda: replace_file(path, data, mode=0o600))
        except OSError as error:
            self._unkept = True
            log.warning("witness.not_kept", problem=f"{error.strerror}: {path}")
            raise Problem(503, CANNOT_KEEP) from error
        self._unkept = False


def _answer(verdict: Verdict) -> Reply:
    return Reply(verdict.status, f"{verdict.words}\n".encode(), verdict.content_type)


def _take_lock(folder: Path) -> int:
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        raise RecordError(f"{folder} is in use by another witness") from error
    sync_folder(folder)
    return fd


async def serve(
    settings: WitnessSettings, *, task_status: trio.TaskStatus[listen.Server] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve until cancelled. Raises RecordError or ConfigError where it cannot begin."""
    witness = Witness(settings)
    try:
        place = settings.listen
        tls = ServerTls(place.tls.certificate, place.tls.key) if place.tls is not None else None
        opened = _open(place)
        server = ControlServer(witness.routes(), tls=tls, proof_in_body=True).server([opened], _on_error)
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve)
            log.info("witness.ready", name=settings.name, vkey=witness.vkey, logs=len(settings.logs), at=opened.name)
            task_status.started(server)
    finally:
        witness.close()


def _open(place: Door) -> listen.Listener:
    if place.unix is not None:
        return listen.open_unix(place.unix)
    assert place.address is not None
    assert place.port is not None
    return listen.open_tcp(place.address, place.port)


def _on_error(error: BaseException, peer: object) -> None:
    if not isinstance(error, trio.TooSlowError):
        log.error("connection.failed", kind=type(error).__name__, peer=getattr(peer, "address", ""))
