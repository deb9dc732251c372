"""Refusals are a Status that kubectl prints, with the reason and the id of the request."""

import json

from doorward_core.errors import RecordError, TrafficStopped
from doorward_core.model import Action, Denial, Operation, ReasonCode
from doorward_k8s.refusals import (
    NO_RECORD,
    REMEMBERED_S,
    Refused,
    denied,
    no_record,
    refusal,
    request_id,
    unauthenticated,
)

OPERATION = Operation(b"\1" * 16, 0, Action.WRITE, "delete", (), "", b"")


def read(refused):
    head, body = refused.answer()
    document = json.loads(body)
    assert (document["kind"], document["status"], document["code"]) == ("Status", "Failure", head.status)
    return document


def test_a_denial_says_what_why_and_under_which_id():
    document = read(denied(Denial(OPERATION, ReasonCode.NO_RULE, "No rule allows it.", 7)))
    assert (document["code"], document["reason"]) == (403, "Forbidden")
    assert document["message"] == f"doorward refused to delete: No rule allows it. (request {request_id(OPERATION)})"
    assert document["details"]["uid"] == "01010101-0101-0101-0101-010101010101"


def test_a_rejection_names_the_approval_and_where_it_is():
    denial = Denial(OPERATION, ReasonCode.TIMED_OUT, "nobody approved it in time", 7, "ap-1", retry=True)
    document = read(denied(denial, "https://desk/{id}"))
    assert "approval ap-1; asking again may help" in document["message"]
    assert document["details"]["causes"][1]["message"] == "https://desk/ap-1"
    assert "doorward approvals show ap-1" in json.dumps(read(denied(denial)))


def test_other_reasons_have_statuses_of_their_own():
    assert read(denied(Denial(OPERATION, ReasonCode.EXPIRED, "", 1)))["code"] == 401
    assert read(denied(Denial(OPERATION, ReasonCode.LIMIT, "", 1)))["reason"] == "TooManyRequests"
    assert read(refusal(406, "no"))["reason"] == "NotAcceptable"
    head, _ = unauthenticated(given=True).answer()
    assert (b"www-authenticate", b'Bearer realm="doorward", error="invalid_token"') in head.headers


def test_what_a_stream_was_refused_with_is_told_once_more_and_not_for_ever():
    known = Refused()
    known.keep(b"a", refusal(403, "no"), 0)
    assert known.earlier(b"b", 0) is None
    assert known.earlier(b"a", 1) == refusal(403, "no")
    assert known.earlier(b"a", 1) is None
    known.keep(b"a", refusal(403, "no"), 0)
    assert known.earlier(b"a", REMEMBERED_S * 1_000_000_000) is None
    for number in range(3000):
        known.keep(str(number).encode(), refusal(403, "no"), 0)
    assert known.earlier(b"0", 1) is None
    assert known.earlier(b"2999", 1) is not None


def test_a_record_that_takes_nothing_new_says_why_and_one_that_fails_does_not():
    why = "the archive has taken nothing for 1 h"
    assert no_record(TrafficStopped(why)) == why
    assert no_record(RecordError("disk full: /var")) == NO_RECORD


def test_words_alone_are_plain_text_for_who_shows_no_others():
    head, body = refusal(403, "nobody may: größer").answer(plain=True)
    assert body.decode() == "doorward: nobody may: größer\n"
    assert (b"content-type", b"text/plain; charset=utf-8") in head.headers
