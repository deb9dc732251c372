"""Content codings: undone in every form servers send, refused where they are not what they say, bounded."""

import gzip
import zlib

import brotli
import pytest
import zstandard

from doorward_core.errors import UnreadableBody
from doorward_core.http.codings import PIECE_BYTES, CodingLimits, Decoder, Encoder, read_codings

TEXT = b"the quick brown fox " * 50


def decoded(codings: tuple[str, ...], *chunks: bytes, limits: CodingLimits | None = None) -> bytes:
    out: list[bytes] = []
    decoder = Decoder(codings, out.append, limits)
    for chunk in chunks:
        decoder.feed(chunk)
    decoder.end()
    return b"".join(out)


def raw_deflate(data: bytes) -> bytes:
    state = zlib.compressobj(9, zlib.DEFLATED, -15)
    return state.compress(data) + state.flush()


@pytest.mark.parametrize(
    ("values", "codings"),
    [
        ((), ()),
        ((b"identity",), ()),
        ((b"GZIP",), ("gzip",)),
        ((b"x-gzip",), ("gzip",)),
        ((b"deflate, br",), ("deflate", "br")),
        ((b"gzip", b"zstd"), ("gzip", "zstd")),
        ((b"gzip,,identity",), ("gzip",)),
    ],
)
def test_codings_are_read_in_order(values: tuple[bytes, ...], codings: tuple[str, ...]) -> None:
    assert read_codings(values) == codings


@pytest.mark.parametrize("value", [b"compress", b"dcz", b"aes128gcm", b"gzip;q=1", b"gzip,gzip,gzip,gzip", b"utf-8"])
def test_a_coding_that_is_not_known_is_refused(value: bytes) -> None:
    with pytest.raises(UnreadableBody):
        read_codings((value,))


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(TEXT, mtime=0)),
        ("gzip", gzip.compress(TEXT[:100], mtime=0) + gzip.compress(TEXT[100:], mtime=0)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("br", brotli.compress(TEXT)),
        ("zstd", zstandard.ZstdCompressor().compress(TEXT)),
    ],
)
def test_every_form_is_undone_byte_by_byte(coding: str, body: bytes) -> None:
    assert decoded((coding,), *(body[at : at + 1] for at in range(len(body)))) == TEXT
    assert decoded((coding,), body) == TEXT


def test_codings_on_top_of_each_other_are_undone() -> None:
    assert decoded(("br", "gzip"), gzip.compress(brotli.compress(TEXT))) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("body", [b"plain text, not coded at all", b"\x00" * 40])
def test_what_is_not_coded_as_it_says_is_refused(coding: str, body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        decoded((coding,), body)


@pytest.mark.parametrize(
    ("coding", "body"),
    [("gzip", gzip.compress(TEXT, mtime=0)), ("deflate", zlib.compress(TEXT)), ("br", brotli.compress(TEXT))],
)
def test_a_body_that_is_cut_short_or_goes_on_is_refused(coding: str, body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        decoded((coding,), body[:-1])
    with pytest.raises(UnreadableBody):
        decoded((coding,), body + b"\x01")


def test_no_body_at_all_is_no_fault() -> None:
    assert decoded(("gzip",)) == b""


def test_pieces_are_small_whatever_a_chunk_holds() -> None:
    sizes: list[int] = []
    limits = CodingLimits(max_ratio=1_000_000)
    big = b"\0" * 20_000_000
    for coding, body in (
        ("gzip", gzip.compress(big, mtime=0)), ("br", brotli.compress(big)), ("zstd", zstandard.ZstdCompressor().compress(big)),
    ):  # fmt: skip
        decoder = Decoder((coding,), lambda piece: sizes.append(len(piece)), limits)
        decoder.feed(body)
    assert sum(sizes) == 60_000_000
    assert max(sizes) <= 2 * PIECE_BYTES


def test_the_limits_hold_by_bytes_and_by_ratio() -> None:
    body = gzip.compress(b"\0" * 1_000_000)
    assert len(decoded(("gzip",), body, limits=CodingLimits(grace_bytes=1_000_000))) == 1_000_000
    with pytest.raises(UnreadableBody, match="more than it may"):
        decoded(("gzip",), body, limits=CodingLimits(max_bytes=999_999))
    with pytest.raises(UnreadableBody, match="more than it may"):
        decoded(("gzip",), body, limits=CodingLimits(grace_bytes=1_000, max_ratio=10))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_what_was_fed_can_be_read_at_once(coding: str) -> None:
    encoder, out = Encoder((coding,)), []
    decoder = Decoder((coding,), out.append)
    decoder.feed(encoder.feed(b"first"))
    assert b"".join(out) == b"first"
    decoder.feed(encoder.feed(b" second"))
    assert b"".join(out) == b"first second"
    decoder.feed(encoder.end())
    decoder.end()


def test_no_coding_is_no_change() -> None:
    encoder = Encoder(())
    assert encoder.feed(TEXT) + encoder.end() == TEXT
    assert decoded((), TEXT) == TEXT
