"""What the tests of the machine share: a bench with both of its halves."""

import pytest
from postgres_bench import Bench


@pytest.fixture
def bench():
    return Bench()
