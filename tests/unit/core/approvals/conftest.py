"""What the tests of this room share: people, requests, operations, and a desk with a real store."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from doorward_core.approvals.desk import Desk
from doorward_core.approvals.request import ApprovalRequest, HeldRule, Verdict, Vote
from doorward_core.approvals.store import Quota, SqliteStore
from doorward_core.approvals.votes import statement
from doorward_core.errors import RecordError
from doorward_core.event import Event, EventKind
from doorward_core.model import Action, Atom, AuthMethod, Identity, PrincipalKind, Target

NS = 1_000_000_000
START = 1_800_000_000 * NS
KEY = bytes(range(32))


def _person(subject="dora", groups=("dba",), **changes) -> Identity:
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


def _request(name="ap-0123456789ab", **changes) -> ApprovalRequest:
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
        self.folder = folder
        self.now = START
        self.store = SqliteStore(folder / "approvals.sqlite", KEY, quota)
        self.desk = Desk(self.store, clock=lambda: self.now, record=self._record)

    def restart(self) -> None:
        """Another process on the same file: what was in memory is gone."""
        self.store.close()
        self.store = SqliteStore(self.folder / "approvals.sqlite", KEY)
        self.desk = Desk(self.store, clock=lambda: self.now, record=self._record)

    async def _record(self, event: Event) -> None:
        await trio.lowlevel.checkpoint()
        if self.broken:
            raise RecordError("the disk is full")
        self.events.append(event)

    @property
    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]


def _vote(request: ApprovalRequest, subject="dora", verdict=Verdict.APPROVE, **changes) -> Vote:
    vote = Vote(
        request_id=request.id,
        approver_subject=subject,
        approver_issuer="https://id.example",
        approver_groups=frozenset({"dba"}),
        approver_kind=PrincipalKind.HUMAN,
        verdict=verdict,
        reason="",
        cast_unix_ns=START + NS,
        proof_kind="token",
        proof=b"p" * 32,
        statement=statement(
            request, verdict, subject=subject, issuer="https://id.example", reason="", cast_unix_ns=START + NS
        ),
    )
    return replace(vote, **changes)


@pytest.fixture
def person() -> Callable[..., Identity]:
    return _person


@pytest.fixture
def a_request() -> Callable[..., ApprovalRequest]:
    return _request


@pytest.fixture
def a_vote() -> Callable[..., Vote]:
    return _vote


@pytest.fixture
def room(tmp_path):
    made = Room(tmp_path)
    yield made
    made.store.close()
