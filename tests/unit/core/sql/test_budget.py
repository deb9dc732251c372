"""The budget ends, and a longer text has more of it; what it ends is tested in tests/evasion (PG-09)."""

import pytest

from doorward_core.sql.budget import FEWEST_STEPS, Budget, TooIntricate, message_budget


def test_a_budget_ends_and_grows_with_the_text() -> None:
    budget = Budget(2)
    budget.spend()
    budget.spend()
    with pytest.raises(TooIntricate):
        budget.spend()
    message_budget(10_000_000).spend(FEWEST_STEPS + 10_000)
