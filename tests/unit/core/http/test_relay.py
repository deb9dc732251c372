"""A response is carried in as few writes as its arrival allows, and is never whole where its source was not."""

import pytest
import trio

from doorward_core.errors import UpstreamUnavailable
from doorward_core.http.messages import Head, ResponseHead
from doorward_core.http.relay import AsItIs, relay, tell

HEAD = ResponseHead(200)


class Source:
    """Pieces of a response: None is where its reader has to wait."""

    def __init__(self, *pieces, trailers=(), fails=False):
        self.head = HEAD
        self.pieces = list(pieces)
        self.trailers = trailers
        self.fails = fails

    def ready(self):
        if not self.pieces:
            if self.fails:
                raise UpstreamUnavailable("broke")
            return b""
        if self.pieces[0] is None:
            return None
        return self.pieces.pop(0)

    async def read(self):
        await trio.lowlevel.checkpoint()
        if self.pieces and self.pieces[0] is None:
            self.pieces.pop(0)
        return self.ready()


class Sink:
    """What an exchange was told, with `|` where it was to leave at once."""

    def __init__(self, method="GET"):
        self.said = b""
        self.head = Head(method, b"/", "a", "https", ())

    async def respond(self, head, body=b""):
        self.said += b"R" + body + b"."

    async def send_head(self, head, *, more=False):
        self.said += b"H" + (b"" if more else b"|")

    async def send_data(self, data, *, more=False):
        self.said += data + (b"" if more else b"|")

    async def send_trailers(self, trailers):
        self.said += b"T"

    async def finish(self):
        self.said += b"."


class Loud(AsItIs):
    def feed(self, chunk):
        return chunk.upper() if chunk != b"hold" else b""

    def end(self):
        return b"!"

    def trailers(self, trailers):
        return ()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Source(b"body"), b"Rbody."),
        (Source(None, b"body"), b"H|body."),
        (Source(), b"R."),
        (Source(None), b"H|."),
        (Source(b"a", b"b"), b"Rab."),
        (Source(b"a", None, b"b", None), b"Ha|b|."),
        (Source(b"a", trailers=((b"x", b"y"),)), b"HaT."),
    ],
)
async def test_what_is_there_leaves_together(source, said):
    sink = Sink()
    await relay(source, sink, HEAD, AsItIs())
    assert sink.said == said


async def test_a_change_may_hold_back_and_add(nursery):
    sink = Sink()
    await relay(Source(b"a", b"hold", b"b", trailers=((b"x", b"y"),)), sink, HEAD, Loud())
    assert sink.said == b"RAB!."


async def test_a_source_that_breaks_leaves_the_response_unfinished():
    sink = Sink()
    with pytest.raises(UpstreamUnavailable):
        await relay(Source(b"a", fails=True), sink, HEAD, AsItIs())
    assert not sink.said.endswith(b".")


async def test_a_short_body_that_is_masked_is_changed_whole_before_its_head_leaves():
    source = Source(b"a", None, b"b")
    source.head = ResponseHead(200, ((b"content-length", b"2"),))
    sink = Sink()
    await relay(source, sink, HEAD, Loud(), masked=True)
    assert sink.said == b"RAB!."


class Slow(AsItIs):
    """Holds everything back until it is told to let go."""

    def __init__(self, after_s=0.2):
        self.after_s = after_s
        self.held = b""

    @property
    def flush_after_s(self):
        return self.after_s if self.held else None

    def feed(self, chunk):
        self.held += chunk
        end = self.held.rfind(b".") + 1
        out, self.held = self.held[:end], self.held[end:]
        return out

    def flush(self):
        out, self.held = self.held, b""
        return out + b"~"

    end = flush


class Paused(Source):
    """Every piece comes after a pause, in seconds."""

    def ready(self):
        return None if self.pieces else b""

    async def read(self):
        while self.pieces and isinstance(self.pieces[0], float):
            await trio.sleep(self.pieces[0])
            self.pieces.pop(0)
        return self.pieces.pop(0) if self.pieces else b""


@pytest.mark.parametrize(
    ("pieces", "after_s", "said"),
    [
        ((b"a", 0.3, b"b."), 0.2, b"H|a~|b.~."),
        ((b"a", 0.1, b"b."), 0.2, b"H|ab.~."),
        ((b"a", 0.1, b"b", 0.15, b"c"), 0.2, b"H|ab~|c~."),  # who drips waits no longer for it
        ((b"a", 0.1, b"b.c", 0.15, b"d."), 0.2, b"H|ab.|cd.~."),  # what is held now is new
        ((b"a", 9.0, b"b."), None, b"H|ab.~."),
    ],
)
async def test_what_is_held_back_leaves_when_its_reader_has_waited(pieces, after_s, said, autojump_clock):
    sink, change = Sink(), Slow(after_s)
    await relay(Paused(*pieces), sink, HEAD, change, masked=True, holding=change)
    assert sink.said == said


async def test_an_answer_to_head_has_no_body_and_keeps_its_head():
    sink = Sink("HEAD")
    await relay(Source(), sink, HEAD, AsItIs())
    assert sink.said == b"H."


async def test_what_is_said_in_the_targets_place_has_trailers_where_there_are_some():
    plain, trailed = Sink(), Sink()
    await tell(plain, HEAD, b"no")
    await tell(trailed, HEAD, b"", ((b"grpc-status", b"7"),))
    assert (plain.said, trailed.said) == (b"Rno.", b"HT.")
