"""Connections through the target: each decided, by the address that it goes to, and on record with its bytes.

What it is: `Forwards`, which answers a client that asks for a direct connection to an address or a Unix socket, or for
the target to listen; the trio side of `legs`.
What it will not do: look at what passes, look a name up, or have a target listen, or forward an agent, X11 or a tunnel:
those are put on record and refused, whatever policy says.

Source: RFC 4254 section 7; OpenSSH's PROTOCOL file, section 2.4 (streamlocal).

Invariants:
- Nothing is opened at the target but under a Permit, and by the name that was decided on (`addresses`).
- What is open is bounded in number for each connection; what waits for people ends with its connection.
- Every permit is finished, with the bytes of both directions, whatever ends the connection.
"""

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import asyncssh
import trio

from doorward_core.errors import UpstreamUnavailable
from doorward_core.event import Outcome, Status
from doorward_core.model import Action, Atom, Denial, Operation, Permit, Target
from doorward_ssh import refusals
from doorward_ssh.addresses import BadAddress, canonical, forward_atoms, socket_atoms
from doorward_ssh.channels import Talk
from doorward_ssh.legs import Leg, Pair
from doorward_ssh.loops import in_asyncio
from doorward_ssh.operations import AGENT, X11

MAX_FORWARDS: Final = 128  # of one connection at a time: a browser through a forward opens some dozens
MAX_REFUSING: Final = 64  # refusals that wait for their record; a client asks for an agent and X11 once
SHOWN_CHARS: Final = 200  # of what cannot be read, for people
PASSING: Final = "forwarded connections were not looked at"
DIRECT: Final = "direct-tcpip"
STREAM: Final = "direct-streamlocal"
LISTEN: Final = "tcpip-forward"
LISTEN_STREAM: Final = "streamlocal-forward"
TUNNEL: Final = "tun"
NEVER: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {  # the target's kind in the record, and the words
        LISTEN: ("listener", "a target does not listen for a client here"),
        LISTEN_STREAM: ("listener", "a target does not listen for a client here"),
        TUNNEL: ("tunnel", "no tunnel is made here"),
        AGENT: ("agent", "an agent is never forwarded: the target could sign with its keys"),
        X11: ("x11", "X11 is never forwarded"),
    }
)
"""What is refused whatever policy says, and put on record."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a client asks for: a host and a port, the path of a socket, or one of `NEVER` by its verb."""

    verb: str
    host: str
    port: int = 0
    origin: tuple[str, int] = ("", 0)


