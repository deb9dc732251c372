"""How a command is told which log to read and with whose key, and which of its sessions is meant."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output

if TYPE_CHECKING:
    from doorward_core.record.reader import LogReader

MIN_PREFIX = 4
"""Fewer hexadecimal digits of a session's id are more likely a slip than a name."""
ID_BYTES = 16
_DIGITS = frozenset("0123456789abcdef")

LogOption = Annotated[
    Path, typer.Option("--log", envvar="DOORWARD_LOG", help="The folder of the log.", file_okay=False)
]
IdentityOption = Annotated[
    Path | None, typer.Option("--identity", help="Your age or SSH secret key, for a sealed log.", dir_okay=False)
]
KeysOption = Annotated[
    Path | None, typer.Option("--keys", help="The folder of wrapped keys (`keys/payload`).", file_okay=False)
]


def known_sessions(incomplete: str) -> list[str]:
    """Ids to complete, where the environment says which log."""
    import os  # noqa: PLC0415 - beside its only use

    from doorward_core.errors import RecordError  # noqa: PLC0415 - loaded by the commands that read a log

    folder = os.environ.get("DOORWARD_LOG", "")
    if not folder:
        return []
    try:
        entries = open_log(Path(folder)).entries()
        ids = dict.fromkeys(entry.session_id.hex() for entry in entries if len(entry.session_id) == ID_BYTES)
    except (RecordError, OSError):
        return []
    return [name for name in ids if name.startswith(incomplete.lower())]


SessionArgument = Annotated[
    str,
    typer.Argument(
        help="The session's id, or the beginning of it; `last` for the newest.", autocompletion=known_sessions
    ),
]


def open_log(log: Path, identity: Path | None = None, keys: Path | None = None) -> "LogReader":
    """A reader; with an identity it opens sealed content."""
    import os  # noqa: PLC0415 - beside its only use

    from doorward_console.archived import fetcher  # noqa: PLC0415 - loaded by the commands that read a log
    from doorward_core.record.reader import LogReader  # noqa: PLC0415 - as above

    fetch = fetcher(os.environ.get("DOORWARD_ARCHIVE", ""))
    if identity is None:
        return LogReader(log, archive=fetch)
    from doorward_core.record.keys import parse_identities  # noqa: PLC0415 - as above

    # The gateway keeps wrapped keys beside the log's folder, never in it (docs/config.md).
    wrapped = keys or log.absolute().parent / "keys" / "payload"
    return LogReader(log, parse_identities(identity.read_text(encoding="utf-8")), keys_folder=wrapped, archive=fetch)


def digits_of(wanted: str) -> str:
    """The beginning of a session's id; ends with what is wrong otherwise."""
    digits = wanted.lower()
    if len(digits) < MIN_PREFIX or set(digits) - _DIGITS:
        output.fail(f"{wanted} is not a session: give at least {MIN_PREFIX} hexadecimal digits of its id, or `last`")
    return digits


def session_id(reader: "LogReader", wanted: str) -> bytes:
    """The one session that is meant; ends with what is wrong otherwise."""
    last = wanted.lower() == "last"
    digits = "" if last else digits_of(wanted)
    found = list(dict.fromkeys(entry.session_id for entry in reader.entries() if entry.session_id))
    found = found[-1:] if last else [identifier for identifier in found if identifier.hex().startswith(digits)]
    if len(found) != 1:
        output.fail(f"{len(found) or 'no'} sessions begin with {wanted}", output.NO)
    return found[0]
