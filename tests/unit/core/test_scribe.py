"""What a session writes again is equal to what `entries` writes, field for field and byte for byte."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from doorward_core import entries
from doorward_core.event import Outcome, Status
from doorward_core.forms import Base, Form
from doorward_core.model import (
    Action,
    Atom,
    AuthMethod,
    Decision,
    Effect,
    Identity,
    Match,
    Operation,
    Peer,
    PrincipalKind,
    ReasonCode,
    Record,
    RecordLevel,
    Resource,
    Session,
    Target,
)
from doorward_core.record.encode import EncodingError, decode, encode
from doorward_core.scribe import MAX_KEPT, Scribe

ATOM = Atom(Action.READ, Target("relation", "public.orders", ("id",)))
DECISION = Decision(
    Effect.PERMIT, ReasonCode.RULE, "", b"p" * 32, (), (Match("reads", b"h" * 32, Effect.PERMIT, ATOM),)
)
IDENTITY = Identity(
    "crew", "https://idp.test", PrincipalKind.AGENT, frozenset({"a"}), AuthMethod.JWT, "id", 1, 2**62, sponsor="maria"
)
SESSION = Session(b"s" * 16, IDENTITY, Resource("shop", "postgres"), "app", Peer("::1"), "gateway.test", 1, b"p" * 32)


def operation(seq, **changes):
    made = Operation(
        bytes([seq]) * 16, seq, Action.READ, "SELECT", (ATOM,), "SELECT 1", b"d" * 32, attributes={"database": "shop"}
    )
    return replace(made, **{"atoms": OPERATION.atoms if seq else made.atoms, **changes})


OPERATION = Operation(b"0" * 16, 0, Action.READ, "SELECT", (ATOM,), "SELECT 1", b"d" * 32)


def same(found, wanted):
    assert dict(found.header) == dict(wanted.header)
    assert dict(found.payload) == dict(wanted.payload)
    assert encode(found.header) == encode(dict(wanted.header))
    assert encode(found.payload) == encode(dict(wanted.payload))
    assert (found.kind, found.session_id, found.operation_id) == (wanted.kind, wanted.session_id, wanted.operation_id)


def test_a_decision_that_comes_again_is_written_as_at_first():
    scribe = Scribe(SESSION)
    changes = [
        {},
        {"parameters": ("1", None)},
        {"text": "SELECT 2"},
        {"in_transaction": True},
        {"verb": "TABLE"},
        {"complete": False},
        {"unseen": ("copy-data",)},
        {"text_truncated": True},
        {"attributes": {"database": "other"}},
        {"atoms": ()},
    ]
    formed = 0
    for seq, change in enumerate([*changes, *changes, *changes, {}, {}, {}], start=1):
        asked = operation(seq, **change)
        found = scribe.decided(asked, DECISION)
        formed += isinstance(found.header, Form)
        same(found, entries.decided(SESSION, asked, DECISION))
    assert formed >= len(changes)


def test_another_decision_over_the_same_atoms_is_another_event():
    scribe, other = Scribe(SESSION), replace(DECISION, policy_digest=b"q" * 32, advice="look")
    for seq in range(1, 7):
        for decision in (DECISION, other, replace(DECISION, matches=())):
            asked = operation(seq)
            same(scribe.decided(asked, decision), entries.decided(SESSION, asked, decision))


@pytest.mark.parametrize("level", list(RecordLevel))
@pytest.mark.parametrize("obligations", [(), (Record(RecordLevel.DECISION),), (Record(RecordLevel.PAYLOAD),)])
def test_an_end_that_comes_again_is_written_as_at_first(level, obligations):
    scribe, decision = Scribe(SESSION), replace(DECISION, obligations=obligations)
    outcomes = [
        Outcome(Status.OK, rows=1, bytes_up=2, columns=("id",), column_types=(20,), shown=b"x", shown_format="rows"),
        Outcome(Status.OK, rows=9, columns=("id",), masked={"email": 3}, shown_format="rows", shown_truncated=True),
        Outcome(Status.ERROR, "42501"),
        Outcome(Status.OK, columns=("id",), column_types=(20,), column_formats=(1,), shown_format="rows"),
        Outcome(Status.OK, columns=("id", "name"), shown=b"shown", shown_format="copy", shown_digest=b"d" * 32),
        Outcome(Status.OK, columns=("id",), changes=(("a", "1", None),), changes_truncated=True),
    ]
    for seq in range(1, 18):
        permit = SimpleNamespace(operation=operation(seq), decision=decision, entry=seq * 1000)
        outcome = outcomes[seq % len(outcomes)]
        same(scribe.finished(permit, outcome, level), entries.finished(SESSION, permit, outcome, level))


def test_what_is_kept_of_a_session_is_bounded():
    scribe = Scribe(SESSION)
    for seq in range(3 * MAX_KEPT):
        scribe.decided(replace(OPERATION, verb=f"V{seq}"), DECISION)
        permit = SimpleNamespace(operation=OPERATION, decision=DECISION, entry=1)
        scribe.finished(permit, Outcome(Status.OK, columns=(f"c{seq}",)), RecordLevel.SHAPE)
    assert len(scribe._decided) <= MAX_KEPT
    assert len(scribe._finished) <= MAX_KEPT


@pytest.mark.parametrize("count", [0, 1, 13, 14, 15, 16, 300])
def test_a_form_packs_as_a_map_of_the_same_fields(count):
    fields = {f"k{number:03}": number for number in range(count)}
    varying = {"a": 1, "k0071": "x", "z": [1, {"b": None, "a": b"\xff"}]}
    form = Form(Base(fields), varying)
    assert encode(form) == encode({**fields, **varying})
    assert decode(encode(form)) == dict(form)
    assert len(form) == count + 3


@pytest.mark.parametrize("varying", [{"b": 1, "a": 2}, {"same": 1}])
def test_a_form_out_of_order_or_with_a_name_twice_is_refused(varying):
    with pytest.raises(EncodingError):
        encode(Form(Base({"same": 1}), varying))


@pytest.mark.parametrize("value", [1.5, object(), 1 << 64, "\ud800", {1: 2}])
def test_a_form_with_a_value_of_no_canonical_form_is_refused(value):
    with pytest.raises(EncodingError):
        encode(Form(Base({}), {"a": value}))
