"""One client and its server in the query phase: the trio shell around the machine.

What it is: two loops and a few watchers in one nursery, which hand over bytes, wait, and say why the session ends.
What it will not do: know a message's layout or order (`machine`, `machine_replies`), or have it decided (`deciding`).

Invariants (ARCHITECTURE.md, "The order"):
- Nothing goes to the server but what the machine put on the line, and it puts a statement there only under a Permit.
- Nothing goes to the client before the record of the last thing sent is durable.
- While an operation is held the client's bytes are not read; its hang-up and its CancelRequest are noticed.

Cancelled, it leaves both connections to be closed by `proxy`, and an undecided request withdrawn.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio

from doorward_core import errors
from doorward_core.config import Limits
from doorward_core.model import RecordLevel
from doorward_core.net.attend import Heed
from doorward_core.net.link import Link
from doorward_core.session_gate import SessionGate
from doorward_postgres import refusals, wire_encode
from doorward_postgres.catalogue import Catalogue
from doorward_postgres.deciding import Deciding
from doorward_postgres.flow import Flow
from doorward_postgres.machine import Machine, Question, Wait
from doorward_postgres.machine_line import PAYLOAD_BYTES, SHOWN_BYTES, Line
from doorward_postgres.machine_replies import Replies
from doorward_postgres.operations import Reader
from doorward_postgres.previews import Previews
from doorward_postgres.refusals import Ending
from doorward_postgres.repeater import Repeater
from doorward_postgres.results import MaskDuty, SessionMessages
from doorward_postgres.state import IDLE
from doorward_postgres.upstream import Upstream

GOODBYE_S: Final = 5.0  # how long the server may take to finish what was sent before a client said goodbye

log = structlog.get_logger()


class Conversation:
    """Drives one session until it ends; `run` gives the reason."""

    def __init__(
        self,
        client: Link,
        upstream: Upstream,
        door: SessionGate,
        *,
        line: Line,
        reader: Reader,
        catalogue: Catalogue,
        duty: MaskDuty,
        limits: Limits,
        previews: Previews | None,
    ) -> None:
        self._upstream = upstream
        self._door = door
        self._line = line
        self._catalogue = catalogue
        self._idle_s = limits.idle
        self._heard_s = trio.current_time()
        shown = PAYLOAD_BYTES if door.level is RecordLevel.PAYLOAD else SHOWN_BYTES
        self._machine = Machine(line, max_message_bytes=limits.statement_bytes, shown_bytes=shown)
        self._replies = Replies(line, SessionMessages(duty), max_message_bytes=limits.buffer_bytes)
        self._flow = Flow(client, upstream.link, door, line)
        self._repeater = Repeater(line, self._machine, self._replies, reader, door)
        self._deciding = Deciding(
            self,
            door,
            self._flow,
            line=line,
            machine=self._machine,
            repeater=self._repeater,
            reader=reader,
            catalogue=catalogue,
            duty=duty,
            previews=previews,
        )
        self._answered: trio.Event | None = None  # where somebody waits for the server's next answer
        self._cancelling: trio.Event | None = None  # one CancelRequest at a time goes to the target
        self._ending: Ending | None = None
        self._nursery: trio.Nursery | None = None

    async def run(self, draining: trio.Event) -> Ending:
        """Serve until either side ends, the credential expires, or the gateway drains."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for loop in (self._from_client, self._from_server, self._until_over, self._until_idle):
                    nursery.start_soon(self._guarded, loop)
                nursery.start_soon(self._until_drained, draining)
        finally:
            self._flow.end()
        return self._ending or Ending("ended")

    async def cancel(self) -> None:
        """A CancelRequest named this session. Returns once the target has passed it on: it means nothing later."""
        if self._deciding.cancel():
            return
        if self._cancelling is not None:
            await self._cancelling.wait()
        elif self._line.expected:
            self._cancelling = over = trio.Event()
            try:
                await self._upstream.cancel()
            except (errors.UpstreamUnavailable, errors.UpstreamProtocolError) as error:
                log.warning("cancel.not_taken", problem=str(error))
            finally:
                self._cancelling = None
                over.set()

    # --- the loops ---------------------------------------------------------------------------------------------------

    async def _from_client(self) -> Ending:
        machine, line = self._machine, self._line
        while True:
            machine.now_ns = time.monotonic_ns()
            step = machine.step()
            if isinstance(step, Question):
                await self._deciding.answer(step)
                continue
            self._repeater.sending()
            await self._flow.send()
            if line.to_client:
                await self._flow.release()
            if step is Wait.SERVER:
                await self.settled()
            elif step is Wait.END:
                await self._finish_up()
                return Ending("the client said goodbye")
            elif not await self._flow.attend_client(self._hear_client):
                return Ending("the client hung up")

    def _hear_client(self, data: bytes) -> Heed:
        self._heard_s = trio.current_time()
        catalog = self._catalogue.fresh(self._heard_s)
        if self._repeater.client(data, catalog, time.monotonic_ns(), calm=self._flow.calm):
            return Heed.MORE if self._flow.pass_on(data) else Heed.WAKE
        self._machine.receive(data)
        return Heed.WAKE

    async def _from_server(self) -> Ending:
        if self._upstream.leftover:
            self._hear_server(self._upstream.leftover)
        while True:
            await self._flow.release()
            if not await self._flow.attend_server(self._hear_server):
                return Ending("the target closed the connection", refusals.LOST)

    def _hear_server(self, data: bytes) -> Heed:
        line, door, repeater, now_ns = self._line, self._door, self._repeater, time.monotonic_ns()
        if not repeater.server(data, now_ns):
            learning = repeater.watch()
            self._replies.receive(data, now_ns)
            if learning is not None:
                repeater.learn(learning, data, self._deciding.view.catalog)
        for permit, outcome in line.finished:
            door.finish(permit, outcome)
        line.finished.clear()
        if line.state.uncertain and line.state.status == IDLE:
            self._deciding.outdate()
        if self._answered is not None and self._machine.settled:
            self._answered.set()
            self._answered = None
        return self._flow.let_go()

    async def _until_over(self) -> Ending:
        left_ns = self._door.session.identity.expires_unix_ns - time.time_ns()
        return refusals.over(await self._door.live.over(left_ns))

    async def _until_idle(self) -> Ending:
        """One sleeping task a session, woken once a period: no deadline is set for each message."""
        while True:
            quiet_s = trio.current_time() - self._heard_s
            if quiet_s >= self._idle_s and not self._line.expected and not self._deciding.held:
                return Ending("idle for too long", refusals.IDLE)
            await trio.sleep(max(1.0, self._idle_s - quiet_s))

    async def _until_drained(self, draining: trio.Event) -> None:
        """The gateway goes down: what is held is withdrawn, what runs may end, then the session does."""
        await draining.wait()
        if self._deciding.held:
            # What the rest of its transaction would do depends on it: the server undoes it as the connection ends.
            self._deciding.withdraw()
            self.end(Ending("the gateway is going down", refusals.GOING_DOWN))
        while self._line.expected or self._line.state.status != IDLE:
            await self._answer_of_server()
        self.end(Ending("the gateway is going down", refusals.GOING_DOWN))

    async def _guarded(self, loop: Callable[[], Awaitable[Ending]]) -> None:
        try:
            ending = await loop()
        except errors.ClientProtocolError as error:
            ending = Ending(f"client protocol: {error}", refusals.fatal("08P01", str(error)))
        except errors.UpstreamProtocolError as error:
            ending = Ending(f"upstream protocol: {error}", refusals.UNTRUSTED)
        except errors.RecordError as error:
            ending = Ending("the record cannot be written", refusals.no_record(error))
        except errors.UpstreamUnavailable as error:
            ending = Ending(f"target: {error}", refusals.LOST)
        except errors.GatewayError as error:
            ending = Ending(f"gateway: {error}", refusals.INTERNAL)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            ending = Ending("a connection broke")
        self.end(ending)

    def start(self, work: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Start a task that ends with the session at the latest."""
        assert self._nursery is not None  # what asks for one runs in it
        self._nursery.start_soon(work, *arguments)

    def end(self, ending: Ending) -> None:
        """End the session; the first reason counts."""
        self._ending = self._ending or ending
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def settled(self) -> None:
        """Wait until the server has answered what was sent."""
        while not self._machine.settled:
            await self._answer_of_server()

    async def _answer_of_server(self) -> None:
        if self._answered is None:
            self._answered = trio.Event()
        await self._answered.wait()

    async def _finish_up(self) -> None:
        """Let the server end what was sent before the goodbye, so that its outcome is recorded."""
        with trio.move_on_after(GOODBYE_S):
            await self._flow.send()
            while self._line.expected and not self._line.copy_in:
                await self._answer_of_server()
            await self._upstream.link.send_all(wire_encode.TERMINATE)
