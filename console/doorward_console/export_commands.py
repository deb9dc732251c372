"""`doorward export`: a session in a format of others.

It reads the log's files and changes nothing; it needs no gateway to run, or to be trusted.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.log_reading import IdentityOption, KeysOption, LogOption, SessionArgument, open_log, session_id

if TYPE_CHECKING:
    from doorward_core.record.reader import Entry

HarOption = Annotated[bool, typer.Option("--har", help="As an HTTP Archive (HAR 1.2): of HTTP, requests and answers.")]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="The file to write; else to output.", dir_okay=False)
]


def export(
    session: SessionArgument,
    *,
    log: LogOption,
    har: HarOption = False,
    identity: IdentityOption = None,
    keys: KeysOption = None,
    out: OutOption = None,
) -> None:
    """Export a session for other tools. As it was recorded: masked; and with secrets cut."""
    from doorward_core.errors import RecordError  # noqa: PLC0415 - loaded by the commands that read a log

    if not har:
        output.fail("in which format? --har (for terminals there is `doorward replay --asciicast`)")
    with output.failing(RecordError, OSError):
        reader = open_log(log, identity, keys)
        entries = list(reader.session(session_id(reader, session)))
        text = _archive(entries)
        if out is None:
            typer.echo(text)
        else:
            out.write_text(f"{text}\n", encoding="ascii")


def _archive(entries: "list[Entry]") -> str:
    import json  # noqa: PLC0415 - only here
    from importlib.metadata import version  # noqa: PLC0415 - as above

    from doorward_console.exchanges import exchanges  # noqa: PLC0415 - as above
    from doorward_console.har import har as archive  # noqa: PLC0415 - as above
    from doorward_core.event import EventKind  # noqa: PLC0415 - as above

    opened = next((entry for entry in entries if entry.kind == EventKind.SESSION_OPENED), None)
    header = opened.header if opened else {}
    found = exchanges(entries)
    if not found:
        output.fail(f"this session holds no requests of HTTP (it is one of {output.line(str(header.get('protocol')))})")
    about = {name: str(header.get(name, "")) for name in ("subject", "sponsor", "resource", "account", "origin")}
    made = archive(found, session=entries[0].session_id.hex(), about=about, version=version("doorward-console"))
    return json.dumps(made, indent=1)
