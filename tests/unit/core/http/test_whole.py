"""What a target is asked for where its answer will be changed: all of it, in codings that can be undone."""

import pytest

from doorward_core.http.whole import acceptable_codings, ask_for_all


@pytest.mark.parametrize(
    ("values", "accept"),
    [
        ((), b"identity"),
        ((b"gzip, deflate, br, zstd",), b"gzip, deflate, br, zstd"),
        ((b"gzip;q=0.5, compress, *;q=0.1",), b"gzip;q=0.5"),
        ((b"br;q=0", b"identity"), b"br;q=0, identity"),
        ((b"dcb, dcz",), b"identity"),
        ((b"*",), b"identity"),
        ((b"gzip;q=2", b"GZIP ; q=1.0"), b"gzip;q=1.0"),
    ],
)
def test_only_what_can_be_undone_is_asked_for(values: tuple[bytes, ...], accept: bytes) -> None:
    assert acceptable_codings(values) == accept


@pytest.mark.parametrize("name", [b"range", b"if-range", b"a-im", b"want-digest", b"want-repr-digest"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_neither_parts_nor_digests_are_asked_for(name: bytes, method: str) -> None:
    assert ask_for_all(((name, b"x"), (b"te", b"trailers")), method) == (
        (b"te", b"trailers"),
        (b"accept-encoding", b"identity"),
    )


@pytest.mark.parametrize("name", [b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"])
def test_a_condition_is_the_targets_to_judge_where_something_is_changed(name: bytes) -> None:
    assert ask_for_all(((name, b"x"),), "HEAD") == ((b"accept-encoding", b"identity"),)
    assert ask_for_all(((name, b"x"),), "PUT") == ((name, b"x"), (b"accept-encoding", b"identity"))
