"""What a client reads when it is refused: the server's own code for what it can put right by itself."""

import pytest

from doorward_core.model import Action, Atom, Denial, Operation, ReasonCode, Target
from doorward_postgres.refusals import denied
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
