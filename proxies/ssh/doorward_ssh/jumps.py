"""Connections through a connection: what `ssh -J` opens, each with a login of its own.

What it is: `Jumps`, which is the host that a jump asks for: SSH within SSH, in a channel of the outer connection.
What it will not do: decide; whoever is carried is admitted, and asks, as if there were no jump.

Source: RFC 4254 section 7.2 (direct-tcpip); OpenSSH's ssh_config(5), ProxyJump.

Invariants: a jump leads to the resources of this gateway alone, by their names, and to no address; what one carries is
bounded in number, and ends with it.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol, cast

import asyncssh
import trio

from doorward_ssh import refusals
from doorward_ssh.forwards import DIRECT, Opening
from doorward_ssh.inside import ClientConnection
from doorward_ssh.legs import Leg
from doorward_ssh.loops import Bridge

MAX_CARRIED: Final = 32  # through one jump at a time; a client opens one for each login


class Carried(Protocol):
    """A connection that comes through this one."""

    async def run(self, task_status: trio.TaskStatus[ClientConnection]) -> None:
        """Serve it to its end; it is started once there is something for asyncssh to speak to."""


class Jumps:
    """What one connection carries. `make` gives the host of a resource; `ended` is called as each has ended."""

    def __init__(
        self, targets: Mapping[str, object], make: Callable[[str], Carried], ended: Callable[[], None]
    ) -> None:
        self._targets = targets
        self._make = make
        self._ended = ended
        self._carried: set[Carried] = set()

    @property
    def busy(self) -> bool:
        """Tell whether something is carried."""
        return bool(self._carried)

    async def carry(self, bridge: Bridge, opening: Opening) -> Leg:
        """Be the host that is asked for. Raises asyncssh.ChannelOpenError. Called by asyncio."""
        name = resource_of(opening, self._targets)
        if not name or len(self._carried) >= MAX_CARRIED:
            words = "too many connections" if name else "a jump leads to resources alone, by their names"
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, refusals.line(words))
        inner = self._make(name)
        self._carried.add(inner)
        client: ClientConnection = await bridge.started(self._run, inner)
        return cast("Leg", client)  # to asyncssh a connection is a session as well: its own tunnels are made so

    async def _run(self, inner: Carried, task_status: trio.TaskStatus[ClientConnection]) -> None:
        try:
            await inner.run(task_status)
        finally:
            self._carried.discard(inner)
            self._ended()


def resource_of(opening: Opening, targets: Mapping[str, object]) -> str:
    """The resource that a jump asks for; "" where there is none of that name. Clients fold names to small letters."""
    if opening.verb != DIRECT:
        return ""
    if opening.host in targets:
        return opening.host
    folded = [name for name in targets if name.lower() == opening.host.lower()]
    return folded[0] if len(folded) == 1 else ""
