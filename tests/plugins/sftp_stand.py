"""An SFTP target in memory, and a stand that puts the machine between it and a client: no sockets, no time.

The target resolves symbolic links as OpenSSH's server does, and keeps every request that reached it.
"""

from dataclasses import dataclass, field, replace

from doorward_core.model import Decision, Effect, Limit, Operation, Permit, ReasonCode
from doorward_ssh import wire_sftp as wire
from doorward_ssh.machine_sftp import Machine, Task
from doorward_ssh.wire_sftp import Code, Flag, Kind, Request

MODE_FOLDER = 0o040755
MODE_FILE = 0o100644
MODE_LINK = 0o120777


def attrs(mode: int, size: int = 0) -> bytes:
    return (5).to_bytes(4, "big") + size.to_bytes(8, "big") + mode.to_bytes(4, "big")


class Gone(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


class Target:
    """Files by absolute path: bytes are content, None a folder, a str the text of a symbolic link."""

    def __init__(self, files: dict[str, bytes | str | None] | None = None) -> None:
        self.files: dict[str, bytes | str | None] = {
            "/": None, "/home": None, "/home/deploy": None, "/srv": None, "/srv/a.txt": b"hello",
            "/etc": None, "/etc/shadow": b"root:x", "/srv/link": "/etc/shadow", "/srv/up": "..",
            "/srv/nowhere": "/srv/new.txt", "/srv/folder": None,
        } if files is None else files  # fmt: skip
        self.requests: list[Request] = []
        self.most = 1 << 20  # bytes in one DATA
        self.strict = False  # REALPATH only of what is there
        self.extensions = (*((name.encode(), b"1") for name in wire.EXTENSIONS), (b"evil@x", b"1"))
        self._reader = wire.from_client()
        self._handles: dict[bytes, tuple[str, int]] = {}
        self._listed: set[bytes] = set()

    def feed(self, data: bytes) -> bytes:
        self._reader.receive(data)
        out = []
        for kind, number, body in self._reader:
            if kind == Kind.INIT:
                out.append(wire.encode_hello(Kind.VERSION, self.extensions))
                continue
            request = wire.decode(kind, number, body)
            self.requests.append(request)
            try:
                out.append(self.answer(request))
            except Gone as gone:
                out.append(wire.encode_status(number, gone.code, "no"))
        return b"".join(out)

    def resolve(self, path: str, *, follow: bool = True, depth: int = 0) -> str:
        if depth > 40:
            raise Gone(Code.FAILURE)
        parts = (path if path.startswith("/") else "/home/deploy/" + path).split("/")
        at = ""
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            if part in {"", "."}:
                continue
            if part == "..":
                at = at.rpartition("/")[0]
                continue
            here = f"{at}/{part}"
            if here not in self.files:
                if last and not self.strict:
                    return here
                raise Gone(Code.NO_SUCH_FILE)
            found = self.files[here]
            if isinstance(found, str) and (follow or not last):
                text = found if found.startswith("/") else f"{at}/{found}"
                at = self.resolve(text, depth=depth + 1).rstrip("/")
            else:
                at = here
        return at or "/"

    def answer(self, request: Request) -> bytes:  # noqa: PLR0911 - one for each kind of request
        path = request.path.decode("utf-8", "surrogateescape")
        what = request.name or request.kind
        if what in {wire.EXPAND_PATH, wire.HOME_DIRECTORY}:
            return wire.encode_one_name(request.id, b"/home/deploy/" + request.path.lstrip(b"~"))
        if what == Kind.REALPATH:
            return wire.encode_one_name(request.id, self.resolve(path).encode("utf-8", "surrogateescape"))
        if what in {Kind.STAT, Kind.LSTAT}:
            return self.stat(request, self.resolve(path, follow=what == Kind.STAT))
        if what == Kind.OPEN:
            return self.open(request)
        if what == Kind.OPENDIR:
            return self.handle(request, self.resolve(path), 0)
        if request.handle:
            return self.on_handle(request)
        if what in {Kind.RENAME, "posix-rename@openssh.com"}:
            old, new = (
                self.resolve(path, follow=False),
                self.resolve(request.other.decode("utf-8", "surrogateescape"), follow=False),
            )
            moved = {name: value for name, value in self.files.items() if name == old or name.startswith(f"{old}/")}
            for name, value in moved.items():
                del self.files[name]
                self.files[new + name[len(old) :]] = value
        elif what == Kind.SYMLINK:
            self.files[self.resolve(request.other.decode("utf-8", "surrogateescape"), follow=False)] = path
        elif what == Kind.REMOVE:
            self.files.pop(self.resolve(path, follow=False), None)
        elif what == Kind.MKDIR:
            self.files[self.resolve(path, follow=False)] = None
        elif what == "limits@openssh.com":
            return wire.packet(Kind.EXTENDED_REPLY, request.id, *(n.to_bytes(8, "big") for n in (1 << 30, 0, 1000, 9)))
        return wire.encode_status(request.id, Code.OK, "ok")

    def stat(self, request: Request, path: str) -> bytes:
        if path not in self.files:
            raise Gone(Code.NO_SUCH_FILE)
        found = self.files[path]
        mode = MODE_FOLDER if found is None else MODE_LINK if isinstance(found, str) else MODE_FILE
        return wire.packet(Kind.ATTRS, request.id, attrs(mode, len(found or b"")))

    def open(self, request: Request) -> bytes:
        path = self.resolve(request.path.decode("utf-8", "surrogateescape"))
        if path not in self.files and request.flags & Flag.CREAT:
            self.files[path] = b""
        if not isinstance(self.files.get(path), bytes):
            raise Gone(Code.NO_SUCH_FILE)
        return self.handle(request, path, request.flags)

    def handle(self, request: Request, path: str, flags: int) -> bytes:
        name = b"target-%d" % len(self.requests)
        self._handles[name] = (path, flags)
        return wire.encode_handle(request.id, name)

    def on_handle(self, request: Request) -> bytes:
        path, _ = self._handles[request.handle]
        content = self.files.get(path)
        if request.kind == Kind.READ:
            assert isinstance(content, bytes)
            data = content[request.offset : request.offset + min(request.length, self.most)]
            if not data:
                raise Gone(Code.EOF)
            return wire.encode_data(request.id, data)
        if request.kind == Kind.WRITE:
            assert isinstance(content, bytes)
            end = request.offset + len(request.data)
            self.files[path] = content[: request.offset].ljust(request.offset, b"\0") + request.data + content[end:]
        elif request.kind == Kind.READDIR:
            if request.handle in self._listed:
                raise Gone(Code.EOF)
            self._listed.add(request.handle)
            return wire.encode_one_name(request.id, b"a.txt")
        elif request.kind == Kind.FSTAT:
            return wire.packet(Kind.ATTRS, request.id, attrs(MODE_FILE, len(content or b"")))
        return wire.encode_status(request.id, Code.OK, "ok")


def permit(task: Task) -> Permit:
    assert task.facts is not None
    facts = task.facts
    operation = Operation(b"o" * 16, 1, facts.action, facts.verb, facts.atoms, facts.text, b"d" * 32)
    return Permit(operation, Decision(Effect.PERMIT, ReasonCode.RULE, "", b"p" * 32), 0, 1 << 62)


@dataclass
class Stand:
    """A client's view: what it sends goes through the machine, and what comes back is collected."""

    target: Target = field(default_factory=Target)
    openssh: bool = True
    allow: object = None  # a callable over Facts; None answers nothing by itself
    detectors: object = None
    limit: Limit | None = None

    def __post_init__(self) -> None:
        self.machine = Machine(openssh=self.openssh)
        self._reader = wire.from_server()
        self.answers: list[tuple[int, int, bytes]] = []
        self.asked: list[Task] = []
        self.outcomes = []
        self.chunk = 1 << 30
        self.feed(wire.encode_hello(Kind.INIT))
        self.hello = self.answers.pop()
        self.target.requests.clear()

    def feed(self, data: bytes) -> None:
        for at in range(0, len(data), self.chunk):
            self.machine.from_client(data[at : at + self.chunk])
            self.settle()

    def send(self, *requests: Request) -> None:
        self.feed(b"".join(map(wire.encode, requests)))

    def settle(self) -> None:
        """Move bytes until nothing moves any more."""
        line = self.machine.line
        while line.to_server or line.to_client or self.machine.questions:
            self._reader.receive(b"".join(line.to_client))
            line.to_client.clear()
            self.answers += list(self._reader)
            out = b"".join(line.to_server)
            line.to_server.clear()
            back = self.target.feed(out)
            for at in range(0, len(back), self.chunk):
                self.machine.from_server(back[at : at + self.chunk])
            questions, self.machine.questions = self.machine.questions, []
            self.asked += questions
            for task in questions:
                if self.allow is not None:
                    self.decide(task, yes=bool(self.allow(task.facts)))
        self.outcomes += line.finished
        line.finished.clear()

    def decide(self, task: Task, *, yes: bool) -> None:
        if yes:
            self.machine.permit(task, permit(task), self.limit, self.detectors)
        else:
            self.machine.refuse(task, "refused: no rule allows it")

    def ask(self, request: Request) -> tuple[int, bytes]:
        """One request and its answer: type and body."""
        self.send(request)
        assert len(self.answers) == 1, self.answers
        kind, number, body = self.answers.pop()
        assert number == request.id
        return kind, body

    def code(self, request: Request) -> int:
        kind, body = self.ask(request)
        return wire.decode_status(body)[0] if kind == Kind.STATUS else Code.OK

    def open(self, path: bytes, flags: int = Flag.READ) -> bytes:
        kind, body = self.ask(Request(Kind.OPEN, 77, path=path, flags=flags))
        assert kind == Kind.HANDLE, body
        return wire.decode_handle(body)

    def read(self, handle: bytes, offset: int, length: int) -> bytes | int:
        kind, body = self.ask(Request(Kind.READ, 78, handle=handle, offset=offset, length=length))
        return wire.decode_data(body) if kind == Kind.DATA else wire.decode_status(body)[0]

    def names(self) -> list[tuple[str, str]]:
        """What was asked for: (action, path) of every atom."""
        return [
            (str(atom.action), atom.target.name)
            for task in self.asked
            for atom in (task.facts.atoms if task.facts else ())
        ]


def numbered(request: Request, number: int) -> Request:
    return replace(request, id=number)
