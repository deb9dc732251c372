"""The masks of one decision, as a change of headers and bodies."""

import json

import pytest

from doorward_core.http.messages import Head, ResponseHead
from doorward_core.model import Decision, Effect, Mask, MaskInput, ReasonCode, Transform
from doorward_http.masking import MAX_KEPT, Owing, Withheld

JSON = (b"content-type", b"application/json")
EMAIL = Mask("pii", ("$..email",), ("card",), Transform.REDACT, "pii")
POST = Head("POST", b"/x", "gw", "https", (JSON,), body="length", length=10)


def masking(*obligations):
    return Owing(b"k" * 32).of(Decision(Effect.PERMIT, ReasonCode.RULE, "", b"", obligations))


def test_without_a_mask_nothing_changes():
    plain = masking()
    assert plain.request(POST, (JSON, (b"range", b"bytes=1-2"))) == (JSON, (b"range", b"bytes=1-2"))
    assert not plain.changes_request
    assert plain.up(b"ada@example.com", last=True) == b"ada@example.com"
    head = ResponseHead(200, (JSON, (b"etag", b"x"), (b"content-length", b"3")))
    assert plain.answer(head, "GET") == head
    assert not plain.changes_answer
    assert plain.feed(b"abc") + plain.end() == b"abc"
    assert plain.trailers(((b"a", b"b"),)) == ((b"a", b"b"),)
    assert plain.masked == {}


def test_an_answer_is_masked_and_counted():
    owing = masking(EMAIL)
    assert (b"range", b"bytes=1-2") not in owing.request(POST, ((b"range", b"bytes=1-2"),))
    head = owing.answer(ResponseHead(200, (JSON, (b"etag", b"x"), (b"content-length", b"99"))), "GET")
    assert head.headers == (JSON,)
    assert owing.changes_answer
    out = owing.feed(b'{"email": "ada@example.com", "n": 1}') + owing.end()
    assert json.loads(out)["n"] == 1
    assert b"ada@" not in out
    assert owing.masked == {"pii": 1}
    assert b"4111" not in owing.trailers(((b"x-last", b"4111111111111111"),))[0][1]
    assert owing.masked == {"pii": 1, "card": 1}


@pytest.mark.parametrize("media", [b"application/pdf", b"application/json; charset=x-unknown", b""])
def test_an_answer_that_cannot_be_read_is_withheld(media):
    with pytest.raises(Withheld):
        masking(EMAIL).answer(ResponseHead(200, ((b"content-type", media),)), "GET")


def test_an_answer_that_turns_out_to_be_none_is_withheld():
    owing = masking(EMAIL)
    owing.answer(ResponseHead(200, (JSON,)), "GET")
    with pytest.raises(Withheld):
        owing.feed(b'{"email": ')
        owing.end()


def test_what_is_sent_is_masked_where_it_is_owed_there():
    owing = masking(MaskInput(EMAIL))
    owing.request(POST, (JSON,))
    assert owing.changes_request
    out = owing.up(b'{"email": "ada@') + owing.up(b'example.com"}', last=True)
    assert b"ada@" not in out
    assert owing.masked == {"pii": 1}
    head = ResponseHead(200, ((b"content-type", b"application/pdf"),))
    assert owing.answer(head, "GET") == head


def test_what_is_sent_and_cannot_be_read_is_withheld():
    with pytest.raises(Withheld):
        masking(MaskInput(EMAIL)).request(POST, ((b"content-type", b"application/pdf"),))
    owing = masking(MaskInput(EMAIL))
    owing.request(POST, (JSON,))
    with pytest.raises(Withheld):
        owing.up(b"{", last=True)


def test_sets_of_masks_are_compiled_once_and_not_without_end():
    owing = Owing(b"k" * 32)
    decision = Decision(Effect.PERMIT, ReasonCode.RULE, "", b"", (EMAIL,))
    assert owing.of(decision)._out is owing.of(decision)._out
    for number in range(MAX_KEPT + 2):
        mask = Mask(f"m{number}", ("$.a",), (), Transform.REDACT, "m")
        owing.of(Decision(Effect.PERMIT, ReasonCode.RULE, "", b"", (mask,)))
    assert len(owing._known) <= MAX_KEPT