class Forwards:
    """The forwards of one connection."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._pairs: set[Pair] = set()
        self._count = 0
        self._refusing = 0
        self._holding: set[trio.CancelScope] = set()

    # --- what asyncssh asks ------------------------------------------------------------------------------------------

    async def open(self, opening: Opening) -> Leg:
        """The client's leg of a new connection. Raises asyncssh.ChannelOpenError, with words for the client."""
        if self._count >= MAX_FORWARDS:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, refusals.line("too many connections"))
        self._count += 1
        try:
            found = await self._talk.bridge.ask(self._open, opening)
        finally:
            self._count -= 1
        if isinstance(found, Pair):
            return found.client
        raise found

    async def refuse(self, opening: Opening) -> None:
        """Put on record that one of `NEVER` was asked for. Raises RecordError."""
        _, operation = self._read(opening)
        await self._talk.door.refuse(operation, NEVER[opening.verb][1])

    def never(self, opening: Opening) -> None:
        """The same for what is answered at once: its record follows, and how many do is bounded."""
        if self._refusing >= MAX_REFUSING:
            raise asyncssh.ProtocolError("too many requests that are refused")
        self._refusing += 1
        self._talk.bridge.start(self._never, opening)

    async def _never(self, opening: Opening) -> None:
        try:
            await self.refuse(opening)
        finally:
            self._refusing -= 1

    def throttle_target(self, reason: str, *, stop: bool) -> None:
        """The client does not read, or reads again."""
        for pair in self._pairs:
            pair.throttle(pair.target, reason, stop=stop)

    def throttle_client(self, reason: str, *, stop: bool) -> None:
        """The target does not read, or reads again."""
        for pair in self._pairs:
            pair.throttle(pair.client, reason, stop=stop)

    def withdraw(self) -> None:
        """The gateway goes down: what waits for people waits no longer, and what passes is ended."""
        for scope in tuple(self._holding):
            scope.cancel()
        for pair in tuple(self._pairs):
            pair.close()

    # --- how it waits (doorward_core.terms.Waiter) --------------------------------------------------------------------

    async def prepare(self) -> str:
        """Nothing of it has begun: it can be held."""
        return refusals.GOING_DOWN if self._talk.draining else ""

    async def notify(self, request_id: str, advice: str, within_s: int) -> None:
        """There is no channel yet to say it in: it is said in those that are open, and to a client's own log."""
        self._talk.tell(refusals.held(request_id, advice, within_s))

    async def progress(self, request_id: str, words: str, within_s: int) -> None:
        """Say how far people are, in the same places."""
        self._talk.tell(refusals.held(request_id, words, within_s))

    # --- trio's side -------------------------------------------------------------------------------------------------

    async def _open(self, opening: Opening) -> Pair | asyncssh.ChannelOpenError:
        opening, operation = self._read(opening)
        verdict = await self._decide(operation)
        if not isinstance(verdict, Permit):
            words = refusals.denied(verdict) if verdict is not None else refusals.line(refusals.GOING_DOWN)
            return asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, words)
        return await self._connect(opening, verdict)

    async def _connect(self, opening: Opening, permit: Permit) -> Pair | asyncssh.ChannelOpenError:
        door, began = self._talk.door, time.monotonic_ns()
        gone = trio.Event()
        pair = Pair(lambda: self._talk.bridge.soon(gone.set))
        kept = False
        try:
            connection = await self._talk.upstream()
            await in_asyncio(_dial(connection, opening, pair))
            self._pairs.add(pair)
            self._count += 1
            self._talk.bridge.start(self._outlive, pair, gone, permit, began)
            door.uncovered(PASSING)
            kept = True
        except UpstreamUnavailable as error:
            await door.failed(f"target: {error}")
            return asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, refusals.unavailable(str(error)))
        except asyncssh.ChannelOpenError as error:
            words = refusals.line("the target could not connect to it")
            return asyncssh.ChannelOpenError(error.code, words)
        finally:
            if not kept:
                door.finish(permit, Outcome(Status.ERROR, "open-failed", duration_ns=time.monotonic_ns() - began))
        return pair

    async def _outlive(self, pair: Pair, gone: trio.Event, permit: Permit, began: int) -> None:
        """Until both legs are gone: then it is on record how much passed."""
        status = Status.ABORTED
        try:
            await gone.wait()
            status = Status.OK
        finally:
            pair.close()
            self._pairs.discard(pair)
            self._count -= 1
            outcome = Outcome(
                status,
                bytes_up=pair.client.received,
                bytes_down=pair.target.received,
                duration_ns=time.monotonic_ns() - began,
            )
            self._talk.door.finish(permit, outcome)

    async def _decide(self, operation: Operation) -> Permit | Denial | None:
        scope = trio.CancelScope()
        self._holding.add(scope)
        try:
            with scope:
                return await self._talk.door.decide(operation, self, {})
        finally:
            self._holding.discard(scope)
        return None

    def _read(self, opening: Opening) -> tuple[Opening, Operation]:
        """The opening by canonical names, and the operation; one that cannot be read is not complete."""
        atoms: tuple[Atom, ...] = ()
        problem = ""
        host = opening.host
        try:
            if opening.verb == STREAM:
                atoms = socket_atoms(host)
            elif opening.verb in NEVER:
                name = f"{host[:SHOWN_CHARS]}:{opening.port}" if opening.verb == LISTEN else host[:SHOWN_CHARS]
                atoms = (Atom(Action.FORWARD, Target(NEVER[opening.verb][0], name)),)
            else:
                host = canonical(host)
                atoms = forward_atoms(host, opening.port)
        except BadAddress as error:
            problem = str(error)
        found = Opening(opening.verb, host, opening.port, opening.origin)
        where = f"{host[:SHOWN_CHARS]} port {opening.port}" if opening.verb in {DIRECT, LISTEN} else host[:SHOWN_CHARS]
        account = self._talk.door.session.account
        parts = ("doorward-ssh/forward/1", account, found.verb, host, str(found.port))
        sha = hashlib.sha256()
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            sha.update(len(data).to_bytes(8, "big") + data)
        return found, Operation(
            id=os.urandom(16),
            seq=self._talk.next_seq(),
            action=Action.FORWARD,
            verb=found.verb,
            atoms=atoms,
            text=f"{found.verb} {where}".rstrip(),
            digest=sha.digest(),
            complete=not problem,
            unseen=("stream",),
            attributes={"problem": problem} if problem else {},
        )


async def _dial(connection: asyncssh.SSHClientConnection, opening: Opening, pair: Pair) -> None:
    """Open the target's leg, in asyncio."""
    if opening.verb == STREAM:
        await connection.create_unix_connection(lambda: pair.target, opening.host, encoding=None)
    else:
        await connection.create_connection(
            lambda: pair.target, opening.host, opening.port, *opening.origin, encoding=None
        )
