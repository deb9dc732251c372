"""One body from end to end, around content that turns letters into capitals."""

import gzip
import zlib

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.http.charsets import Charset
from doorward_core.http.codings import CodingLimits, Decoder
from doorward_core.http.recode import Recoder


class Capitals:
    """Holds the last byte back, as real content does."""

    def __init__(self) -> None:
        self.masked = {"letters": 0}
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        text = self._held + chunk
        self._held = text[-1:]
        return text[:-1].upper()

    def end(self) -> bytes:
        return self._held.upper()


def recoded(recoder: Recoder, body: bytes, size: int) -> bytes:
    return b"".join([*(recoder.feed(body[at : at + size]) for at in range(0, len(body), size)), recoder.end()])


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("charset", ["utf-8", "utf-16", "latin-1"])
def test_content_sees_utf8_and_leaves_as_it_came(size: int, charset: str) -> None:
    body = gzip.compress("grüße".encode(charset))
    out: list[bytes] = []
    decoder = Decoder(("gzip",), out.append)
    decoder.feed(recoded(Recoder(("gzip",), Charset(charset), Capitals()), body, size))
    decoder.end()
    assert b"".join(out).decode(charset) == "GRüßE"


class Patient(Capitals):
    coverage = ("let go",)

    @property
    def flush_after_s(self) -> float | None:
        return 0.2 if self._held else None

    def flush(self) -> bytes:
        held, self._held = self._held, b""
        return held.upper()


def test_what_is_held_back_can_be_let_go_under_its_coding() -> None:
    recoder = Recoder(("gzip",), Charset("latin-1"), Patient())
    assert recoder.flush_after_s is None
    state = zlib.compressobj(wbits=31)
    early = recoder.feed(state.compress("grün".encode("latin-1")) + state.flush(zlib.Z_SYNC_FLUSH))
    assert recoder.flush_after_s == 0.2
    early += recoder.flush()
    assert zlib.decompressobj(31).decompress(early).decode("latin-1") == "GRüN"
    assert recoder.coverage == ("let go",)
    held = Recoder((), Charset(""), Capitals())
    assert (held.feed(b"abc12"), held.flush_after_s, held.flush(), held.coverage) == (b"ABC1", None, b"", ())


def test_no_bytes_stay_no_bytes() -> None:
    assert recoded(Recoder(("gzip",), Charset(""), Capitals()), b"", 1) == b""


def test_what_unfolds_is_bounded() -> None:
    recoder = Recoder(("gzip",), Charset(""), Capitals(), CodingLimits(max_bytes=1000))
    with pytest.raises(UnreadableBody):
        recoder.feed(gzip.compress(b"x" * 10_000))


def test_counts_are_the_contents() -> None:
    assert Recoder((), Charset(""), Capitals()).masked == {"letters": 0}
