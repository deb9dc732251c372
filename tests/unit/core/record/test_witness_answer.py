"""What each answer of a witness means."""

import pytest

from doorward_core.record.checkpoint import split
from doorward_core.record.cosign import Cosignature
from doorward_core.record.witness import SIZE_TYPE, TEXT_TYPE
from doorward_core.record.witness_answer import Behind, Conflict, Quarrel, Useless, quarrel_words, read_answer


@pytest.fixture
def read(vectors):
    case = vectors("cosigned.json")

    def one(status, body=b"", kind=TEXT_TYPE, *, old_size=3):
        text = split(case["note"].encode())[0]
        return read_answer(status, kind, body, text=text, vkey=case["witness_vkey"], old_size=old_size, size=7)

    return one


def test_a_cosignature(read, vectors):
    answer = read(200, vectors("cosigned.json")["answer"].encode())
    assert isinstance(answer, Cosignature)
    assert answer.name == "witness.example/w1"


def test_an_answer_that_is_no_cosignature(read, vectors):
    case = vectors("cosigned.json")
    for lines in (*case["ignored"].values(), *case["bad_lines"].values(), "", "ok\n"):
        assert isinstance(read(200, lines.encode()), Useless)


@pytest.mark.parametrize(
    ("body", "old_size", "answer"),
    [
        (b"5\n", 3, Behind(5)),
        (b"0\n", 3, Behind(0)),
        (b"7\n", 3, Behind(7)),
        (b"8\n", 3, Conflict(Quarrel.AHEAD, 8)),
        (b"3\n", 3, Useless("it contradicts itself about what it holds")),
        (b"03\n", 0, Useless("it answered with a size that is none")),
        (b"\xff", 0, Useless("it answered with a size that is none")),
    ],
)
def test_a_size_that_it_names(read, body, old_size, answer):
    assert read(409, body, SIZE_TYPE, old_size=old_size) == answer
    assert read(409, body, b"Text/X.Tlog.Size; charset=utf-8", old_size=old_size) == answer


def test_another_history(read):
    assert read(409) == Conflict(Quarrel.FORKED, 7)
    assert read(422) == Conflict(Quarrel.INCONSISTENT, 3)
    assert "of 7 entries to extend the 3" in quarrel_words("w", Conflict(Quarrel.INCONSISTENT, 3), 7)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 500, 503])
def test_anything_else_says_nothing_about_the_log(read, status):
    assert isinstance(read(status, b"x"), Useless)
