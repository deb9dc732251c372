"""One SFTP channel between its client and the target's own server: what goes on, what waits, what is refused.

What it is: a pure machine. `from_client` and `from_server` take chunks; what is to be sent lies in `line`, what needs a
decision in `questions`, and the shell answers each by `permit` or `refuse`, in whatever order people take.
What it will not do: decide, await, or speak SSH.

Source: draft-ietf-secsh-filexfer-02 (version 3); OpenSSH's PROTOCOL file, section 4.

    client's request ──▶ where do its paths lead (REALPATH, asked of the target) ──▶ question ──▶ the target

Invariants:
- A request that names a path is sent only by `permit`, which takes a Permit, and names the resolved paths.
- While something that can make paths lead elsewhere (rename, links) is under way, nothing else that looks at paths is;
  so between where a path led and what was done there, this channel changed nothing.
- What waited for people is resolved again, and goes on only if it still leads to the same place.
- What is not known is refused with OP_UNSUPPORTED, what cannot be read with BAD_MESSAGE; what cannot be framed, and a
  target that lies, end the channel.
- Requests, bytes, handles and questions of one channel are bounded: past the bound the client's bytes wait.
"""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final

from doorward_core.errors import ClientProtocolError, UpstreamProtocolError
from doorward_core.event import Outcome, Status
from doorward_core.mask.detect import Detectors
from doorward_core.model import Limit, Permit
from doorward_ssh import wire_sftp
from doorward_ssh.machine_sftp_files import MAX_READ_BYTES, Files, Handle
from doorward_ssh.machine_sftp_line import Line, code_of, native
from doorward_ssh.operations_sftp import REARRANGING, Facts, Plan, Planning, key, plan, reads, set_by_handle, writes
from doorward_ssh.sftp_paths import Answer, resolved
from doorward_ssh.wire_sftp import (
    ALL_FLAGS,
    EXTENSIONS,
    LIMITS,
    VERSION,
    Code,
    Fields,
    Kind,
    Malformed,
    Request,
    decode_handle,
    encode_hello,
    encode_one_name,
)

CHANGED: Final = "refused: where this path leads has changed meanwhile; ask again"
_HERE: Final = frozenset({b"", b"."})


class Phase(Enum):
    """How far the channel is."""

    CLIENT = "waits for INIT"
    SERVER = "waits for VERSION"
    START = "waits for the folder that relative paths begin in"
    OPEN = "requests"


@dataclass(slots=True, eq=False)
class Task:
    """A request that waits for a decision: the question that the shell is asked, and what is to become of it."""

    request: Request
    facts: Facts | None = None
    handle: Handle | None = None  # of an FSETSTAT
    plan: Plan | None = None
    planning: Planning | None = None
    permit: Permit | None = None
    limit: Limit | None = None
    detectors: Detectors | None = None
    held: bool = False
    started_ns: int = 0


