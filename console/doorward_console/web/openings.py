"""Glass that was broken: break-glass access that is open, or whose review is owed, over all gateways.

What it is: the questions to the gateways about it, read into rows, for the front page and the JSON API.
What it will not do: decide who may look or review: each gateway does. One that has no such thing, or does not let this
person look, adds nothing; one that is down is named on the inbox beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from doorward_console.web.desk import Desk
from doorward_console.web.people import Person
from doorward_console.web.reach import ask_all


@dataclass(frozen=True, slots=True)
class OpeningRow:
    """One time that somebody broke the glass of a resource."""

    gateway: str
    id: str
    subject: str
    display: str
    resource: str
    reason: str
    opened_unix_ns: int
    until_unix_ns: int
    mine: bool

    @property
    def review_path(self) -> str:
        """Where its review is sent."""
        return f"/break-glass/{self.gateway}/{self.id}/review"


async def owed(desk: Desk, person: Person) -> tuple[OpeningRow, ...]:
    """The openings whose review is owed, newest first."""
    told, _ = await ask_all(tuple(desk.gateways.values()), person.token, "break-glass", query={"state": "owed"})
    rows: list[OpeningRow] = []
    for one in told:
        listed = one.answer.get("openings")
        rows += (
            _row(one.gateway, item, person)
            for item in (listed if isinstance(listed, list) else ())
            if isinstance(item, dict)
        )
    return tuple(sorted(rows, key=lambda row: (-row.opened_unix_ns, row.id)))


def _row(gateway: str, item: Mapping[str, object], person: Person) -> OpeningRow:
    def text(name: str) -> str:
        value = item.get(name)
        return value if isinstance(value, str) else ""

    def number(name: str) -> int:
        value = item.get(name)
        return value if isinstance(value, int) else 0

    return OpeningRow(
        gateway=gateway,
        id=text("id"),
        subject=text("subject"),
        display=text("display"),
        resource=text("resource"),
        reason=text("reason"),
        opened_unix_ns=number("opened_unix_ns"),
        until_unix_ns=number("until_unix_ns"),
        mine=text("subject") == person.identity.subject,
    )
