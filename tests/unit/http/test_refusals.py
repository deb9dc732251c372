"""What a client is told when the gateway refuses."""

import json

import pytest

from doorward_core.errors import RecordError, TrafficStopped
from doorward_core.http.messages import ResponseHead
from doorward_core.model import Action, Atom, Denial, Operation, ReasonCode, Target
from doorward_http import refusals
from doorward_http.refusals import NO_RECORD, no_record

ATOM = Atom(Action.WRITE, Target("request", "DELETE /customers/42"))
OPERATION = Operation(b"", 0, Action.WRITE, "DELETE", (ATOM,), "", b"")


def told(reason=ReasonCode.NO_RULE, **how):
    denial = Denial(OPERATION, reason, "because", 17, blamed=(ATOM,), **how)
    refused = refusals.denied(denial, method="DELETE", link="https://desk.example/{id}")
    head, body, _ = refused.answer()
    return head, json.loads(body)


def test_a_denial_says_what_why_and_whether_to_try_again():
    head, problem = told()
    assert head.status == 403
    assert dict(head.headers)[b"content-type"] == b"application/problem+json"
    assert problem == {
        "type": "urn:doorward:refused",
        "title": "Refused by policy",
        "status": 403,
        "detail": "doorward refused DELETE: because",
        "reason": "no-rule",
        "entry": 17,
        "retry": False,
        "not_granted": "write request DELETE /customers/42",
    }


def test_what_still_waits_says_how_to_come_back():
    head, problem = told(ReasonCode.HELD, request_id="ap-1", retry=True)
    assert (head.status, problem["type"], problem["retry"]) == (403, "urn:doorward:held", True)
    assert dict(head.headers)[b"retry-after"] == b"5"
    assert problem["approval"] == {
        "id": "ap-1",
        "state": "pending",
        "command": "doorward approvals approve ap-1",
        "link": "https://desk.example/ap-1",
    }
    assert "the very same request" in problem["detail"]


def test_what_was_rejected_no_longer_says_how_to_approve_it():
    _, problem = told(ReasonCode.REJECTED, request_id="ap-1")
    assert problem["approval"] == {"id": "ap-1", "state": "rejected", "link": "https://desk.example/ap-1"}


@pytest.mark.parametrize(
    ("reason", "status"),
    [(ReasonCode.EXPIRED, 401), (ReasonCode.UNAVAILABLE, 503), (ReasonCode.LIMIT, 429), (ReasonCode.REJECTED, 403)],
)
def test_each_reason_has_its_status(reason, status):
    assert told(reason)[0].status == status


@pytest.mark.parametrize(
    ("given", "challenge"),
    [(False, b'Bearer realm="doorward"'), (True, b'Bearer realm="doorward", error="invalid_token"')],
)
def test_whoever_is_not_known_is_told_how_to_be(given, challenge):
    head, body, _ = refusals.unauthenticated(given=given).answer()
    assert (head.status, dict(head.headers)[b"www-authenticate"]) == (401, challenge)
    assert b"token" in body


@pytest.mark.parametrize(("status", "code"), [(403, b"7"), (401, b"16"), (502, b"14"), (418, b"2")])
def test_grpc_is_told_in_its_own_way(status, code):
    head, body, trailers = refusals.refusal(status, "x", "not é, 100%").answer("application/grpc+proto")
    assert (head.status, body) == (200, b"")
    assert dict(trailers)[b"grpc-status"] == code
    assert dict(trailers)[b"grpc-message"] == b"not %C3%A9, 100%25"


@pytest.mark.parametrize("answered", [None, 200, 206, 302, 401, 407, 600])
def test_an_answer_that_is_withheld_is_a_502(answered):
    head = None if answered is None else ResponseHead(answered, ())
    assert refusals.unmaskable("no reader", head).status == 502


@pytest.mark.parametrize("answered", [400, 404, 429, 500, 503, 599])
def test_a_failure_that_is_withheld_stays_the_failure_that_it_was(answered):
    lines = ((b"retry-after", b"7"), (b"x-why", b"ada@example.com"))
    head, body, _ = refusals.unmaskable("no reader", ResponseHead(answered, lines)).answer()
    assert (head.status, json.loads(body)["type"]) == (answered, "urn:doorward:unmaskable")
    assert dict(head.headers)[b"retry-after"] == b"7"
    assert b"ada" not in body + repr(head).encode()


def test_when_to_come_back_is_a_number_or_not_said():
    head = refusals.unmaskable("no reader", ResponseHead(503, ((b"retry-after", b"ask ada"),))).answer()[0]
    assert b"retry-after" not in dict(head.headers)


def test_a_record_that_takes_nothing_new_says_why_and_one_that_fails_does_not():
    why = "the archive has taken nothing for 1 h"
    assert no_record(TrafficStopped(why)) == why
    assert no_record(RecordError("disk full: /var")) == NO_RECORD
