"""The gateway's side of witnesses: asks each of them to cosign the newest checkpoint, and stops traffic without them.

Implements docs/spec/event-log.md section 7.2; the client of C2SP tlog-witness.
A trio shell beside the log, never on its durable path: it reads the tree's files, and writes `checkpoint.cosigned` into
the second place once a quorum has signed.
It will not decide what a witness decides, nor follow redirects, nor take more than a bound from anybody.

Invariants: `checkpoint.cosigned` always carries a quorum, and its size never falls; who answers late, wrongly or not at
all is asked again later and later, up to a minute apart, and holds nobody else up; a witness that holds another history
is named in readiness and on record until it cosigns again.
Cancelled, it may leave a witness ahead of what is remembered here; that witness says so when it is asked again.
"""

import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import httpx2
import structlog
import trio

from doorward_core.config_witness import WitnessesSettings
from doorward_core.errors import ConfigError, RecordError
from doorward_core.event import Event, EventKind, Value
from doorward_core.net.bounded import read_at_most
from doorward_core.record.checkpoint import COSIGNATURE, Checkpoint, CheckpointError, parse_text, parse_vkey, split
from doorward_core.record.cosign import Cosignature, cosignatures
from doorward_core.record.journal import replace_file
from doorward_core.record.limits import Lag, Limits, Scope
from doorward_core.record.merkle import EMPTY_ROOT
from doorward_core.record.prove import consistency, tree_root
from doorward_core.record.tile_hashes import TileHashes
from doorward_core.record.tree_files import TreeFiles
from doorward_core.record.witness import write_request
from doorward_core.record.witness_answer import Answer, Behind, Conflict, Useless, quarrel_words, read_answer

COSIGNED: Final = "checkpoint.cosigned"
ASK_TIMEOUT_S: Final = 10.0
"""A witness flushes a file before it answers."""
GRACE_S: Final = 1.0
"""How long those who are not needed for the quorum are waited for."""
RETRY_S: Final = 2.0
MOST_RETRY_S: Final = 60.0
_ATTEMPTS: Final = 3
"""One to learn what it holds, one from there, and one where it moved meanwhile."""
MAX_ANSWER_BYTES: Final = 16 * 1024
WHO: Final = "witnesses"

Post: TypeAlias = Callable[[str, Path | None, bytes], Awaitable[tuple[int, bytes, bytes]]]

log = structlog.get_logger()


@dataclass(slots=True)
class Standing:
    """One witness, as it stands: what it cosigned last, what is wrong with it, and when it is asked next."""

    name: str
    url: str
    vkey: str
    ca: Path | None
    size: int = 0
    problem: str = ""
    quarrel: str = ""
    pause_s: float = 0.0
    next_at: float = 0.0


@dataclass(slots=True)
class _Collected:
    """The cosignatures of one checkpoint."""

    note: bytes
    head: Checkpoint
    lines: dict[str, bytes]


