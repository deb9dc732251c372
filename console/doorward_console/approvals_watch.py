"""`doorward approvals watch`: what waits, as it comes, and deciding it, for people who live in a terminal.

One thread for each gateway waits for changes (a long poll) and hands over what it hears; the rest is one loop that
draws, and reads keys. A request is looked at and decided outside of the live list, in the plain terminal: whole, with
its scroll-back, and with room for ssh-keygen to ask for a touch.
What others wrote is made harmless, and a key alone decides nothing: a vote is confirmed in a word.
"""

import contextlib
import json
import os
import queue
import select
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from doorward_console import output
from doorward_console.asking import JsonOption, Whose
from doorward_console.options import shared
from doorward_console.watch_board import Board, Waiting

if TYPE_CHECKING:
    from rich.console import RenderableType

    from doorward_console.gateway import Gateway

WAIT_S = 20
PAUSES_S = (1, 2, 5, 10, 15)
"""Before a gateway is asked again that could not be."""
REDRAW_S = 0.5
UNAUTHORIZED = 401
HEADERS = ("request", "left", "who", "where", "what", "why")
NEXT = frozenset({b"j", b"\x1b[B"})
PREVIOUS = frozenset({b"k", b"\x1b[A"})
OPEN = frozenset({b"\r", b"\n", b" "})
LEAVE = frozenset({b"q", b"\x1b", b"\x04"})


WORDS: Final[Mapping[str, tuple[str, bool | None]]] = {
    "approve": ("approve", None),
    "retry": ("approve", True),
    "reject": ("reject", None),
}
"""What may be typed below a card: the verdict, and what is said of an identical retry."""


class Over(str):
    """Why a gateway will not be asked again: it does not take the token (any more)."""

    __slots__ = ()


Answer = tuple[str, dict[str, object] | str]
"""Of which gateway, and its answer or why there is none."""


@shared()
def watch(
    *,
    gateway: Annotated[
        list[str],
        typer.Option("--gateway", envvar="DOORWARD_GATEWAY", help="https://host:port, or unix:/path; may be repeated."),
    ],
    sign_with: Annotated[
        Path | None, typer.Option("--sign-with", help="An SSH key to sign votes with (ssh-keygen -Y sign).")
    ] = None,
    whose: Whose,
    as_json: JsonOption = False,
) -> None:
    """Watch what waits, as it comes; look at a request and decide it. With --json, a line for each change."""
    if str(whose.token_file) == "-" and not as_json:
        output.fail("input is for keys here: give the token in a file, or in DOORWARD_TOKEN")
    gateways = dict.fromkeys(gateway)
    first = whose.reach("")  # the token is read once, even where it comes by input
    reached = {url: first.at(url) for url in gateways}
    live = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    try:
        if live:
            _Screen(reached, sign_with).run()
        else:
            _stream(reached, as_json=as_json)
    except KeyboardInterrupt:
        output.say()


def follow(gateways: "dict[str, Gateway]") -> "queue.Queue[Answer]":
    """Begin to listen to each gateway, in threads that end with the process; gives what they hear."""
    heard: queue.Queue[Answer] = queue.Queue(64)
    for url, reached in gateways.items():
        threading.Thread(target=_listen, args=(url, reached, heard), daemon=True).start()
    return heard


def _listen(url: str, gateway: "Gateway", heard: "queue.Queue[Answer]") -> None:
    from doorward_console.gateway import CannotAsk, Refused  # noqa: PLC0415 - http takes a while to load

    version, failures = None, 0
    while True:
        path = "/v1/approvals" if version is None else f"/v1/approvals?after={version}&wait={WAIT_S}"
        try:
            answer = gateway.get(path)
        except (CannotAsk, Refused) as error:
            over = isinstance(error, Refused) and error.status == UNAUTHORIZED
            heard.put((url, Over(error) if over else str(error)))
            if over:
                return
            version = None
            time.sleep(PAUSES_S[min(failures, len(PAUSES_S) - 1)])
            failures += 1
            continue
        failures, version = 0, answer.get("version")
        if "approvals" in answer:
            heard.put((url, answer))


def _stream(gateways: "dict[str, Gateway]", *, as_json: bool) -> None:
    """One line for each change."""
    board, heard, over = Board(), follow(gateways), set()
    while True:
        url, answer = heard.get()
        for event in _taken(board, url, answer):
            if as_json:
                output.say(json.dumps(event, ensure_ascii=True))
            else:
                output.say(_told(event))
            sys.stdout.flush()
        if isinstance(answer, Over):
            over.add(url)
            if len(over) == len(gateways):
                output.fail(answer, output.NO)


def _taken(board: Board, url: str, answer: dict[str, object] | str) -> list[dict[str, object]]:
    if isinstance(answer, dict):
        try:
            return board.update(url, answer)
        except ValueError as error:
            answer = str(error)
    board.fail(url, answer)
    return [{"event": "problem", "gateway": url, "words": answer}]


def _told(event: dict[str, object]) -> str:
    what, request = str(event["event"]), event.get("request")
    if not isinstance(request, dict):
        return output.line(f"{what:8} {event.get('id') or event.get('words')} ({event['gateway']})")
    text = " ".join(str(request.get("text", "")).split())[:120]
    who = f"{request.get('subject')} on {request.get('resource')} as {request.get('account')}"
    return output.line(f"{what:8} {request.get('id')}  {who}: {text}")


