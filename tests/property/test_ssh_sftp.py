"""SFTP: what is written is read back, cutting the bytes changes nothing, and nothing hidden ever shows."""

from hypothesis import given, settings
from hypothesis import strategies as st
from sftp_stand import Stand

from doorward_core.mask.detect import Detectors
from doorward_ssh import sftp_paths
from doorward_ssh import wire_sftp as wire
from doorward_ssh.wire_sftp import Attrs, Flag, Kind, Request

U32, U64 = st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)
PATHS = st.binary(max_size=60).filter(lambda path: b"\0" not in path)
FIELDS = {
    "path": PATHS, "handle": st.binary(max_size=40), "string": st.binary(max_size=60), "u32": U32, "u64": U64,
    "attrs": st.builds(lambda mode: Attrs(b"\0\0\0\4" + mode.to_bytes(4, "big"), permissions=mode), U32),
}  # fmt: skip


@st.composite
def requests(draw: st.DrawFn) -> Request:
    name = draw(st.sampled_from(["", *wire.EXTENSIONS]))
    kind = Kind.EXTENDED if name else draw(st.sampled_from(list(wire.LAYOUTS)))
    bare = Request(kind, draw(U32), name=name)
    layout = wire.layout(bare)
    assert layout is not None
    return Request(kind, bare.id, name=name, **{attribute: draw(FIELDS[code]) for attribute, code in layout})


@given(st.lists(requests(), max_size=5), st.integers(1, 50))
def test_what_is_written_is_read_however_it_arrives(sent: list[Request], chunk: int) -> None:
    data = b"".join(map(wire.encode, sent))
    reader, found = wire.from_client(), []
    for at in range(0, len(data), chunk):
        reader.receive(data[at : at + chunk])
        found += [wire.decode(*packet) for packet in reader]
    assert found == sent
    assert reader.buffered == 0


@given(st.lists(requests(), max_size=8), st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_chunking_changes_neither_answers_nor_what_reaches_the_target(sent: list[Request], chunk: int) -> None:
    results = []
    for size in (1 << 30, chunk):
        stand = Stand(allow=lambda facts: len(facts.text) % 2)
        stand.chunk = size
        stand.send(*sent)
        results.append((sorted(stand.answers), stand.target.files))
    assert results[0] == results[1]


@given(
    st.lists(
        st.sampled_from([b"alice@example.com", b" word ", b"\n", b"x" * 50, b"y" * 3000]), min_size=1, max_size=30
    ),
    st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 20_000)), min_size=1, max_size=10),
)
@settings(max_examples=100, deadline=None)
def test_no_part_of_a_file_in_any_order_shows_a_value(pieces: list[bytes], reads: list[tuple[int, int]]) -> None:
    content = b" ".join(pieces)
    stand = Stand(allow=lambda facts: True, detectors=Detectors(("email",)))
    stand.target.files["/srv/t"] = content
    handle = stand.open(b"/srv/t", Flag.READ)
    for offset, length in reads:
        found = stand.read(handle, offset, length)
        if isinstance(found, bytes):
            expected = content[offset : offset + length]
            assert len(found) == len(expected)
            assert all(mine in (theirs, ord("*")) for mine, theirs in zip(found, expected, strict=True))
            assert b"@" not in found


@given(PATHS, PATHS)
def test_a_lexical_path_is_absolute_and_has_no_dots(start: bytes, path: bytes) -> None:
    found = sftp_paths.lexical(b"/" + start, path)
    assert found.startswith(b"/")
    assert not {b".", b".."} & set(found.split(b"/"))
    assert sftp_paths.lexical(b"/", found) == found
