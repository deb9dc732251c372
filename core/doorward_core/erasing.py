"""Erasing recorded content on a running gateway: asked for by people, or due by age.

What it is: the order of an erasure (write down what is owed, record it durably, delete the keys, wipe what approvers
were shown), the tasks that finish what a crash left and keep to `record.retention`, and the routes of the control API:

    POST /v1/erasures       {"sessions": ["hex", ...]} or {"subject": "...", "issuer": "...", "sponsored": true},
                            and {"reason": "...", "dry": true}
    GET  /v1/erasures/{id}  how far it is; waits ten seconds for its end

Only people in a group of `privacy` may, or of `operators` where that is not configured; agents never.

What it will not do: change the log, erase a session that is open, or claim that what it could not look through is done.
Entries stay as they are, so that every proof still verifies; the clear headers stay, and so the subject in them.
"""

import json
import secrets
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import structlog
import trio

from doorward_core.config_record import RetentionSettings
from doorward_core.errors import GatewayError, RecordError
from doorward_core.event import Event, EventKind, Value
from doorward_core.model import Identity, PrincipalKind
from doorward_core.net.control import Call, Problem, Reply, Route, json_reply, read_json
from doorward_core.record import erasure as files
from doorward_core.record.erasure import Erasure, Opened
from doorward_core.record.keys import GATEWAY

TOO_OLD: Final = "older than `record.retention` lets it be"
RETAIN_EVERY_S: Final = 3600.0
WAIT_S: Final = 10.0
REASON_CHARACTERS: Final = 1000
IN_ONE_EVENT: Final = 256  # session ids in one header, which has 15,000 bytes
MAX_NAMED: Final = 10_000
MAX_JOBS: Final = 100
_ID_DIGITS: Final = 32
_NS_PER_S: Final = 1_000_000_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class House:
    """What an erasure touches: the log's folder, the folder of payload keys, and the ways to record and to wipe.

    `open_sessions` are those that go on; `labels` are those of resources; `sealed` says whether there are keys.
    """

    tree: Path
    keys: Path
    sealed: bool
    keep: Callable[[Event], Awaitable[int]]
    wipe: Callable[[frozenset[bytes]], Awaitable[int]]
    open_sessions: Callable[[], Collection[bytes]]
    labels: Mapping[str, Mapping[str, str]]
    clock: Callable[[], int]


@dataclass(slots=True)
class Job:
    """One erasure that was asked for, as it is told."""

    erasure: Erasure
    state: str = "running"
    keys: int = 0
    cards: int = 0
    unsearched: int = 0
    problem: str = ""
    done: trio.Event = field(default_factory=trio.Event)

    def told(self) -> dict[str, object]:
        """For the one who asked."""
        return {
            "id": self.erasure.id,
            "state": self.state,
            "sessions": list(self.erasure.sessions),
            "keys": self.keys,
            "cards": self.cards,
            "unsearched_below": self.unsearched,
            "problem": self.problem,
        }


