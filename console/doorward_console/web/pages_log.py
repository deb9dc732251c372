"""The logs: whose they are, how far they go, what covers them, and whether they hold.

    GET  /log                  origin, size, last checkpoint, how far the index is; what happened beside sessions
    POST /log/{name}/verify    verify it now, in a process of its own, and show the report
    GET  /api/v1/logs          origin, size, last checkpoint and witnesses, for programs

What it will not do: vouch for anything. What is proved is proved by `doorward verify` with a key from outside; the keys
here, of logs and of witnesses, are those that the desk's settings name, and the page says so.
"""

import json
import sys
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio
from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.index import build, query
from doorward_console.index.build import LogStatus, Source
from doorward_console.index.found import EventRow
from doorward_console.index.schema import IndexProblem
from doorward_console.settings import Settings
from doorward_console.sources import OWN
from doorward_console.web.desk import Desk, Place
from doorward_console.web.library import Freshness, Library, Unreadable
from doorward_console.web.openapi import Asked as Call
from doorward_console.web.openapi import Entry
from doorward_console.web.people import READERS, Role
from doorward_console.web.visits import Refusal, Visit, action, page
from doorward_console.witnessed import Witnessed, kept_checkpoint, witnessed
from doorward_core.errors import RecordError
from doorward_core.record.checkpoint import CheckpointError, parse_text, split

PLACES = (Place("Log", "/log", READERS, order=60),)
AUDITORS: Final = frozenset({Role.AUDITOR})
VERIFY_S: Final = 600.0  # ten million entries, on one core
EVENTS: Final = 30
_NS: Final = 1_000_000_000
MAX_REPORT_BYTES: Final = 4 * 1024 * 1024
BESIDE: Final = (
    "log.opened", "log.repaired", "log.closed", "key.rotated", "content.erased", "policy.loaded", "policy.refused",
    "gateway.error",
)  # fmt: skip
READINGS: Final = ("desk.read", "desk.login", "desk.refused")


@dataclass(frozen=True, slots=True)
class LogView:
    """One log. `checkpoint_unix_ns` is when its file was written; `signatures` are the names that signed it.

    `witnessed` is who of its witnesses stands behind it, by the keys that the settings name.
    """

    name: str
    folder: str
    status: LogStatus
    root: str
    signatures: tuple[str, ...]
    checkpoint_unix_ns: int
    key_known: bool
    witnessed: Witnessed


