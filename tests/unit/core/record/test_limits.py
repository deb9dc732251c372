"""What a limit refuses while it is passed, and that all else goes on."""

import pytest

from doorward_core.errors import RecordError, TrafficStopped
from doorward_core.event import EventKind
from doorward_core.record.limits import Lag, Limits, Scope

S = 1_000_000_000


def refused(limits):
    return {kind for kind in EventKind if limits.refusal(kind)}


def test_without_a_stop_everything_is_taken():
    limits = Limits()
    assert refused(limits) == set()
    assert limits.problem == ""
    limits.check(EventKind.SESSION_OPENED)


def test_each_scope_refuses_what_begins_and_nothing_that_ends():
    limits = Limits()
    sessions = {EventKind.SESSION_OPENED, EventKind.CREDENTIAL_ISSUED}
    traffic = sessions | {EventKind.OPERATION_DECIDED, EventKind.OPERATION_HELD}
    for scope, kinds in (
        (Scope.SESSIONS, sessions),
        (Scope.TRAFFIC, traffic),
        (Scope.RECORDS, traffic | {EventKind.SESSION_REFUSED}),
    ):
        limits.stop("disk", "full", scope)
        assert refused(limits) == kinds


def test_the_reason_is_that_of_a_stop_which_refuses_this_kind():
    limits = Limits()
    limits.stop("disk", "the disk is nearly full", Scope.SESSIONS)
    limits.stop("archive", "the archive is behind", Scope.TRAFFIC)
    assert limits.refusal(EventKind.OPERATION_DECIDED) == "the archive is behind"
    assert limits.problem == "the disk is nearly full; the archive is behind"


def test_a_stop_is_new_once_and_again_when_it_refuses_more():
    limits = Limits()
    assert limits.stop("disk", "low", Scope.SESSIONS)
    assert not limits.stop("disk", "lower", Scope.SESSIONS)
    assert limits.stop("disk", "lowest", Scope.RECORDS)
    assert limits.problem == "lowest"
    assert limits.lift("disk")
    assert not limits.lift("disk")
    assert refused(limits) == set()


def test_what_it_raises_is_words_for_a_client_and_stops_a_session():
    limits = Limits()
    limits.stop("archive", "the archive is behind")
    with pytest.raises(TrafficStopped, match="the archive is behind") as caught:
        limits.check(EventKind.SESSION_OPENED)
    assert isinstance(caught.value, RecordError)


def test_a_follower_is_over_its_limit_once_it_has_not_had_everything_for_longer():
    lag = Lag(60.0, 100 * S)
    assert not lag.over(160 * S)
    assert lag.over(160 * S + 1)
    lag.caught_up(130 * S)
    assert lag.behind_s(160 * S) == 30.0
    lag.caught_up(120 * S)  # an older look that took longer says nothing new
    assert not lag.over(190 * S)
    assert lag.behind_s(10 * S) == 0.0
