"""What a session's terminal shows, from now on: to one operator's browser, as server-sent events.

What it is: a loop of questions to the gateway, on that operator's behalf; the gateway records that they watch.
What it will not do: let anybody type, or send a browser anything but lines of plain text: sequences are followed by
`player`, and drawn anew with printable characters, spaces, backspaces and line ends (threat model SSH-14).

Invariants: it ends with the session, with the login, with the token and with the desk; what was too quick to be kept is
counted, and said.
"""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Final

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from doorward_console.output import line
from doorward_console.player import Player
from doorward_console.recording import Piece
from doorward_console.web.answers import number_of
from doorward_console.web.desk import Desk
from doorward_console.web.reach import WAIT_S, Gateway, GatewayDown, GatewayRefused, Json
from doorward_console.web.sessions import WebSession

_HEADERS: Final = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
BETWEEN_S: Final = 0.1
"""Two questions are at least so far apart, however quickly the gateway answers: quicker than eyes is for nobody."""
_AT_ONCE: Final = 1.0  # what is shown live has no pauses of its own


class Watching(Response):
    """The answer to an EventSource: `show` has text, `over` why there is no more."""

    def __init__(self, desk: Desk, gateway: Gateway, session: WebSession, name: str) -> None:
        super().__init__(status_code=200, headers=_HEADERS)
        self._desk = desk
        self._gateway = gateway
        self._session = session
        self._name = name
        self._player = Player(_AT_ONCE, 0.0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until somebody goes."""
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] != "HEAD":
            async with trio.open_nursery() as nursery:
                for over in (self._session.ended.wait, self._desk.closing.wait, _gone(receive)):
                    nursery.start_soon(_cancel_after, over, nursery.cancel_scope)
                await self._feed(send)
                nursery.cancel_scope.cancel()
        with trio.move_on_after(1, shield=True):
            await send({"type": "http.response.body", "body": b""})

    async def _feed(self, send: Send) -> None:
        try:
            number = number_of(await self._ask(), "from")
            while self._session.person.identity.expires_unix_ns > self._desk.clock():
                asked_at = trio.current_time()
                answer = await self._ask(number)
                number, text = self._read(answer, number)
                await send({"type": "http.response.body", "body": _event("show", text), "more_body": True})
                if answer.get("ended"):
                    words = line(str(answer["ended"]))
                    await send({"type": "http.response.body", "body": _event("over", words), "more_body": True})
                    return
                await trio.sleep_until(asked_at + BETWEEN_S)
        except (GatewayDown, GatewayRefused) as error:
            words = line(f"the gateway says no more: {error}")
            await send({"type": "http.response.body", "body": _event("over", words), "more_body": True})

    async def _ask(self, after: int | None = None) -> Json:
        query = {"after": str(after)} if after is not None else None
        return await self._gateway.get(
            self._session.person.token, "sessions", self._name, "stream", query=query, extra_s=WAIT_S
        )

    def _read(self, answer: Json, number: int) -> tuple[int, str]:
        """The number of the last piece, and what to show for all of them."""
        text = ""
        pieces = answer.get("pieces")
        for item in pieces if isinstance(pieces, list) else ():
            if not isinstance(item, dict):
                continue
            arrived = number_of(item, "number")
            if arrived > number + 1:
                text += f"{self._player.end()}    ({arrived - number - 1} pieces were too quick to be shown here)\n"
            number = arrived
            text += self._player.show(_piece(item))
        return number, text


def _piece(item: Json) -> Piece:
    try:
        data = base64.b64decode(str(item.get("data", "")))
    except ValueError:
        data = b""
    return Piece(number_of(item, "unix_ns"), str(item.get("stream", "")), data)


def _event(name: str, text: str) -> bytes:
    """As JSON, which has no line end of its own: a space, a backspace and a line end arrive as they are."""
    return f"event: {name}\ndata: {json.dumps(text)}\n\n".encode("ascii")


async def _cancel_after(waited: Callable[[], Awaitable[object]], scope: trio.CancelScope) -> None:
    await waited()
    scope.cancel()


def _gone(receive: Receive) -> Callable[[], Awaitable[None]]:
    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return gone
