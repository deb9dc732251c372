"""trio as asyncio's guest: results, failures and cancellations in both directions."""

import asyncio

import pytest
import trio
import trio.lowlevel

from doorward_core.errors import AdmissionRefused
from doorward_ssh.loops import Bridge, in_asyncio, run


async def ticking():
    await asyncio.sleep(0)
    return 7


def test_a_trio_task_waits_for_a_coroutine():
    async def main():
        return await in_asyncio(ticking())

    assert run(main) == 7


def test_what_a_coroutine_raises_arrives():
    async def failing():
        await asyncio.sleep(0)
        raise KeyError("x")

    async def main():
        with pytest.raises(KeyError):
            await in_asyncio(failing())
        return "on"

    assert run(main) == "on"


def test_what_main_raises_arrives():
    async def main():
        await trio.lowlevel.checkpoint()
        raise KeyError("x")

    with pytest.raises(KeyError):
        run(main)


def test_a_cancelled_trio_task_cancels_its_coroutine_and_waits_for_its_end():
    seen = []

    async def main():
        with trio.CancelScope() as scope:
            token = trio.lowlevel.current_trio_token()

            async def long():
                token.run_sync_soon(scope.cancel)
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.sleep(0)
                    seen.append("ended")

            await in_asyncio(long())
        return scope.cancelled_caught, list(seen)

    assert run(main) == (True, ["ended"])


def test_a_coroutine_that_somebody_else_cancels_is_an_error_and_no_cancellation():
    async def main():
        async def dying():
            asyncio.current_task().cancel()
            await asyncio.sleep(0)

        with pytest.raises(ConnectionResetError):
            await in_asyncio(dying())

    run(main)


def asked(work):
    """What asyncio gets when it asks trio for `work`."""

    async def main():
        async with trio.open_nursery() as nursery:
            bridge = Bridge(nursery)

            async def ask():
                return await bridge.ask(work)

            try:
                return await in_asyncio(ask())
            finally:
                bridge.close()

    return run(main)


def test_asyncio_asks_trio():
    async def work():
        await trio.lowlevel.checkpoint()
        return "answer"

    assert asked(work) == "answer"


def test_a_refusal_in_trio_is_raised_in_asyncio_and_ends_nothing_else():
    async def work():
        await trio.lowlevel.checkpoint()
        raise AdmissionRefused("no")

    with pytest.raises(ExceptionGroup) as caught:
        asked(work)
    assert caught.group_contains(AdmissionRefused)


def test_a_defect_in_trio_reaches_both_sides():
    async def work():
        await trio.lowlevel.checkpoint()
        raise KeyError("x")

    with pytest.raises(ExceptionGroup) as caught:
        asked(work)
    assert caught.group_contains(KeyError)


def test_a_future_that_is_cancelled_cancels_its_task():
    seen = []

    async def work():
        try:
            await trio.sleep_forever()
        finally:
            seen.append("cancelled")

    async def main():
        async with trio.open_nursery() as nursery:
            bridge = Bridge(nursery)

            async def ask():
                future = bridge.ask(work)
                await asyncio.sleep(0)
                future.cancel()

            await in_asyncio(ask())
            while not seen:
                await trio.lowlevel.checkpoint()
            bridge.close()
        return seen

    assert run(main) == ["cancelled"]


def test_what_asks_when_it_is_over_is_told_so():
    async def main():
        async with trio.open_nursery() as nursery:
            bridge = Bridge(nursery)
            bridge.close()

            async def ask():
                return await bridge.ask(trio.sleep, 0)

            with pytest.raises(ConnectionResetError):
                await in_asyncio(ask())

    run(main)


def test_a_call_that_comes_when_it_is_over_is_dropped():
    called = []

    async def main():
        async with trio.open_nursery() as nursery:
            bridge = Bridge(nursery)
            bridge.soon(called.append, 1)
            await in_asyncio(asyncio.sleep(0))
            bridge.soon(called.append, 2)
            bridge.close()
            await in_asyncio(asyncio.sleep(0))

    run(main)
    assert called == [1]
