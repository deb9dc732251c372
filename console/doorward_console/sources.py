"""How a command is told which logs are meant and where the index of them lies: options, or the desk's settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output

if TYPE_CHECKING:
    from doorward_console.index.build import Source
    from doorward_console.settings import Settings

LogsOption = Annotated[
    list[Path] | None,
    typer.Option("--log", envvar="DOORWARD_LOG", help="The folder of a log; may be repeated.", file_okay=False),
]
IndexOption = Annotated[
    Path | None,
    typer.Option("--index", envvar="DOORWARD_INDEX", help="The index's file; else beside the log.", dir_okay=False),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", envvar="DOORWARD_DESK", help="The desk's settings instead.", dir_okay=False)
]
INDEX_NAME = "index.sqlite"
OWN = "desk"
"""What the desk's own log is called beside the gateways'."""


def sources_of(
    logs: list[Path] | None, config: Path | None, identity: Path | None, keys: Path | None
) -> "list[Source]":
    """The logs that are meant; ends with what is missing."""
    import os  # noqa: PLC0415 - beside its only use

    from doorward_console.archived import fetcher  # noqa: PLC0415 - the commands that search load it
    from doorward_console.index.build import Source  # noqa: PLC0415 - as above
    from doorward_core.record.keys import parse_identities  # noqa: PLC0415 - as above

    if logs:
        identities = parse_identities(identity.read_text(encoding="utf-8")) if identity is not None else ()
        archive = fetcher(os.environ.get("DOORWARD_ARCHIVE", "") if len(logs) == 1 else "")  # it is of one log
        return [
            Source(str(folder), folder, identities, keys or folder.absolute().parent / "keys" / "payload", archive)
            for folder in logs
        ]
    if config is None:
        output.fail("which log? Give --log (or DOORWARD_LOG), or --config with the desk's settings")
    import trio  # noqa: PLC0415 - as above

    settings = _settings(config)
    return desk_sources(settings, trio.run(desk_identities, settings))


async def desk_identities(settings: "Settings") -> tuple[object, ...]:
    """The auditors' keys that a desk was given. UpstreamUnavailable, RecordError where they cannot be had."""
    from doorward_core.net.secrets import resolve_secret  # noqa: PLC0415 - the commands that search load it
    from doorward_core.record.keys import parse_identities  # noqa: PLC0415 - as above

    if settings.identity is None:
        return ()
    return parse_identities((await resolve_secret(settings.identity)).reveal())


def desk_sources(settings: "Settings", identities: tuple[object, ...]) -> "list[Source]":
    """The logs of a desk: those of its gateways, and its own."""
    from doorward_console.archived import fetcher  # noqa: PLC0415 - the commands that search load it
    from doorward_console.index.build import Source  # noqa: PLC0415 - as above

    found = [
        Source(name, gateway.log, identities, gateway.keys, fetcher(gateway.archive or ""))
        for name, gateway in settings.gateways.items()
        if gateway.log is not None
    ]
    own = settings.record
    return [*found, Source(OWN, own.folder, identities, own.keys / "payload")]


def index_path(index: Path | None, config: Path | None, sources: "list[Source]") -> Path:
    """Where the index lies; ends with what is missing."""
    if index is not None:
        return index
    if config is not None and (named := _settings(config).index) is not None:
        return named
    if len(sources) != 1:
        output.fail("where is the index? Give --index, or DOORWARD_INDEX")
    return sources[0].folder.absolute().parent / INDEX_NAME


def _settings(config: Path) -> "Settings":
    from doorward_console.settings import load_settings  # noqa: PLC0415 - pydantic takes a while to load

    return load_settings(config)
