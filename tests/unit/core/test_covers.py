"""What an operation does, as whoever asks for standing access has to name it."""

from dataclasses import replace

from doorward_core.covers import actions_of
from doorward_core.model import Action


def test_it_is_everything_that_it_does(op):
    both = replace(op("read"), atoms=(*op("read").atoms, *op("write").atoms))
    assert actions_of(both) == {Action.READ, Action.WRITE}


def test_what_could_not_be_read_whole_does_something_unknown_besides(op):
    assert actions_of(op("read", complete=False)) == {Action.READ, Action.UNKNOWN}


def test_what_has_no_atoms_stands_for_its_own_action(op):
    assert actions_of(replace(op("execute"), atoms=())) == {Action.EXECUTE}
