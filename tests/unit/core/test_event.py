"""The kinds of entry are the specification's, and what happened cannot be changed afterwards."""

import dataclasses
from pathlib import Path
from types import MappingProxyType

import pytest

from doorward_core.event import Event, EventKind, Outcome, Status

SPEC = Path(__file__).parents[3] / "docs" / "spec" / "event-log.md"


def test_the_specification_names_every_kind_and_no_other():
    (line,) = [line for line in SPEC.read_text().splitlines() if line.startswith("The kinds: ")]
    assert line.removeprefix("The kinds: ").removesuffix(".").replace("`", "").split() == [
        str(kind) for kind in EventKind
    ]


@pytest.mark.parametrize("made", [Event(EventKind.GATEWAY_ERROR, {}), Outcome(Status.OK)], ids=["event", "outcome"])
def test_what_happened_is_frozen_and_slotted(made):
    assert "__slots__" in vars(type(made))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, dataclasses.fields(made)[0].name, "changed")


def test_an_event_without_content_cannot_be_given_some():
    payload = Event(EventKind.GATEWAY_ERROR, {}).payload
    assert isinstance(payload, MappingProxyType)
    with pytest.raises(TypeError):
        payload["text"] = "late"