class Witnessing:
    """The witnesses of one log. `run` does the work; the rest is for readiness."""

    def __init__(
        self,
        settings: WitnessesSettings,
        *,
        folder: Path,
        mirror: Path,
        keep: Callable[[Event], None],
        limits: Limits,
        every_s: float,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`keep` records an event; `limits` are the log's. Raises ConfigError where a key is no witness's."""
        for item in settings.list:
            try:
                parse_vkey(item.vkey, COSIGNATURE)
            except CheckpointError as error:
                raise ConfigError((f"record.witnesses: {item.name}: {error}",)) from None
        self.witnesses = tuple(Standing(item.name, item.url, item.vkey, item.ca) for item in settings.list)
        self.quorum = settings.quorum
        self.size = 0  # of the newest checkpoint
        self.cosigned_size = 0  # and of the newest that a quorum has cosigned
        self._files, self._place = TreeFiles(folder), mirror / COSIGNED
        self._keep, self._limits, self._clock, self._every_s = keep, limits, clock, every_s
        self._lag = Lag(settings.lag, clock())
        self._collected: _Collected | None = None
        self._written = 0  # lines in the file, of the checkpoint that is being collected

    async def run(self) -> None:
        """Ask for as long as the gateway lives; never raises but for cancellation."""
        await trio.to_thread.run_sync(self._remember)
        async with AsyncExitStack() as stack:
            post = _Poster(stack).post
            while True:
                await self.round(post)
                await trio.sleep(self._every_s)

    def _remember(self) -> None:
        """What a quorum cosigned before this start."""
        try:
            note = self._place.read_bytes()
            text, _ = split(note)
            found = cosignatures(text, note[len(text) + 1 :], [item.vkey for item in self.witnesses])
            if len(found) >= self.quorum:
                self.cosigned_size = parse_text(text).size
        except (OSError, CheckpointError):
            return  # there is none yet, or not by these witnesses; it is written anew

    async def round(self, post: Post) -> None:
        """Ask everybody who is due to cosign the newest checkpoint, once."""
        now_unix_ns = self._clock()
        head = await self._newest()
        if head is not None:
            due = [one for one in self.witnesses if self._due(one)]
            if due:
                await self._ask_all(due, post)
            await self._settle(now_unix_ns)
        self._judge()

    async def _newest(self) -> Checkpoint | None:
        """The log's newest checkpoint, which is what is collected for from now on."""
        try:
            note = await trio.to_thread.run_sync(self._files.checkpoint)
        except OSError:
            note = None  # the log itself says what is wrong with its disk
        if note is None:
            return None
        if self._collected is None or note != self._collected.note:
            try:
                head = parse_text(split(note)[0])
            except CheckpointError:
                return None  # readers of the log say so; there is nothing to ask a witness about
            self._collected, self._written = _Collected(note, head, {}), 0
            self.size = head.size
        return self._collected.head

    def _due(self, one: Standing) -> bool:
        assert self._collected is not None
        return one.name not in self._collected.lines and trio.current_time() >= one.next_at

    async def _ask_all(self, due: Sequence[Standing], post: Post) -> None:
        """Until everybody has answered; once there is a quorum, only a moment longer."""
        collected = self._collected
        assert collected is not None
        answered = set()
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.deadline = trio.current_time() + ASK_TIMEOUT_S

            async def one_of(one: Standing) -> None:
                await self._ask(one, collected, post)
                answered.add(one.name)
                if len(collected.lines) >= self.quorum:
                    end = trio.current_time() + GRACE_S
                    nursery.cancel_scope.deadline = min(nursery.cancel_scope.deadline, end)

            for one in due:
                nursery.start_soon(one_of, one)
        for one in due:
            if one.name not in answered:
                self._later(one, "it did not answer in time")

    async def _ask(self, one: Standing, collected: _Collected, post: Post) -> None:
        answer: Answer = Useless("it names another size each time")
        old_size = min(one.size, collected.head.size)
        for _ in range(_ATTEMPTS):
            answer = await self._once(one, collected, old_size, post)
            if not isinstance(answer, Behind):
                break
            old_size = answer.held
        if isinstance(answer, Cosignature):
            collected.lines[one.name] = answer.line
            one.size, one.problem, one.quarrel, one.pause_s, one.next_at = collected.head.size, "", "", 0.0, 0.0
        elif isinstance(answer, Conflict):
            self._quarrel(one, answer, collected.head.size)
        elif isinstance(answer, Useless):
            self._later(one, answer.words)

    async def _once(self, one: Standing, collected: _Collected, old_size: int, post: Post) -> Answer:
        head = collected.head
        try:
            proof = await trio.to_thread.run_sync(self._prove, old_size, head)
        except (RecordError, OSError) as error:
            return Useless(f"there is no proof for it: {error}")
        body = write_request(old_size, proof, collected.note)
        try:
            status, kind, said = await post(f"{one.url}/add-checkpoint", one.ca, body)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ssl.SSLError) as error:
            return Useless(f"it cannot be reached: {type(error).__name__}")
        return read_answer(status, kind, said, text=head.text(), vkey=one.vkey, old_size=old_size, size=head.size)

    def _prove(self, old_size: int, head: Checkpoint) -> list[bytes]:
        """The proof from tiles on disk; tiles that do not make the checkpoint's root are not offered to anybody."""
        tiles = TileHashes(self._files, head.size)
        proof = consistency(tiles.hash_at, old_size, head.size)
        if (tree_root(tiles.hash_at, head.size) if head.size else EMPTY_ROOT) != head.root:
            raise RecordError("the tiles do not make the checkpoint's root")
        return proof

    def _later(self, one: Standing, words: str) -> None:
        """Ask again, each time after twice the pause."""
        if words != one.problem:
            log.warning("witness.no_cosignature", witness=one.name, problem=words)
        one.problem = words
        one.pause_s = min(MOST_RETRY_S, max(RETRY_S, one.pause_s * 2))
        one.next_at = trio.current_time() + one.pause_s

    def _quarrel(self, one: Standing, conflict: Conflict, size: int) -> None:
        """Name it, and put it on record once."""
        words = quarrel_words(one.name, conflict, size)
        if not one.quarrel:
            log.error("witness.conflict", words=words)
            header = {"witness": one.name, "what": conflict.what.value, "size": size, "held": conflict.held}
            self._record(Event(EventKind.WITNESS_CONFLICT, header))
        one.quarrel, one.problem, one.pause_s = words, words, MOST_RETRY_S
        one.next_at = trio.current_time() + MOST_RETRY_S

    async def _settle(self, now_unix_ns: int) -> None:
        """Write what a quorum has cosigned, and every later cosignature of it."""
        collected = self._collected
        assert collected is not None
        lines = collected.lines
        if len(lines) >= self.quorum and len(lines) > self._written:
            note = collected.note + b"".join(lines[name] for name in sorted(lines))
            try:
                await trio.to_thread.run_sync(self._write, note)
            except OSError as error:
                log.warning("witness.not_kept", problem=f"{error.strerror}: {self._place}")
                return
            self._written, self.cosigned_size = len(lines), collected.head.size
        if self.cosigned_size >= collected.head.size:
            self._lag.caught_up(now_unix_ns)

    def _write(self, note: bytes) -> None:
        self._place.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self._place, note)

    # --- what follows from it -----------------------------------------------------------------------------------------

    def _judge(self) -> None:
        """Stop traffic, or let it go on; say which witness holds another history."""
        now_unix_ns = self._clock()
        quarrels = [one.quarrel for one in self.witnesses if one.quarrel]
        if quarrels:
            self._limits.stop(f"{WHO}: conflict", "; ".join(quarrels), Scope.NOTHING)
        else:
            self._limits.lift(f"{WHO}: conflict")
        behind_ns = int(self.behind_s * 1_000_000_000)
        if self._lag.over(now_unix_ns):
            if self._limits.stop(WHO, self._stop_words()):
                missing = [one.name for one in self.witnesses if one.size < self.size]
                header: dict[str, Value] = {"quorum": self.quorum, "size": self.cosigned_size, "behind_ns": behind_ns}
                header["missing"] = list(missing)
                self._record(Event(EventKind.WITNESS_BEHIND, header))
                log.error("witness.behind", words=self._stop_words(), missing=missing)
        elif self._limits.lift(WHO):
            self._record(Event(EventKind.WITNESS_REACHED, {"size": self.cosigned_size, "behind_ns": behind_ns}))
            log.info("witness.reached", size=self.cosigned_size)

    def _stop_words(self) -> str:
        return (
            f"traffic is stopped: for longer than the limit, fewer than {self.quorum} of {len(self.witnesses)} "
            "witnesses have confirmed this gateway's log; it goes on by itself once they do"
        )

    def _record(self, event: Event) -> None:
        try:
            self._keep(event)
        except RecordError as error:
            log.warning("gateway.unready", problem=str(error))

    @property
    def behind_s(self) -> float:
        """Seconds since a quorum last had cosigned everything."""
        return self._lag.behind_s(self._clock())

    def behind(self, one: Standing) -> int:
        """How many entries of the newest checkpoint a witness has not cosigned."""
        return max(0, self.size - one.size)

    def lines(self) -> tuple[str, ...]:
        """One line for each witness: how far behind it is, and why."""
        return tuple(
            f"witness {one.name}: {self.behind(one)} entries behind" + (f": {one.problem}" if one.problem else "")
            for one in self.witnesses
        )


