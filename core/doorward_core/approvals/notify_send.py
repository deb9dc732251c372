"""Telling receivers: one task and one bounded queue for each, so that nobody waits for anybody, and no hold for any.

It is the trio shell of `notify`. `tell` puts a notice into queues and returns; what is not delivered is counted, goes
into the log as `gateway.error`, and stands in what the admin port says; nothing else comes of it.
It will not follow a redirect, read an answer, use a proxy of the environment, or send over anything but TLS, unless it
is to this machine itself. The address is a secret, and never in a message.

Invariants: `tell` never waits and never fails; a receiver's queue holds `QUEUE` notices, and what comes on top is
dropped and counted; each attempt has `TIMEOUT_S`, and each notice as many attempts as there are `PAUSES_S`, and one.

Cancellation leaves what was queued unsent: who waits at the desk sees it anyway.
"""

import math
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

import httpx2
import trio

from doorward_core.approvals.notify import (
    MIN_KEY_CHARACTERS,
    NS_PER_S,
    SIGNATURE,
    Notice,
    address_problem,
    body,
    link_to,
    signature,
)
from doorward_core.errors import GatewayError
from doorward_core.model import Secret

QUEUE: Final = 256
TIMEOUT_S: Final = 10.0
PAUSES_S: Final = (1.0, 5.0, 25.0)
"""Between attempts: half a minute bridges a restart; after that the news is old, and the desk has it."""
SUCCESS: Final = range(200, 300)
AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which trying again may help; any other is said once, and so is a redirect."""


class ReceiverSettings(Protocol):
    """What a receiver is told, as the configuration has it; `doorward_core.config_approvals.Receiver` is one."""

    @property
    def format(self) -> str:
        """`json`, `slack` or `teams`."""

    @property
    def on(self) -> tuple[str, ...]:
        """The events that it is told of."""

    @property
    def text(self) -> bool:
        """Whether it is sent the beginning of statements."""

    @property
    def ca(self) -> Path | None:
        """Whose certificates to trust instead of the system's."""


@dataclass(slots=True)
class Receiver:
    """One receiver: its settings, how its address and its key are to be had, and what became of what it was sent."""

    name: str
    settings: ReceiverSettings
    url: Callable[[], Awaitable[Secret]]
    key: Callable[[], Awaitable[Secret]] | None = None
    sent: int = 0
    failed: int = 0
    dropped: int = 0
    problem: str = ""
    _queue: tuple[trio.MemorySendChannel[Notice], trio.MemoryReceiveChannel[Notice]] = field(
        default_factory=lambda: trio.open_memory_channel[Notice](QUEUE)
    )

    def offer(self, notice: Notice) -> bool:
        """Queue a notice; False where there is no room."""
        try:
            self._queue[0].send_nowait(notice)
        except trio.WouldBlock:
            self.dropped += 1
            return False
        return True

    async def next(self) -> Notice:
        """Wait for what is to be sent."""
        return await self._queue[1].receive()


class Undelivered(GatewayError):
    """A notice did not arrive; `again` says whether it may, later. The message has no address in it."""

    def __init__(self, words: str, *, again: bool) -> None:
        super().__init__(words)
        self.again = again


class Notifier:
    """All receivers. `clock` gives nanoseconds since the epoch, `failed` puts words about a failure on record."""

    def __init__(
        self,
        receivers: tuple[Receiver, ...],
        *,
        link: str,
        clock: Callable[[], int],
        delivery: Callable[[], str],
        failed: Callable[[str], None],
    ) -> None:
        self.receivers = receivers
        self._link = link
        self._clock = clock
        self._delivery = delivery
        self._failed = failed

    @property
    def problem(self) -> str:
        """Which receivers could not be told last time; empty where all could."""
        return "; ".join(f"{one.name}: {one.problem}" for one in self.receivers if one.problem)

    def tell(self, notice: Notice) -> None:
        """Have everybody told who wants to be; returns at once, whatever becomes of it."""
        for receiver in self.receivers:
            if notice.event in receiver.settings.on and not receiver.offer(notice):
                self._note(receiver, f"{QUEUE} notifications wait already; one more was dropped")

    async def run(self) -> None:
        """Send what is queued, until cancelled."""
        async with trio.open_nursery() as nursery:
            for receiver in self.receivers:
                nursery.start_soon(self._serve, receiver)

    async def _serve(self, receiver: Receiver) -> None:
        while True:
            notice = await receiver.next()
            delivery = self._delivery()
            for pause_s in (*PAUSES_S, math.inf):
                try:
                    await self._send(receiver, notice, delivery)
                except Undelivered as error:
                    if not error.again or pause_s == math.inf:
                        receiver.failed += 1
                        self._note(receiver, str(error))
                        break
                    await trio.sleep(pause_s)
                else:
                    receiver.sent += 1
                    receiver.problem = ""
                    break

    async def _send(self, receiver: Receiver, notice: Notice, delivery: str) -> None:
        try:
            url = (await receiver.url()).reveal()
            key = (await receiver.key()).reveal() if receiver.key is not None else ""
        except GatewayError as error:
            raise Undelivered(str(error), again=True) from error
        if problem := address_problem(url):
            raise Undelivered(problem, again=False)
        if receiver.key is not None and len(key) < MIN_KEY_CHARACTERS:
            raise Undelivered(f"its key has fewer than {MIN_KEY_CHARACTERS} characters", again=False)
        settings = receiver.settings
        link = link_to(self._link, notice.name) if notice.event != "break-glass" else ""
        content = body(notice, settings.format, link=link, delivery=delivery, text=settings.text)
        headers = {"Content-Type": "application/json", "User-Agent": "doorward"}
        if key:
            headers[SIGNATURE] = signature(key.encode("utf-8"), content, self._clock() // NS_PER_S)
        status = await _post(url, content, headers, settings.ca)
        if status not in SUCCESS:
            raise Undelivered(f"the receiver answered with status {status}", again=status in AGAIN)

    def _note(self, receiver: Receiver, words: str) -> None:
        receiver.problem = words
        self._failed(f"notification to {receiver.name}: {words}")


async def _post(url: str, content: bytes, headers: dict[str, str], ca: Path | None) -> int:
    """Post a body; gives the status, and reads no further. Undelivered where there was no answer in time."""
    failure = "the receiver did not answer in time"
    with trio.move_on_after(TIMEOUT_S):
        try:
            async with (
                httpx2.AsyncClient(verify=_tls(ca), follow_redirects=False, trust_env=False, timeout=None) as client,
                client.stream("POST", url, content=content, headers=headers) as response,
            ):
                return int(response.status_code)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            failure = f"the receiver did not answer: {type(error).__name__}"
    raise Undelivered(failure, again=True)


@lru_cache(maxsize=16)
def _tls(ca: Path | None) -> ssl.SSLContext:
    """Made once for each: reading a system's store takes tens of milliseconds."""
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
