"""Problem details are whole responses."""

import json

from doorward_core.http.problem import problem, reason


def test_a_problem_says_what_and_carries_what_it_is_given():
    head, body = problem(403, "no", kind="urn:x", extra={"request": "r1"}, headers=((b"retry-after", b"5"),))
    assert json.loads(body) == {"type": "urn:x", "title": "Forbidden", "status": 403, "detail": "no", "request": "r1"}
    assert (b"content-length", str(len(body)).encode()) in head.headers
    assert (b"retry-after", b"5") in head.headers
    assert head.reason == b"Forbidden"


def test_a_status_without_a_phrase_has_none():
    assert reason(299) == b""
