"""Properties of the event log's format, over generated values and events."""

import msgpack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorward_core.record import entry, merkle, proof, quick, strict
from doorward_core.record.encode import EncodingError, decode, encode
from doorward_core.record.journal import pack_frame

# A busy machine is no failure.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=40) | st.binary(max_size=300)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=40), inner, max_size=20),
    max_leaves=30,
)
MAPS = st.dictionaries(st.text(max_size=20), VALUES, max_size=8)


def same(one, other):
    """Equal, and of equal types: True is not 1."""
    return one == other and repr(one) == repr(other)


@given(VALUES)
@UNHURRIED
def test_what_is_encoded_comes_back_from_both_decoders(value):
    data = encode(value)
    assert decode(data) == value
    assert same(strict.decode(data), decode(data))


@given(VALUES, st.randoms())
@UNHURRIED
def test_a_value_has_one_spelling_whatever_the_order_of_its_keys(value, random):
    def shuffled(item):
        if isinstance(item, dict):
            keys = list(item)
            random.shuffle(keys)
            return {key: shuffled(item[key]) for key in keys}
        return [shuffled(each) for each in item] if isinstance(item, list) else item

    assert encode(shuffled(value)) == encode(value)


def judged(data):
    """What each decoder makes of bytes: a value, or None for a refusal."""
    try:
        first = (decode(data),)
    except EncodingError:
        first = None
    try:
        second = (strict.decode(data),)
    except strict.StrictError:
        second = None
    return first, second


@given(st.binary(max_size=60))
@settings(UNHURRIED, max_examples=500)
def test_both_decoders_agree_on_garbage(data):
    first, second = judged(data)
    assert (first is None) == (second is None)
    if first is not None:
        assert same(first[0], second[0])
        assert encode(first[0]) == data


@given(VALUES, st.data())
@settings(UNHURRIED, max_examples=500)
def test_both_decoders_agree_on_damaged_values(value, data):
    good = bytearray(encode(value))
    at = data.draw(st.integers(0, len(good) - 1))
    good[at] ^= 1 << data.draw(st.integers(0, 7))
    first, second = judged(bytes(good))
    assert (first is None) == (second is None)


@given(st.floats() | st.datetimes().map(lambda moment: msgpack.Timestamp.from_unix_nano(moment.year)))
@UNHURRIED
def test_whatever_msgpack_can_say_beyond_the_format_is_refused(value):
    first, second = judged(msgpack.packb({"x": value}))
    assert first is None
    assert second is None


@given(MAPS, MAPS, st.integers(0, 2**63), st.sampled_from([b"", bytes(16), bytes(range(16))]))
@UNHURRIED
def test_an_event_is_read_as_it_was_built_by_reader_and_verifier(head, body, index, ident):
    packed = encode(body) if body else b""
    salt = bytes(32)
    commit, blob = (entry.commitment(salt, packed), entry.frame(salt, packed)) if body else (b"", b"")
    made = entry.Builder("origin.example").event(
        index, index, "a.b-c", ident, ident, head=encode(head), commit=commit, blob=blob
    )
    assert len(made) == entry.parts_of(len(packed), sealed=False)
    mine, theirs = entry.parse(made[0]), strict.entry(made[0])
    assert (
        (mine.index, mine.session, mine.operation) == (theirs.index, theirs.session, theirs.op) == (index, ident, ident)
    )
    assert same(mine.head, theirs.head)
    assert mine.head == head
    if body:
        assert entry.open_blob(mine, blob, None) == body
        strict.payload(theirs, blob)


SPOILT = st.none() | st.tuples(st.integers(0, 400), st.sampled_from([0, 1, 0x80, 0xA0, 0xC1, 0xCD, 0xDE, 0xFF]))


@given(st.lists(st.tuples(MAPS, st.integers(0, 2**64 - 1), SPOILT), max_size=6), st.data())
@UNHURRIED
def test_reading_at_speed_is_reading_strictly(made, data):
    """Entries of few shapes, some spoilt: values and refusals are the same, whatever was read before."""

    def outcome(read, entry_bytes):
        try:
            found = read(entry_bytes)
        except strict.StrictError as error:
            return str(error)
        return found if isinstance(found, bool) else (found, sorted(map(repr, found.head.items())))

    def decoded(body):
        return isinstance(strict.decode(body), dict)

    for head, number, spoilt in made:
        for value in (number, data.draw(SCALARS), "x"):
            body = encode(head | {"n": value})
            (whole,) = entry.Builder("origin.example").event(
                number, number, "a.b-c", bytes(16), b"", head=body, commit=bytes(32), blob=body.ljust(64, b"\0")
            )
            if spoilt is not None:
                at, byte = spoilt
                whole = whole[:at] + bytes((byte,)) + whole[at + 1 :]
                body = body[:at] + bytes((byte,)) + body[at + 1 :]
            assert outcome(quick.entry, whole) == outcome(strict.entry, whole)
            assert outcome(quick.is_map, body) == outcome(decoded, body)


@given(st.lists(st.binary(max_size=20), max_size=600), st.data())
@settings(UNHURRIED, max_examples=40)
def test_trees_agree_whatever_their_size(leaves, data):
    hashes, tree = [merkle.leaf_hash(leaf) for leaf in leaves], merkle.Tree()
    for leaf in hashes:
        tree.add(leaf)
    full = len(hashes) // 256
    tiles = [proof.pair_up(hashes[at * 256 : at * 256 + 256]) for at in range(full)]
    top = merkle.root(hashes)
    assert tree.root() == top == proof.whole_root(tiles, hashes[full * 256 :])
    if hashes:
        at = data.draw(st.integers(0, len(hashes) - 1))
        assert merkle.included(hashes[at], at, len(hashes), merkle.inclusion_proof(hashes, at), top)
        old = data.draw(st.integers(1, len(hashes)))
        assert merkle.consistent(
            old, len(hashes), merkle.root(hashes[:old]), top, merkle.consistency_proof(hashes, old)
        )


@given(st.binary(max_size=300))
@UNHURRIED
def test_garbage_is_no_entry_note_or_frame_and_nothing_but_refused(data):
    for read, error in (
        (strict.entry, strict.StrictError),
        (proof.read_note, proof.ProofError),
        (entry.parse, entry.EntryError),
    ):
        try:
            read(data)
        except error:
            continue
    proof.bundle(data)
    proof.frames(data, 0)


@given(st.lists(st.lists(st.binary(max_size=50), min_size=1, max_size=5), max_size=6), st.data())
@UNHURRIED
def test_a_journal_cut_anywhere_gives_whole_frames_only(batches, data):
    pieces, count = [], 0
    for batch in batches:
        pieces.append(pack_frame(count, batch, count))
        count += len(batch)
    whole = b"".join(pieces)
    cut = data.draw(st.integers(0, len(whole)))
    entries, end, lost = proof.frames(whole[:cut], 0)
    expected, length = [], 0
    for piece, batch in zip(pieces, batches, strict=True):
        if length + len(piece) > cut:
            break
        length += len(piece)
        expected += batch
    assert (entries, end, lost) == (expected, length, False)
