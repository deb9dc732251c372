from doorward_core.policy.decide import ProbeRate
from doorward_core.policy.rate import RateCounter

S = 1_000_000_000
RATE = ProbeRate("pii", 3, 60)


def test_no_window_ever_holds_more_than_the_count():
    counter = RateCounter()
    assert [counter.take("me", [RATE], t * S) for t in (0, 10, 20)] == [None] * 3
    assert counter.take("me", [RATE], 30 * S) == 30 * S
    assert counter.take("me", [RATE], 60 * S) is None
    assert counter.take("me", [RATE], 61 * S) == 9 * S


def test_what_is_refused_counts_for_nothing():
    counter = RateCounter()
    other = ProbeRate("other", 1, 60)
    assert counter.take("me", [RATE, other], 0) is None
    assert counter.take("me", [RATE, other], S) is not None
    assert [counter.take("me", [RATE], S) for _ in range(3)] == [None, None, 58 * S + S]


def test_each_principal_and_mask_counts_alone():
    counter = RateCounter()
    assert [counter.take(who, [RATE], 0) for who in ("a", "b") for _ in range(3)] == [None] * 6
    assert counter.take("a", [ProbeRate("other", 1, 60)], 0) is None
    assert counter.take("a", [RATE], 0) is not None


def test_an_operation_of_many_guesses_costs_as_many():
    counter = RateCounter()
    assert counter.take("me", [ProbeRate("pii", 3, 60, cost=2)], 0) is None
    assert counter.take("me", [ProbeRate("pii", 3, 60, cost=2)], S) == 59 * S
    assert counter.take("me", [ProbeRate("pii", 3, 60, cost=1)], S) is None
    assert counter.take("me", [ProbeRate("pii", 3, 60, cost=4)], 1000 * S) == 60 * S


def test_a_clock_that_goes_back_frees_nothing():
    counter = RateCounter()
    for _ in range(3):
        counter.take("me", [RATE], 100 * S)
    assert counter.take("me", [RATE], 0) == 160 * S


def test_full_is_refused_and_idle_makes_room(monkeypatch):
    monkeypatch.setattr("doorward_core.policy.rate.MAX_KEYS", 2)
    counter = RateCounter()
    assert counter.take("a", [RATE], 0) is None
    assert counter.take("b", [RATE], 0) is None
    assert counter.take("c", [RATE], S) == 60 * S
    assert counter.take("c", [RATE], 60 * S) is None


def test_a_changed_period_keeps_what_was_counted():
    counter = RateCounter()
    for _ in range(3):
        counter.take("me", [RATE], 0)
    assert counter.take("me", [ProbeRate("pii", 3, 3600)], 61 * S) is not None
