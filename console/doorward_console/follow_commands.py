"""`doorward follow`: what is new in a log, to a SIEM or a file, at least once.

It reads the log's files and changes nothing; it needs no gateway to run. A cursor file remembers how far it came.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.log_reading import IdentityOption, KeysOption, LogOption, open_log

if TYPE_CHECKING:
    from doorward_console.follow.senders import Sender
    from doorward_core.record.reader import LogReader

KEY_VARIABLE = "DOORWARD_FOLLOW_KEY"


def follow(
    to: Annotated[
        str, typer.Option("--to", help="PATH, https://..., syslogs://HOST:PORT (TLS), or syslog:// on this machine.")
    ],
    *,
    log: LogOption,
    cursor: Annotated[Path, typer.Option("--cursor", help="The file that remembers how far it came.", dir_okay=False)],
    content: Annotated[
        bool, typer.Option("--content", help="With statements, parameters and what was shown, as far as readable.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="End at the newest checkpoint, rather than wait for more.")
    ] = False,
    ca: Annotated[Path | None, typer.Option("--ca", help="The receiver's authority.", dir_okay=False)] = None,
    identity: IdentityOption = None,
    keys: KeysOption = None,
) -> None:
    """Ship what is new in a log. Each event at least once, in order; a webhook's key is in DOORWARD_FOLLOW_KEY."""
    import os  # noqa: PLC0415 - beside its only use

    from doorward_console.follow.senders import sender_for  # noqa: PLC0415 - httpx2 takes a while to load
    from doorward_core.errors import GatewayError  # noqa: PLC0415 - as above

    with output.failing(GatewayError, OSError):
        reader = open_log(log, identity, keys)
        origin = origin_of(reader)
        key = os.environ.get(KEY_VARIABLE, "").encode()
        sender = sender_for(to, origin, content=content, key=key, ca=ca)
        delivered = _run(reader, origin, sender, cursor, once=once)
    if once:
        typer.echo(f"{delivered} events delivered", err=True)


def origin_of(reader: "LogReader") -> str:
    """The log's name; ends where it has no checkpoint yet."""
    checkpoint = reader.checkpoint()
    if checkpoint is None:
        output.fail("this log has no checkpoint yet; try again in a second")
    return checkpoint.origin


def _run(reader: "LogReader", origin: str, sender: "Sender", cursor: Path, *, once: bool) -> int:
    import signal  # noqa: PLC0415 - beside its only use

    import trio  # noqa: PLC0415 - as above

    from doorward_console.follow.loop import follow as ship  # noqa: PLC0415 - as above
    from doorward_core.errors import RecordError  # noqa: PLC0415 - as above

    async def until_told(scope: trio.CancelScope) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as told:
            async for _ in told:
                scope.cancel()

    async def main() -> int:
        delivered, problem = 0, None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_told, nursery.cancel_scope)
            try:
                delivered = await ship(reader, origin, sender, cursor, once=once, tell=_tell)
            except (RecordError, OSError) as error:
                problem = error
            finally:
                with trio.CancelScope(shield=True):
                    await sender.aclose()
            nursery.cancel_scope.cancel()
        if problem is not None:
            raise problem
        return delivered

    return trio.run(main)


def _tell(words: str) -> None:
    typer.echo(f"doorward: {output.line(words)}", err=True)
