"""The logs that a desk's settings name, verified with the keys, checkpoints and witnesses that stand there.

What it is: what the desk's Log page says of each log, for `doorward logs --config`.
What it will not do: ask the desk: it reads the same files.
"""

from collections.abc import Callable
from dataclasses import replace

from doorward_console.many_logs import Line, Meant, prove_one
from doorward_console.settings import Settings
from doorward_console.sources import desk_sources
from doorward_console.witnessed import Witnessed, kept_checkpoint, log_vkey, witnessed
from doorward_core.record.audit import Problem
from doorward_core.record.quorum import Required

_NS = 1_000_000_000


def prove_desk(
    settings: Settings, jobs: int, told: Callable[[int, int], None] | None = None
) -> tuple[list[Line], list[str]]:
    """Verify each log that a desk's settings name, with the keys, checkpoints and witnesses there; name the absent."""
    lines, absent = [], []
    for source in desk_sources(settings, ()):
        if not source.folder.is_dir():
            absent.append(f"the log of {source.name} is not at {source.folder}")
            continue
        file = kept_checkpoint(source.name, settings)
        note = file.read_bytes() if file is not None else None
        meant = Meant(log_vkey(source.name, settings) or None, note, Required())
        line = prove_one(source.folder, meant, jobs, told)
        lines.append(_behind(line, witnessed(source.name, source.folder, settings)))
    return lines, absent


def _behind(line: Line, stands: Witnessed) -> Line:
    """With its witnesses: the tree that they are held against was verified just now."""
    if not stands.quorum:
        return replace(line, witnessed=stands)
    found = (Problem(None, f"its witnesses: {stands.problem}"),) if stands.problem else ()
    report = replace(
        line.report,
        ok=line.report.ok and not stands.problem,
        problems=(*line.report.problems, *found),
        cosigned={one.name: one.at_unix_ns // _NS for one in stands.verified},
        quorum=stands.quorum,
    )
    return replace(line, report=report, witnessed=stands)
