"""The desk: waiting, voting, withdrawing, using; with the real store and trio's clock."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.testing
from doorward_core.approvals.desk import Desk
from doorward_core.approvals.request import ApprovalRequest, HeldRule, RequestState, Verdict
from doorward_core.approvals.store import Quota, RequestRefused, SqliteStore
from doorward_core.errors import RecordError
from doorward_core.model import Action, Atom, AuthMethod, Event, EventKind, Identity, PrincipalKind, Target

NS = 1_000_000_000
START = 1_800_000_000 * NS
KEY = bytes(range(32))


def person(subject="dora", groups=("dba",), **changes) -> Identity:
    identity = Identity(
        subject=subject,
        issuer="https://id.example",
        kind=PrincipalKind.HUMAN,
        groups=frozenset(groups),
        method=AuthMethod.JWT,
        credential_id="jti-1",
        authenticated_unix_ns=START,
        expires_unix_ns=START + 3600 * NS,
    )
    return replace(identity, **changes)


def a_request(name="ap-0123456789ab", **changes) -> ApprovalRequest:
    request = ApprovalRequest(
        id=name,
        origin="gw.example",
        digest=b"d" * 32,
        session_id=b"s" * 16,
        operation_id=b"o" * 16,
        subject="crew-7",
        issuer="https://id.example",
        sponsor="sam",
        kind=PrincipalKind.AGENT,
        display="Crew 7",
        attributes={"crew": "seven"},
        resource="app-db",
        account="app",
        verb="UPDATE",
        text="UPDATE customer SET name = 'x' WHERE id = $1",
        text_truncated=False,
        parameters=("42", None),
        atoms=(Atom(Action.WRITE, Target("relation", "public.customer", ("name",))),),
        unseen=(),
        rules=(HeldRule("writes", b"h" * 32, frozenset({"dba"}), 1),),
        reason="Writes need a DBA.",
        opened_unix_ns=START,
        expires_unix_ns=START + 600 * NS,
        grant_s=300,
    )
    return replace(request, **changes)


class Room:
    """A desk with a real store in a folder and a list for a log."""

    def __init__(self, folder: Path, quota: Quota | None = None) -> None:
        self.events: list[Event] = []
        self.broken = False
        self.now = START
        self.store = SqliteStore(folder / "approvals.sqlite", KEY, quota)
        self.desk = Desk(self.store, clock=lambda: self.now, record=self._record)

    async def _record(self, event: Event) -> None:
        await trio.lowlevel.checkpoint()
        if self.broken:
            raise RecordError("the disk is full")
        self.events.append(event)

    @property
    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]


@pytest.fixture
def room(tmp_path):
    made = Room(tmp_path)
    yield made
    made.store.close()


async def test_a_vote_wakes_the_one_who_waits_and_the_grant_is_used_once(room):
    request = a_request()
    await room.desk.open(request)
    states = []
    async with trio.open_nursery() as nursery:

        async def wait():
            states.append(await room.desk.wait(request.id))

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        outcome = await room.desk.vote(person(), request.id, Verdict.APPROVE, "fine")
    assert (outcome.state, outcome.refusal, states) == (RequestState.GRANTED, "", [RequestState.GRANTED])
    assert await room.desk.use(request.id)
    assert not await room.desk.use(request.id)
    assert room.kinds == [EventKind.APPROVAL_VOTED, EventKind.APPROVAL_GRANTED]
