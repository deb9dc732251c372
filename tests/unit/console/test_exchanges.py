import gzip

import pytest

from doorward_console import exchanges as module
from doorward_console.exchanges import FORMAT, answer_of, exchanges, read_request
from doorward_core.record.reader import Content, Entry

ASKED = 'POST /customers/42?dry=1\ncontent-type: application/json\n\n{"a": 1}\n\nb'
ATOMS = [{"action": "write", "kind": "request", "name": "POST /customers/42"}]


def entry(kind, header, payload, *, at=0, index=0):
    content = Content.CLEAR if payload is not None else Content.SEALED
    return Entry(index, at, kind, b"s" * 16, b"o" * 16, header, payload, content, b"", 1, protected=True)


def asked(**header):
    attributes = {"authority": "gw.example", "place": "/crm"}
    told = {"verb": "POST", "verdict": "permit", "reason": "rule", "rules": ["r"], **header}
    return told, {"text": ASKED, "atoms": ATOMS, "attributes": attributes, "advice": ""}


def finished(shown, **payload):
    header = {"code": "200", "bytes_up": 8, "bytes_down": 5, "duration_ns": 3, "masked": {"email": 2}}
    return header, {"shown": shown, "shown_format": FORMAT, "shown_truncated": False, **payload}


def test_a_request_is_told_with_its_hold_its_decision_and_its_answer():
    head, payload = asked(request="ap-1")
    shown = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nhello"
    (found,) = exchanges(
        [
            entry("operation.held", head, payload, at=1, index=4),
            entry("approval.voted", {}, {}, at=2),
            entry("operation.decided", head, payload, at=3, index=6),
            entry("operation.finished", *finished(shown), at=4),
        ]
    )
    assert (found.began_unix_ns, found.decided_unix_ns, found.index, found.held) == (1, 3, 6, "ap-1")
    assert (found.target, found.place, found.authority) == ("/customers/42?dry=1", "/crm", "gw.example")
    assert (found.headers, found.body) == ((("content-type", "application/json"),), '{"a": 1}\n\nb')
    assert (found.answer.status, found.answer.body, found.masked) == (200, b"hello", {"email": 2})
    assert not found.denied


def test_what_is_no_request_is_none():
    head, payload = asked()
    relation = {**payload, "atoms": [{"kind": "relation", "name": "public.customer"}]}
    assert exchanges([entry("operation.decided", head, relation), entry("operation.finished", *finished(b""))]) == []


def test_what_is_sealed_is_said_to_be():
    head, _ = asked()
    header, _ = finished(b"")
    (found,) = exchanges([entry("operation.decided", head, None), entry("operation.finished", header, None)])
    assert (found.readable, found.verb, found.code, found.answer) == (False, "POST", "200", None)


def test_a_body_without_a_head_is_not_invented():
    assert read_request("GET /") == ("GET /", (), None)
    assert answer_of(b"hello", cut=False) is None
    assert answer_of(b"HTTP/1.1 200 OK\r\n", cut=False) is None
    assert answer_of(b"SSH-2.0\r\n\r\n", cut=False) is None


def coded(body, coding=b"gzip"):
    return b"HTTP/1.1 200 OK\r\ncontent-encoding: " + coding + b"\r\n\r\n" + body


def test_a_coded_body_is_decoded_as_far_as_it_was_kept():
    text = " ".join(map(str, range(5_000))).encode()
    body = gzip.compress(text)
    assert answer_of(coded(body), cut=False).body == text
    part = answer_of(coded(body[: len(body) // 2]), cut=True)
    assert text.startswith(part.body)
    assert len(part.body) > len(text) // 3
    assert part.note == "the record keeps the beginning only"


@pytest.mark.parametrize(("body", "coding"), [(b"no gzip at all", b"gzip"), (b"x", b"lzma"), (b"x", b"\xff")])
def test_what_cannot_be_decoded_is_kept_as_it_is_and_said(body, coding):
    answer = answer_of(coded(body, coding), cut=False)
    assert answer.body == body
    assert "could not be undone" in answer.note


def test_a_bomb_stays_within_the_bound(monkeypatch):
    monkeypatch.setattr(module, "MAX_DECODED_BYTES", 1_000_000)
    answer = answer_of(coded(gzip.compress(bytes(20_000_000))), cut=False)
    assert len(answer.body) <= 1_000_000 + 65_536
    assert "could not be undone whole" in answer.note
