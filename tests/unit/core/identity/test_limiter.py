import pytest

from doorward_core.identity import limiter
from doorward_core.identity.limiter import BURST, REFILL_NS, FailureLimiter, source


def run_dry(subject: FailureLimiter, address: str, now_ns: int = 0) -> None:
    for _ in range(BURST):
        subject.failed(address, "bad", now_ns)


def test_a_source_may_fail_so_often_and_no_oftener():
    subject = FailureLimiter()
    for _ in range(BURST):
        assert subject.admit("10.0.0.1", "bad", 0)
        subject.failed("10.0.0.1", "bad", 0)
    assert not subject.admit("10.0.0.1", "bad", 0)
    assert subject.admit("10.0.0.2", "bad", 0)


def test_time_gives_tries_back_one_by_one():
    subject = FailureLimiter()
    run_dry(subject, "10.0.0.1")
    assert not subject.admit("10.0.0.1", "bad", REFILL_NS - 1)
    assert subject.admit("10.0.0.1", "bad", REFILL_NS)
    subject.failed("10.0.0.1", "bad", REFILL_NS)
    assert not subject.admit("10.0.0.1", "bad", REFILL_NS)
    assert subject.admit("10.0.0.1", "bad", 3 * REFILL_NS)


def test_a_long_rest_gives_back_a_burst_and_not_more():
    subject = FailureLimiter()
    run_dry(subject, "10.0.0.1")
    later = 10_000 * REFILL_NS
    assert subject.admit("10.0.0.1", "bad", later)
    run_dry(subject, "10.0.0.1", later)
    assert not subject.admit("10.0.0.1", "bad", later)


def test_a_clock_that_goes_back_gives_nothing_and_takes_nothing_for_ever():
    subject = FailureLimiter()
    run_dry(subject, "10.0.0.1", 10**18)
    assert not subject.admit("10.0.0.1", "bad", 0)
    assert subject.admit("10.0.0.1", "bad", REFILL_NS)


def test_a_credential_that_was_good_is_not_locked_out_by_its_neighbours():
    subject = FailureLimiter()
    subject.succeeded("good")
    run_dry(subject, "10.0.0.1")
    assert subject.admit("10.0.0.1", "good", 0)
    assert not subject.admit("10.0.0.1", "bad", 0)


def test_a_credential_that_failed_is_no_longer_good():
    subject = FailureLimiter()
    subject.succeeded("good")
    run_dry(subject, "10.0.0.1")
    subject.failed("10.0.0.1", "good", 0)
    assert not subject.admit("10.0.0.1", "good", 0)


def test_success_does_not_pay_for_failures():
    subject = FailureLimiter()
    for _ in range(BURST):
        subject.failed("10.0.0.1", "bad", 0)
        subject.succeeded("good")
    assert not subject.admit("10.0.0.1", "bad", 0)


def test_memory_is_bounded_and_the_quietest_source_is_forgotten(monkeypatch):
    monkeypatch.setattr(limiter, "MAX_SOURCES", 3)
    monkeypatch.setattr(limiter, "MAX_KNOWN", 2)
    subject = FailureLimiter()
    run_dry(subject, "10.0.0.1")
    for last in (2, 3):
        subject.failed(f"10.0.0.{last}", "bad", 0)
    subject.failed("10.0.0.1", "bad", 0)
    subject.failed("10.0.0.4", "bad", 0)
    assert len(subject._buckets) == 3
    assert not subject.admit("10.0.0.1", "bad", 0)
    for name in ("a", "b", "c"):
        subject.succeeded(name)
    assert len(subject._known) == 2


def test_no_credential_is_kept():
    subject = FailureLimiter()
    subject.succeeded("canary")
    subject.failed("10.0.0.1", "canary-2", 0)
    assert "canary" not in f"{subject._known!r} {subject._buckets!r}"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("/run/gate.sock", "/run/gate.sock", True),
        ("", "", True),
    ],
)
def test_a_source_is_an_address_or_a_network_of_one_customer(one, other, same):
    assert (source(one) == source(other)) is same


def test_text_that_is_not_unicode_has_a_fingerprint_too():
    assert len(limiter.fingerprint("\ud800")) == 32