class _Poster:
    """One client for each authority that is trusted, kept open: a witness is asked each second."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._making = trio.Lock()
        self._clients: dict[Path | None, httpx2.AsyncClient] = {}

    async def _client(self, ca: Path | None) -> httpx2.AsyncClient:
        async with self._making:
            if ca not in self._clients:
                # In a thread: reading a system's store of authorities takes tens of milliseconds.
                context = await trio.to_thread.run_sync(_context, ca)
                identity = {"Accept-Encoding": "identity"}  # the bound then holds for what is read
                client = httpx2.AsyncClient(
                    verify=context, follow_redirects=False, trust_env=False, timeout=None, headers=identity
                )
                self._clients[ca] = await self._stack.enter_async_context(client)
        return self._clients[ca]

    async def post(self, url: str, ca: Path | None, body: bytes) -> tuple[int, bytes, bytes]:
        """Give status, content type and body, cut at the bound; raises httpx2's errors."""
        client = await self._client(ca)
        async with client.stream("POST", url, content=body) as response:
            said = await read_at_most(response.aiter_raw(), MAX_ANSWER_BYTES)
        kind = response.headers.get("content-type", "").encode("ascii", "replace")
        return response.status_code, kind, said[:MAX_ANSWER_BYTES]


def _context(ca: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
