"""Requests that come again on one connection: what was made of one is used for the next, and for nothing but the same."""

import json
import re
import socket

import pytest
from http_stack import MASKS, POLICY


class Line:
    """One kept connection, as bytes."""

    def __init__(self, http):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(http.sockets / "http.sock"))
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, path, token, *lines, method="GET", host="localhost", body=b""):
        head = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}", *lines]
        if body:
            head.append(f"Content-Length: {len(body)}")
        self.socket.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        return self.answer()

    def answer(self):
        while b"\r\n\r\n" not in self.left:
            self._more()
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        while len(self.left) < length:
            self._more()
        body, self.left = self.left[:length], self.left[length:]
        return int(head.split()[1]), head, body

    def _more(self):
        piece = self.socket.recv(65536)
        assert piece, "the gateway hung up"
        self.left += piece


@pytest.fixture
def line(http):
    with Line(http) as opened:
        yield opened


def _told(entries):
    """What entries say, but for what differs from one request to the next."""
    told = []
    for entry in entries:
        header = {key: value for key, value in entry.header.items() if key not in ("seq", "duration_ns", "decided")}
        told.append((entry.kind, header, entry.payload))
    return told


def test_the_tenth_request_leaves_what_the_first_did(own_http):
    http = own_http(policy=POLICY + MASKS)
    token = http.token()
    with Line(http) as line:
        answers = [line.ask("/crm/customers/42?a=b", token, "Accept: */*") for _ in range(10)]
    assert {answer[::2] for answer in answers} == {answers[0][::2]}
    assert b"grace.hopper@" not in answers[0][2]
    assert answers[0][0] == 200
    first = http.crm.seen[0]
    assert all(seen.headers[:-1] == first.headers[:-1] for seen in http.crm.seen)
    http.until_recorded("session.closed")
    decided, finished = (http.entries(kind) for kind in ("operation.decided", "operation.finished"))
    assert [entry.header["seq"] for entry in decided] == list(range(10))
    assert len({entry.operation_id for entry in decided}) == 10
    for entries in (_told(decided), _told(finished)):
        assert len(entries) == 10
        assert all(entry == entries[0] for entry in entries)


def test_each_answer_is_masked_as_it_is(own_http):
    http = own_http(policy=POLICY + MASKS)
    mails = iter(("anna@one.example", "bert@two.example", "cleo@six.example"))

    def script(handler, _seen):
        handler.say(200, {"email": next(mails), "note": "same head each time"})

    http.crm.scripts["GET", "/customers/7"] = script
    token = http.token()
    with Line(http) as line:
        shown = [json.loads(line.ask("/crm/customers/7", token)[2])["email"] for _ in range(3)]
    assert [mail[0] for mail in shown] == ["a", "b", "c"]
    assert not any("one" in mail or "two" in mail or "six" in mail for mail in shown)


def test_the_next_path_under_the_same_fields_is_decided_for_itself(http, line):
    token = http.token()
    assert line.ask("/crm/customers/42", token)[0] == 200
    assert line.ask("/crm/admin", token)[0] == 403
    assert line.ask("/crm/customers/42", token)[0] == 200
    assert line.ask("/crm/customers?export=1", token)[0] == 403
    assert line.ask("/crm/customers?export=1", token)[0] == 403
    assert line.ask("/crm/customers?limit=1", token)[0] == 200
    assert line.ask("/crm/customers", token, method="DELETE")[0] == 403
    assert line.ask("/nothing/customers/42", token)[0] in (403, 404)
    assert [seen.target for seen in http.crm.seen] == ["/customers/42", "/customers/42", "/customers?limit=1"]


def test_another_credential_in_the_same_words_is_somebody_else(http, line):
    mine, theirs = http.token(), http.token(subject="crew-2", groups=("nobody",))
    assert line.ask("/crm/customers/42", mine)[0] == 200
    assert line.ask("/crm/customers/42", theirs)[0] == 403
    assert line.ask("/crm/customers/42", "x" * len(mine))[0] == 401
    assert line.ask("/crm/customers/42", mine)[0] == 200
    assert len(http.crm.seen) == 2


def test_bodies_are_decided_each_for_itself(http, line):
    token = http.token()
    small, large = json.dumps({"percent": "5"}).encode(), json.dumps({"percent": "50"}).encode()
    asked = [line.ask("/crm/discounts", token, "Content-Type: application/json", method="POST", body=body)[0]
             for body in (small, small, large, small)]  # fmt: skip
    assert asked == [200, 200, 403, 200]
    assert [seen.body for seen in http.crm.seen] == [small, small, small]


def test_an_answer_with_another_head_is_passed_on_as_it_is(http, line):
    said = iter([(200, ()), (200, (("x-page", "2"),)), (404, ()), (204, ()), (200, (("location", "/elsewhere"),))])

    def script(handler, _seen):
        status, headers = next(said)
        handler.send(status, b"" if status == 204 else b"{}", ("content-type", "application/json"), *headers)

    http.crm.scripts["GET", "/files/x"] = script
    token = http.token()
    first = line.ask("/crm/files/x", token)
    second = line.ask("/crm/files/x", token)
    third = line.ask("/crm/files/x", token)
    assert (first[0], second[0], third[0]) == (200, 200, 404)
    assert b"x-page" not in first[1]
    assert b"x-page: 2" in second[1].lower()
    assert b"x-page" not in third[1]


def test_a_head_request_is_told_the_length_and_sent_nothing(http, line):
    token = http.token()
    status, _, body = line.ask("/crm/customers/42", token)
    assert status == 200
    line.socket.sendall(
        f"HEAD /crm/customers/42 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    )
    while b"\r\n\r\n" not in line.left:
        line._more()
    head, _, line.left = line.left.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert line.ask("/crm/customers/42", token)[2] == body
