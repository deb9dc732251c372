"""`doorward break-glass`: go on at once with what is held, for a short time; and review what others did so.

It talks to the gateway's control API, as the person whose token it is given (docs/config.md, `break_glass`).
"""

import time
from typing import Annotated

import typer

from doorward_console import output
from doorward_console.asking import Asking, ask, tell
from doorward_console.options import shared

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="In an emergency: go on at once; a review is owed afterwards."
)


@app.command("open")
@shared()
def open_(
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help="Where.")],
    *,
    asking: Asking,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; others are told at once, the record keeps it.")],
    for_: Annotated[str, typer.Option("--for", help="How long: 90s, 15m.")] = "15m",
) -> None:
    """Break the glass of a resource, for yourself. What is held goes on; what is blocked stays blocked."""
    from doorward_console.spans import seconds_of  # noqa: PLC0415 - beside its only use

    with output.failing(ValueError):
        seconds = seconds_of(for_)
    body: dict[str, object] = {"resource": resource, "reason": reason, "seconds": seconds}
    document = tell(asking.reached(), "/v1/break-glass", body)
    if asking.as_json:
        output.emit(document)
        return
    until = document.get("until_unix_ns")
    moment = output.moment(until) if isinstance(until, int) else "-"
    output.say(f"{document.get('id')}: what is held on {output.line(resource)} goes on for you until {moment}")
    output.say("every operation under it is marked, and a review by somebody else is owed")


@app.command("list")
@shared()
def list_(
    *,
    asking: Asking,
    state: Annotated[str, typer.Option(help="owed, open or all")] = "owed",
) -> None:
    """List what was broken open. Without --state, those whose review is owed."""
    from urllib.parse import quote  # noqa: PLC0415 - beside its only use

    document = ask(asking.reached(), f"/v1/break-glass?state={quote(state)}")
    found = document.get("openings")
    if asking.as_json:
        output.emit(document)
    elif not isinstance(found, list) or not found:
        output.say("no review is owed" if state == "owed" else "none")
    else:
        now = time.time_ns()
        output.table(
            ("opening", "state", "opened", "who", "on", "because", "review"),
            [_row(item, now) for item in found if isinstance(item, dict)],
        )


@app.command()
@shared()
def review(
    opening: Annotated[str, typer.Argument(metavar="OPENING", help="bg-...")],
    *,
    asking: Asking,
    words: Annotated[str, typer.Option("--words", "-w", help="What you found; the record keeps it.")],
) -> None:
    """Sign what somebody else did under broken glass, once it is over. The record has each operation."""
    from urllib.parse import quote  # noqa: PLC0415 - beside its only use

    reached = asking.reached()
    document = tell(reached, f"/v1/break-glass/{quote(opening, safe='')}/review", {"words": words})
    if asking.as_json:
        output.emit(document)
    else:
        output.say(f"{document.get('id')} is reviewed")


def _row(item: dict[str, object], now_unix_ns: int) -> tuple[str, ...]:
    opened, until, signed = item.get("opened_unix_ns"), item.get("until_unix_ns"), item.get("review")
    left = until - now_unix_ns if isinstance(until, int) else 0
    return (
        str(item.get("id")),
        f"open, {output.span(left)} left" if left > 0 else "over",
        output.moment(opened) if isinstance(opened, int) else "-",
        str(item.get("subject")),
        str(item.get("resource")),
        " ".join(str(item.get("reason")).split()),
        f"{signed.get('reviewer')}: {' '.join(str(signed.get('words')).split())}"
        if isinstance(signed, dict)
        else "owed",
    )
