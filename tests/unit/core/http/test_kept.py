"""What is kept of an answer: its beginning, its size, its digest, and nothing that is a credential."""

import hashlib

from doorward_core.event import Status
from doorward_core.http.kept import Kept
from doorward_core.http.messages import ResponseHead
from doorward_core.http.relay import AsItIs

HEAD = ResponseHead(200, ((b"content-type", b"text/plain"), (b"set-cookie", b"secret"), (b"x-request-id", b"7")))
SHOWN = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-request-id: 7\r\n\r\n"


def test_it_changes_nothing_and_remembers_the_beginning():
    kept = Kept(AsItIs(), HEAD, len(SHOWN) + 4)
    assert kept.feed(b"abc") + kept.feed(b"def") + kept.end() == b"abcdef"
    kept.whole = True
    outcome = kept.outcome(bytes_up=3, masked={"pii": 1})
    assert (outcome.shown, outcome.shown_truncated) == (SHOWN + b"abcd", True)
    assert outcome.shown_digest == hashlib.sha256(SHOWN + b"abcdef").digest()
    assert (outcome.bytes_up, outcome.bytes_down, outcome.native_code) == (3, 6, "200")
    assert outcome.masked == {"pii": 1}


def test_an_answer_that_was_not_whole_is_aborted_and_a_failing_one_an_error():
    assert Kept(AsItIs(), HEAD, 100).outcome(bytes_up=0, masked={}).status is Status.ABORTED
    failed = Kept(AsItIs(), ResponseHead(404), 100)
    failed.whole = True
    assert failed.outcome(bytes_up=0, masked={}).status is Status.ERROR


def test_all_of_a_short_answer_is_kept():
    kept = Kept(AsItIs(), HEAD, 1000)
    kept.feed(b"abc")
    assert not kept.outcome(bytes_up=0, masked={}).shown_truncated
    assert kept.trailers(((b"a", b"b"),)) == ((b"a", b"b"),)