class Machine:
    """Reads both directions of one channel."""

    def __init__(self, *, openssh: bool) -> None:
        self.line = Line()
        self.questions: list[Task] = []
        self.files = Files(self.line, self._ask_by_handle)
        self._openssh = openssh
        self._phase = Phase.CLIENT
        self._client = wire_sftp.from_client()
        self._server = wire_sftp.from_server()
        self._start = b"/"
        self._hello = b""
        self._offered: frozenset[str] = frozenset()
        self._queue: deque[Task] = deque()
        self._under_way: dict[Task, None] = {}  # hold the paths still: planned, being decided, or sent
        self._permitted: dict[Task, None] = {}  # and not ended
        self._alone = False
        self._openings = 0

    @property
    def buffered_bytes(self) -> int:
        """Bytes of the client that wait here: past some, read no more of them."""
        return self._client.buffered

    def from_client(self, data: bytes) -> None:
        """Take a chunk of the client. Raises ClientProtocolError."""
        self._client.receive(data)
        self._go_on()

    def from_server(self, data: bytes) -> None:
        """Take a chunk of the target. Raises UpstreamProtocolError."""
        self._server.receive(data)
        for kind, number, body in self._server:
            if self._phase is Phase.SERVER:
                self._version(kind, number, body)
            elif self._phase is Phase.CLIENT:
                raise UpstreamProtocolError("the target spoke SFTP before it was spoken to")
            else:
                self.line.take_answer(kind, number, body)
        self._go_on()

    def abandon(self) -> None:
        """The channel is gone: what was permitted and has not ended, ends here."""
        for task in tuple(self._permitted):
            self._finish(task, Outcome(Status.ABORTED))
        self._under_way.clear()
        self._queue.clear()
        self.files.abandon()

    def _go_on(self) -> None:
        while not self.line.full and self._phase in {Phase.CLIENT, Phase.OPEN}:
            packet = self._client.take()
            if packet is None:
                return
            if self._phase is Phase.CLIENT:
                self._init(*packet)
            else:
                self._take(*packet)

    # --- greetings ---------------------------------------------------------------------------------------------------

    def _init(self, kind: int, number: int, body: bytes) -> None:
        if kind != Kind.INIT or number < VERSION:
            raise ClientProtocolError(f"SFTP begins with INIT and version {VERSION} or later")
        del body  # extensions of a client: none is known
        self.line.to_server.append(encode_hello(Kind.INIT))
        self._phase = Phase.SERVER

    def _version(self, kind: int, number: int, body: bytes) -> None:
        if kind != Kind.VERSION or number != VERSION:
            raise UpstreamProtocolError(f"the target does not speak SFTP version {VERSION}")
        try:
            offered = wire_sftp.decode_hello(body)
        except Malformed as error:
            raise UpstreamProtocolError(f"the extensions of the target cannot be read: {error}") from None
        known = {name.decode("ascii", "replace"): (name, version) for name, version in offered}
        self._offered = frozenset(known) & frozenset(EXTENSIONS)
        self._hello = encode_hello(Kind.VERSION, tuple(pair for name, pair in known.items() if name in self._offered))
        self._phase = Phase.START
        self.line.ask(Request(Kind.REALPATH, 0, path=b"."), self._started)

    def _started(self, kind: int, body: bytes) -> None:
        if kind != Kind.NAME:
            raise UpstreamProtocolError("the target does not say where relative paths begin")
        self._start = resolved(body)
        self.line.to_client.append(self._hello)
        self._phase = Phase.OPEN

    # --- requests ----------------------------------------------------------------------------------------------------

    def _take(self, kind: int, number: int, body: bytes) -> None:
        try:
            request = wire_sftp.decode(kind, number, body)
        except Malformed as error:
            request = Request(kind, number)
            self.line.taken(request)
            self.line.say(request, Code.BAD_MESSAGE, str(error))
            return
        self.line.taken(request)
        layout = wire_sftp.layout(request)
        if layout is None or (request.name and request.name not in self._offered):
            words = f"the extension {request.name[:64]} is" if request.name else f"requests of type {kind} are"
            self.line.say(request, Code.OP_UNSUPPORTED, f"{words} not known here")
        elif layout[:1] == (("handle", "handle"),):
            self.files.take(request)
        elif layout[:1] == (("path", "path"),):
            self._take_path(request)
        else:
            self.line.ask(request, partial(self._limits if request.name == LIMITS else self.line.relay, request))

    def _take_path(self, request: Request) -> None:
        if request.kind == Kind.REALPATH and request.path in _HERE:
            # Where the account's own folder is, every client asks first; who may be here may know it.
            self.line.answer(request, encode_one_name(request.id, self._start))
        elif not request.path and not request.name:
            self.line.say(request, Code.NO_SUCH_FILE, "an empty path")
        elif request.kind == Kind.OPEN and request.flags & ~ALL_FLAGS:
            self.line.say(request, Code.OP_UNSUPPORTED, "flags that version 3 does not know")
        else:
            self._queue.append(Task(request, started_ns=self.line.now_ns))
            self._run_queue()

    def _limits(self, request: Request, kind: int, body: bytes) -> None:
        """What the target could do at once, or less: what passes here is bounded as well."""
        if kind == Kind.EXTENDED_REPLY:
            fields = Fields(body)
            try:
                theirs = [fields.u64() for _ in range(4)]
            except Malformed as error:
                raise UpstreamProtocolError(f"the limits of the target cannot be read: {error}") from None
            ours = (wire_sftp.MAX_PACKET_BYTES - 1024, MAX_READ_BYTES, MAX_READ_BYTES, 0)
            most = [min(one, other) if one and other else one or other for one, other in zip(theirs, ours, strict=True)]
            body = b"".join(number.to_bytes(8, "big") for number in most)
        self.line.relay(request, kind, body)

    # --- paths -------------------------------------------------------------------------------------------------------

    def _run_queue(self) -> None:
        """Begin what may begin: what rearranges paths alone, everything else side by side."""
        while self._queue and not self._alone:
            task = self._queue[0]
            alone = key(task.request) in REARRANGING
            if alone and self._under_way:
                return
            self._queue.popleft()
            self._alone = alone
            self._under_way[task] = None
            task.planning = plan(task.request, self._start, openssh=self._openssh)
            self._advance(task, None)

    def _advance(self, task: Task, answer: Answer | None) -> None:
        planning: Generator[Request, Answer, Plan] | None = task.planning
        assert planning is not None
        try:
            question = next(planning) if answer is None else planning.send(answer)
        except StopIteration as end:
            self._planned(task, end.value)
            return
        self.line.ask(question, lambda kind, body: self._advance(task, (kind, body)))

    def _planned(self, task: Task, found: Plan) -> None:
        before, task.plan = task.plan, found
        if task.permit is None:
            task.facts = found.facts
            self.questions.append(task)
        elif before is not None and (before.places, before.facts) == (found.places, found.facts):
            self._send(task, found)
        else:
            self._finish(task, Outcome(Status.ABORTED))
            self.line.say(task.request, Code.PERMISSION_DENIED, CHANGED)
            self._leave(task)

    def _leave(self, task: Task) -> None:
        if task in self._under_way:
            del self._under_way[task]
            self._alone = False
            self._run_queue()

    # --- decisions ---------------------------------------------------------------------------------------------------

    def hold(self, task: Task) -> None:
        """People are asked: paths may move meanwhile."""
        task.held = True
        if task.handle is None:
            self._leave(task)
        self._go_on()

    def permit(self, task: Task, permit: Permit, limit: Limit | None, detectors: Detectors | None) -> None:
        """It may be done."""
        task.permit, task.limit, task.detectors = permit, limit, detectors
        self._permitted[task] = None
        if task.handle is not None:
            self.files.set(task.handle, task.request, partial(self._ended, task))
        elif task.held:
            self._queue.appendleft(task)
            self._run_queue()
        else:
            assert task.plan is not None
            self._send(task, task.plan)
        self._go_on()

    def refuse(self, task: Task, words: str) -> None:
        """It may not."""
        self.line.say(task.request, Code.PERMISSION_DENIED, words)
        if task.handle is not None:
            self.files.resume(task.handle)
        self._leave(task)
        self._go_on()

    def _finish(self, task: Task, outcome: Outcome) -> None:
        assert task.permit is not None
        del self._permitted[task]
        self.line.finished.append((task.permit, outcome))

    def _send(self, task: Task, found: Plan) -> None:
        request = found.send
        if found.failure:
            self._finish(task, Outcome(Status.ERROR, native(code_of(Kind.STATUS, found.failure))))
            self.line.relay(task.request, Kind.STATUS, found.failure)
            self._leave(task)
        elif request is None:
            self._finish(task, Outcome(Status.OK, native(Code.OK)))
            self.line.answer(task.request, encode_one_name(task.request.id, found.name))
            self._leave(task)
        elif request.kind in {Kind.OPEN, Kind.OPENDIR}:
            if not self.files.room(self._openings):
                self._finish(task, Outcome(Status.ABORTED))
                self.line.say(task.request, Code.FAILURE, "too many files are open")
                self._leave(task)
                return
            self._openings += 1
            self.line.ask(request, partial(self._opened, task))
        else:
            self.line.ask(request, partial(self._ended, task))

    def _ended(self, task: Task, kind: int, body: bytes) -> None:
        assert task.permit is not None
        code = code_of(kind, body)
        status = Status.OK if code in {Code.OK, Code.EOF} else Status.ERROR
        outcome = Outcome(status, native(code), duration_ns=max(0, self.line.now_ns - task.started_ns))
        self._finish(task, outcome)
        self.line.relay(task.request, kind, body)
        self._leave(task)

    def _opened(self, task: Task, kind: int, body: bytes) -> None:
        self._openings -= 1
        if kind != Kind.HANDLE:
            self._ended(task, kind, body)
            return
        assert task.permit is not None
        assert task.plan is not None
        try:
            server = decode_handle(body)
        except Malformed as error:
            raise UpstreamProtocolError(f"a handle of the target cannot be read: {error}") from None
        request = task.request
        folder = request.kind == Kind.OPENDIR
        handle = self.files.add(
            server,
            task.plan.places[0],
            task.permit,
        )
        handle.folder = folder
        handle.readable = not folder and reads(request.flags)
        handle.writable = not folder and writes(request.flags)
        if request.flags & wire_sftp.Flag.APPEND:
            handle.written.scatter()
        del self._permitted[task]  # it ends with the handle
        self.files.protect(handle, task.limit, task.detectors)
        self.line.answer(request, wire_sftp.encode_handle(request.id, handle.token))
        self._leave(task)

    def _ask_by_handle(self, handle: Handle, request: Request) -> None:
        task = Task(request, set_by_handle(handle.path, request.attrs), handle, started_ns=self.line.now_ns)
        self.questions.append(task)
