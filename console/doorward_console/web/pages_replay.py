"""Replay: a terminal as it went by, with a marker at each decision; any other session as a transcript. And copies.

    GET /sessions/{id}/replay                        the player, or the transcript
    GET /sessions/{id}/replay/{operation}.cast       what the player plays
    GET /sessions/{id}/download/{operation}.cast     a terminal's recording, to take away (asciicast)
    GET /sessions/{id}/download/session.har          requests and answers, to take away (HAR 1.2)
    GET /sessions/{id}/download/session.txt          the transcript, to take away

All of it is for auditors, and each is recorded before a byte of it is sent.
What it will not do: give a terminal's bytes as they were. Sequences that do more than draw are left out
(`replay_cast`); a transcript has no control character at all.
"""

import json
from importlib.metadata import version
from typing import Final

import trio
from starlette.responses import Response
from starlette.routing import BaseRoute

from doorward_console.exchanges import exchanges
from doorward_console.har import har
from doorward_console.index.collect import names, text
from doorward_console.index.found import SessionRow
from doorward_console.recording import Recording, recordings
from doorward_console.replay import Replay
from doorward_console.replay_cast import Marker, cast
from doorward_console.web.desk import Desk
from doorward_console.web.guard import CSP
from doorward_console.web.library import Library, Unreadable
from doorward_console.web.pages_sessions import found_session, session_id
from doorward_console.web.people import Role
from doorward_console.web.visits import Refusal, Visit, page
from doorward_core.event import EventKind
from doorward_core.record.reader import Entry

AUDITORS: Final = frozenset({Role.AUDITOR})
PLAYER_CSP: Final = CSP.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'").replace(
    "style-src 'self'", "style-src 'self' 'unsafe-inline'"
)
"""Of the player's page alone: its terminal is WebAssembly, and it writes the styles of its cells into them."""
MAX_BYTES: Final = 64 * 1024 * 1024  # of a recording that a page plays; longer ones are for `doorward replay`
TRANSCRIPT_ROWS: Final = 200
MARKED: Final = frozenset({EventKind.OPERATION_DECIDED, EventKind.OPERATION_HELD})


def routes(desk: Desk) -> list[BaseRoute]:
    """The routes of replays."""
    library = Library(desk.settings)

    async def replay(visit: Visit) -> Response:
        return await _replay(visit, library)

    async def played(visit: Visit) -> Response:
        return await _cast(visit, library, "replay")

    async def taken(visit: Visit) -> Response:
        return await _cast(visit, library, "download")

    async def archive(visit: Visit) -> Response:
        return await _har(visit, library)

    async def told(visit: Visit) -> Response:
        return await _transcript(visit, library)

    return [
        page(desk, "/sessions/{id}/replay", replay, roles=AUDITORS),
        page(desk, "/sessions/{id}/replay/{operation}.cast", played, roles=AUDITORS),
        page(desk, "/sessions/{id}/download/session.har", archive, roles=AUDITORS),
        page(desk, "/sessions/{id}/download/session.txt", told, roles=AUDITORS),
        page(desk, "/sessions/{id}/download/{operation}.cast", taken, roles=AUDITORS),
    ]


async def _replay(visit: Visit, library: Library) -> Response:
    name = session_id(visit)
    await visit.reading("replay", name)
    row, entries, cut = await _entries(library, name)
    found = recordings(entries)
    terminals = [one for one in found if one.terminal] or found
    chosen = next((one for one in terminals if one.operation.hex() == visit.asked("operation")), None)
    chosen = chosen or (terminals[0] if terminals else None)
    if chosen is None:
        lines = await trio.to_thread.run_sync(_lines, entries)
        return visit.render("transcript.html", row=row, lines="\n".join(lines), cut=cut)
    began = chosen.pieces[0].unix_ns if chosen.pieces else chosen.began_unix_ns
    return visit.render(
        "replay.html", csp=PLAYER_CSP, row=row, chosen=chosen, terminals=terminals, cut=cut,
        markers=[(max(0, one.unix_ns - began), one.label) for one in _markers(entries, chosen)],
    )  # fmt: skip


