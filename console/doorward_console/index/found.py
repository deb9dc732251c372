"""What a search is, and what it finds: the nouns that pages and commands share.

It is pure, and frozen. Times are nanoseconds since 1970, UTC. Texts are as the record has them: whoever shows one makes
it harmless first.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; everything that is given must hold, and what is empty holds always.

    `identity` and `sponsor` hold a part of a name, `resource` and `protocol` a whole one; `table` is a name as policy
    has it (`public.customer`), or its last part. `verdict` is permit, deny, hold (waiting), or held (ever).
    `action` is one of policy's, or `change` for whatever may change something; with `table` it is about that table.
    `until_unix_ns` is the first moment that is not meant. `live` finds sessions that have not ended.
    """

    text: str = ""
    identity: str = ""
    sponsor: str = ""
    resource: str = ""
    protocol: str = ""
    since_unix_ns: int = 0
    until_unix_ns: int = 0
    verdict: str = ""
    table: str = ""
    code: str = ""
    action: str = ""
    approver: str = ""
    rule: str = ""
    origin: str = ""
    live: bool = False

    @property
    def about_operations(self) -> bool:
        """Whether it says anything that a session by itself does not have."""
        return any((self.text, self.verdict, self.table, self.code, self.action, self.approver, self.rule))


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of what was found, newest first. `next` asks for the rest, and is 0 where there is none."""

    rows: tuple[T, ...]
    next: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session; `state` is open, closed, refused, or lost (its gateway stopped without a word)."""

    number: int
    origin: str
    session: str
    index: int
    opened_unix_ns: int
    closed_unix_ns: int
    state: str
    subject: str
    issuer: str
    principal: str
    sponsor: str
    resource: str
    protocol: str
    account: str
    permitted: int
    denied: int
    held: int
    rows: int
    masked: int
    attributes: dict[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    peer: str = ""
    display: str = ""
    observe: bool = False
    reason: str = ""
    coverage: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VoteRow:
    """A vote. `reason` is None where it is sealed; `refused` says why it did not count."""

    request: str
    cast_unix_ns: int
    approver: str
    issuer: str
    verdict: str
    proof: str
    counted: bool
    refused: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request for people's leave, with its votes. `needs` are rule, groups and quorum of each hold."""

    request: str
    origin: str
    session: str
    asked_unix_ns: int
    expires_unix_ns: int
    state: str
    ended_unix_ns: int
    why: str
    needs: tuple[dict[str, object], ...]
    votes: tuple[VoteRow, ...]


@dataclass(frozen=True, slots=True)
class OperationRow:
    """Something that was asked. `text` is None where it is sealed or erased (`content` says which)."""

    number: int
    origin: str
    session: str
    operation: str
    index: int
    at_unix_ns: int
    seq: int
    subject: str
    issuer: str
    principal: str
    sponsor: str
    resource: str
    protocol: str
    account: str
    action: str
    verb: str
    verdict: str
    reason: str
    rules: tuple[str, ...]
    observed: str
    request: str
    status: str
    code: str
    rows: int
    bytes_down: int
    masked: dict[str, int]
    duration_ns: int
    text: str | None
    cut: bool
    parameters: tuple[str | None, ...]
    typed: tuple[str, ...]
    touched: tuple[tuple[str, str, str], ...]
    content: str
    approval: RequestRow | None = None

    @property
    def released(self) -> bool:
        """Whether it was let through."""
        return self.verdict == "permit"


@dataclass(frozen=True, slots=True)
class Changes:
    """Who changed something: statements that name it, and how many changes of the same table do not.

    A statement may change a row without naming it (`WHERE city = 'Ulm'`); `others` says how many of those there are,
    up to a bound, so that nobody takes the list for all of it.
    """

    page: Page[OperationRow]
    others: int
    others_bounded: bool


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event beside sessions and operations: a policy that was loaded, a log that was opened, a reading."""

    origin: str
    index: int
    at_unix_ns: int
    kind: str
    session: str
    about: dict[str, object]
