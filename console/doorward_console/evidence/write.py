"""Makes a bundle: `write_bundle`, for the command, the demonstration and whoever else wants one.

Implements docs/spec/evidence.md; the parts are beside it.
What it will not do: change a log, or make a bundle of one that is not what its checkpoint says.

Invariant: the bundle is there whole, or not at all; nothing of the auditors' keys is in it.
"""

import importlib.resources
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from doorward_console.evidence.asked import Requests
from doorward_console.evidence.casts import Cast
from doorward_console.evidence.cited import Cited
from doorward_console.evidence.collect import Collector, Period, Shared
from doorward_console.evidence.container import Container, canonical, component
from doorward_console.evidence.figures import Counter
from doorward_console.evidence.opening import Opener
from doorward_console.evidence.pages import pages
from doorward_console.evidence.report import Findings, LogFacts, cited, report_data
from doorward_console.evidence.scope import Scope
from doorward_console.evidence.source import Source
from doorward_console.output import moment
from doorward_core.errors import RecordError
from doorward_core.record import proof
from doorward_core.record.key_chain import key_chain

README: Final = """\
Evidence of access, made by Doorward.

  report.html   read this first; it needs no network and no scripts
  report.json   the same figures, for programs
  verify.py     checks everything in here, with Python 3.9 or newer and nothing else:

      python3 verify.py evidence.zip --key VKEY

VKEY is one line that the gateway's operator gave you before, by another way than this bundle.
The same goes for verify.py: compare it with the one in the project's sources, or use a copy that you had.

  python3 verify.py evidence.zip --figures        every figure, counted from the entries
  python3 verify.py evidence.zip --list FIGURE    every entry that a figure counts
  python3 verify.py evidence.zip --show LOG INDEX one entry

What is in the other folders, byte by byte: docs/spec/evidence.md of the project.
"""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a bundle is to be about. An empty set of resources or subjects lets everything through."""

    from_unix_ns: int
    to_unix_ns: int
    resources: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    vkeys: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    outside: tuple[bytes, ...] = ()
    identities: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """What was made."""

    path: Path
    entries: int
    figures: dict[str, int]
    exceptions: dict[str, int]
    logs: tuple[LogFacts, ...]
    recordings: int


@dataclass(slots=True)
class _Done:
    facts: list[LogFacts] = field(default_factory=list)
    casts: list[Cast] = field(default_factory=list)


def verifier() -> bytes:
    """verify.py, as it goes into every bundle."""
    return importlib.resources.files("doorward_console.evidence").joinpath("verify.py").read_bytes()


def write_bundle(
    path: Path,
    sources: Sequence[Source],
    wanted: Wanted,
    *,
    now_unix_ns: int | None = None,
    on_progress: Progress | None = None,
) -> Written:
    """Write a bundle about these logs; RecordError where that cannot be done.

    `now_unix_ns` is said to be when it was made; `on_progress` is told (entries done, entries in all).
    """
    logs = sorted(sources, key=lambda source: source.origin)
    _all_meant(wanted, {log.origin for log in logs})
    if len({log.origin for log in logs}) != len(logs) or not logs:
        raise RecordError("give one or more logs, each of another gateway")
    if wanted.from_unix_ns >= wanted.to_unix_ns:
        begin, end = moment(wanted.from_unix_ns), moment(wanted.to_unix_ns)
        raise RecordError(f"the period ends before it begins: it is from {begin} to {end}")
    made_unix_ns = time.time_ns() if now_unix_ns is None else now_unix_ns
    counter, requests = Counter(), Requests()
    with Container(path) as container:
        shared = Shared(container.add, counter, requests)
        openers = [Opener(log.keys_folder, wanted.identities) for log in logs]
        done = _Done()
        scope = Scope(frozenset(wanted.resources), frozenset(wanted.subjects))
        period = Period(wanted.from_unix_ns, wanted.to_unix_ns)
        collectors = [
            Collector(log, place, period, scope, opener=opener, to=shared)
            for place, (log, opener) in enumerate(zip(logs, openers, strict=True))
        ]
        told = _Told(on_progress, sum(one.end - one.first for one in collectors))
        for collector in collectors:
            _one(collector, wanted, done, told)
        found = Findings(
            made_unix_ns, f"doorward {version('doorward-console')}", wanted.from_unix_ns, wanted.to_unix_ns,
            tuple(sorted(set(wanted.resources))), tuple(sorted(set(wanted.subjects))), tuple(done.facts), counter,
            requests, shared.policies, tuple(done.casts),
        )  # fmt: skip
        _finish(container, found, Cited(logs, openers), wanted)
    return _written(path, found)


def _all_meant(wanted: Wanted, origins: set[str]) -> None:
    """What was brought along for a log that is not here proves nothing, and must not look as if it did."""
    for what, named in (
        ("key", [proof.Key.parse(vkey).origin for vkey in wanted.vkeys]),
        ("checkpoint", [proof.read_note(note)[0].origin for note in wanted.outside]),
    ):
        for origin in named:
            if origin not in origins:
                raise RecordError(f"there is no log of {origin}, whose {what} was given")


def _written(path: Path, found: Findings) -> Written:
    figures = found.counter.figures
    return Written(
        path,
        figures["record.entries"].count,
        {figure.id: figure.count for figure in figures.values()},
        {figure.id: figure.count for figure in figures.values() if figure.exception and figure.count},
        found.logs,
        len(found.casts),
    )


class _Told:
    """Progress over all logs."""

    def __init__(self, on_progress: Progress | None, total: int) -> None:
        self._on_progress, self._total, self._done = on_progress, total, 0

    def __call__(self, count: int) -> None:
        self._done += count
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)


def _one(collector: Collector, wanted: Wanted, done: _Done, told: Callable[[int], None]) -> None:
    source = collector.source
    vkey, key_from = _key(source, wanted)
    outside, outside_size = _outside(source, wanted)
    data = collector.run(outside, outside_size, told)
    if vkey:
        _check_key(collector, vkey)
    done.casts += collector.casts.found
    facts = LogFacts(
        data, source.origin, vkey, key_from, _witnesses(source, wanted), collector.first, collector.end,
        source.size, collector.withheld, source.behind, collector.last_at, *collector.gone(),
        collector.casts.left_out, outside_size,
    )  # fmt: skip
    done.facts.append(facts)


def _key(source: Source, wanted: Wanted) -> tuple[str, str]:
    """The log's key, and where it is from."""
    for vkey in wanted.vkeys:
        if proof.Key.parse(vkey).origin == source.origin:
            return vkey.strip(), "given when the bundle was made"
    named = source.parsed(0).head.get("vkey")
    return (named, "the log's first entry") if isinstance(named, str) else ("", "")