@dataclass(frozen=True, slots=True)
class Logs:
    """All logs of the desk, and words about what is missing."""

    logs: tuple[LogView, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """What the last verification of a log at this desk said; `size` is up to which entry it went."""

    ok: bool
    size: int
    unix_ns: int


Proved = dict[str, Verified]
"""By the log's name here, since the desk was started: the page says so."""


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of the logs."""
    library, proved = Library(desk.settings), Proved()
    limiter = trio.CapacityLimiter(1)  # one verification at a time: it takes every core it is given

    async def show(visit: Visit) -> Response:
        return await _show(visit, library, proved)

    async def verify(visit: Visit) -> Response:
        return await _verify(visit, library, limiter, proved)

    return [page(desk, "/log", show, roles=READERS), action(desk, "/log/{name}/verify", verify, roles=AUDITORS)]


async def _show(
    visit: Visit, library: Library, proved: Proved, *, report: dict[str, object] | None = None, verified: str = ""
) -> Response:
    logs: list[LogView] = []
    events: tuple[EventRow, ...] = ()
    readings: tuple[EventRow, ...] = ()
    fresh, problem = Freshness(), ""
    await visit.reading("log", "list")
    try:
        fresh = await library.bring_up()
        sources, _ = await library.sources()
        logs = await trio.to_thread.run_sync(_views, library.path, sources, visit.desk.settings)
        events = await library.ask(lambda index: query.events(index, kinds=BESIDE, limit=EVENTS))
        readings = await library.ask(lambda index: query.events(index, kinds=READINGS, limit=EVENTS))
    except (Unreadable, IndexProblem, OSError, RecordError) as error:
        problem = str(error)
    return visit.render(
        "log.html", logs=logs, events=events, readings=readings, fresh=fresh, problem=problem, report=report,
        verified=verified, proved=proved,
        auditor=visit.person.may(AUDITORS),
    )  # fmt: skip


def _views(path: Path, sources: list[Source], settings: Settings) -> list[LogView]:
    found = []
    for source, status in zip(sources, build.status(path, sources), strict=True):
        stands = witnessed(source.name, source.folder, settings)
        root, names, written = _note(source.folder / "checkpoint")
        key = _key(source.name, settings) != []
        found.append(LogView(source.name, str(source.folder), status, root, names, written, key, stands))
    return found


def _note(file: Path) -> tuple[str, tuple[str, ...], int]:
    """A checkpoint's root, who signed it, and when it was written; nothing of what cannot be read."""
    try:
        text, signatures = split(file.read_bytes())
        names = tuple(dict.fromkeys(name for name, _ in signatures))
        return b64encode(parse_text(text).root).decode("ascii"), names, file.stat().st_mtime_ns
    except (OSError, CheckpointError):
        return "", (), 0  # the status says that there is none


async def _verify(visit: Visit, library: Library, limiter: trio.CapacityLimiter, proved: Proved) -> Response:
    name = visit.name("name")
    sources, _ = await library.sources()
    source = next((one for one in sources if one.name == name), None)
    if source is None:
        raise Refusal(404, "There is no such log.", title="No such log")
    await visit.reading("verify", name)
    if limiter.available_tokens < 1:
        raise Refusal(429, "A log is being verified just now; try again when that is done.")
    async with limiter:
        report = await _report(source, visit.desk.settings)
        stands = await trio.to_thread.run_sync(witnessed, name, source.folder, visit.desk.settings)
    report = _with_witnesses(report, stands)
    size = report.get("checkpoint_size")
    proved[name] = Verified(report.get("ok") is True, size if isinstance(size, int) else 0, visit.desk.clock())
    return await _show(visit, library, proved, report=report, verified=name)


async def _report(source: Source, settings: Settings) -> dict[str, object]:
    """What `doorward verify --json` says, run as anybody would run it."""
    command = [sys.executable, "-m", "doorward_console", "verify", str(source.folder), "--json"]
    command += _key(source.name, settings) + _outside(source.name, settings)
    with trio.move_on_after(VERIFY_S):
        done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False, stdin=b"")
        try:
            found = json.loads(done.stdout[:MAX_REPORT_BYTES])
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        words = done.stderr.decode("utf-8", "replace").strip()[:1000] or "it said nothing"
        raise Refusal(502, f"The log could not be verified: {words}")
    raise Refusal(504, "Verifying takes too long for a page: run `doorward verify` beside the log.")


def _key(name: str, settings: Settings) -> list[str]:
    if name == OWN:
        file = settings.record.keys / "log.vkey"
        return ["--key-file", str(file)] if file.is_file() else []
    vkey = settings.gateways[name].vkey
    if not vkey:
        return []
    return ["--key-file", vkey] if Path(vkey).is_file() else ["--key", vkey]


def _outside(name: str, settings: Settings) -> list[str]:
    file = kept_checkpoint(name, settings)
    return ["--checkpoint", str(file)] if file is not None else []


def _with_witnesses(report: dict[str, object], stands: Witnessed) -> dict[str, object]:
    """What was found, and what the settings ask of its witnesses beside that: the tree was verified just now."""
    if not stands.quorum:
        return report
    problems = report.get("problems")
    found = [*(problems if isinstance(problems, list) else ())]
    found += [{"index": None, "what": f"its witnesses: {stands.problem}"}] if stands.problem else []
    whole = report.get("ok") is True and not stands.problem
    cosigned = {one.name: one.at_unix_ns // _NS for one in stands.verified}
    return {**report, "ok": whole, "problems": found, "cosigned": cosigned, "quorum": stands.quorum}


# --- for programs -----------------------------------------------------------------------------------------------------


async def every_log(desk: Desk, call: Call) -> Logs:
    """The logs, for the JSON API; that they were looked at is recorded first."""
    await desk.read(call.person, "log", "list", call.peer)
    library = Library(desk.settings)
    try:
        fresh = await library.bring_up()
        sources, _ = await library.sources()
        views = await trio.to_thread.run_sync(_views, library.path, sources, desk.settings)
    except (Unreadable, IndexProblem, OSError, RecordError) as error:
        raise Refusal(503, str(error)) from None
    return Logs(tuple(views), fresh.notes)


API = (Entry("GET", "/v1/logs", "The logs, and who stands behind them", every_log, Logs, READERS),)
