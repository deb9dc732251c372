"""What a connection asked last, as it was read and decided: most clients ask in the same words again.

What it is: the shell that keeps `Before`, one request without a body, with everything that was made of it and would be
made of it again; and `Line`, where one connection keeps it.
What it will not do: decide. The gate gives every use its own Permit and its own entries (`doorward_core.scribe`).

Invariants: nothing is used again for another head, resource, or set of facts that policy asks for; nor for a session
that has ended, or whose credential has. A decision is the gate's own to remember, in `memo`, under the digest of its
policy. Only what was made of equal input is given again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from doorward_core.doors import Doors
from doorward_core.http.messages import Head, Headers, ResponseHead
from doorward_core.http.routes import Found
from doorward_core.model import Operation
from doorward_core.net.listen import Connection
from doorward_core.policy.decide import Policy
from doorward_core.session_gate import Memo
from doorward_http.doors import HttpDoor
from doorward_http.operations import Request
from doorward_http.served import Served


@dataclass(slots=True)
class Before:
    """One request. `sent` is what the target got; `answer` is the head of what it answered, and what became of it."""

    served: Served
    door: HttpDoor
    request: Request
    operation: Operation
    wanted: frozenset[str]
    memo: Memo
    sent: Head | None = None
    answer: tuple[ResponseHead, ResponseHead] | None = None

    def stands(self, head: Head, served: Mapping[str, Served], policy: Policy) -> bool:
        """Whether a request with this head would be read as this one was, in a session that lasts."""
        asked = self.request.head
        return (head is asked or head == asked) and self.lasts(served) and self.served.wanted(policy) == self.wanted

    def lasts(self, served: Mapping[str, Served]) -> bool:
        """Whether its session may go on, at the resource as it is set up now."""
        door = self.door.gate
        return served.get(self.served.name) is self.served and not door.live.ended and not door.expired()


class Line:
    """One connection: its sessions, and what was asked last."""

    __slots__ = ("before", "connection", "doors")

    def __init__(self, connection: Connection, doors: Doors[HttpDoor]) -> None:
        self.connection = connection
        self.doors = doors
        self.before: Before | None = None

    def asker(self, head: Head, found: Found | None, served: Mapping[str, Served]) -> HttpDoor | None:
        """The session of who asked last, where the same is asked by: fields that are equal show the same credential."""
        before = self.before
        if before is None or found is None or found.resource != before.served.name or not before.lasts(served):
            return None
        return before.door if head.headers == before.request.head.headers else None

    def headers(self, head: Head, door: HttpDoor, served: Served) -> Headers | None:
        """What may go on of these fields, where it was made before."""
        before = self.before
        if before is None or before.door is not door or before.served is not served:
            return None
        return before.request.headers if head.headers == before.request.head.headers else None