def _check_key(collector: Collector, vkey: str) -> None:
    """A bundle that would not verify under the key that is in it is not made."""
    source = collector.source
    key = key_chain(proof.Key.parse(vkey), source.origin, collector.key_entries(), 0).at(source.size)
    try:
        if key is not None:
            proof.checkpoint(source.note, key)
    except proof.ProofError as error:
        raise RecordError(
            f"{source.origin}: the checkpoint over {source.size} entries is not signed by the key {vkey} ({error}); "
            "where the log's key was changed since, give the key from before, or a checkpoint that was cosigned since"
        ) from error


def _witnesses(source: Source, wanted: Wanted) -> tuple[str, ...]:
    """Names of those whose keys were given and whose lines the checkpoint has; verify.py checks them."""
    lines = {(name, blob[:4].hex()) for name, blob in proof.read_note(source.note)[2]}
    given = [vkey.strip().split("+") for vkey in wanted.witnesses]
    return tuple(parts[0] for parts in given if len(parts) > 1 and (parts[0], parts[1]) in lines)


def _outside(source: Source, wanted: Wanted) -> tuple[bytes | None, int]:
    for note in wanted.outside:
        head = proof.read_note(note)[0]
        if head.origin == source.origin:
            if head.size > source.size:
                raise RecordError(
                    f"{source.origin}: a checkpoint that was kept covers {head.size} entries, the log {source.size}: "
                    "entries were removed"
                )
            return note, head.size
    return None, 0


def _finish(container: Container, found: Findings, citing: Cited, wanted: Wanted) -> None:
    citing.add(cited(found))
    for name, text in pages(found, citing, citing.read()):
        container.add(name, text.encode("utf-8", "replace"))
    container.add("report.json", canonical(report_data(found)))
    logs = [{"name": log.origin, "vkey": log.vkey, "from": log.key_from} for log in found.logs if log.vkey]
    witnesses = [
        {"name": vkey.partition("+")[0], "vkey": vkey.strip(), "from": "given when the bundle was made"}
        for vkey in wanted.witnesses
    ]
    container.add("keys/keys.json", canonical({"logs": logs, "witnesses": witnesses}))
    for log in logs:
        container.add(f"keys/{component(log['name'])}.vkey", f"{log['vkey']}\n".encode())
    container.add("README.txt", README.encode())
    container.add("verify.py", verifier())