class _Screen:
    """The live list, and what is done from it."""

    def __init__(self, gateways: "dict[str, Gateway]", key: Path | None) -> None:
        self._gateways = gateways
        self._key = key
        self._board = Board()
        self._heard = follow(gateways)
        self._chosen: tuple[str, str] | None = None

    def run(self) -> None:
        """Draw, until somebody leaves."""
        while (chosen := self._choose()) is not None:
            self._decide(chosen)
        output.say(f"left; {len(self._board.rows())} still wait for you")

    def _choose(self) -> Waiting | None:
        """Show the list until a request is opened; None if the list was left."""
        from rich.console import Console  # noqa: PLC0415 - rich takes a tenth of a second
        from rich.live import Live  # noqa: PLC0415 - as above

        console = Console(markup=False, highlight=False, emoji=False)
        with _keys() as read, Live(console=console, auto_refresh=False, screen=True) as live:
            while True:
                self._hear()
                rows = self._board.rows()
                place = self._place(rows)
                live.update(self._drawn(rows, place, console.height), refresh=True)
                pressed = read(REDRAW_S)
                if pressed in LEAVE:
                    return None
                if pressed in OPEN and rows:
                    return rows[place]
                step = (pressed in NEXT) - (pressed in PREVIOUS)
                if step and rows:
                    self._chosen = rows[max(0, min(len(rows) - 1, place + step))].key

    def _hear(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                _taken(self._board, *self._heard.get_nowait())

    def _place(self, rows: list[Waiting]) -> int:
        """Where the chosen request stands now: what comes in above it does not move the choice to another one."""
        keys = [row.key for row in rows]
        place = keys.index(self._chosen) if self._chosen in keys else 0
        self._chosen = keys[place] if keys else None
        return place

    def _drawn(self, rows: list[Waiting], place: int, height: int) -> "RenderableType":
        from rich import box  # noqa: PLC0415 - rich takes a tenth of a second
        from rich.console import Group  # noqa: PLC0415 - as above
        from rich.table import Table  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above

        made = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
        for number, header in enumerate(HEADERS):
            made.add_column(header, no_wrap=True, overflow="ellipsis", ratio=None if number < 2 else 1)  # noqa: PLR2004 - id and time are never cut
        room = max(3, height - 5 - len(self._board.problems))
        first = max(0, min(place - room // 2, len(rows) - room))
        for number, row in enumerate(rows[first : first + room], start=first):
            style = "reverse" if number == place else ""
            made.add_row(*(Text(cell) for cell in row.cells(time.time_ns())), style=style)
        what = f"{len(rows)} waiting" if rows else "nothing waits for you"
        title = f"{what}   (up, down; Enter looks at one; q leaves)"
        problems = [Text(f"! {output.line(url)}: {output.line(why)}") for url, why in self._board.problems.items()]
        return Group(Text(title), *problems, made)

    def _decide(self, opened: Waiting) -> None:
        """Show a request whole, and vote on it, if that is what is wanted."""
        from doorward_console.cards import card_lines, read_detail  # noqa: PLC0415 - loaded with the rest of the card
        from doorward_console.gateway import CannotAsk, Refused  # noqa: PLC0415 - http takes a while to load
        from doorward_console.signing import CannotSign  # noqa: PLC0415 - only here
        from doorward_console.voting import asked, ballot, chosen  # noqa: PLC0415 - only here

        gateway, path = self._gateways[opened.gateway], f"/v1/approvals/{opened.id}"
        try:
            detail = read_detail(gateway.get(path))
            output.say("\n".join(card_lines(detail, time.time_ns())))
            words = "approve, retry (approve, and an identical retry)" if True in detail.choices else "approve"
            typed = typer.prompt(f"{words}, reject, or Enter to go back", default="", show_default=False)
            verdict, said = WORDS.get(typed.strip().lower(), ("", None))
            if not verdict:
                return
            retry = chosen(detail, said) if verdict == "approve" else None
            reason = typer.prompt("reason (the requester reads it)", default="", show_default=False)
            if not typer.confirm(asked(detail, verdict, retry).replace("this", detail.request.id, 1)):
                return
            body = ballot(gateway, detail, verdict, reason, self._key, retry=retry)
            after = read_detail(gateway.post(f"{path}/vote", body))
            left = sum(after.missing.values())
            now = f"{left} more needed" if after.state == "pending" else f"it is {after.state}"
            output.say(output.line(f"{detail.request.id}: your vote counts; {now}"))
        except (CannotAsk, Refused, CannotSign, ValueError) as error:
            output.say(output.line(f"no: {error}"))
        except typer.Abort:
            return
        typer.prompt("Enter goes back to the list", default="", show_default=False)


@contextlib.contextmanager
def _keys() -> Iterator["_Read"]:
    """A way to read one key at a time, within a number of seconds; the terminal is put back afterwards."""
    import termios  # noqa: PLC0415 - there is none where there is no terminal
    import tty  # noqa: PLC0415 - as above

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield _Read(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


class _Read:
    """Reads keys."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __call__(self, within_s: float) -> bytes:
        """The next key, b"" where none came in time."""
        ready, _, _ = select.select([self._descriptor], [], [], within_s)
        return os.read(self._descriptor, 8) if ready else b""
