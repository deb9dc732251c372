"""What the parts of the SFTP machine share: what is to be sent, and which answers are owed by whom.

What it is: `Line`, the books of one SFTP channel.
What it will not do: read a request, decide, or await.

Invariants: pure. Ids towards the target are our own, so that a client that uses one twice confuses nobody, and
questions of our own cannot be told from its by their ids; what we asked for ourselves is never shown to it.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from doorward_core.errors import UpstreamProtocolError
from doorward_core.event import Outcome
from doorward_core.model import Permit
from doorward_ssh.wire_sftp import (
    EXPAND_PATH,
    FSTATVFS,
    HOME_DIRECTORY,
    LIMITS,
    MAX_PACKET_BYTES,
    STATVFS,
    USERS_GROUPS,
    Code,
    Kind,
    Malformed,
    Request,
    decode_status,
    encode,
    encode_status,
    packet,
)

Taker: TypeAlias = Callable[[int, bytes], None]

# Paramiko asks for all of a file at once, 130,000 requests for one of 4 GiB: the rest waits on the client's side.
MAX_OUTSTANDING: Final = 256
MAX_OUTSTANDING_BYTES: Final = 16 * 1024 * 1024  # asked for or written, unanswered; OpenSSH has as many under way
_IDS: Final = 1 << 32

# Which answers a request may have besides a STATUS.
_ANSWERS: Final[dict[int | str, int]] = {
    Kind.OPEN: Kind.HANDLE,
    Kind.OPENDIR: Kind.HANDLE,
    Kind.READ: Kind.DATA,
    Kind.READDIR: Kind.NAME,
    Kind.REALPATH: Kind.NAME,
    Kind.READLINK: Kind.NAME,
    Kind.STAT: Kind.ATTRS,
    Kind.LSTAT: Kind.ATTRS,
    Kind.FSTAT: Kind.ATTRS,
    EXPAND_PATH: Kind.NAME,
    HOME_DIRECTORY: Kind.NAME,
    STATVFS: Kind.EXTENDED_REPLY,
    FSTATVFS: Kind.EXTENDED_REPLY,
    LIMITS: Kind.EXTENDED_REPLY,
    USERS_GROUPS: Kind.EXTENDED_REPLY,
}


def native(code: int) -> str:
    """A code as the draft calls it."""
    return f"SSH_FX_{Code(code).name}" if code in Code.__members__.values() else f"SSH_FX_{code}"


class Line:
    """What is to be sent to either side, and what is owed."""

    def __init__(self) -> None:
        self.to_client: list[bytes] = []
        self.to_server: list[bytes] = []
        self.finished: list[tuple[Permit, Outcome]] = []
        self.now_ns = 0  # set by the shell before it calls
        self._expected: dict[int, tuple[int, Taker]] = {}
        self._last = 0
        self._outstanding = 0
        self._outstanding_bytes = 0

    @property
    def full(self) -> bool:
        """Whether the client has to wait for answers before more of its requests are looked at."""
        return self._outstanding >= MAX_OUTSTANDING or self._outstanding_bytes >= MAX_OUTSTANDING_BYTES

    @property
    def quiet(self) -> bool:
        """Whether neither side owes anything."""
        return not self._outstanding and not self._expected

    def taken(self, request: Request) -> None:
        """A request of the client is to be answered."""
        self._outstanding += 1
        self._outstanding_bytes += _weight(request)

    def answer(self, request: Request, answer: bytes) -> None:
        """Answer a request of the client: each exactly once."""
        self._outstanding -= 1
        self._outstanding_bytes -= _weight(request)
        self.to_client.append(answer)

    def say(self, request: Request, code: int, words: str) -> None:
        """Answer with a STATUS of our own."""
        self.answer(request, encode_status(request.id, code, words))

    def relay(self, request: Request, kind: int, body: bytes) -> None:
        """Answer with what the target answered."""
        self.answer(request, packet(kind, request.id, body))

    def ask(self, request: Request, taker: Taker) -> None:
        """Send a request to the target under an id of our own; `taker` is given its answer."""
        self._last = (self._last + 1) % _IDS
        while self._last in self._expected:
            self._last = (self._last + 1) % _IDS
        self._expected[self._last] = (_ANSWERS.get(request.name or request.kind, Kind.STATUS), taker)
        self.to_server.append(encode(request, self._last))

    def take_answer(self, kind: int, number: int, body: bytes) -> None:
        """An answer of the target. Raises UpstreamProtocolError for one that nobody asked for."""
        kind_and_taker = self._expected.pop(number, None)
        if kind_and_taker is None:
            raise UpstreamProtocolError("the target answered an SFTP request that was not made")
        if kind not in {kind_and_taker[0], Kind.STATUS}:
            raise UpstreamProtocolError(f"the target answered an SFTP request with a packet of type {kind}")
        kind_and_taker[1](kind, body)


def code_of(kind: int, body: bytes) -> int:
    """The code of an answer; OK for one that is no STATUS. Raises UpstreamProtocolError."""
    if kind != Kind.STATUS:
        return Code.OK
    try:
        return decode_status(body)[0]
    except Malformed as error:
        raise UpstreamProtocolError(f"a STATUS of the target cannot be read: {error}") from None


def _weight(request: Request) -> int:
    asked = min(request.length, MAX_PACKET_BYTES) if request.kind == Kind.READ else 0
    return asked + len(request.data) + len(request.path)
