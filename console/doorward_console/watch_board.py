"""What waits, at one gateway or several, as `doorward approvals watch` has it: from answers to rows, and what changed.

It is pure: answers of `GET /v1/approvals` in; rows, and events for programs, out.
What others wrote is kept as it is; whoever prints it makes it harmless (`output`).

Invariants: a row is known by its gateway *and* its id; whatever is no list of requests is a ValueError, and changes
nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from doorward_console.output import line, span

MAX_TEXT_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class Waiting:
    """One request that waits."""

    gateway: str
    id: str
    opened_unix_ns: int
    expires_unix_ns: int
    summary: Mapping[str, object]

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by."""
        return self.gateway, self.id

    def cells(self, now_unix_ns: int) -> tuple[str, ...]:
        """Id, how long is left, who, where, what, why: each a harmless line."""
        said = self.summary
        left = self.expires_unix_ns - now_unix_ns
        who, sponsor = line(str(said.get("subject"))), line(str(said.get("sponsor") or ""))
        text = " ".join(str(said.get("text", "")).split())
        flags = said.get("flags")
        careful = f"[CAREFUL: {line(', '.join(map(str, flags)))}] " if isinstance(flags, list) and flags else ""
        more = "..." if len(text) > MAX_TEXT_CHARACTERS else ""
        missing = said.get("missing")
        votes = sum(count for count in missing.values() if isinstance(count, int)) if isinstance(missing, dict) else 0
        gone = "; whoever asked is gone" if is_gone(said) else ""
        return (
            line(self.id),
            span(left) if left > 0 else "over",
            f"{who}, for {sponsor}" if sponsor else who,
            f"{line(str(said.get('resource')))} as {line(str(said.get('account')))}",
            f"{careful}{line(text[:MAX_TEXT_CHARACTERS])}{more}",
            f"{line(str(said.get('reason') or ''))} ({votes} more needed{gone})",
        )


class Board:
    """Everything that waits."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], Waiting] = {}
        self.problems: dict[str, str] = {}
        """Why a gateway cannot be asked just now, by gateway."""

    def rows(self) -> list[Waiting]:
        """Newest first."""
        return sorted(self._waiting.values(), key=lambda one: (-one.opened_unix_ns, one.key))

    def update(self, gateway: str, document: Mapping[str, object]) -> list[dict[str, object]]:
        """Take in an answer; gives what changed, for programs: `opened`, `changed` and `closed`."""
        self.problems.pop(gateway, None)
        listed = document.get("approvals")
        if not isinstance(listed, list):
            raise ValueError("the gateway's answer is not a list of requests")  # noqa: TRY004 - its shape, not our call
        after = {one.key: one for one in (_waiting(gateway, item) for item in listed)}
        before = {key: one for key, one in self._waiting.items() if key[0] == gateway}
        events: list[dict[str, object]] = []
        for key, one in after.items():
            if key not in before:
                events.append({"event": "opened", "gateway": gateway, "request": dict(one.summary)})
            elif before[key].summary != one.summary:
                events.append({"event": "changed", "gateway": gateway, "request": dict(one.summary)})
        events += [{"event": "closed", "gateway": gateway, "id": key[1]} for key in before if key not in after]
        self._waiting = {key: one for key, one in self._waiting.items() if key[0] != gateway} | after
        return events

    def fail(self, gateway: str, why: str) -> None:
        """A gateway cannot be asked; what it said last stays, and is marked."""
        self.problems[gateway] = why


def is_gone(summary: Mapping[str, object]) -> bool:
    """Whether a request is undecided, and its requester waits for it no longer; an older gateway does not say."""
    return summary.get("state") == "pending" and summary.get("attended") is False


def _waiting(gateway: str, item: object) -> Waiting:
    if not isinstance(item, dict):
        raise ValueError("the gateway's answer is not a list of requests")  # noqa: TRY004 - as above
    name, opened, expires = item.get("id"), item.get("opened_unix_ns"), item.get("expires_unix_ns")
    if not isinstance(name, str) or not isinstance(opened, int) or not isinstance(expires, int):
        raise ValueError("the gateway's answer is not a list of requests")  # noqa: TRY004 - as above
    return Waiting(gateway, name, opened, expires, item)
