"""What the gateway says to a client."""

from doorward_core.errors import RecordError, TrafficStopped
from doorward_core.model import Action, Atom, Denial, Operation, ReasonCode, Target
from doorward_ssh import refusals
from doorward_ssh.refusals import NO_RECORD, no_record

RM = Atom(Action.EXECUTE, Target("command", "rm"))


def denial(advice="", *, problem="", **more):
    facts = {"problem": problem} if problem else {}
    operation = Operation(b"\x01" * 16, 1, Action.EXECUTE, "rm", (RM,), "rm x", b"", attributes=facts)
    return Denial(operation, ReasonCode.RULE, advice, 0, **more)


def test_a_refusal_is_one_line_with_the_operator_s_words_and_a_name_to_ask_by():
    said = refusals.denied(denial("Files are removed by the pipeline.", blamed=(RM,)))
    assert said == "doorward: refused: Files are removed by the pipeline (execute command rm) [010101010101]"


def test_nothing_is_said_twice():
    named = denial("No rule allows execute of command rm.", blamed=(RM,))
    assert refusals.denied(named) == "doorward: refused: No rule allows execute of command rm [010101010101]"
    unread = denial("This could not be read whole: it names no program.", problem="it names no program", blamed=(RM,))
    assert refusals.denied(unread).count("it names no program") == 1


def test_what_could_not_be_read_is_said():
    assert "(it names no program)" in refusals.denied(denial("", problem="it names no program"))


def test_an_approval_request_is_named():
    assert refusals.denied(denial("rejected", request_id="ap-1", retry=True)).endswith("; it may be tried again [ap-1]")


def test_no_escape_sequence_and_no_second_line_gets_through():
    said = refusals.line("a\x1b]52;c;eA==\x07b\r\nc\u202ed")
    assert "\x1b" not in said
    assert "\n" not in said
    assert "\u202e" not in said


def test_a_line_is_bounded():
    assert len(refusals.line("x" * 100_000)) == refusals.LINE_CHARS


def test_a_hold_says_for_how_long_and_by_what_name():
    assert refusals.held("ap-7", "Held by rule `r`.", 60) == "doorward: Held by rule `r`; waiting at most 60 s [ap-7]"


def test_a_record_that_takes_nothing_new_says_why_and_one_that_fails_does_not():
    why = "the archive has taken nothing for 1 h"
    assert no_record(TrafficStopped(why)) == why
    assert no_record(RecordError("disk full: /var")) == NO_RECORD
