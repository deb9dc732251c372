"""One request: decided, sent on, answered, recorded.

What it is: the trio shell between an exchange of `doorward_core.http` and the gate.
What it will not do: know who may do what, or what a header means (`operations`, `headers`).

Invariants: nothing of a request reaches the target before its Permit; what is sent is framed and addressed by us, from
what was decided; no byte of the answer leaves before the record of the decision is durable; every Permit is finished
in the record, whatever ends the request.
"""

import base64
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Final

import trio

from doorward_core.doors import NS_PER_S
from doorward_core.errors import UpstreamProtocolError, UpstreamUnavailable
from doorward_core.event import Outcome, Status
from doorward_core.http.budget import Budget, Share
from doorward_core.http.exchange import Exchange
from doorward_core.http.kept import SHOWN_BYTES, SHOWN_WHOLE_BYTES, Kept
from doorward_core.http.messages import BadRequest, Head, Headers, ResponseHead, UpstreamTimeout, get
from doorward_core.http.relay import relay, tell
from doorward_core.http.upstream import UpstreamResponse
from doorward_core.http.websocket import (
    KEY_BYTES,
    WebSocketWire,
    check_request,
    check_response,
    request_headers,
    response_headers,
    subprotocols,
)
from doorward_core.identity.assertion import Assertion
from doorward_core.model import Denial, Operation, Permit, Record, RecordLevel
from doorward_core.net.secrets import SecretUnavailable
from doorward_http import refusals
from doorward_http.before import Before
from doorward_http.doors import HttpDoor
from doorward_http.facts import Body, is_coded
from doorward_http.headers import IDENTITY, for_client
from doorward_http.masking import Masking, Owing, Withheld
from doorward_http.operations import GRPC, media_type
from doorward_http.overrides import Overrides
from doorward_http.redirects import Way
from doorward_http.refusals import Refusal, refusal
from doorward_http.served import Served
from doorward_http.upgrades import Masker, Side, carry

UNAUTHORIZED: Final = 401
TAKES_TRAILERS: Final = (b"te", b"trailers")
# They come after the decision, and some targets merge them with the headers.
TRAILERS: Final = "a request's trailers are not passed on: send as a header what the target is to know"
OBSERVED: Final = (b"doorward-mode", b"observe")
NEVER_SENT: Final = Outcome(Status.ABORTED)


@dataclass(frozen=True, slots=True)
class Means:
    """What every request is served with: the gateway's signing key, its compiled masks, where people decide."""

    assertion: Assertion
    owing: Owing
    link: str
    bodies: Budget
    clock: Callable[[], int]


