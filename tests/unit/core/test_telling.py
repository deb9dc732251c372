"""From the configuration to a notifier: receivers by number, and failures on record."""

import trio
from hook import Hook

from doorward_core.approvals.notify import Notice
from doorward_core.config_approvals import Receiver
from doorward_core.config_secrets import SecretSource
from doorward_core.event import Event, EventKind
from doorward_core.record.memory import MemoryLog
from doorward_core.telling import notifier, tell_event


class Config:
    """What a notifier looks at of a configuration."""

    def __init__(self, *receivers) -> None:
        self.approvals = self
        self.notify = receivers
        self.link = "https://desk.example/{id}"


async def _run_until(made, done):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        with trio.fail_after(60):
            while not done():
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


async def test_broken_glass_reaches_a_receiver_whose_address_is_a_secret(monkeypatch):
    hook = Hook()
    try:
        monkeypatch.setenv("HOOK", hook.url)
        made = notifier(Config(Receiver(url=SecretSource(env="HOOK"), format="slack")), MemoryLog())
        tell_event(made, Event(EventKind.BREAK_GLASS_OPENED, {"subject": "dora"}, {"reason": "outage"}), "gw")
        tell_event(made, Event(EventKind.BREAK_GLASS_REVIEWED, {}, {}), "gw")
        await _run_until(made, lambda: made.receivers[0].sent == 1)
        assert b"outage" in hook.got[0][2]
    finally:
        hook.close()


async def test_a_failure_is_on_record_by_the_receivers_number(monkeypatch):
    monkeypatch.setenv("HOOK", "http://hooks.example/secret")
    log = MemoryLog()
    made = notifier(Config(Receiver(url=SecretSource(env="HOOK"), format="slack")), log)
    made.tell(Notice("held", "gw", "ap-1", 1, "crew-7", "", "app-db"))
    await _run_until(made, lambda: made.receivers[0].failed == 1)
    (event,) = log.events
    assert event.kind is EventKind.GATEWAY_ERROR
    assert event.header["what"] == "notification to receiver 1 (slack): the address is not https"
