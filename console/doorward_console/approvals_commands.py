"""`doorward approvals`: see what waits for people, and decide it.

It talks to the gateway's control API, as the person whose token it is given.
A vote names the digest of the very card that was shown; with `--sign-with` it is signed as well.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doorward_console import output
from doorward_console.approvals_watch import watch
from doorward_console.asking import Asking, ask, tell
from doorward_console.options import shared
from doorward_console.watch_board import is_gone

if TYPE_CHECKING:
    from doorward_console.cards import Detail
    from doorward_console.gateway import Gateway

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="See what waits for people, and decide it.")
app.command("watch")(watch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting:
    """A vote, but for which way it goes and on what."""

    reason: Annotated[str, typer.Option("--reason", "-r", help="Why; the requester reads it, the record keeps it.")] = (
        ""
    )
    sign_with: Annotated[
        Path | None, typer.Option("--sign-with", help="An SSH key to sign the vote with (ssh-keygen -Y sign).")
    ] = None
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether the card is what you meant.")] = False


def _known_ids(incomplete: str) -> list[str]:
    """Ids to complete: what waits, where the environment says how to ask."""
    import os  # noqa: PLC0415 - beside its only use

    from doorward_console.gateway import CannotAsk, Gateway, Refused  # noqa: PLC0415 - http takes a while to load
    from doorward_core.model import Secret  # noqa: PLC0415 - as above

    url, token = os.environ.get("DOORWARD_GATEWAY", ""), os.environ.get("DOORWARD_TOKEN", "")
    if not url or not token:
        return []
    try:
        listed = Gateway(url, Secret(token)).get("/v1/approvals")["approvals"]
    except (CannotAsk, Refused, KeyError):
        return []
    names = [str(item.get("id")) for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return [name for name in names if name.startswith(incomplete)]


IdArgument = Annotated[str, typer.Argument(metavar="REQUEST", help="ap-...", autocompletion=_known_ids)]


@app.command("list")
@shared()
def list_(
    *,
    asking: Asking,
    state: Annotated[
        str, typer.Option(help="pending, granted, rejected, expired, withdrawn, used, or all")
    ] = "pending",
    before: Annotated[str, typer.Option(help="What comes behind this place, as the list before said it.")] = "",
) -> None:
    """List what waits. Newest first, as far as it is yours to decide, or you asked for it."""
    from urllib.parse import quote  # noqa: PLC0415 - beside its only use

    place = f"&before={quote(before)}" if before else ""
    document = ask(asking.reached(), f"/v1/approvals?state={quote(state)}{place}")
    if asking.as_json:
        output.emit(document)
        return
    listed = document.get("approvals")
    if not isinstance(listed, list) or not listed:
        output.say("nothing waits for you" if state == "pending" else "none")
        return
    now = time.time_ns()
    output.table(("request", "state", "left", "who", "on", "what"), [_row(item, now) for item in listed])
    if document.get("more"):
        output.say(f"and {document['more']} more; --before {document.get('next')} shows them")


@app.command()
@shared()
def show(
    request: IdArgument,
    *,
    asking: Asking,
) -> None:
    """Show one request whole. Who asks, what for, the full text, and what is odd about it."""
    document = ask(asking.reached(), f"/v1/approvals/{_id(request)}")
    if asking.as_json:
        output.emit(document)
        return
    _print_card(_detail(document))


@app.command()
@shared()
def approve(
    request: IdArgument,
    *,
    retry: Annotated[
        bool | None,
        typer.Option(
            "--retry/--once",
            help="Where its rule allows one: let an identical retry use it as well, or the one that waits alone."
            " If neither is given: once, or for a retry where whoever asked is gone.",
            show_default=False,
        ),
    ] = None,
    voting: Voting,
    asking: Asking,
) -> None:
    """Let a request through. The vote is that of the one whose token this is."""
    _vote("approve", request, voting, asking, retry)


@app.command()
@shared()
def reject(
    request: IdArgument,
    *,
    voting: Voting,
    asking: Asking,
) -> None:
    """Refuse a request. The vote is that of the one whose token this is."""
    _vote("reject", request, voting, asking)


def _vote(verdict: str, request: str, voting: Voting, asking: Asking, said: bool | None = None) -> None:
    from doorward_console.voting import asked, chosen  # noqa: PLC0415 - loaded with the rest of the card

    gateway, name = asking.reached(), _id(request)
    detail = _detail(ask(gateway, f"/v1/approvals/{name}"))
    if not asking.as_json:
        _print_card(detail)
    with output.failing(ValueError):
        retry = chosen(detail, said) if verdict == "approve" else None
    if not voting.yes and _at_terminal():
        typer.confirm(asked(detail, verdict, retry), abort=True)
    document = tell(gateway, f"/v1/approvals/{name}/vote", _ballot(gateway, detail, verdict, voting, retry))
    if asking.as_json:
        output.emit(document)
        return
    after = _detail(document)
    left = sum(after.missing.values())
    words = f"{left} more needed" if after.state == "pending" else f"it is {output.line(after.state)}"
    if after.state == "granted" and after.retry:
        words += f"; one identical retry may use it until {output.moment(after.until_unix_ns)}"
    output.say(f"{name}: your vote counts; {words}")


def _at_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _ballot(
    gateway: "Gateway", detail: "Detail", verdict: str, voting: Voting, retry: bool | None
) -> dict[str, object]:
    from doorward_console.gateway import CannotAsk, Refused  # noqa: PLC0415 - http takes a while to load
    from doorward_console.signing import CannotSign  # noqa: PLC0415 - as above
    from doorward_console.voting import ballot  # noqa: PLC0415 - as above

    with output.failing(Refused, status=output.NO), output.failing(CannotAsk, CannotSign):
        return ballot(gateway, detail, verdict, voting.reason, voting.sign_with, retry=retry)


def _id(request: str) -> str:
    from doorward_core.approvals.request import canonical_id  # noqa: PLC0415 - loaded with the rest of the card

    name = canonical_id(request)
    if name is None:
        output.fail(f"{request} is not the id of a request: ap- and twelve letters and digits")
    return name


def _detail(document: dict[str, object]) -> "Detail":
    from doorward_console.cards import read_detail  # noqa: PLC0415 - loaded with the rest of the card

    with output.failing(ValueError):
        return read_detail(document)


def _print_card(detail: "Detail") -> None:
    from doorward_console.cards import card_lines  # noqa: PLC0415 - loaded with the rest of the card

    output.say("\n".join(card_lines(detail, time.time_ns())))


def _row(item: object, now_unix_ns: int) -> tuple[str, ...]:
    if not isinstance(item, dict):
        output.fail("the gateway's answer is not a list of requests")
    expires = item.get("expires_unix_ns")
    left = expires - now_unix_ns if isinstance(expires, int) and item.get("state") == "pending" else 0
    text = " ".join(str(item.get("text", "")).split())
    more = "..." if isinstance(item.get("text_characters"), int) and item["text_characters"] > len(text) else ""
    careful = f"  [CAREFUL: {', '.join(map(str, item['flags']))}]" if item.get("flags") else ""
    return (
        str(item.get("id")),
        f"{item.get('state')}, asker gone" if is_gone(item) else str(item.get("state")),
        output.span(left) if left > 0 else "-",
        str(item.get("subject")),
        f"{item.get('resource')} as {item.get('account')}",
        f"{text}{more}{careful}",
    )
