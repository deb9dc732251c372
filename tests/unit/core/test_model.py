"""The nouns do nothing; what little they promise is that they cannot change."""

import dataclasses
from types import MappingProxyType

import pytest

from doorward_core import model
from doorward_core.model import (
    CHANGING,
    Action,
    Approve,
    Atom,
    Decision,
    Effect,
    Mask,
    Operation,
    ReasonCode,
    Resource,
    Target,
    Transform,
)

NOUNS = [item for item in vars(model).values() if dataclasses.is_dataclass(item)]
TARGET = Target("relation", "public.t")


def operation(*actions, **more):
    atoms = tuple(Atom(action, TARGET) for action in actions)
    return Operation(b"o" * 16, 1, Action.READ, "SELECT", atoms, "", b"d" * 32, **more)


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.__name__)
def test_every_noun_is_frozen_and_slotted(noun):
    assert noun.__dataclass_params__.frozen
    assert "__slots__" in vars(noun)
    assert noun.__doc__


@pytest.mark.parametrize("action", Action)
def test_an_operation_changes_something_where_nothing_proves_that_it_only_reads(action):
    assert operation(Action.READ, action).changes is (action in CHANGING)
    assert operation(action, complete=False).changes


def test_what_only_reads_looks_and_sets_its_own_session_changes_nothing():
    assert set(Action) - CHANGING == {Action.CONNECT, Action.SESSION, Action.READ, Action.PROBE}
    assert not operation().changes


def test_a_decision_gives_its_approvals_among_its_obligations():
    approve = Approve("r", b"h", frozenset({"dba"}), 1, 600, 300, 60)
    mask = Mask("m", ("a.b.c",), (), Transform.HASH, "c")
    decision = Decision(Effect.HOLD, ReasonCode.RULE, "", b"p", (mask, approve, approve))
    assert decision.approvals == (approve, approve)
    assert Decision(Effect.DENY, ReasonCode.RULE, "", b"p").approvals == ()


def test_what_is_left_out_cannot_be_filled_for_everybody():
    labels = Resource("a", "postgres").labels
    assert isinstance(labels, MappingProxyType)
    with pytest.raises(TypeError):
        labels["env"] = "prod"