class Serving:
    """Serves one request of one session on one resource."""

    def __init__(self, served: Served, door: HttpDoor, exchange: Exchange, means: Means, draining: trio.Event) -> None:
        self._served = served
        self._door = door
        self._exchange = exchange
        self._means = means
        self._draining = draining
        self._began_ns = means.clock()
        self._sent_up = 0
        self._outcome: Outcome | None = None
        self._answered_with: ResponseHead | None = None
        self._kept: Kept | None = None
        self._overrides: Overrides | None = None

    # --- what is asked -----------------------------------------------------------------------------------------------

    async def read_body(self, headers: Headers, share: Share) -> tuple[Body, bytes] | None:
        """The body as far as it is decided on, and what was read of a longer one. Raises BadRequest, NoRoom.

        None where its session ended meanwhile: whoever drips it holds a place no longer than a credential lasts.
        """
        if self._exchange.head.body == "none":
            return Body(b"", media_type(headers), is_coded(headers)), b""
        with self._door.life():
            return await self._read_body(headers, share)
        return None

    async def _read_body(self, headers: Headers, share: Share) -> tuple[Body, bytes]:
        head, settings = self._exchange.head, self._served.settings
        media, coded, bound = media_type(headers), is_coded(headers), settings.decided_bytes
        if head.method == "POST" and settings.overrides != "ignored":
            self._overrides = Overrides(headers, coded=coded)
        if media.startswith(GRPC) or head.length > bound:
            return Body(None, media, coded), b""
        read = bytearray()
        share.hold(head.length)
        while piece := await self._read():
            read += piece
            share.hold(len(read))
            if len(read) > bound:
                return Body(None, media, coded), bytes(read)
        return Body(bytes(read), media, coded), b""

    async def _read(self) -> bytes:
        """The next piece of the request's body, looked at before anything becomes of it. Raises BadRequest."""
        piece = await self._exchange.read()
        if self._overrides is not None:
            self._overrides.feed(piece, last=not piece)
        if not piece and self._exchange.trailers:
            raise BadRequest(TRAILERS)
        return piece

    # --- the order ---------------------------------------------------------------------------------------------------

    async def run(self, before: Before, operation: Operation, rest: bytes) -> None:
        """Decide, send on, answer. `rest` is what was read of a body that was not looked at."""
        request, memo = before.request, before.memo
        gate = self._door.gate
        if request.body.content is None and gate.holds(operation, memo):
            await gate.refuse(operation, refusals.BODY_TOO_LONG)
            await self._say(refusal(413, "refused", refusals.BODY_TOO_LONG, extra={"retry": False}))
            return
        verdict = await self._door.decide(operation, memo, self._exchange, self._until, self._draining)
        if verdict is None and self._door.gate.live.ended:
            await self._say(self.ended())
        elif verdict is None:
            await self._say(refusal(503, "going-down", refusals.GOING_DOWN, headers=((b"retry-after", b"1"),)))
        elif isinstance(verdict, Denial):
            await self._say(refusals.denied(verdict, method=operation.verb, link=self._means.link))
        else:
            await self._permitted(before, verdict, rest)

    @property
    def _until(self) -> int:
        return self._began_ns + int(self._served.settings.hold * NS_PER_S)

    async def _permitted(self, before: Before, permit: Permit, rest: bytes) -> None:
        """Send it on and answer; whatever happens, the Permit is finished."""
        request = before.request
        masking = self._means.owing.of(permit.decision)
        try:
            head, body = await self._prepared(before, masking, rest)
            with self._door.life() as life:
                if request.upgrades:
                    await self._upgraded(before, replace(head, upgrade=request.head.upgrade), masking, permit)
                else:
                    async with self._served.pool.request(head, body) as response:
                        await self._answered(before, response, masking, permit)
            if life.cancelled_caught and not request.upgrades:
                await self._instead(self.ended(), started=self._exchange.started)
        except Withheld as owed:
            await self._door.gate.released(permit.entry)
            await self._instead(refusals.unmaskable(str(owed), self._answered_with), started=self._exchange.started)
        except (UpstreamUnavailable, UpstreamProtocolError) as error:
            await self._door.gate.released(permit.entry)
            await self._door.gate.failed(f"target: {error}")
            status = 504 if isinstance(error, UpstreamTimeout) else 502
            hidden = isinstance(error, SecretUnavailable)
            words = f"the target could not be used: {refusals.NO_CREDENTIAL if hidden else error}"
            await self._instead(refusal(status, "target", words), started=self._exchange.started)
        finally:
            self._finish(permit, masking)

    def ended(self) -> Refusal:
        """What a client is told whose session was ended, or whose credential has."""
        words = self._door.gate.live.ended
        return refusal(403, "ended", words, extra={"retry": False}) if words else refusals.unauthenticated(given=True)

    async def _answered(self, before: Before, response: UpstreamResponse, masking: Masking, permit: Permit) -> None:
        """Carry the answer to the client. Raises Withheld."""
        self._answered_with = response.head
        answer = self._answer(before, response.head, masking)
        await self._door.gate.released(permit.entry)
        if isinstance(answer, Refusal):
            await self._instead(answer)
            return
        self._kept = kept = Kept(masking, answer, self._room(permit), masking)
        await relay(response, self._exchange, answer, kept, masked=masking.changes_answer, holding=kept)
        kept.whole = True

    async def _upgraded(self, before: Before, head: Head, masking: Masking, permit: Permit) -> None:
        """Leave HTTP, if the target agrees; else its answer is one like any other."""
        theirs, ours = check_request(before.request.head), base64.b64encode(secrets.token_bytes(KEY_BYTES))
        head = replace(head, headers=request_headers(head.headers, ours), body="none", length=-1)
        async with self._served.pool.upgrade(head) as answer:
            if not answer.upgraded:
                await self._answered(before, answer.response, masking, permit)
                return
            chosen = check_response(answer.head, ours, subprotocols(head.headers))
            await self._door.gate.released(permit.entry)
            lines = response_headers(theirs, chosen)
            self._kept = kept = Kept(masking, ResponseHead(101, lines), self._room(permit))
            out, into = (Masker(owed) for owed in masking.both)
            near, early = await self._exchange.upgrade(lines)
            far, said = answer.stream()
            client = Side(near, WebSocketWire(client=False), early, into, self._count_up)
            target = Side(far, WebSocketWire(client=True), said, out, kept.message)
            try:
                await carry(client, target, self._draining)
                kept.whole = True
            finally:
                masking.count(out.masked)
                masking.count(into.masked)

    def _count_up(self, data: bytes) -> None:
        self._sent_up += len(data)

    def _room(self, permit: Permit) -> int:
        levels = {item.level for item in permit.decision.obligations if isinstance(item, Record)}
        whole = RecordLevel.PAYLOAD in {self._door.gate.level, *levels}
        return SHOWN_WHOLE_BYTES if whole else SHOWN_BYTES

    async def _prepared(
        self, before: Before, masking: Masking, rest: bytes
    ) -> tuple[Head, bytes | AsyncIterator[bytes]]:
        """The request as the target gets it. Raises UpstreamUnavailable without the target's credential."""
        request = before.request
        served, account = self._served, self._door.gate.session.account
        lines = masking.request(request.head, request.headers)
        if get(request.head.headers, b"te") == b"trailers":
            lines += (TAKES_TRAILERS,)  # gRPC servers insist on it; over HTTP/1.1 it ends here
        lines += await served.credentials.headers(account, served.accounts[account])
        if served.settings.identity_header:
            said = self._door.assertion(self._means.assertion, served.audience, secrets.token_hex, self._began_ns)
            lines += ((IDENTITY, said),)
        asked, there, content = request.head, served.destination, request.body.content
        body: bytes | AsyncIterator[bytes]
        if content is None:
            length = -1 if masking.changes_request else asked.length
            body = self._stream(rest, masking)
        else:
            body = masking.up(content, last=True)
            length = self._sent_up = len(body)
        target, sent = masking.target(there.target(request.found, request.target)), before.sent
        if sent is None or sent.target != target or sent.headers != lines or sent.length != length:
            head = Head(asked.method, target, there.authority, there.scheme, lines, asked.version, asked.body, length)
            before.sent = sent = head
        return sent, body

    async def _stream(self, rest: bytes, masking: Masking) -> AsyncIterator[bytes]:
        """A body that is not decided on, as it comes in."""
        piece = rest or await self._read()
        while piece:
            out = masking.up(piece)
            self._sent_up += len(out)
            if out:
                yield out
            piece = await self._read()
        if out := masking.up(b"", last=True):
            self._sent_up += len(out)
            yield out

    # --- the answer --------------------------------------------------------------------------------------------------

    def _answer(self, before: Before, head: ResponseHead, masking: Masking) -> ResponseHead | Refusal:
        """The head of the answer as it may leave, or what is said in its place. Raises Unmaskable."""
        if before.answer is not None and not masking and before.answer[0] == head:
            return before.answer[1]
        served, request = self._served, before.request
        if head.status == UNAUTHORIZED and not served.settings.send.nothing:
            account = self._door.gate.session.account
            served.credentials.forget(account, served.accounts[account])
            return refusal(502, "target", "the target refused the gateway's own credential", extra={"retry": True})
        way = Way(served.destination, request.found, served.settings.redirects)
        answered = for_client(head.status, head.headers, way, cookies=served.settings.cookies)
        if answered.astray:
            words = "the target sends its clients to another host, and the gateway does not"
            return refusal(502, "elsewhere", words, extra={"retry": False})
        lines = (*answered.headers, OBSERVED) if self._door.gate.observe else answered.headers
        answer = masking.answer(ResponseHead(head.status, lines), request.method)
        if not masking:
            before.answer = (head, answer)
        return answer

    async def _instead(self, refused: Refusal, *, started: bool = False) -> None:
        """Say something in the target's place. An answer that has begun is cut, so that it is seen not to be whole."""
        self._outcome = Outcome(Status.ERROR, str(refused.status), bytes_up=self._sent_up)
        if started:
            self._exchange.cut()
        else:
            await self._say(refused)

    async def _say(self, refused: Refusal) -> None:
        media = next((value for name, value in self._exchange.head.headers if name == b"content-type"), b"")
        await tell(self._exchange, *refused.answer(media.decode("latin-1")))

    def _finish(self, permit: Permit, masking: Masking) -> None:
        for words in masking.coverage:
            self._door.gate.uncovered(words)
        kept, took_ns = self._kept, max(0, self._means.clock() - self._began_ns)
        if kept is not None:
            outcome = kept.outcome(bytes_up=self._sent_up, masked=masking.masked, duration_ns=took_ns)
        else:
            outcome = replace(self._outcome or NEVER_SENT, duration_ns=took_ns)
        self._door.gate.finish(permit, outcome)
