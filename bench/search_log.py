"""A log of many sessions for the desk's figures: agents of several crews, at several places, with holds and votes."""

import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import trio

from doorward_core import entries
from doorward_core.approvals import events
from doorward_core.approvals.request import ApprovalRequest, HeldRule, RequestState, Verdict, Vote
from doorward_core.event import Event, Outcome, Status
from doorward_core.model import (
    Action,
    Approve,
    Atom,
    AuthMethod,
    Decision,
    Effect,
    Identity,
    Match,
    Operation,
    Peer,
    Permit,
    PrincipalKind,
    ReasonCode,
    RecordLevel,
    Resource,
    Session,
    Target,
)
from doorward_core.record.writer import Log

NS = 1_000_000_000
STEP_NS = 250_000_000  # between two events: a million of them fill three days
BATCH = 200  # between two looks at whether the writer keeps up
AGENTS, TABLES, PER_SESSION = 60, 40, 40
WORDS = (
    "quarterly",
    "order",
    "shipped",
    "invoice",
    "paid",
    "region",
    "north",
    "south",
    "warehouse",
    "carrier",
    "delayed",
)


class Story:
    """Makes events; the same seed makes the same story."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)
        self._serial = 0
        self._resources = [Resource("shop", "postgres"), Resource("ledger", "postgres"), Resource("crm", "http"),
                           Resource("host-1", "ssh"), Resource("cluster", "k8s")]  # fmt: skip

    def _name(self) -> bytes:
        self._serial += 1
        return self._random.randbytes(8) + self._serial.to_bytes(8, "big")

    def session(self, now: int) -> Iterator[Event]:
        """All events of one session."""
        pick = self._random
        agent = pick.randrange(AGENTS)
        resource = pick.choices(self._resources, (10, 4, 3, 2, 1))[0]
        identity = Identity(
            f"crew-analyst-{agent}", "https://id.example", PrincipalKind.AGENT, frozenset({"analysts"}),
            AuthMethod.JWT, os.urandom(8).hex(), 0, 2**62, sponsor=f"person-{agent % 12}",
            attributes={"crew": f"crew{agent % 9}", "task": pick.choice(WORDS)},
        )  # fmt: skip
        session = Session(self._name(), identity, resource, "app", Peer("10.0.0.7"), "bench.gateway", now, bytes(32))
        yield entries.session_opened(session, read_only=False, observe=False, facts={})
        for seq in range(1, PER_SESSION + 1):
            yield from self._operation(session, seq)
        totals = {"permitted": PER_SESSION, "denied": 0, "duration_ns": 9 * NS}
        yield entries.session_closed(session, totals, [], "the client left")

    def _operation(self, session: Session, seq: int) -> Iterator[Event]:
        pick = self._random
        table, key, chance = pick.randrange(TABLES), pick.randrange(100_000), pick.random()
        name = "customer" if table == 0 else f"table_{table}"
        words = " ".join(pick.choices(WORDS, k=4))
        if chance < 0.8:
            verb, action, text = (
                "SELECT",
                Action.READ,
                f"SELECT id, note FROM {name} WHERE id = $1 AND note = '{words}'",
            )
        elif chance < 0.95:
            verb, action, text = "UPDATE", Action.WRITE, f"UPDATE {name} SET note = '{words}' WHERE id = $1"
        else:
            verb, action, text = "DROP", Action.DEFINE, f"DROP TABLE {name} -- {words}"
        atom = Atom(action, Target("relation", f"public.{name}", ("id", "note")))
        operation = Operation(
            self._name(), seq, action, verb, (atom,), text, bytes(32), parameters=(str(key),),
            attributes={"search_path": '"$user", public', "database": session.resource.name, "problem": ""},
        )  # fmt: skip
        if action is Action.DEFINE:
            yield entries.decided(session, operation, _decision(Effect.DENY, "no-ddl", atom))
            return
        request = ""
        if action is Action.WRITE and chance < 0.82:
            asked, vote = self._asked(session, operation)
            request = asked.id
            hold = Approve("changes", bytes(32), frozenset({"dba"}), 1, 600, 300, 60)
            held = replace(_decision(Effect.HOLD, "changes", atom), obligations=(hold,))
            yield entries.held(
                session, operation, held, request_id=request, expires_unix_ns=2**61, card=b"card of the request"
            )
            yield events.voted(asked, vote)
            yield events.ended(asked, RequestState.GRANTED, (vote,))
        decision = _decision(Effect.PERMIT, "reads" if action is Action.READ else "changes", atom)
        yield entries.decided(session, operation, decision, request_id=request)
        outcome = Outcome(
            Status.ERROR if chance < 0.01 else Status.OK, "42P01" if chance < 0.01 else "", rows=pick.randrange(50),
            bytes_up=73, bytes_down=900, columns=("id", "note"), masked={"email": 2} if table % 7 == 0 else {},
            duration_ns=90_000, shown=b"D\0\0\0\x0b\0\1\0\0\0\1\x30" * 8, shown_format="postgresql.datarow",
            shown_digest=bytes(32),
        )  # fmt: skip
        # Only the gate makes a Permit; what is read of one here is these three.
        permit = cast("Permit", SimpleNamespace(operation=operation, decision=decision, entry=seq))
        yield entries.finished(session, permit, outcome, RecordLevel.SHAPE)

    def _asked(self, session: Session, operation: Operation) -> tuple[ApprovalRequest, Vote]:
        identity = session.identity
        request = ApprovalRequest(
            id=f"ap-{self._serial:012d}", origin="bench.gateway", digest=bytes(32), session_id=session.id,
            operation_id=operation.id, subject=identity.subject, issuer=identity.issuer, sponsor=identity.sponsor,
            kind=identity.kind, display="", attributes=identity.attributes, resource=session.resource.name,
            account="app", verb=operation.verb, text=operation.text, text_truncated=False,
            parameters=operation.parameters, atoms=operation.atoms, unseen=(),
            rules=(HeldRule("changes", bytes(32), frozenset({"dba"}), 1),), reason="", opened_unix_ns=0,
            expires_unix_ns=2**61, grant_s=300,
        )  # fmt: skip
        vote = Vote(
            request.id, f"approver-{self._random.randrange(8)}", "https://id.example", frozenset({"dba"}),
            PrincipalKind.HUMAN, Verdict.APPROVE, "looked at, fine", 0, "token", b"", b"",
        )  # fmt: skip
        return request, vote


def _decision(effect: Effect, rule: str, atom: Atom) -> Decision:
    return Decision(effect, ReasonCode.RULE, "", bytes(32), (), (Match(rule, bytes(32), effect, atom),))


async def _write(folder: Path, count: int, end_unix_ns: int) -> None:
    story = Story()
    now, done = end_unix_ns - count * STEP_NS, 0
    async with trio.open_nursery() as nursery:
        log = await Log.open(folder / "log", origin="bench.gateway", signer=folder / "log.key", nursery=nursery)
        while done < count:
            for event in story.session(now):
                log.append(event, now)
                now, done = now + STEP_NS, done + 1
            await log.room()
            await trio.lowlevel.checkpoint()
        await log.aclose()


def write(folder: Path, count: int, end_unix_ns: int) -> Path:
    """A log of at least so many events, the last of them at that time; its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    trio.run(_write, folder, count, end_unix_ns)
    return folder / "log"
