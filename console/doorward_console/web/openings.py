"""Glass that was broken: break-glass access that is open, or whose review is owed, over all gateways.

What it is: the questions to the gateways about it, read into rows, for the pages and the JSON API.
What it will not do: decide who may look, break or review: each gateway does. One that has no such thing, or does not
let this person look, adds nothing; one that is down is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from doorward_console.web.answers import number_of, text_of
from doorward_console.web.desk import Desk
from doorward_console.web.people import Person
from doorward_console.web.reach import Down, ask_all

STATES = ("owed", "open", "all")


@dataclass(frozen=True, slots=True)
class OpeningRow:
    """One time that somebody broke the glass of a resource; `words` are what `reviewer` signed, if somebody has."""

    gateway: str
    id: str
    subject: str
    display: str
    resource: str
    reason: str
    opened_unix_ns: int
    until_unix_ns: int
    mine: bool
    owed: bool = False
    reviewer: str = ""
    words: str = ""
    signed_unix_ns: int = 0

    @property
    def review_path(self) -> str:
        """Where its review is sent."""
        return f"/break-glass/{self.gateway}/{self.id}/review"


@dataclass(frozen=True, slots=True)
class Openings:
    """Openings, newest first, and the gateways that did not answer."""

    openings: tuple[OpeningRow, ...]
    down: tuple[Down, ...]


async def owed(desk: Desk, person: Person) -> tuple[OpeningRow, ...]:
    """The openings whose review is owed, newest first."""
    return (await openings(desk, person, "owed")).openings


async def openings(desk: Desk, person: Person, state: str) -> Openings:
    """The openings of one of `STATES`."""
    told, down = await ask_all(tuple(desk.gateways.values()), person.token, "break-glass", query={"state": state})
    rows: list[OpeningRow] = []
    for one in told:
        listed = one.answer.get("openings")
        rows += (
            _row(one.gateway, item, person)
            for item in (listed if isinstance(listed, list) else ())
            if isinstance(item, dict)
        )
    newest_first = sorted(rows, key=lambda row: (-row.opened_unix_ns, row.id))
    return Openings(tuple(newest_first), tuple(one for one in down if not one.refused))


def _row(gateway: str, item: Mapping[str, object], person: Person) -> OpeningRow:
    review = item.get("review")
    signed = review if isinstance(review, dict) else {}
    return OpeningRow(
        gateway=gateway,
        id=text_of(item, "id"),
        subject=text_of(item, "subject"),
        display=text_of(item, "display"),
        resource=text_of(item, "resource"),
        reason=text_of(item, "reason"),
        opened_unix_ns=number_of(item, "opened_unix_ns"),
        until_unix_ns=number_of(item, "until_unix_ns"),
        mine=text_of(item, "subject") == person.identity.subject,
        owed=not signed,
        reviewer=text_of(signed, "reviewer"),
        words=text_of(signed, "words"),
        signed_unix_ns=number_of(signed, "signed_unix_ns"),
    )
