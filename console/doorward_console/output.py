"""What the command prints: text for people, JSON for programs, errors with an exit status.

Everything that others wrote (statements, values, names, reasons) passes through `shown` or `line` before it meets a
terminal, so that none of it is obeyed (threat model SSH-14). JSON is ASCII only, for the same reason.

Exit status: 0 yes; 1 no (not verified, refused, a case failed); 2 it could not be asked (usage, files, connection).
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NoReturn

import typer

from doorward_core.approvals.flags import visible

NO = 1
CANNOT = 2
PIPED_COLUMNS = 4096  # of a row that goes to a file or a program, which take one line better than a folded one
_S = 1_000_000_000


def shown(text: str) -> str:
    """A text of several lines, made harmless."""
    return visible(text)


def line(text: str) -> str:
    """A text within a line, made harmless."""
    return visible(text, lines=False)


def say(text: str = "") -> None:
    """Print one line or several; what is printed must be harmless already."""
    typer.echo(text)


def emit(value: object) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, ensure_ascii=True, indent=2, default=_plain))


def fail(message: str, status: int = CANNOT) -> NoReturn:
    """Say why on standard error, and end."""
    typer.echo(f"doorward: {shown(message)}", err=True)
    raise typer.Exit(status)


@contextmanager
def failing(*errors: type[Exception], status: int = CANNOT) -> Iterator[None]:
    """End with the message of any of these errors instead of a traceback."""
    try:
        yield
    except errors as error:
        words = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        fail(words or type(error).__name__, status)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, whole: int = 1) -> None:
    """Print rows below headers; cells are made harmless here.

    In a terminal that is too narrow they are folded, but for the first `whole` columns; elsewhere a row is one line.
    """
    from rich import box  # noqa: PLC0415 - rich takes a tenth of a second, and most commands print no table
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    cells = [[line(cell) for cell in row] for row in rows]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, header in enumerate(headers):
        # The first column is an id, to be copied: it is never cut. What there is too little room for is folded.
        longest = max((len(row[index]) for row in cells), default=0) if index < whole else None
        made.add_column(header, overflow="fold", no_wrap=index < whole, min_width=longest)
    for row in cells:
        made.add_row(*(Text(cell) for cell in row))
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPED_COLUMNS
    console.print(made)


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while something long runs; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415 - as in `table`
    from rich.progress import Progress  # noqa: PLC0415 - as in `table`

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def moment(unix_ns: int) -> str:
    """A time, UTC, to the millisecond."""
    if not unix_ns:
        return "-"
    seconds, rest = divmod(unix_ns, _S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03d}Z"


def span(duration_ns: int) -> str:
    """A duration in the two largest units that say something."""
    if duration_ns < _S:
        return f"{duration_ns / 1_000_000:.1f} ms"
    seconds = duration_ns // _S
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{duration_ns / _S:.1f} s"


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)
