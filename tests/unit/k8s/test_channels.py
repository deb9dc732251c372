"""Messages of exec: masked, taped, and nothing that is not in the table."""

import json

import pytest

from doorward_core.mask.detect import detectors_for
from doorward_core.model import Mask, RecordLevel, Transform
from doorward_core.terminal import Screen, Tape
from doorward_k8s.channels import ChannelError, Channels, failure

DETECTORS = detectors_for((Mask("pii", (), ("email",), Transform.REDACT, "pii"),))


def channels(*, masked=False, closes=True, tty=False):
    tape = Tape(RecordLevel.PAYLOAD, pty=tty)
    return Channels(Screen(DETECTORS if masked else None, b"k" * 32, pty=tty), tape, closes=closes), tape


def test_output_goes_through_and_is_kept():
    both, tape = channels()
    assert both.from_target(b"\x01out", 1) == [b"\x01out"]
    assert both.from_target(b"\x02err", 2) == [b"\x02err"]
    assert (tape.shown, [frame.stream for frame in tape.take()]) == (b"outerr", ["stdout", "stderr"])


def test_what_is_held_back_leaves_before_the_end_is_told():
    both, tape = channels(masked=True)
    assert both.from_target(b"\x01to ada@exam", 1) == []
    assert both.flush_after_s == 0.2
    status = b'\x03{"status":"Success"}'
    assert both.from_target(b"\x01ple.com", 1) == []
    assert both.from_target(status, 2) == [b"\x01to [masked:email]", status]
    assert (both.code, tape.shown) == ("0", b"to [masked:email]")
    assert both.rest(3) == []


def test_a_line_that_pauses_is_let_go():
    both, _ = channels(masked=True)
    both.from_target(b"\x01prompt> ", 1)
    assert both.flush(2) == [b"\x01prompt> "]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({"status": "Success"}, "0"),
        ({"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}, "3"),
        ({"status": "Failure", "reason": "InternalError", "details": {}}, "InternalError"),
        ({"status": "Failure"}, "failure"),
        ([], "unreadable"),
    ],
)  # fmt: skip
def test_how_it_ended_is_understood(status, code):
    both, _ = channels()
    both.from_target(b"\x03" + json.dumps(status).encode(), 1)
    assert both.code == code


def test_a_terminals_size_is_passed_on_as_it_was_understood_and_taped():
    both, tape = channels(tty=True)
    assert both.from_client(b'\x04{"Width":80,"Height":24,"x":1}', 1) == b'\x04{"Width": 80, "Height": 24}'
    assert [(frame.stream, frame.data) for frame in tape.take()] == [("resize", b"80x24")]


def test_what_is_typed_is_counted_and_its_end_is_passed_on():
    both, _ = channels()
    assert both.from_client(b"\x00abc", 1) == b"\x00abc"
    assert both.from_client(b"\xff\x00", 1) == b"\xff\x00"
    assert both.from_client(b"", 1) == b""
    assert both.bytes_up == 3


def test_empty_messages_say_that_a_stream_is_there():
    both, _ = channels()
    assert [both.from_target(one, 1) for one in (b"\x01", b"\x03", b"")] == [[b"\x01"], [b"\x03"], []]
    assert both.from_target(b"\xff\x01", 1) == [b"\xff\x01"]


@pytest.mark.parametrize("message", [b"\x00x", b"\x04{}", b"\x07x", b"\x03" + b"x" * 70_000, b"\xff\x01\x02"])
def test_a_target_says_nothing_that_is_not_in_the_table(message):
    both, _ = channels()
    with pytest.raises(ChannelError):
        both.from_target(message, 1)


@pytest.mark.parametrize(
    "message",
    [b"\x01x", b"\x02x", b"\x03{}", b"\xff\x01", b"\xff", b"\x04[]", b"\x04{", b'\x04{"Width":-1,"Height":2}',
     b'\x04{"Width":true,"Height":2}', b"\x04" + b" " * 300],
)  # fmt: skip
def test_a_client_says_nothing_that_is_not_in_the_table(message):
    both, _ = channels()
    with pytest.raises(ChannelError):
        both.from_client(message, 1)


def test_version_four_knows_no_close():
    both, _ = channels(closes=False)
    with pytest.raises(ChannelError):
        both.from_client(b"\xff\x00", 1)


def test_a_client_can_be_told_why_its_stream_was_ended():
    told = failure("enough")
    assert told[0] == 3
    assert json.loads(told[1:])["message"] == "enough"
