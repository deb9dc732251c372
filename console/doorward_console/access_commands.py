"""`doorward access`: ask for standing access, see what stands, take it back.

It talks to the gateway's control API, as the one whose token it is given: an agent asks for itself, with its own token.
What is asked for is a request like any other; `doorward approvals` decides it.
"""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.asking import Asking, ask, tell
from doorward_console.options import shared

if TYPE_CHECKING:
    from doorward_console.gateway import Gateway

LOOK_S = 1.0  # between two looks at a request: a person decides, and a second is nothing to wait
NS_PER_S = 1_000_000_000

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Ask for access for a time, and take it back.")

ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why; approvers read it, the record keeps it.")]


@app.command("ask")
@shared()
def ask_(
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help="Where.")],
    *,
    asking: Asking,
    do: Annotated[list[str], typer.Option("--do", help="What: read, write, execute...; may be repeated.")],
    for_: Annotated[str, typer.Option("--for", help="How long, from the approval: 90s, 15m, 2h, 1d.")],
    reason: ReasonOption,
    account: Annotated[str, typer.Option(help="As which account there; the one of your sessions if left out.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is decided; say each step.")] = False,
) -> None:
    """Ask for access that stands for a time. People decide; nothing waits at the target meanwhile."""
    from doorward_console.spans import seconds_of  # noqa: PLC0415 - beside its only use

    with output.failing(ValueError):
        seconds = seconds_of(for_)
    reached = asking.reached()
    body: dict[str, object] = {"resource": resource, "actions": do, "seconds": seconds, "reason": reason}
    if account:
        body["account"] = account
    document = tell(reached, "/v1/access", body)
    name = _name(document)
    if not asking.as_json:
        output.say(f"{name} waits for people; {_missing(document)}")
    if wait:
        document = _decided(reached, name, document, quiet=asking.as_json)
    if asking.as_json:
        output.emit(document)
    elif wait:
        until = document.get("granted_until_unix_ns")
        granted = document.get("state") == "granted" and isinstance(until, int)
        words = f"it stands until {output.moment(until)}" if granted and isinstance(until, int) else _over(document)
        output.say(f"{name}: {words}")
    if wait and document.get("state") != "granted":
        raise typer.Exit(output.NO)


@app.command("list")
@shared()
def list_(
    *,
    asking: Asking,
) -> None:
    """List what stands now. Yours, what is yours to decide, and all of it for operators."""
    document = ask(asking.reached(), "/v1/access")
    listed = document.get("access")
    if asking.as_json:
        output.emit(document)
    elif not isinstance(listed, list) or not listed:
        output.say("nothing stands")
    else:
        now = time.time_ns()
        output.table(
            ("access", "left", "who", "sponsor", "on", "may", "by", "because"),
            [_row(item, now) for item in listed if isinstance(item, dict)],
        )


@app.command()
@shared()
def revoke(
    access: Annotated[str, typer.Argument(metavar="ACCESS", help="ap-...")],
    *,
    asking: Asking,
    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; the record keeps it.")],
) -> None:
    """Take access back at once. What it let through is asked about again from then on; sessions go on."""
    from urllib.parse import quote  # noqa: PLC0415 - beside its only use

    reached = asking.reached()
    document = tell(reached, f"/v1/access/{quote(access, safe='')}/revoke", {"reason": reason})
    if asking.as_json:
        output.emit(document)
    else:
        output.say(f"{document.get('id')} stands no more")


def _decided(gateway: "Gateway", name: str, document: dict[str, object], *, quiet: bool) -> dict[str, object]:
    """The request once it is decided; each vote is told as it comes."""
    said = _missing(document)
    while document.get("state") == "pending":
        time.sleep(LOOK_S)
        document = ask(gateway, f"/v1/approvals/{name}")
        now = _missing(document)
        if now != said and document.get("state") == "pending" and not quiet:
            output.say(f"{name}: {now}")
        said = now
    return document


def _missing(document: dict[str, object]) -> str:
    missing, votes = document.get("missing"), document.get("votes")
    left = sum(count for count in missing.values() if isinstance(count, int)) if isinstance(missing, dict) else 0
    cast = len(votes) if isinstance(votes, list) else 0
    return f"{cast} approved, {left} more needed" if cast else f"{left} needed"


def _over(document: dict[str, object]) -> str:
    votes = document.get("votes")
    said = [str(vote.get("reason")) for vote in votes if isinstance(vote, dict)] if isinstance(votes, list) else []
    words = "; ".join(output.line(one) for one in said if one)
    return f"it is {output.line(str(document.get('state')))}{f': {words}' if words else ''}"


def _name(document: dict[str, object]) -> str:
    request = document.get("request")
    name = request.get("id") if isinstance(request, dict) else None
    if not isinstance(name, str):
        output.fail("the gateway's answer is not a request")
    return name


def _row(item: dict[str, object], now_unix_ns: int) -> tuple[str, ...]:
    until, actions, by = item.get("until_unix_ns"), item.get("actions"), item.get("by")
    return (
        str(item.get("id")),
        output.span(max(0, until - now_unix_ns)) if isinstance(until, int) else "-",
        str(item.get("subject")),
        str(item.get("sponsor") or "-"),
        f"{item.get('resource')} as {item.get('account')}",
        ", ".join(map(str, actions)) if isinstance(actions, list) else "-",
        ", ".join(map(str, by)) if isinstance(by, list) else "-",
        " ".join(str(item.get("reason")).split()),
    )
