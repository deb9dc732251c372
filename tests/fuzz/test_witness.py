"""Whatever is sent to a witness, answered by one, or handed over as a proof is read, or refused in one way."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from doorward_core.record import checkpoint, proof_check, quorum, witness
from doorward_core.record.proof import Key, ProofError
from doorward_core.record.witness_answer import Behind, Conflict, Useless, read_answer

VKEY = checkpoint.make_vkey("vectors.example/log", bytes(32))
WITNESS = checkpoint.make_vkey("witness.example/w1", bytes(32), checkpoint.COSIGNATURE)
HASH = st.binary(min_size=30, max_size=34).map(lambda data: base64.b64encode(data).decode())
LINE = st.one_of(
    HASH,
    st.sampled_from(["", "old 0", "old 3", "old 007", "old -1", "3", "vectors.example/log", "index 1", "extra AAAA"]),
    st.sampled_from([proof_check.INCLUSION, proof_check.CONSISTENCY, "\N{EM DASH} witness.example/w1 AAAAAAAAAAAA"]),
    st.text(max_size=20),
)
TEXT = st.lists(LINE, max_size=14).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass"))
GARBAGE = st.one_of(TEXT, st.binary(max_size=300))


@given(GARBAGE)
def test_a_request_is_read_or_refused_and_what_is_read_says_the_same_again(body):
    try:
        request = witness.read_request(body)
    except witness.RequestError:
        return
    assert witness.write_request(request.old_size, request.proof, request.note) == body


@given(GARBAGE)
def test_a_proof_by_nobody_proves_nothing(data):
    try:
        proof_check.check(data, Key.parse(VKEY))
    except ProofError:
        return
    raise AssertionError("nobody has that key")


@given(GARBAGE)
def test_a_note_has_no_cosignature_by_a_witness_that_never_signed(note):
    try:
        found = quorum.cosigned(note, [quorum.witness_key(WITNESS)])
    except ProofError:
        return
    assert not found.times


@given(
    st.sampled_from([200, 204, 301, 400, 403, 404, 409, 422, 500]),
    st.sampled_from([witness.SIZE_TYPE, witness.TEXT_TYPE, b"", b"\xff;"]),
    GARBAGE,
)
def test_an_answer_means_something_whatever_it_is(status, kind, body):
    answer = read_answer(status, kind, body, text=b"a\n3\nb\n", vkey=WITNESS, old_size=2, size=3)
    assert isinstance(answer, Behind | Conflict | Useless)


@given(st.text(max_size=60))
def test_a_size_is_one_spelling_or_none(text):
    size = witness.read_size(text)
    assert size is None or str(size) == text
