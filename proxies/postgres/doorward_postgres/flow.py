"""The bytes of one session, both ways: what is sent, what is read, and what may be released.

What it is: the trio shell around two links and one line. Chunks are handed on as they arrive, without waking a task;
what cannot leave at once, or may not yet, is left to the task that attends the link it came from.
What it will not do: know a message, or decide.

Invariants (ARCHITECTURE.md, "Durability"):
- Nothing goes to the client before the record of the last thing sent to the server is durable.
- While what the server sent waits for that, or for a client that does not read, nothing more of it is read.
"""

import trio

from doorward_core.errors import RecordError
from doorward_core.net.attend import Attention, Heed, Take
from doorward_core.net.link import Link
from doorward_core.session_gate import SessionGate
from doorward_postgres.machine_line import Line


class Flow:
    """Moves what lies in `line.to_server` and `line.to_client`."""

    def __init__(self, client: Link, server: Link, door: SessionGate, line: Line) -> None:
        self._client = client
        self._server = server
        self._door = door
        self._line = line
        self._from_client = Attention(client)
        self._from_server = Attention(server)
        self._releasing: trio.Event | None = None  # one release at a time, in order; no lock, which would yield
        self._parked = False  # what the client may have waits for the record, and no task for it
        self._over = False

    @property
    def calm(self) -> bool:
        """Tell whether nothing waits to be released."""
        return not self._line.to_client and not self._parked and self._releasing is None

    async def attend_client(self, take: Take) -> bool:
        """Hand over what the client sends; False once it has hung up."""
        return await self._from_client.attend(take)

    async def client_gone(self) -> None:
        """Wait until the client hangs up: that hides behind unread bytes, so the connection itself is watched."""
        await self._client.wait_hangup()

    async def attend_server(self, take: Take) -> bool:
        """Hand over what the server sends; False once it has closed the connection."""
        return await self._from_server.attend(take)

    async def send(self) -> None:
        """Send what the server is to have."""
        line = self._line
        out, line.to_server = line.to_server, []
        await self._server.send_all(out)

    def pass_on(self, data: bytes) -> bool:
        """Send a chunk to the server as it is; False where not all of it has left, and `send` must wait for it."""
        return self._server.offer((data,))

    async def release(self) -> None:
        """Send what the client may have, once the record of everything sent to the server is durable."""
        line = self._line
        while self._releasing is not None:
            await self._releasing.wait()
        if line.to_client:
            done = self._releasing = trio.Event()
            try:
                out, line.to_client = line.to_client, []
                try:
                    await self._door.released(line.entry)
                except trio.Cancelled:
                    line.to_client[:0] = out  # a CancelRequest ends a hold, and not the session
                    raise
                await self._client.send_all(out)
            finally:
                self._releasing = None
                done.set()
        await self._client.send_all(())  # what was offered and did not leave: who fills a slow client waits for it

    def let_go(self) -> Heed:
        """The same for what the server sent, without waiting: what its reader is to do next."""
        line = self._line
        if not line.to_client:
            return Heed.MORE
        if self._releasing is not None:
            return Heed.WAKE  # its task goes behind the one that is at it
        if not self._door.release(line.entry, self._recorded):
            self._parked = True
            return Heed.HOLD
        out, line.to_client = line.to_client, []
        return Heed.MORE if self._client.offer(out) else Heed.WAKE

    def _recorded(self) -> None:
        """What was waited for is durable; or the log has failed, which the server's task then finds out."""
        if self._over:
            return
        self._parked = False
        try:
            said = self.let_go()
        except RecordError:
            said = Heed.WAKE
        if said is Heed.WAKE:
            self._from_server.wake()
        elif said is Heed.MORE:
            self._from_server.resume()

    def end(self) -> None:
        """Release nothing more."""
        self._over = True
