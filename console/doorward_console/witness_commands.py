"""`doorward witness`: a witness of other people's logs, as a process of its own; and `doorward witness init`.

It is meant to run under the control of somebody who does not run the gateways (docs/witness.md).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output

if TYPE_CHECKING:
    from doorward_core.record.witness_settings import WitnessSettings

CONFIG_NAME = "witness.yaml"
KEY_NAME = "witness.key"

app = typer.Typer(help="Witness the logs of gateways: run a witness, or make one.", invoke_without_command=True)


@app.callback()
def witness(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", help="The witness's configuration.", dir_okay=False)
    ] = None,
) -> None:
    """Serve until told to stop."""
    if context.invoked_subcommand is not None:
        return
    if config is None:
        output.fail("give --config FILE; `doorward witness init FOLDER` makes one")
    import os  # noqa: PLC0415 - beside its only use

    from doorward_core.errors import ConfigError, GatewayError  # noqa: PLC0415 - as above
    from doorward_core.record.witness_settings import load_witness_settings  # noqa: PLC0415 - as above

    os.umask(0o077)
    try:
        _serve(load_witness_settings(config))
    except ConfigError as error:
        output.fail("\n".join(error.problems))
    except GatewayError as error:
        output.fail(str(error), output.NO)


def _serve(settings: "WitnessSettings") -> None:
    import signal  # noqa: PLC0415 - loaded by the command that serves

    import structlog  # noqa: PLC0415 - as above
    import trio  # noqa: PLC0415 - as above

    from doorward_core.errors import GatewayError  # noqa: PLC0415 - as above
    from doorward_core.record.witness_server import serve  # noqa: PLC0415 - as above

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(typer.get_text_stream("stderr")),
    )

    async def run() -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                server = await nursery.start(serve, settings)
                async for _ in signals:
                    break
                await server.drain(1.0)
                nursery.cancel_scope.cancel()

    try:
        trio.run(run)
    except BaseExceptionGroup as group:
        ours, defects = group.split(GatewayError)
        if defects is not None or ours is None:
            raise
        raise _first(ours) from None


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where key, configuration and state are to lie.", file_okay=False)],
    *,
    name: Annotated[str, typer.Option("--name", help="The witness's name, such as witness.example/w1.")],
    log: Annotated[
        list[str] | None, typer.Option("--log", help="The vkey of a gateway's log (its `log.vkey`); may be repeated.")
    ] = None,
    address: Annotated[str, typer.Option("--address", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 8465,
    state: Annotated[
        str, typer.Option("--state", help="Where it keeps what it cosigned, as it will find it.")
    ] = "state",
) -> None:
    """Make a key and a configuration, and print the vkey that gateways and verifiers need."""
    from doorward_core.errors import RecordError  # noqa: PLC0415 - loaded by the commands that need it
    from doorward_core.record.checkpoint import COSIGNATURE, CheckpointError, parse_vkey  # noqa: PLC0415 - as above
    from doorward_core.record.entry import EntryError, check_origin  # noqa: PLC0415 - as above
    from doorward_core.record.keys import signing_key  # noqa: PLC0415 - as above

    path = folder / CONFIG_NAME
    if path.exists():
        output.fail(f"{path} is there already")
    logs: dict[str, list[str]] = {}
    with output.failing(OSError, RecordError, CheckpointError, EntryError):
        check_origin(name)
        for vkey in log or ():
            logs.setdefault(parse_vkey(vkey)[0], []).append(vkey.strip())
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _, vkey = signing_key(folder / KEY_NAME, name, COSIGNATURE)
        path.write_text(_yaml(name, address, port, state, logs), encoding="utf-8")
    output.say(vkey)
    typer.echo(f"configuration: {path}; run it with: doorward witness --config {path}", err=True)


def _yaml(name: str, address: str, port: int, state: str, logs: dict[str, list[str]]) -> str:
    import json  # noqa: PLC0415 - beside its only use

    lines = [
        "version: 1",
        f"name: {json.dumps(name)}",
        f"key: {KEY_NAME}",
        f"state: {json.dumps(state)}",
        f"listen: {{address: {json.dumps(address)}, port: {port}}}",
        "# The logs that it witnesses: the vkeys in force, by origin. During a change of keys both stand here.",
        "logs:" if logs else "logs: {}  # fill in, for example:",
    ]
    lines += [f"  {json.dumps(origin)}: {json.dumps(vkeys)}" for origin, vkeys in logs.items()]
    lines += [] if logs else ['#  "pg-gateway.example": ["pg-gateway.example+0a1b2c3d+AbCd..."]']
    return "\n".join(lines) + "\n"
