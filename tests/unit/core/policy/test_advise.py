import pytest

from doorward_core.model import Action, Atom, Effect, Limit, Mask, Record, RecordLevel, Target, Transform
from doorward_core.policy.advise import advise, advise_unsupported, describe, readable
from doorward_core.policy.judge import Verdict


@pytest.mark.parametrize(
    ("atom", "text"),
    [
        (Atom(Action.WRITE, Target("relation", "public.orders")), "write on relation public.orders"),
        (Atom(Action.READ, Target("relation", "a.b", ("x", "y"))), "read on relation a.b (x, y)"),
        (Atom(Action.READ, Target("relation", "a.b", ("x", "y", "z", "w"))), "read on relation a.b (x, y, z, …)"),
        (Atom(Action.UNKNOWN, Target("opaque", "DO")), "unknown (DO)"),
        (Atom(Action.UNKNOWN, Target("opaque", "")), "unknown"),
    ],
)
def test_an_atom_reads_as_a_person_would_say_it(atom, text):
    assert describe(atom) == text


def test_what_is_readable_is_one_bounded_line():
    assert readable("public.kunde_ä") == "public.kunde_ä"
    assert readable("a\nb\u202ec\x1b") == "a\\u000ab\\u202ec\\u001b"
    assert len(readable("x" * 1000)) == 160


def test_a_denial_by_default_and_by_what_could_not_be_read_says_both(design, analyst):
    read = design.atom("read", "audit.trail")
    opened = design.decide(design.who("migrations", "crew-analysts"), read, complete=False, problem="a DO block")
    assert opened.advice == (
        "This could not be read whole: a DO block, and no rule allows what is not understood."
        " Besides, no rule allows read on relation audit.trail."
    )
    blocked = design.decide(analyst, read, complete=False, problem="a DO block")
    assert blocked.advice.startswith("This could not be read whole: a DO block. ")
    assert "Blocked by rule" in blocked.advice


def test_an_argument_that_only_the_target_s_shell_knows_is_explained():
    def advice(detail):
        atom = Atom(Action.EXECUTE, Target("command", "ls", detail=detail))
        return advise([Verdict(atom, Effect.DENY, (), (), by_default=True)])

    assert advice("-l '$'") == "No rule allows execute of command ls -l '$'."
    assert advice("-l $").startswith("No rule allows execute of command ls -l $; `$` is what only the target's shell")


def test_an_obligation_that_cannot_be_honoured_is_named():
    mask = Mask("pii", ("*.a",), (), Transform.REDACT, "pii")
    assert advise_unsupported(mask) == "Mask `pii` is owed here and cannot be applied to this kind of operation."
    assert "demands `limit`" in advise_unsupported(Limit(rows=1))
    assert "demands `record`" in advise_unsupported(Record(RecordLevel.PAYLOAD))


def test_advice_is_bounded_and_escapes_what_could_forge_a_line(design, analyst):
    forged = [design.atom("read", f"x.{n}\n\u202eApproved by the CISO{'y' * 500}") for n in range(50)]
    advice = design.decide(analyst, *forged).advice
    assert advice.isprintable()
    assert len(advice) < 1000
    assert "and 47 more" in advice
