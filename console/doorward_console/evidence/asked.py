"""Requests for approval in a period: who asked for what, who voted, how it ended, and whether it ran.

What it is: events in, one `Asked` for each request out, in the order in which they were held.
What it will not do: judge; figures are counted elsewhere.

Invariant: pure; `MAX_REQUESTS` are kept, and how many more there were is counted.
"""

from dataclasses import dataclass, field
from typing import Final

from doorward_core.event import EventKind
from doorward_core.record.strict import Strict

MAX_REQUESTS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Voice:
    """One vote; `retry` is what was chosen about an identical retry, where there was a choice."""

    index: int
    who: str
    issuer: str
    verdict: str
    proof: str
    refused: str
    retry: bool | None = None


@dataclass(slots=True)
class Asked:
    """One request."""

    request: str
    log: int
    index: int
    at_unix_ns: int
    who: str
    sponsor: str
    resource: str
    verb: str
    votes: list[Voice] = field(default_factory=list)
    ending: str = ""
    ending_index: int | None = None
    ran: list[int] = field(default_factory=list)


class Requests:
    """Follows the requests of all logs of a bundle."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], Asked] = {}
        self.more = 0

    @property
    def found(self) -> list[Asked]:
        """In the order of the logs."""
        return list(self._known.values())

    def take(self, log: int, item: Strict) -> None:
        """The next event of the period that is in scope."""
        request = _text(item, "request")
        if not request:
            return
        known = self._known.get((log, request))
        if known is None:
            if len(self._known) >= MAX_REQUESTS:
                self.more += item.kind == EventKind.OPERATION_HELD
                return
            known = self._known[log, request] = Asked(
                request, log, item.index, item.at, _text(item, "subject"), _text(item, "sponsor"),
                _text(item, "resource"), _text(item, "verb"),
            )  # fmt: skip
        if item.kind == EventKind.APPROVAL_VOTED:
            refused = "" if item.head.get("counted") else _text(item, "reason") or "not counted"
            who, issuer = _text(item, "approver"), _text(item, "approver_issuer")
            verdict, proof, retry = _text(item, "verdict"), _text(item, "proof"), item.head.get("retry")
            chosen = retry if isinstance(retry, bool) else None
            known.votes.append(Voice(item.index, who, issuer, verdict, proof, refused, chosen))
        elif item.kind.startswith("approval."):
            known.ending, known.ending_index = item.kind.removeprefix("approval."), item.index
        elif item.kind == EventKind.OPERATION_DECIDED and item.head.get("verdict") == "permit":
            known.ran.append(item.index)


def _text(item: Strict, name: str) -> str:
    value = item.head.get(name)
    return value if isinstance(value, str) else ""
