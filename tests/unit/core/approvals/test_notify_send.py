"""Telling receivers that are real servers: what arrives, what is tried again, and that nobody waits for it."""

import json
import re
import ssl
import time
from pathlib import Path

import pytest
import trio
from hook import Hook
from http_stand import make_certificate

from doorward_core.approvals import notify_send
from doorward_core.approvals.notify import SIGNATURE, of_request
from doorward_core.approvals.notify_send import QUEUE, Notifier, Receiver
from doorward_core.approvals.request import Verdict
from doorward_core.config_approvals import TOLD
from doorward_core.config_approvals import Receiver as Settings
from doorward_core.config_secrets import SecretSource
from doorward_core.errors import UpstreamUnavailable
from doorward_core.model import Secret

KEY = "k" * 40
NOW = 1_800_000_000 * 10**9
DOCUMENT = Path(__file__).parents[4] / "docs/approvals.md"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(notify_send, "PAUSES_S", (0.0, 0.0, 0.0))


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


def _settings(**changes):
    source = SecretSource(env="HOOK")
    return Settings(**{"url": source, "key": source, "format": "json", "on": TOLD, **changes})


def _receiver(url, key=KEY, **changes):
    async def address():
        await trio.lowlevel.checkpoint()
        return Secret(url)

    async def secret():
        await trio.lowlevel.checkpoint()
        return Secret(key)

    return Receiver("receiver 1 (json)", _settings(**changes), address, secret if key else None)


