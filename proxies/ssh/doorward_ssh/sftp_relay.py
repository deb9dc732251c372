"""The relay of the SFTP subsystem: bytes through the machine, and its questions to the gate.

What it is: the shell around `machine_sftp`: asyncio's callbacks feed it, and trio tasks ask the gate its questions.
What it will not do: know a packet (`wire_sftp`), or what a request asks for (`operations_sftp`).

Invariants (ARCHITECTURE.md, "The order"):
- Nothing that names a file goes to the target but under a Permit of its own.
- Nothing goes to the client before the record of the last thing sent to the target is durable.
- A refusal is a STATUS with words; OpenSSH's clients show only its code, so the words are said on stderr as well.
- Every permit is finished, whatever ends the channel.

Cancelled with its channel, it withdraws what is held, and what was open ends as aborted.
"""

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import trio

from doorward_core.errors import ClientProtocolError, UpstreamProtocolError
from doorward_core.mask.detect import Detectors, detectors_for
from doorward_core.model import Action, Denial, Limit, Mask, Operation, Permit
from doorward_ssh import refusals, wire_sftp
from doorward_ssh.machine_sftp import Machine, Task

if TYPE_CHECKING:
    from doorward_ssh.channels import Channel

BUFFERED_BYTES: Final = 1 << 20  # of requests that wait for room in the machine: four of the largest packets
UNREAD_BYTES: Final = 1 << 20  # of answers that the client does not read: until it does, it is not read either
MAX_LINES: Final = (
    200  # of words on stderr for one channel: a client that scans what it may not see is told often enough
)
AHEAD: Final = "its requests wait"
UNREAD: Final = "it does not read its answers"
STRICT_READ: Final = "values must be masked here, and in files that can only be done as far as it goes"
BINARY_FILE: Final = "files read over sftp that are not text were not masked"
TEXT_FILE: Final = "files read over sftp were masked part by part; what is longer than 8 KiB may have been seen in part"
CONTENT: Final = "file-content"