class Erasing:
    """The erasures of one gateway."""

    def __init__(self, house: House, retention: RetentionSettings, background: trio.Nursery) -> None:
        self._house, self._retention, self.background = house, retention, background
        self._began = house.clock()
        self._turn = trio.Lock()
        self.jobs: dict[str, Job] = {}

    async def finish_owed(self) -> None:
        """What a crash left undone is done before anything else; recorded again, since nobody knows whether it was."""
        for one in await trio.to_thread.run_sync(files.owed, self._house.keys):
            log.info("erasure.finished", erasure=one.id)
            await self.erase(one)

    async def run(self) -> None:
        """Keep to the retention for as long as the gateway lives; never raises but for cancellation."""
        while self._retention.asked:
            try:
                await self.retain()
            except (GatewayError, OSError) as error:
                log.warning("retention.failed", problem=str(error))
            await trio.sleep(RETAIN_EVERY_S)

    async def erase(self, one: Erasure) -> tuple[int, int]:
        """Do it, in the one order; give how many keys and cards are gone. Raises RecordError, StoreError or OSError.

        Crash before it is owed: nothing has happened. Crash after that: the next start does it all again.
        """
        house = self._house
        async with self._turn:
            await trio.to_thread.run_sync(files.owe, house.keys, one)
            for event in told(one):
                await house.keep(event)
            keys = await trio.to_thread.run_sync(files.delete_keys, house.keys, one.sessions, one.keys)
            cards = await house.wipe(frozenset(bytes.fromhex(name) for name in one.sessions))
            await trio.to_thread.run_sync(files.settle, house.keys, one)
        log.info("content.erased", erasure=one.id, sessions=len(one.sessions), keys=keys, cards=cards)
        return keys, cards

    # --- by age -------------------------------------------------------------------------------------------------------

    async def retain(self) -> int:
        """Erase what is older than the configuration lets it be; give how many sessions and keys."""
        house, now = self._house, self._house.clock()
        held = await trio.to_thread.run_sync(files.owners, house.keys)
        known, _ = await self.sessions() if set(held) - {GATEWAY} else ((), 0)
        by_name = {one.session: one for one in known}
        open_now = {name.hex() for name in house.open_sessions()}
        due = [name for name in held if name != GATEWAY and name not in open_now]
        due = [name for name in due if self._is_due(by_name.get(name), held[name], now)]
        loose = self._loose(held.get(GATEWAY, []), now)
        for start in range(0, max(len(due), 1 if loose else 0), MAX_NAMED):
            some = tuple(due[start : start + MAX_NAMED])
            keys = loose if start == 0 else ()
            await self.erase(Erasure(_id(), "retention", some, keys, TOO_OLD, "", ""))
        return len(due) + len(loose)

    def _is_due(self, opened: Opened | None, paths: Sequence[Path], now: int) -> bool:
        resource = opened.resource if opened is not None else ""
        labels = self._house.labels.get(resource, {})
        spans = [
            rule.content
            for rule in self._retention.rules
            if (rule.resource == resource if rule.resource is not None else rule.labels.items() <= labels.items())
        ]
        spans += [self._retention.content] if self._retention.content is not None else []
        if not spans:
            return False
        at = opened.at_unix_ns if opened is not None else files.aged(paths)
        return at + min(spans) * _NS_PER_S <= now

    def _loose(self, paths: Sequence[Path], now: int) -> tuple[str, ...]:
        """Keys outside of sessions: those of earlier runs that are old enough. This run's is still written with."""
        span = self._retention.gateway
        if span is None:
            return ()
        old = [path for path in paths if files.aged([path]) < min(self._began, now - span * _NS_PER_S)]
        return tuple(path.name.split(".")[1] for path in old)

    # --- whose --------------------------------------------------------------------------------------------------------

    async def sessions(self) -> tuple[tuple[Opened, ...], int]:
        """Every session that the log tells of, and from which entry on was looked: a process of its own looks."""
        command = [sys.executable, "-P", "-m", "doorward_core.record.erasure", str(self._house.tree)]
        done = await trio.run_process(command, capture_stdout=True, check=False)
        lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
        if done.returncode or not lines or "first" not in lines[-1]:
            raise RecordError(f"the log could not be looked through: {lines[-1].get('problem') if lines else '?'}")
        return tuple(Opened(**line) for line in lines[:-1]), int(lines[-1]["first"])

    async def of_subject(self, subject: str, issuer: str, *, sponsored: bool) -> tuple[tuple[str, ...], int]:
        """Its sessions that still have keys, and from which entry on was looked."""
        known, first = await self.sessions()
        held = await trio.to_thread.run_sync(files.owners, self._house.keys)
        mine = [
            one.session
            for one in known
            if one.session in held
            and (one.subject == subject or (sponsored and one.sponsor == subject))
            and (not issuer or one.issuer == issuer)
        ]
        return tuple(dict.fromkeys(mine)), first

    async def carry_out(self, job: Job, subject: str, issuer: str, *, sponsored: bool, dry: bool) -> None:
        """Find what is meant, if it is meant by whose it is, and erase it; how it went is in the job."""
        try:
            if subject:
                names, job.unsearched = await self.of_subject(subject, issuer, sponsored=sponsored)
                job.erasure = replace(job.erasure, sessions=names)
            busy = {name.hex() for name in self._house.open_sessions()} & set(job.erasure.sessions)
            if busy:
                job.state, job.problem = "refused", f"sessions that are open: {', '.join(sorted(busy)[:10])}; end them"
            elif dry:
                job.state = "dry"
            else:
                if job.erasure.sessions:
                    job.keys, job.cards = await self.erase(job.erasure)
                job.state = "done"
        except (GatewayError, OSError) as error:
            job.state, job.problem = "failed", str(error)
            log.warning("erasure.failed", erasure=job.erasure.id, problem=str(error))
        finally:
            job.done.set()

    @property
    def house(self) -> House:
        """What it touches."""
        return self._house


