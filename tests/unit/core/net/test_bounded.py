import trio

from doorward_core.net.bounded import read_at_most


class Answer:
    """Chunks, as a library gives them; `ended` once they were left in order."""

    def __init__(self, *chunks):
        self._chunks = chunks
        self.given = 0
        self.ended = False

    async def read(self):
        try:
            for chunk in self._chunks:
                await trio.lowlevel.checkpoint()
                self.given += 1
                yield chunk
        finally:
            self.ended = True


async def test_what_is_within_the_bound_is_read_whole():
    answer = Answer(b"ab", b"", b"cd")
    assert await read_at_most(answer.read(), 4) == b"abcd"
    assert answer.ended


async def test_past_the_bound_nothing_more_is_read_and_what_gave_it_has_ended():
    answer = Answer(b"ab", b"cde", b"fg", b"hi")
    assert await read_at_most(answer.read(), 4) == b"abcde"
    assert (answer.given, answer.ended) == (2, True)


async def test_whoever_waits_for_it_can_still_be_cancelled():
    answer = Answer(b"ab")
    with trio.CancelScope() as scope:
        scope.cancel()
        await read_at_most(answer.read(), 4)
    assert scope.cancelled_caught
