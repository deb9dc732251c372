"""What waits for people, over all gateways, as pages and the JSON API both show it.

What it is: the questions to the gateways' approvals, and their answers read into rows.
What it will not do: decide who may see what: each gateway answers for itself, to the person's own token.

Invariants: newest first over all gateways; a gateway that did not answer is named in the result; nothing of an answer
is taken for granted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from doorward_console.watch_board import is_gone
from doorward_console.web.answers import number_of, text_of, texts_of
from doorward_console.web.desk import Desk
from doorward_console.web.people import Person
from doorward_console.web.reach import Down, Told, ask_all

MAX_ROWS = 1_000
"""Of one page: more than anybody reads; the count says how many there are."""
MAX_PAGES = 4
"""Asked of each gateway after the first, of two hundred each."""


@dataclass(frozen=True, slots=True)
class Row:
    """One request in a list. `text` is its beginning; `text_characters` is how long it is in full.

    `gone` says that it waits, and its requester does not; `retry` that an identical retry may use its grant.
    """

    gateway: str
    id: str
    state: str
    resource: str
    account: str
    subject: str
    display: str
    sponsor: str
    kind: str
    verb: str
    text: str
    text_characters: int
    reason: str
    attributes: Mapping[str, str]
    flags: tuple[str, ...]
    rules: tuple[str, ...]
    missing: int
    opened_unix_ns: int
    expires_unix_ns: int
    gone: bool = False
    retry: bool = False

    @property
    def path(self) -> str:
        """Where its page is."""
        return f"/requests/{self.gateway}/{quote(self.id, safe='')}"


@dataclass(frozen=True, slots=True)
class Inbox:
    """What waits: the rows, newest first, how many more there are, and which gateways did not answer."""

    rows: tuple[Row, ...]
    more: int
    down: tuple[Down, ...]


async def inbox(desk: Desk, person: Person, state: str = "pending", *, whole: bool = False) -> Inbox:
    """Ask every gateway, at once: for the newest two hundred of each, or for as many as a page can hold."""
    query, gateways = {"state": state}, desk.gateways
    told, down = await ask_all(tuple(gateways.values()), person.token, "approvals", query=query)
    newest, rest = list(told), {one.gateway: one.answer for one in told} if whole else {}
    for _ in range(MAX_PAGES):
        going = {name: place for name, answer in rest.items() if isinstance(place := answer.get("next"), str) and place}
        if not going:
            break
        rest = {}
        for name, place in going.items():
            more, silent = await ask_all((gateways[name],), person.token, "approvals", query={**query, "before": place})
            told, down = [*told, *more], [*down, *silent]
            rest |= {one.gateway: one.answer for one in more}
    found = gathered(told, down)
    # Each page counts what is beyond it; the first one's number, less what came after it, is what is left.
    beyond = gathered(newest, ()).more - (len(found.rows) - len(gathered(newest, ()).rows))
    return replace(found, more=max(0, beyond))


def gathered(told: Iterable[Told], down: Iterable[Down]) -> Inbox:
    """What several gateways answered, as one list."""
    rows: list[Row] = []
    more = 0
    for one in told:
        listed, beyond = one.answer.get("approvals"), one.answer.get("more")
        more += beyond if isinstance(beyond, int) else 0
        rows += (row for item in (listed if isinstance(listed, list) else ()) if (row := _row(one.gateway, item)))
    rows.sort(key=lambda row: (-row.opened_unix_ns, row.id))
    return Inbox(tuple(rows[:MAX_ROWS]), more + max(0, len(rows) - MAX_ROWS), tuple(down))


def _row(gateway: str, item: object) -> Row | None:
    if not isinstance(item, dict) or not isinstance(item.get("id"), str):
        return None
    missing = item.get("missing")
    attributes = item.get("attributes")
    return Row(
        gateway=gateway,
        id=item["id"],
        state=text_of(item, "state"),
        resource=text_of(item, "resource"),
        account=text_of(item, "account"),
        subject=text_of(item, "subject"),
        display=text_of(item, "display"),
        sponsor=text_of(item, "sponsor"),
        kind=text_of(item, "kind"),
        verb=text_of(item, "verb"),
        text=text_of(item, "text"),
        text_characters=number_of(item, "text_characters"),
        reason=text_of(item, "reason"),
        attributes={str(key): str(value) for key, value in attributes.items()} if isinstance(attributes, dict) else {},
        flags=texts_of(item, "flags"),
        rules=texts_of(item, "rules"),
        missing=sum(n for n in missing.values() if isinstance(n, int)) if isinstance(missing, dict) else 0,
        opened_unix_ns=number_of(item, "opened_unix_ns"),
        expires_unix_ns=number_of(item, "expires_unix_ns"),
        gone=is_gone(item),
        retry=item.get("retry") is True,
    )