class SftpRelay:
    """The bytes of one SFTP channel. Made in trio, before the target's channel is opened."""

    def __init__(self, channel: "Channel") -> None:
        self._channel = channel
        self._ends = channel.ends
        self._machine: Machine | None = None
        self._out: list[bytes] = []
        self._mark = -1  # the entry that nothing may be released before
        self._durable = -1
        self._releasing = False
        self._client_ended = False
        self._broken = False
        self._lines = 0
        self._detectors: dict[tuple[Mask, ...], Detectors | None] = {}
        self._covered = False
        channel.start(self._settle)

    # --- what the ends ask (callbacks of asyncio) --------------------------------------------------------------------

    def from_client(self, data: bytes) -> None:
        """Requests."""
        if self._broken:
            return
        try:
            self._now().from_client(data)
        except ClientProtocolError as error:
            self._break(f"the SFTP client broke its protocol: {error}")
            return
        self._pump()

    def from_target(self, data: bytes, *, stderr: bool) -> None:
        """Answers."""
        if self._broken:
            return
        if stderr:
            self._ends.to_client(data, stderr=True)
            return
        try:
            self._now().from_server(data)
        except UpstreamProtocolError as error:
            self._break(f"the target broke the SFTP protocol: {error}")
            self._channel.start(self._channel.door.failed, f"target: {error}")
            return
        self._pump()

    def client_ended(self) -> None:
        """No more requests: the target is told when it has got all of them."""
        self._client_ended = True
        self._pump()

    def target_ended(self) -> None:
        """No more answers."""
        self._ends.end_client()

    @property
    def masked(self) -> Mapping[str, int]:
        """Each file counts its own."""
        return {}

    @property
    def coverage(self) -> tuple[str, ...]:
        """What was not masked here."""
        binary = self._machine is not None and self._machine.files.binary > 0
        return (*((TEXT_FILE,) if self._covered else ()), *((BINARY_FILE,) if binary else ()))

    # --- moving bytes ------------------------------------------------------------------------------------------------

    def _now(self) -> Machine:
        """The machine, told the time; made when the target is known."""
        if self._machine is None:
            self._ends.seen = None  # every operation is recorded by itself, and what files hold with it
            channel = self._ends.target.channel
            version = channel.get_extra_info("server_version", "") if channel is not None else ""
            self._machine = Machine(openssh="OpenSSH" in str(version))
        self._machine.line.now_ns = time.monotonic_ns()
        return self._machine

    def _pump(self) -> None:
        """Send what is to be sent, ask what is to be asked, and read on or not."""
        machine = self._now()
        line = machine.line
        for permit, outcome in line.finished:
            self._channel.door.finish(permit, outcome)
        line.finished.clear()
        questions, machine.questions = machine.questions, []
        for task in questions:
            self._channel.start(self._judge, task)
        if line.to_server:
            out, line.to_server = line.to_server, []
            self._ends.to_target(b"".join(out))
        if line.to_client:
            self._out += line.to_client
            line.to_client = []
        self._release()
        if machine.buffered_bytes > BUFFERED_BYTES:
            self._ends.client.side.stop(AHEAD)
        else:
            self._ends.client.side.go(AHEAD)
        if self._client_ended and line.quiet and not machine.buffered_bytes:
            self._ends.end_target()

    def _release(self) -> None:
        """Let the client have its answers, once the record of what was sent is durable."""
        if self._mark > self._durable:
            if not self._releasing:
                self._releasing = True
                self._channel.start(self._wait)
            return
        if self._out:
            out, self._out = self._out, []
            self._ends.to_client(b"".join(out))
            channel = self._ends.client.channel
            if channel is not None and channel.get_write_buffer_size() > UNREAD_BYTES:
                self._ends.client.side.stop(UNREAD)
                channel.on_drained = lambda: self._ends.client.side.go(UNREAD)

    async def _wait(self) -> None:
        while self._mark > self._durable:
            mark = self._mark
            await self._channel.door.released(mark)
            self._durable = mark
        self._releasing = False
        self._release()

    def _break(self, words: str) -> None:
        """Nothing more passes: the channel ends."""
        self._broken = True
        self.say(refusals.line(words))
        if self._ends.target.channel is not None:
            self._ends.target.channel.close()

    def say(self, words: str) -> None:
        """A line of the gateway's own on stderr; so many of them, and no more."""
        self._lines += 1
        if self._lines <= MAX_LINES:
            self._channel.end.say(words)

    async def _settle(self) -> None:
        """What is open when the channel ends, ends with it."""
        try:
            await trio.sleep_forever()
        finally:
            if self._machine is not None:
                self._machine.line.now_ns = time.monotonic_ns()
                self._machine.abandon()
                for permit, outcome in self._machine.line.finished:
                    self._channel.door.finish(permit, outcome)
                self._machine.line.finished.clear()

    # --- questions ---------------------------------------------------------------------------------------------------

    async def _judge(self, task: Task) -> None:
        """One question to the gate, and what becomes of it."""
        machine, door = self._now(), self._channel.door
        operation = self._operation(task)
        verdict: Permit | Denial | None = None
        if self._opens_to_read(operation) and any(mask.strict and mask.detect for mask in door.masks):
            verdict = await door.refuse(operation, STRICT_READ)
        else:
            with trio.CancelScope() as scope:
                self._channel.holding.add(scope)
                try:
                    verdict = await door.decide(operation, _Waiter(self, task), {})
                finally:
                    self._channel.holding.discard(scope)
        machine = self._now()
        if isinstance(verdict, Permit):
            if verdict.early:
                self._mark = max(self._mark, verdict.entry)
            machine.permit(task, verdict, _limit(verdict), self._owed(operation, verdict))
        else:
            words = refusals.denied(verdict) if verdict is not None else refusals.line(refusals.GOING_DOWN)
            machine.refuse(task, words)
            self.say(words)
        if not self._broken:
            self._pump()

    def hold(self, task: Task, words: str) -> None:
        """It waits for people."""
        self._now().hold(task)
        self.say(words)
        self._pump()

    @property
    def draining(self) -> bool:
        """Whether the gateway goes down."""
        return self._channel.talk.draining

    def _operation(self, task: Task) -> Operation:
        facts = task.facts
        assert facts is not None
        account = self._channel.door.session.account
        asked = replace((task.plan.send if task.plan is not None else None) or task.request, handle=b"")
        sha = hashlib.sha256()
        for part in (b"doorward-ssh/sftp/1", account.encode(), facts.text.encode(), wire_sftp.encode(asked, 0)[9:]):
            sha.update(len(part).to_bytes(8, "big"))
            sha.update(part)
        return Operation(
            id=os.urandom(16),
            seq=self._channel.talk.next_seq(),
            action=facts.action,
            verb=facts.verb,
            atoms=facts.atoms,
            text=facts.text,
            digest=sha.digest(),
            complete=not facts.doubt,
            pure=facts.pure and not facts.doubt,
            stoppable=True,
            unseen=(CONTENT,) if facts.verb.startswith("sftp open-") and facts.action is Action.WRITE else (),
            attributes={"problem": facts.doubt} if facts.doubt else {},
        )

    @staticmethod
    def _opens_to_read(operation: Operation) -> bool:
        return operation.verb.startswith("sftp open-read")

    def _owed(self, operation: Operation, permit: Permit) -> Detectors | None:
        """What must be hidden in the file that is opened."""
        if not self._opens_to_read(operation):
            return None
        masks = tuple(item for item in permit.decision.obligations if isinstance(item, Mask))
        if masks not in self._detectors:
            self._detectors[masks] = detectors_for(masks)
        found = self._detectors[masks]
        self._covered = self._covered or found is not None
        return found


class _Waiter:
    """How the client of one request waits."""

    def __init__(self, relay: SftpRelay, task: Task) -> None:
        self._relay = relay
        self._task = task

    async def prepare(self) -> str:
        """Nothing of it has begun: it can be held."""
        return refusals.GOING_DOWN if self._relay.draining else ""

    async def notify(self, request_id: str, advice: str, within_s: int) -> None:
        """Say so on stderr, and let others go on."""
        self._relay.hold(self._task, refusals.held(request_id, advice, within_s))

    async def progress(self, request_id: str, words: str, within_s: int) -> None:
        """Say how far people are, on stderr too."""
        self._relay.say(refusals.held(request_id, words, within_s))


def _limit(permit: Permit) -> Limit | None:
    return next((item for item in permit.decision.obligations if isinstance(item, Limit)), None)
