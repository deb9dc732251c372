"""Effects are a closed union: whoever tracks a session can match it whole."""

import dataclasses
import typing

from doorward_core.sql import session


def test_every_effect_is_in_the_union_and_immutable() -> None:
    members = set(typing.get_args(session.SessionEffect))
    defined = {value for value in vars(session).values() if dataclasses.is_dataclass(value)}
    assert members == defined
    assert all(member.__dataclass_params__.frozen for member in members)
