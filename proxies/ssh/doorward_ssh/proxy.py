"""The SSH gateway: what it serves, and by what clients know it.

What it is: the proxy's side of `doorward_core.run`: dialers for the targets, the host key, the routes that give out
certificates, and a `Conversation` for each connection.
What it will not do: decide, speak SSH, or move bytes.

Invariants: each connection is served by the options that were in force when it came.
"""

import math
import time
from typing import Final

import asyncssh

from doorward_core.errors import ConfigError, RecordError
from doorward_core.identity.ssh_certificate import HOST_LIFE_S
from doorward_core.model import Approve, Mask, Obligation, Record
from doorward_core.net.control import Route
from doorward_core.net.listen import Connection
from doorward_core.net.tls import ServerTls
from doorward_core.rooms import Room
from doorward_core.run import Maker
from doorward_ssh import hostkeys, loops, server
from doorward_ssh.certificates import Certificates
from doorward_ssh.conversation import Conversation
from doorward_ssh.settings import SshTarget
from doorward_ssh.upstream import Dialer

RENEW_S: Final = HOST_LIFE_S / 2  # a host certificate is made again for the next connection, long before it ends
DISCHARGES: Final[frozenset[type[Obligation]]] = frozenset({Mask, Approve, Record})


class SshProxy:
    """Serves every SSH resource of one configuration."""

    def __init__(self, room: Room) -> None:
        assert room.authorities is not None  # `Maker.certificates` asks for them
        self._room = room
        self._authorities = room.authorities
        self._names = _names(room)
        self._targets: dict[str, Dialer] = {}
        for name, resource in room.config.resources.items():
            if isinstance(resource.target, SshTarget):
                unknown = sorted(set(resource.target.keys) - set(resource.accounts))
                if unknown:
                    raise ConfigError((f"resources.{name}.target.keys: no such accounts: {', '.join(unknown)}",))
                self._targets[name] = Dialer(resource.target, resource.accounts, room.authorities, room.secrets)
        self._options: dict[str, tuple[float, asyncssh.SSHServerConnectionOptions]] = {}
        self._options_for("")
        self._certificates = Certificates(room.gate, room.authorities, self._names)

    def reload(self) -> None:
        """Make new host certificates."""
        self._options.clear()
        self._options_for("")

    def warnings(self) -> tuple[str, ...]:
        """What an operator is to be told at every start."""
        return ()

    def routes(self) -> tuple[Route, ...]:
        """Certificates, on the control port."""
        return self._certificates.routes()

    async def serve(self, connection: Connection, tls: ServerTls | None) -> None:
        """Serve one connection to its end. Raises what ends it abnormally; the supervisor of `listen` records that."""
        room = self._room
        try:
            about = (connection, room.gate, self._targets, self._options_for, room.mask_key)
            await Conversation(*about, idle_s=room.config.limits.idle).run()
        except BaseExceptionGroup as group:
            unrecorded = group.subgroup(RecordError)
            if unrecorded is None:
                raise
            # What the supervisor has a word of its own for; whatever came with it followed from it.
            raise RecordError("the record could not be written") from group

    def _options_for(self, resource: str) -> asyncssh.SSHServerConnectionOptions:
        """As what host the gateway answers: for a resource behind a jump by its name alone, else by its own names."""
        made_s, options = self._options.get(resource, (-math.inf, None))
        if options is None or time.monotonic() - made_s > RENEW_S:
            config = self._room.config
            names = (resource,) if resource else self._names
            options = server.server_options(hostkeys.load(config.record.keys, self._authorities, names, config.origin))
            self._options[resource] = time.monotonic(), options
        return options


def _names(room: Room) -> tuple[str, ...]:
    """Under which names clients reach this gateway: what it listens on, and the host of its origin."""
    listened = (item.address for item in room.config.listen if item.address is not None)
    host = room.config.origin.partition("/")[0].partition(":")[0]
    return tuple(dict.fromkeys((host, *listened)))


SSH: Final = Maker("ssh", DISCHARGES, SshTarget, SshProxy, certificates=True, loop=loops.run)
