"""`doorward desk`: serve the web pages, or say whether the settings would do."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from doorward_console import output


def desk(
    *,
    config: Annotated[Path, typer.Option("--config", "-c", help="The desk's settings, in YAML (docs/desk.md).")],
    check: Annotated[
        bool, typer.Option("--check", help="Say what is wrong with the settings, and do not serve.")
    ] = False,
) -> None:
    """Serve the desk: what waits for people and what happened, in a browser. It ends on SIGTERM."""
    from doorward_console import desk_files  # noqa: PLC0415 - the web takes a while to load
    from doorward_console.settings import load_settings  # noqa: PLC0415 - as above
    from doorward_console.web import serve  # noqa: PLC0415 - as above
    from doorward_core.errors import ConfigError, RecordError  # noqa: PLC0415 - as above

    with output.failing(ConfigError, RecordError, OSError):
        if not check:
            serve.run(config, started=_started(config))
            return
        settings = load_settings(config)
        for remark in desk_files.remarks(settings, time.time_ns()):
            output.say(f"remark: {output.line(remark)}")
        found = (*serve.problems(settings), *desk_files.faults(settings))
        if found:
            output.fail("\n".join(found))
        output.say(f"{config}: good; people reach the desk at {settings.url}")


def _started(config: Path) -> Callable[[Sequence[str]], None]:
    def started(places: Sequence[str]) -> None:
        output.say(f"{config}: listening on {', '.join(places)}")

    return started
