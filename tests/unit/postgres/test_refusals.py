"""What a client reads when it is refused: the server's own code for what it can put right by itself."""

import pytest

from doorward_core.errors import RecordError, TrafficStopped
from doorward_core.model import Action, Atom, Denial, Operation, ReasonCode, Target
from doorward_postgres import refusals
from doorward_postgres.refusals import denied
from doorward_postgres.wire import Backend
from doorward_postgres.wire_decode import decode_error_fields

UNKNOWN = Atom(Action.UNKNOWN, Target("opaque", "SELECT"))
SCHEMA = "Schema changes go through migrations."


def told(*blamed, absent="", problem="", advice=SCHEMA):
    operation = Operation(
        b"o" * 16, 1, Action.UNKNOWN, "SELECT", blamed, "", b"", complete=False,
        attributes={"absent": absent, "problem": problem},
    )  # fmt: skip
    frame = denied(Denial(operation, ReasonCode.RULE, advice, 7, blamed=blamed))
    return decode_error_fields(frame[5:])


@pytest.mark.parametrize(
    ("absent", "code"),
    [("relation nosuch", "42P01"), ("column x.y", "42703"), ("function f", "42883"), ("type t", "42704"),
     ("prepared p", "26000"), ("cursor c", "34000"), ("grammar", "42601")],
)  # fmt: skip
def test_a_name_that_stands_for_nothing_has_the_servers_code(absent, code):
    fields = told(UNKNOWN, absent=absent, problem=f"{absent} does not exist")
    assert fields["C"] == code
    assert fields["M"] == f"{absent} does not exist"
    assert SCHEMA not in "".join(fields.values())
    assert "Log entry: 7" in fields["D"]


def test_a_call_of_a_function_that_is_not_there_is_that_alone():
    call = Atom(Action.EXECUTE, Target("function", "f"))
    assert told(UNKNOWN, call, absent="function f", problem="no f")["C"] == "42883"
    other = Atom(Action.EXECUTE, Target("function", "pg_catalog.pg_sleep"))
    assert told(UNKNOWN, other, absent="function f", problem="no f")["C"] == "42501"


def test_what_policy_refuses_besides_is_a_matter_of_rights():
    read = Atom(Action.READ, Target("relation", "public.customer"))
    fields = told(UNKNOWN, read, absent="column x", problem="no x")
    assert fields["C"] == "42501"
    assert fields["M"].startswith("doorward refused SELECT: ")


def test_a_name_cannot_forge_a_line():
    fields = told(UNKNOWN, absent="relation x", problem="x\n\u202eapproved")
    assert fields["M"].isprintable()


READ = Atom(Action.READ, Target("relation", "public.customer"))


def denial(reason=ReasonCode.RULE, verb="SELECT", **more):
    operation = Operation(b"o" * 16, 1, Action.READ, verb, (READ,), "select secret", b"")
    return Denial(operation, reason, more.pop("advice", SCHEMA), 7, blamed=(READ,), **more)


def fields_of(frame):
    return decode_error_fields(frame[5:])


def test_a_refusal_says_what_why_where_it_is_recorded_and_whether_to_try_again():
    fields = fields_of(denied(denial()))
    assert fields["S"] == fields["V"] == "ERROR"
    assert fields["C"] == "42501"
    assert fields["M"] == f"doorward refused SELECT: {SCHEMA}"
    assert fields["D"] == "Not granted: read relation public.customer. Log entry: 7."
    assert fields["H"] == "Trying the same again will not help."
    assert "secret" not in "".join(fields.values())


def test_a_refusal_after_a_hold_names_its_request():
    fields = fields_of(denied(denial(ReasonCode.TIMED_OUT, request_id="ap-0123456789ab", retry=True)))
    assert "Approval request: ap-0123456789ab." in fields["D"]
    assert fields["H"] == "Trying again may help."


def test_a_refusal_without_words_says_at_least_what_was_refused():
    assert fields_of(denied(denial(advice="", verb="PARSE DELETE")))["M"] == "doorward refused DELETE"


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (ReasonCode.UNAVAILABLE, "58000"),
        (ReasonCode.EXPIRED, "28000"),
        (ReasonCode.LIMIT, "53400"),
        (ReasonCode.NO_RULE, "42501"),
        (ReasonCode.OBLIGATION_UNSUPPORTED, "42501"),
        (ReasonCode.REJECTED, "42501"),
    ],
)
def test_the_code_tells_a_program_what_kind_of_refusal_it_is(reason, code):
    assert fields_of(denied(denial(reason)))["C"] == code


def test_who_waits_is_told_for_whom_how_long_and_what_an_approver_types():
    frame = refusals.held("ap-0123456789ab", "Writes need a DBA.", 600)
    assert frame[0] == Backend.NoticeResponse
    fields = fields_of(frame)
    assert (fields["S"], fields["C"]) == ("NOTICE", "00000")
    assert "ap-0123456789ab" in fields["M"]
    assert fields["D"] == "Writes need a DBA. Waiting at most 600 s."
    assert fields["H"] == "doorward approvals approve ap-0123456789ab"
    assert fields_of(refusals.held("ap-1", "", 5))["D"] == "Waiting at most 5 s."


def test_how_far_people_are_is_a_notice_of_one_line():
    frame = refusals.progress("ap-1", "1 of 2 have approved", 412)
    assert frame[:1] == b"N"
    assert fields_of(frame)["M"] == "doorward: 1 of 2 have approved; waiting at most 412 s [ap-1]"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (refusals.LOST, "08006"),
        (refusals.UNTRUSTED, "08006"),
        (refusals.EXPIRED, "28000"),
        (refusals.GOING_DOWN, "57P01"),
        (refusals.BUSY, "53300"),
        (refusals.NO_RECORD, "58030"),
        (refusals.INTERNAL, "XX000"),
        (refusals.IDLE, "57P05"),
    ],
)
def test_a_farewell_is_fatal_and_has_the_servers_own_code_for_it(frame, code):
    fields = fields_of(frame)
    assert (fields["S"], fields["V"], fields["C"]) == ("FATAL", "FATAL", code)


def test_a_cancelled_statement_ends_as_the_server_would_end_it():
    fields = fields_of(refusals.CANCELLED)
    assert (fields["S"], fields["C"]) == ("ERROR", "57014")


def test_a_record_that_takes_nothing_new_says_why_and_one_that_fails_does_not():
    why = "the archive has taken nothing for 1 h"
    assert refusals.no_record(TrafficStopped(why)) == refusals.fatal("57P03", why, "Try again later.")
    assert refusals.no_record(RecordError("disk full: /var")) == refusals.NO_RECORD
