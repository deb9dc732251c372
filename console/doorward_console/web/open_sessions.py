"""The sessions that are open now, over all gateways, as an operator may see them.

What it is: the question to each gateway, with that person's own token, read into rows.
What it will not do: ask on behalf of somebody who is no operator; what a gateway does not let them see is not shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from doorward_console.web.desk import Desk
from doorward_console.web.people import Person, Role
from doorward_console.web.reach import Down, ask_all


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One session."""

    gateway: str
    id: str
    subject: str
    sponsor: str
    resource: str
    protocol: str
    account: str
    peer: str
    opened_unix_ns: int
    attributes: Mapping[str, str] = field(default_factory=dict)


async def open_sessions(desk: Desk, person: Person) -> tuple[tuple[OpenSession, ...], tuple[Down, ...]]:
    """Newest first, and the gateways that did not say; nothing for somebody who is no operator."""
    if not person.may(frozenset({Role.OPERATOR})):
        return (), ()
    told, down = await ask_all(tuple(desk.gateways.values()), person.token, "sessions")
    rows: list[OpenSession] = []
    for one in told:
        listed = one.answer.get("sessions")
        rows += (
            _row(one.gateway, item) for item in (listed if isinstance(listed, list) else ()) if isinstance(item, dict)
        )
    return tuple(sorted(rows, key=lambda row: (-row.opened_unix_ns, row.id))), tuple(down)


def _row(gateway: str, item: Mapping[str, object]) -> OpenSession:
    def text(name: str) -> str:
        value = item.get(name)
        return value if isinstance(value, str) else ""

    opened, attributes = item.get("opened_unix_ns"), item.get("attributes")
    return OpenSession(
        gateway=gateway,
        id=text("session"),
        subject=text("subject"),
        sponsor=text("sponsor"),
        resource=text("resource"),
        protocol=text("protocol"),
        account=text("account"),
        peer=text("peer"),
        opened_unix_ns=opened if isinstance(opened, int) else 0,
        attributes={str(key): str(value) for key, value in attributes.items()} if isinstance(attributes, dict) else {},
    )