class Told:
    """A notifier with one receiver, and what it said of failures."""

    def __init__(self, receiver, clock=lambda: NOW) -> None:
        self.said: list[str] = []
        self.receiver = receiver
        self.notifier = Notifier(
            (receiver,),
            link="https://desk.example/{id}",
            clock=clock,
            delivery=iter("abcdefgh").__next__,
            failed=self.said.append,
        )

    async def until(self, sent=0, failed=0):
        """Run until so many have gone out."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.notifier.run)
            with trio.fail_after(60):
                while (self.receiver.sent, self.receiver.failed) != (sent, failed):
                    await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()


async def test_a_notice_arrives_signed_and_the_documented_verifier_takes_it_once(hook, a_request):
    told = Told(_receiver(hook.url), clock=time.time_ns)
    told.notifier.tell(of_request("held", a_request(), NOW))
    await told.until(sent=1)
    (_, headers, content), space, seen = hook.got[0], {}, set()
    snippet = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[1]
    exec(snippet, space)
    verified = space["verified"]
    assert verified(headers[SIGNATURE], content, KEY.encode(), seen)["id"] == "ap-0123456789ab"
    with pytest.raises(ValueError, match="had before"):
        verified(headers[SIGNATURE], content, KEY.encode(), seen)
    for key, data in ((b"other" * 10, content), (KEY.encode(), content.replace(b"held", b"used"))):
        with pytest.raises(ValueError, match="not from the gateway"):
            verified(headers[SIGNATURE], data, key, set())


async def test_ap_10_the_documented_verifier_refuses_what_is_old(hook, a_request):
    told = Told(_receiver(hook.url), clock=lambda: time.time_ns() - 600 * 10**9)
    told.notifier.tell(of_request("held", a_request(), NOW))
    await told.until(sent=1)
    (_, headers, content), space = hook.got[0], {}
    exec(re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[1], space)
    with pytest.raises(ValueError, match="too old"):
        space["verified"](headers[SIGNATURE], content, KEY.encode(), set())


async def test_over_tls_the_certificate_is_verified(tmp_path, a_request):
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    hook = Hook(context=context)
    try:
        trusting = Told(_receiver(hook.url, ca=certificate))
        trusting.notifier.tell(of_request("held", a_request(), NOW))
        await trusting.until(sent=1)
        strict = Told(_receiver(hook.url))
        strict.notifier.tell(of_request("held", a_request(), NOW))
        await strict.until(failed=1)
        assert len(hook.got) == 1
    finally:
        hook.close()


async def test_what_fails_for_now_is_tried_again_under_the_same_name(a_request):
    hook = Hook(statuses=(503, 429))
    try:
        told = Told(_receiver(hook.url))
        told.notifier.tell(of_request("held", a_request(), NOW))
        await told.until(sent=1)
        assert {json.loads(content)["delivery"] for _, _, content in hook.got} == {"a"}
        assert (len(hook.got), told.said, told.notifier.problem) == (3, [], "")
    finally:
        hook.close()


@pytest.mark.parametrize(("statuses", "tries"), [((500,) * 9, 4), ((404,), 1), ((302,), 1), ((200 + 100,), 1)])
async def test_what_fails_for_good_is_said_without_the_address(statuses, tries, a_request):
    hook = Hook(statuses=statuses, headers=(("Location", "http://127.0.0.1:1/elsewhere"),))
    try:
        told = Told(_receiver(hook.url))
        told.notifier.tell(of_request("held", a_request(), NOW))
        await told.until(failed=1)
        assert len(hook.got) == tries
        (said,) = told.said
        assert f"status {statuses[0]}" in said
        assert "in-the-address" not in said + told.notifier.problem
        told.notifier.tell(of_request("held", a_request(), NOW))
        if len(statuses) == 1:
            await told.until(sent=1, failed=1)
            assert told.notifier.problem == ""
    finally:
        hook.close()


async def test_a_receiver_is_told_only_of_what_it_wants(hook, a_request):
    told = Told(_receiver(hook.url, on=("granted",)))
    for event in ("held", "voted", "granted"):
        told.notifier.tell(of_request(event, a_request(), NOW))
    await told.until(sent=1)
    assert [json.loads(content)["event"] for _, _, content in hook.got] == ["granted"]


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("http://hooks.example/in-the-address", KEY, "not https"),
        ("https://localhost:1/in-the-address", "short", "fewer than 32"),
        ("http://127.0.0.1:1/in-the-address", KEY, "did not answer"),
    ],
)
async def test_what_must_not_or_cannot_be_reached_is_a_failure_in_words(url, key, words, a_request):
    told = Told(_receiver(url, key))
    told.notifier.tell(of_request("held", a_request(), NOW))
    await told.until(failed=1)
    assert words in told.said[0]
    assert "in-the-address" not in told.said[0]


async def test_a_secret_that_cannot_be_had_is_a_failure(a_request):
    async def nothing():
        await trio.lowlevel.checkpoint()
        raise UpstreamUnavailable("a secret cannot be had: file x")

    told = Told(Receiver("receiver 1 (json)", _settings(), nothing, nothing))
    told.notifier.tell(of_request("held", a_request(), NOW))
    await told.until(failed=1)
    assert "cannot be had" in told.notifier.problem


async def test_ap_10_a_receiver_that_never_answers_costs_nobody_else_anything(a_request):
    told = Told(_receiver("https://localhost:1/"))
    for _ in range(QUEUE + 5):  # nobody takes them out: `tell` returns all the same
        told.notifier.tell(of_request("held", a_request(), NOW))
    assert told.receiver.dropped == 5
    assert len(told.said) == 5


async def test_ap_10_a_hold_does_not_wait_for_a_receiver(room, a_request):
    told = Told(_receiver("https://localhost:1/"))
    room.desk.notifier = told.notifier
    for number in range(3):
        await room.desk.open(a_request(f"ap-00000000000{number}"))
    assert await room.desk.withdraw("ap-000000000000")
    assert told.receiver.sent == told.receiver.failed == 0


async def test_the_desk_tells_of_holds_votes_and_endings(hook, room, a_request, person):
    told = Told(_receiver(hook.url, on=("held", "voted", "granted", "rejected", "expired", "withdrawn")))
    room.desk.notifier = told.notifier
    await room.desk.open(a_request())
    await room.desk.vote(person(), "ap-0123456789ab", Verdict.APPROVE, "fine")
    await room.desk.open(a_request("ap-000000000001"))
    await room.desk.withdraw("ap-000000000001")
    await told.until(sent=5)
    said = [json.loads(content) for _, _, content in hook.got]
    assert [one["event"] for one in said] == ["held", "voted", "granted", "held", "withdrawn"]
    assert (said[1]["voted"], said[1]["said"]) == ("dora: approve", "fine")
