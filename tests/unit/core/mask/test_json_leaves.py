"""One masked JSON value: another of its type."""

import json

import pytest

from doorward_core.errors import UnreadableBody
from doorward_core.mask.json_leaves import leaf, leaves, number, string_of, text_of
from doorward_core.model import Mask, Transform

KEY = b"k" * 32


def shown(raw: bytes, transform: Transform) -> bytes:
    return leaf(raw, Mask("r", (), (), transform, "email"), key=KEY)


@pytest.mark.parametrize("transform", Transform)
@pytest.mark.parametrize("raw", [b'"jane@example.com"', b"12.50", b"-1e9", b"true", b"false", b"null", b'"\\u0041\\n"'])
def test_the_type_stays_and_the_value_goes(raw: bytes, transform: Transform) -> None:
    before, after = json.loads(raw), json.loads(shown(raw, transform))
    if before is None or transform is Transform.NULL:
        assert after is None
    else:
        assert isinstance(after, bool) == isinstance(before, bool)
        assert isinstance(after, str) == isinstance(before, str)
        assert after is False or after != before


def test_a_hash_does_not_hang_on_the_spelling() -> None:
    assert shown(b'"\\u0041"', Transform.HASH) == shown(b'"A"', Transform.HASH)
    assert shown(b'"A"', Transform.HASH) != shown(b'"B"', Transform.HASH)


def test_a_hashed_number_is_one_that_javascript_keeps() -> None:
    assert 0 <= int(number(b"42", Transform.HASH, "pii", key=KEY)) < 2**53
    assert number(b"42", Transform.PARTIAL, "pii", key=KEY) == b"0"


def test_text_is_read_with_its_escapes_and_its_faults() -> None:
    assert text_of(b'"a\\u0040b"') == "a@b"
    assert text_of(b'"\xff"') == "\udcff"
    assert text_of(b'"tab\there\\n"') == "tab\there\n"
    with pytest.raises(UnreadableBody):
        text_of(b'"\\x41"')


def test_a_written_text_is_read_back() -> None:
    assert json.loads(string_of('a"\\\n\u2028é')) == 'a"\\\n\u2028é'


@pytest.mark.parametrize("label", ["email", "customer-card", "anything"])
@pytest.mark.parametrize("transform", Transform)
def test_many_are_what_each_is(transform: Transform, label: str) -> None:
    raws = [
        b'"jane@example.com"', b'""', b"null", b"12", b"true", b'"\\u006aane@example.com"', b'"j\xc3\xa9r@example.com"',
        b'"jane@example"', b'"a@b@c.de"', b'"4111 1111 1111 1111"', b'"\xff@x.de"', b'"jane@ex\\"ample.com"', b'"."',
    ]  # fmt: skip
    mask = Mask("r", (), (), transform, label)
    assert leaves(raws, mask, key=KEY) == [leaf(raw, mask, key=KEY) for raw in raws]
