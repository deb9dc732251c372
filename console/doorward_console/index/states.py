"""What the index knows of a session, of an operation and of a request while a log is read.

It is pure: plain values, and how an operation is kept between two updates.

Invariant: `Asked.kept` and `Asked.again` are each other's opposites, so that an update that stops anywhere goes on as
if it had not.
"""

import json
from dataclasses import dataclass, field, fields
from typing import Any, Final

from doorward_console.typed import TypedReader

Principal = tuple[str, str, str, str]  # subject, issuer, kind, sponsor
Place = tuple[str, str, str]  # resource, protocol, account
Touched = tuple[str, str, str]  # action, kind, name

NOBODY: Final[Principal] = ("", "", "", "")
NOWHERE: Final[Place] = ("", "", "")


@dataclass(slots=True)
class Opened:
    """A session; `state` is open, closed, refused, or lost (its gateway stopped without a word)."""

    session: bytes
    at: int
    opened_ns: int
    state: str
    who: Principal = NOBODY
    place: Place = NOWHERE
    closed_ns: int = 0
    permitted: int = 0
    denied: int = 0
    held: int = 0
    rows: int = 0
    masked: int = 0
    about: dict[str, Any] = field(default_factory=dict)
    number: int = 0


@dataclass(slots=True)
class Asked:
    """An operation, as far as the log has told of it. `given` is what the search was given of it before."""

    operation: bytes
    session: bytes
    at: int
    at_ns: int
    seq: int
    who: Principal
    place: Place
    action: str
    verb: str
    verdict: str = ""
    reason: str = ""
    rules: list[str] = field(default_factory=list)
    observed: str = ""
    request: str = ""
    held: bool = False
    status: str = ""
    code: str = ""
    rows: int = 0
    bytes_down: int = 0
    masked: dict[str, int] = field(default_factory=dict)
    duration_ns: int = 0
    text: str | None = None
    cut: bool = False
    parameters: list[str | None] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)
    touched: list[Touched] = field(default_factory=list)
    approvers: list[str] = field(default_factory=list)
    content: str = ""
    number: int = 0
    given: list[str] = field(default_factory=list)
    terminal: TypedReader | None = None

    def kept(self) -> str:
        """As a text that the index keeps until the operation has ended."""
        told = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "terminal"}
        told["operation"], told["session"] = self.operation.hex(), self.session.hex()
        return json.dumps(told)

    @classmethod
    def again(cls, text: str) -> "Asked":
        """The same, from that text. What a terminal had begun to show is lost: a line, at most."""
        told = json.loads(text)
        told["operation"], told["session"] = bytes.fromhex(told["operation"]), bytes.fromhex(told["session"])
        told["who"], told["place"] = tuple(told["who"]), tuple(told["place"])
        told["touched"] = [tuple(item) for item in told["touched"]]
        return cls(**told)


@dataclass(slots=True)
class Requested:
    """A request for people's leave."""

    request: str
    operation: bytes
    session: bytes
    asked_ns: int
    expires_ns: int
    needs: list[dict[str, Any]]
    state: str = "pending"
    ended_ns: int = 0
    why: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote, counted or not. `said` is None where it is sealed."""

    at: int
    request: str
    cast_ns: int
    approver: str
    issuer: str
    verdict: str
    proof: str
    counted: bool
    why: str
    said: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """Anything else that the log says."""

    at: int
    at_ns: int
    kind: str
    session: bytes
    about: dict[str, Any]


@dataclass(slots=True)
class Batch:
    """What changed by reading some entries, in the order of the log."""

    sessions: dict[int, Opened] = field(default_factory=dict)
    asked: dict[bytes, Asked] = field(default_factory=dict)
    requests: dict[str, Requested] = field(default_factory=dict)
    votes: list[Cast] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    ended: set[bytes] = field(default_factory=set)
    erased: set[bytes] = field(default_factory=set)


def words_of(session: Opened) -> str:
    """What the index keeps of a session beside its row."""
    return json.dumps(session.about)
