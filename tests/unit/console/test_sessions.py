"""The sessions that a log tells of, each in one row."""

from doorward_console.sessions import list_sessions


def test_a_closed_session_has_its_counts_and_its_coverage(log_entries):
    closed, refused = list_sessions(log_entries)
    assert (closed.state, closed.subject, closed.sponsor, closed.resource) == ("closed", "crew-7", "sam", "app-db")
    assert (closed.permitted, closed.denied, closed.held) == (2, 1, 1)
    assert (closed.reason, closed.coverage, closed.duration_ns) == ("end", ["copy data was not read"], 90 * 10**9)
    assert (refused.state, refused.session, refused.resource) == ("refused", "", "app-db")


def test_a_session_without_its_end_is_open(log_entries):
    (row,) = list_sessions(entry for entry in log_entries if entry.kind in ("session.opened", "operation.decided"))
    assert (row.state, row.permitted, row.denied) == ("open", 2, 1)


def test_what_belongs_to_no_known_session_is_left_out(log_entries):
    assert list_sessions(entry for entry in log_entries if not entry.kind.startswith("session.")) == []
