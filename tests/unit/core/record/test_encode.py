"""Canonical msgpack against the vectors, and what the encoder refuses."""

from enum import StrEnum
from types import MappingProxyType

import pytest

from doorward_core.record.encode import EncodingError, Messages, decode, encode, pack_message


class Word(StrEnum):
    READ = "read"


def wanted(case):
    return bytes.fromhex(case["bytes"]) if "bytes" in case else case["json"]


def test_the_vectors_are_encoded_and_decoded_as_written(vectors):
    for case in vectors("canonical.json")["good"]:
        data, value = bytes.fromhex(case["hex"]), wanted(case)
        assert encode(value) == data, case
        assert decode(data) == value, case
        assert type(decode(data)) is type(value), case


def test_the_vectors_that_must_be_refused_are_refused(vectors):
    for case in vectors("canonical.json")["bad"]:
        with pytest.raises(EncodingError):
            decode(bytes.fromhex(case["hex"]))


def test_key_order_does_not_depend_on_insertion():
    assert encode({"b": 1, "a": {"d": 1, "c": 2}}) == encode({"a": {"c": 2, "d": 1}, "b": 1})


def test_enums_tuples_and_mappings_are_their_values():
    assert encode({"x": Word.READ, "y": (1, 2), "z": MappingProxyType({"k": None})}) == encode(
        {"x": "read", "y": [1, 2], "z": {"k": None}}
    )


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        {1: "x"},
        {b"k": 1},
        {"x": {1, 2}},
        {"x": object()},
        2**64,
        -(2**63) - 1,
        "\ud800",
        {"\ud800": 1},
    ],
)
def test_what_has_no_single_spelling_is_refused(value):
    with pytest.raises(EncodingError):
        encode(value)


def test_too_deep_is_refused_both_ways():
    value = []
    for _ in range(15):
        value = [value]
    assert decode(encode(value)) == value
    with pytest.raises(EncodingError, match="deeper"):
        encode([value])


def test_a_map_of_surrogates_never_reaches_a_partial_result():
    with pytest.raises(EncodingError):
        encode({"x": ["ok", {"y": "\udfff"}]})


def test_messages_come_whole_out_of_any_chunks():
    stream = pack_message((1, b"abc", "x")) + pack_message((2, 2**40)) + pack_message((3,))
    messages, got = Messages(1 << 20), []
    for at in range(len(stream)):
        messages.feed(stream[at : at + 1])
        got += list(messages)
    assert got == [(1, b"abc", "x"), (2, 2**40), (3,)]