async def _cast(visit: Visit, library: Library, what: str) -> Response:
    name = session_id(visit)
    await visit.reading(what, name, words=visit.name("operation"))
    _, entries, _ = await _entries(library, name)
    chosen = next((one for one in recordings(entries) if one.operation.hex() == visit.name("operation")), None)
    if chosen is None:
        raise Refusal(404, "The log keeps no output of that.", title="No recording")
    markers = _markers(entries, chosen)
    lines = await trio.to_thread.run_sync(lambda: [*cast(chosen, markers)])
    body = "".join(f"{one}\n" for one in lines)
    kept = _attached(f"{name}-{chosen.operation.hex()[:8]}.cast") if what == "download" else {}
    return Response(body, media_type="application/x-asciicast", headers=kept)


async def _har(visit: Visit, library: Library) -> Response:
    name = session_id(visit)
    await visit.reading("download", name, words="HAR")
    row, entries, _ = await _entries(library, name)
    found = exchanges(entries)
    if not found:
        raise Refusal(404, "This session holds no requests of HTTP.", title="Nothing to download")
    about = {"subject": row.subject, "sponsor": row.sponsor, "resource": row.resource, "account": row.account,
             "origin": row.origin}  # fmt: skip
    release = version("doorward-console")
    made = await trio.to_thread.run_sync(lambda: json.dumps(har(found, session=name, about=about, version=release)))
    return Response(made, media_type="application/json", headers=_attached(f"{name}.har"))


async def _transcript(visit: Visit, library: Library) -> Response:
    name = session_id(visit)
    await visit.reading("download", name, words="transcript")
    _, entries, cut = await _entries(library, name)
    lines = await trio.to_thread.run_sync(_lines, entries)
    if cut:
        lines.append("... (there is more: `doorward replay` tells all of it)")
    body = "".join(f"{one}\n" for one in lines)
    return Response(body, media_type="text/plain; charset=utf-8", headers=_attached(f"{name}.txt"))


async def _entries(library: Library, name: str) -> tuple[SessionRow, list[Entry], bool]:
    """A session with all of its entries, as far as they fit; whether there are more."""
    _, row = await found_session(library, name)
    found: list[Entry] = []
    size, after = 0, 0
    try:
        while True:
            kept = await library.kept(row, after=after, chunks=True)
            found += kept.entries
            size += sum(_size(entry) for entry in kept.entries)
            if not kept.next or size > MAX_BYTES:
                return row, found, bool(kept.next)
            after = kept.next
    except Unreadable as error:
        raise Refusal(503, f"This session cannot be shown: {error}.") from None


def _size(entry: Entry) -> int:
    return sum(len(value) for value in (entry.payload or {}).values() if isinstance(value, str | bytes))


def _lines(entries: list[Entry]) -> list[str]:
    return [*Replay(TRANSCRIPT_ROWS).lines(entries)]


def _markers(entries: list[Entry], recording: Recording) -> list[Marker]:
    """Decisions while it was recorded: each is a moment to jump to."""
    found: list[Marker] = []
    for entry in entries:
        if entry.kind in MARKED and recording.began_unix_ns <= entry.time_unix_ns <= recording.ended_unix_ns:
            verdict = {"permit": "permitted", "deny": "denied"}.get(text(entry.header, "verdict"), "held")
            rules = ", ".join(names(entry.header, "rules"))
            found.append(Marker(entry.time_unix_ns, f"{text(entry.header, 'verb')} {verdict} {rules}".strip()))
        elif entry.kind in {EventKind.SESSION_WATCHED, EventKind.SESSION_ENDED}:
            does = "watched by" if entry.kind == EventKind.SESSION_WATCHED else "ended by"
            found.append(Marker(entry.time_unix_ns, f"{does} {text(entry.header, 'operator')}"))
    return found


def _attached(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="doorward-{name}"'}
