"""Both logs have the interface that the gate is written against."""

import inspect

import pytest

from doorward_core.record.log import EventLog
from doorward_core.record.memory import MemoryLog
from doorward_core.record.writer import Log


@pytest.mark.parametrize("kind", [Log, MemoryLog])
def test_every_member_is_there_and_waits_where_it_should(kind):
    for name, wanted in vars(EventLog).items():
        if name.startswith("_"):
            continue
        given = inspect.getattr_static(kind, name)
        assert type(given) is type(wanted), name
        if not isinstance(wanted, property):
            assert inspect.iscoroutinefunction(given) == inspect.iscoroutinefunction(wanted), name
            assert list(inspect.signature(given).parameters) == list(inspect.signature(wanted).parameters), name
