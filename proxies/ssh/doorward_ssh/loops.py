"""Two event loops in one thread: asyncio is the host, because asyncssh is written for it, and trio is its guest.

What it is: `run`, which stands where `trio.run` stands in `doorward_core.run`; `in_asyncio`, by which a trio task
waits for a coroutine of asyncssh; and `Bridge`, by which a callback of asyncssh has trio do something.
What it will not do: hide which loop a piece of code belongs to. Callbacks of asyncssh never wait and never touch a trio
object but through a `Bridge`; everything that waits for people, the record or deadlines is trio's.

Why so, and what lost: docs/adr/0010-asyncssh-on-its-own-loop.md.

Invariants: a trio task that is cancelled while it waits cancels its coroutine and waits for the end of it; an asyncio
future that is cancelled cancels its trio task; nothing that fails on one side is lost on the other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

import trio

from doorward_core.errors import GatewayError

ResultT = TypeVar("ResultT")

GONE: Final = "the connection is over"


def run(main: Callable[..., Awaitable[ResultT]], *arguments: object) -> ResultT:
    """Run `main(*arguments)` under trio, as the guest of an asyncio loop, and give what it gives."""
    return asyncio.run(_host(main, arguments))


async def _host(main: Callable[..., Awaitable[ResultT]], arguments: tuple[object, ...]) -> ResultT:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()  # of an `outcome.Outcome`
    trio.lowlevel.start_guest_run(
        main,
        *arguments,
        run_sync_soon_threadsafe=loop.call_soon_threadsafe,
        run_sync_soon_not_threadsafe=loop.call_soon,
        host_uses_signal_set_wakeup_fd=True,
        done_callback=done.set_result,
    )
    result: ResultT = (await done).unwrap()
    return result


async def in_asyncio(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Wait, in a trio task, for a coroutine of asyncio.

    Cancelled, the coroutine is cancelled first; what it gives all the same is given, and the cancellation comes after.
    """
    me = trio.lowlevel.current_task()
    token = trio.lowlevel.current_trio_token()
    task = asyncio.get_running_loop().create_task(work)

    def ended(_: "asyncio.Task[ResultT]") -> None:
        token.run_sync_soon(trio.lowlevel.reschedule, me)

    task.add_done_callback(ended)
    raised: list[Callable[[], None]] = []

    def abort(raise_cancel: Callable[[], Any]) -> trio.lowlevel.Abort:
        raised.append(raise_cancel)
        task.cancel()
        return trio.lowlevel.Abort.FAILED  # it wakes up when the coroutine has ended

    await trio.lowlevel.wait_task_rescheduled(abort)
    if task.cancelled():
        if raised:
            raised[0]()
        raise ConnectionResetError(GONE)  # somebody else cancelled it: asyncssh, whose connection has ended
    return task.result()


class Bridge:
    """The way from asyncio's side to one trio nursery. Made in trio; `close` when the nursery is about to end."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._token = trio.lowlevel.current_trio_token()
        self._open = True

    def close(self) -> None:
        """Let nothing in any more: what is asked from here on is answered with `ConnectionResetError`."""
        self._open = False

    def soon(self, call: Callable[..., object], *arguments: object) -> None:
        """Have trio call something that does not wait; silently not, once this is closed."""
        self._token.run_sync_soon(self._call, call, arguments)

    def start(self, work: Callable[..., Awaitable[object]], *arguments: object) -> None:
        """Start a task in the nursery; silently not, once this is closed."""
        self.soon(lambda: self._nursery.start_soon(work, *arguments))

    def ask(self, work: Callable[..., Awaitable[ResultT]], *arguments: object) -> "asyncio.Future[ResultT]":
        """Have a trio task do something, and give a future of what it gives. Cancelled, the task is cancelled."""
        future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()

        def begin() -> None:
            if not self._open:
                _fail(future, ConnectionResetError(GONE))
            else:
                self._nursery.start_soon(self._answer, future, work, arguments)

        self._token.run_sync_soon(begin)
        return future

    def started(self, work: Callable[..., Awaitable[object]], *arguments: object) -> "asyncio.Future[Any]":
        """Start a task in the nursery, and give a future of what it says as it has started (`trio.TaskStatus`)."""
        return self.ask(self._nursery.start, work, *arguments)

    async def _answer(
        self, future: "asyncio.Future[ResultT]", work: Callable[..., Awaitable[ResultT]], arguments: tuple[object, ...]
    ) -> None:
        with trio.CancelScope() as scope:
            future.add_done_callback(lambda _: self.soon(scope.cancel))
            try:
                result = await work(*arguments)
            except (GatewayError, OSError) as error:
                _fail(future, error)
            else:
                if not future.done():
                    future.set_result(result)
            finally:
                _fail(future, ConnectionResetError(GONE))  # cancelled, or a defect that goes on upwards

    def _call(self, call: Callable[..., object], arguments: tuple[object, ...]) -> None:
        if self._open:
            call(*arguments)


def _fail(future: "asyncio.Future[ResultT]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