def told(one: Erasure) -> Iterable[Event]:
    """The events of an erasure: which sessions, in the clear; why, as content."""
    for start in range(0, max(1, len(one.sessions)), IN_ONE_EVENT):
        what: list[Value] = [*one.sessions[start : start + IN_ONE_EVENT]]
        keys: list[Value] = [*one.keys[:IN_ONE_EVENT]] if start == 0 else []
        header: dict[str, Value] = {"what": what, "erasure": one.id, "selector": one.selector, "gateway_keys": keys}
        if one.subject:
            header |= {"subject": one.subject, "issuer": one.issuer, "principal": str(PrincipalKind.HUMAN)}
        yield Event(EventKind.CONTENT_ERASED, header, {"reason": one.reason})


def _id() -> str:
    return secrets.token_hex(8)


def erasure_routes(erasing: Erasing, groups: frozenset[str]) -> tuple[Route, ...]:
    """The routes; `groups` are those whose people may use them."""
    api = _Api(erasing, groups)
    return (Route("POST", "/v1/erasures", api.ask), Route("GET", "/v1/erasures/{id}", api.look))


class _Api:
    def __init__(self, erasing: Erasing, groups: frozenset[str]) -> None:
        self._erasing, self._groups = erasing, groups

    async def ask(self, call: Call) -> Reply:
        who = self._allowed(call.who)
        asked = read_asked(read_json(call))
        if not self._erasing.house.sealed:
            raise Problem(409, "the log is not sealed (`record.recipients`): its content is in the clear, and stays")
        selector = "subject" if asked.subject else "session"
        job = Job(Erasure(_id(), selector, asked.sessions, (), asked.reason, who.subject, who.issuer))
        jobs = self._erasing.jobs
        while len(jobs) >= MAX_JOBS:
            ended = next((name for name, old in jobs.items() if old.done.is_set()), None)
            if ended is None:
                raise Problem(429, "as many erasures are under way as may be")
            del jobs[ended]
        jobs[job.erasure.id] = job
        carry_out = self._erasing.carry_out

        async def go() -> None:
            await carry_out(job, asked.subject, asked.issuer, sponsored=asked.sponsored, dry=asked.dry)

        self._erasing.background.start_soon(go)
        return await self._answer(job)

    async def look(self, call: Call) -> Reply:
        self._allowed(call.who)
        job = self._erasing.jobs.get(call.parameters["id"])
        if job is None:
            raise Problem(404, "there is no such erasure since the gateway started; the log has those that were done")
        return await self._answer(job)

    @staticmethod
    async def _answer(job: Job) -> Reply:
        with trio.move_on_after(WAIT_S):
            await job.done.wait()
        return json_reply(job.told())

    def _allowed(self, who: Identity) -> Identity:
        if who.kind is not PrincipalKind.HUMAN or self._groups.isdisjoint(who.groups):
            raise Problem(403, "only people in a group of `privacy`, or else of `operators`, may erase content")
        return who


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants erased."""

    sessions: tuple[str, ...]
    subject: str
    issuer: str
    sponsored: bool
    dry: bool
    reason: str


def read_asked(body: Mapping[str, object]) -> Asked:
    """What a request says; raises Problem with what is wrong."""
    if set(body) - {"sessions", "subject", "issuer", "sponsored", "reason", "dry"}:
        raise Problem(400, "there is `sessions`, or `subject` with `issuer` and `sponsored`; `reason`; `dry`")
    sessions, reason = body.get("sessions", []), body.get("reason")
    if not isinstance(sessions, list) or not all(_is_session(name) for name in sessions) or len(sessions) > MAX_NAMED:
        raise Problem(400, f"sessions are whole ids, 32 hexadecimal digits, {MAX_NAMED} at most")
    words = [body.get(name, "") for name in ("subject", "issuer")]
    flags = [body.get(name, False) for name in ("sponsored", "dry")]
    if not all(isinstance(word, str) for word in words) or not all(isinstance(flag, bool) for flag in flags):
        raise Problem(400, "subject and issuer are texts, sponsored and dry are true or false")
    if bool(sessions) == bool(words[0]):
        raise Problem(400, "either `sessions` or a `subject` says what is to be erased")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > REASON_CHARACTERS:
        raise Problem(400, f'say why, in {REASON_CHARACTERS} characters at most: {{"reason": "..."}}')
    names = tuple(dict.fromkeys(str(name).lower() for name in sessions))
    return Asked(names, str(words[0]), str(words[1]), flags[0] is True, flags[1] is True, reason.strip())


def _is_session(name: object) -> bool:
    return isinstance(name, str) and len(name) == _ID_DIGITS and not set(name.lower()) - set("0123456789abcdef")
