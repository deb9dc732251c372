"""`doorward index`: the file that searches are asked of, brought up to the logs or made anew.

The index is made from logs and can be thrown away; the log is the truth (docs/search.md).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from doorward_console import output
from doorward_console.asking import JsonOption
from doorward_console.log_reading import IdentityOption, KeysOption
from doorward_console.options import shared
from doorward_console.sources import ConfigOption, IndexOption, LogsOption, index_path, sources_of

if TYPE_CHECKING:
    from doorward_console.index.build import LogStatus, Outcome

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="The index that searches are asked of: made from logs."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Of which logs an index is made, where, and with which keys to open them."""

    log: LogsOption = None
    index: IndexOption = None
    identity: IdentityOption = None
    keys: KeysOption = None
    config: ConfigOption = None
    as_json: JsonOption = False


@app.command()
@shared()
def update(*, made: Made) -> None:
    """Bring the index up to the logs. Where a log is not the same any more, it is built anew, and that is said."""
    _build("update", made)


@app.command()
@shared()
def rebuild(*, made: Made) -> None:
    """Throw the index away and make it from the logs. Searches go on meanwhile, with the old one."""
    _build("rebuild", made)


@app.command()
def status(
    *,
    log: LogsOption = None,
    index: IndexOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how far the index is, log by log. Status 1: something is missing in it."""
    from doorward_console.index import build  # noqa: PLC0415 - the commands that search load it
    from doorward_console.index.schema import IndexProblem  # noqa: PLC0415 - as above
    from doorward_core.errors import ConfigError, RecordError  # noqa: PLC0415 - as above

    with output.failing(IndexProblem, RecordError, ConfigError, OSError):
        sources = sources_of(log, config, None, None)
        found = build.status(index_path(index, config, sources), sources)
    if as_json:
        output.emit([_status_data(one) for one in found])
    else:
        output.table(("log", "origin", "indexed", "of", "newest", "brought up"), [_status_row(one) for one in found])
    if any(one.problem or one.indexed < one.size for one in found):
        raise typer.Exit(output.NO)


def _build(what: str, made: Made) -> None:
    from doorward_console.index import build  # noqa: PLC0415 - the commands that search load it
    from doorward_console.index.schema import IndexProblem  # noqa: PLC0415 - as above
    from doorward_core.errors import ConfigError, RecordError  # noqa: PLC0415 - as above

    with output.failing(IndexProblem, RecordError, ConfigError, OSError, UnicodeError):
        sources = sources_of(made.log, made.config, made.identity, made.keys)
        path = index_path(made.index, made.config, sources)
        with output.progress("reading the log") as told:
            outcome = (build.rebuild if what == "rebuild" else build.update)(path, sources, told)
    if made.as_json:
        output.emit(_outcome_data(outcome, path))
        return
    if outcome.rebuilt and what != "rebuild":
        output.say(f"built anew: {output.line(outcome.rebuilt)}")
    output.say(f"{outcome.events} events in {outcome.seconds:.1f} s, into {output.line(str(path))}")
    for one in outcome.logs:
        output.say(f"{output.line(one.origin or one.name)}: {output.line(one.problem) or f'{one.indexed} entries'}")
        if one.words:
            output.say(output.line(one.words))


def _status_row(one: "LogStatus") -> tuple[str, ...]:
    newest = one.problem or output.moment(one.newest_unix_ns)
    return one.name, one.origin, str(one.indexed), str(one.size), newest, output.moment(one.updated_unix_ns)


def _status_data(one: "LogStatus") -> dict[str, object]:
    return {
        "log": one.name,
        "origin": one.origin,
        "indexed": one.indexed,
        "size": one.size,
        "newest": output.moment(one.newest_unix_ns),
        "updated": output.moment(one.updated_unix_ns),
        "problem": one.problem,
        "absent": one.absent,
    }


def _outcome_data(outcome: "Outcome", path: Path) -> dict[str, object]:
    return {
        "index": str(path),
        "events": outcome.events,
        "seconds": round(outcome.seconds, 3),
        "rebuilt": outcome.rebuilt,
        "logs": [_status_data(one) for one in outcome.logs],
    }
