"""Requests and votes as JSON: they read back as they were, and nothing else is read."""

import json

import pytest

from doorward_core.approvals import codec
from doorward_core.approvals.request import canonical_json
from doorward_core.model import Actor


def test_a_request_reads_back_as_it_was(a_request):
    request = a_request(
        actor_chain=(Actor("a", "i"),), text="SELECT '\u202eä\ud800'", unseen=("copy-data",), context={"role": "app"}
    )
    assert codec.decode_request(codec.encode_request(request)) == request


def test_a_vote_reads_back_as_it_was(a_request, a_vote):
    vote = a_vote(a_request(), reason="ja, gut", approver_chain=(Actor("a", "i"),))
    assert codec.decode_vote(codec.encode_vote(vote)) == vote


@pytest.mark.parametrize("retry", [None, False, True])
def test_what_was_chosen_of_a_retry_is_kept_and_a_vote_from_before_that_has_none(a_request, a_vote, retry):
    kept = codec.encode_vote(a_vote(a_request(), retry=retry))
    assert (b"retry" in kept) is (retry is not None)
    assert codec.decode_vote(kept).retry is retry
    with pytest.raises(ValueError, match="retry"):
        codec.decode_vote(_damaged(json.loads(kept), "retry", "yes"))


def test_the_binding_is_not_on_the_card(a_request):
    assert "digest" not in codec.card(a_request())
    assert codec.content_digest(a_request()) == codec.content_digest(a_request(digest=b"e" * 32))


def test_a_reader_of_the_card_computes_the_same_content_digest(a_request):
    request = a_request()
    sent = json.loads(json.dumps(codec.card(request)))
    assert codec.content_digest(codec.read_card(sent)) == codec.content_digest(request)


@pytest.mark.parametrize(
    "change",
    [{"text": "DROP TABLE x"}, {"parameters": ("43", None)}, {"account": "admin"}, {"context": {"role": "root"}}],
)
def test_another_content_has_another_digest(a_request, change):
    assert codec.content_digest(a_request(**change)) != codec.content_digest(a_request())


def test_canonical_json_is_ascii_sorted_and_tight():
    assert codec.canonical_json({"b": 1, "a": "ä"}) == b'{"a":"\\u00e4","b":1}'


def _damaged(document: dict, name: str, value: object) -> bytes:
    return canonical_json({**document, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("extra", 1),
        ("text", None),
        ("retry", 1),
        ("opened_unix_ns", True),
        ("opened_unix_ns", 1.5),
        ("kind", "robot"),
        ("digest", "zz"),
        ("parameters", [1]),
        ("parameters", "x"),
        ("attributes", {"a": 1}),
        ("rules", [{}]),
        ("atoms", ["x"]),
        ("actor_chain", [{"subject": "a", "issuer": "i", "more": 1}]),
    ],
)
def test_a_document_of_another_shape_is_refused(a_request, name, value):
    document = json.loads(codec.encode_request(a_request()))
    with pytest.raises(ValueError):
        codec.decode_request(_damaged(document, name, value))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"{"])
def test_what_is_no_document_is_refused(data):
    with pytest.raises(ValueError):
        codec.decode_request(data)
    with pytest.raises(ValueError):
        codec.decode_vote(data)
