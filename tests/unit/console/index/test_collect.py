"""From entries to rows."""

import index_stand
from index_stand import a_session, asked, closed, decided, finished, held, opened, voted

from doorward_console.index.collect import MAX_PARAMETERS, MAX_TEXT, MAX_TOUCHED, Collector
from doorward_core import entries
from doorward_core.event import Event, EventKind
from doorward_core.record.reader import Content, Entry

SESSION = a_session(1)


def entry_of(index, event, *, sealed=False):
    payload = None if sealed else event.payload
    content = Content.SEALED if sealed else Content.CLEAR
    return Entry(
        index, 1_000 + index, str(event.kind), event.session_id, event.operation_id, event.header, payload, content,
        b"", 1, True,
    )  # fmt: skip


def told(*events, sealed=False):
    collector = Collector()
    for index, event in enumerate(events):
        collector.feed(entry_of(index, event, sealed=sealed))
    return collector.take()


def test_an_operation_is_one_row_from_its_hold_to_its_end():
    batch = told(opened(SESSION), *index_stand.changed_by_leave(SESSION, 1, "UPDATE customer", "42"), closed(SESSION))
    (row,) = batch.asked.values()
    assert (row.verdict, row.held, row.request, row.status, row.approvers) == ("permit", True, "ap-1", "ok", ["dora"])
    assert (row.parameters, row.rules, row.at, row.place[1]) == (["42"], ["changes"], 1, "postgres")
    assert batch.ended == {row.operation}
    assert [(vote.approver, vote.counted, vote.said) for vote in batch.votes] == [("dora", True, "looks fine")]
    assert batch.requests["ap-1"].state == "granted"
    (session,) = batch.sessions.values()
    assert (session.state, session.permitted, session.held, session.rows) == ("closed", 1, 1, 1)


def test_a_vote_that_does_not_count_makes_nobody_an_approver():
    operation = asked(SESSION, 1, "UPDATE customer")
    batch = told(opened(SESSION), held(SESSION, operation), voted(SESSION, operation, refusal="nobody decides alone"))
    (row,) = batch.asked.values()
    assert (row.verdict, row.approvers, batch.ended) == ("hold", [], set())
    assert (batch.votes[0].counted, batch.votes[0].why) == (False, "nobody decides alone")


def test_what_a_session_leaves_unfinished_is_over_with_it():
    operation = asked(SESSION, 1, "SELECT 1")
    batch = told(opened(SESSION), decided(SESSION, operation), closed(SESSION))
    assert batch.ended == {operation.id}


def test_a_gateway_that_stopped_without_a_word_loses_its_sessions():
    operation = asked(SESSION, 1, "SELECT 1")
    again = Event(EventKind.LOG_OPENED, {"previous": "unclean"})
    batch = told(opened(SESSION), decided(SESSION, operation), again)
    assert [session.state for session in batch.sessions.values()] == ["lost"]
    assert batch.ended == {operation.id}


def test_sealed_content_is_indexed_by_its_header_alone():
    batch = told(opened(SESSION), *index_stand.changed_by_leave(SESSION, 1, "UPDATE customer", "42"), sealed=True)
    (row,) = batch.asked.values()
    assert (row.text, row.parameters, row.touched, row.content) == (None, [], [], "sealed")
    assert (row.verb, row.verdict, row.approvers, batch.votes[0].said) == ("UPDATE", "permit", ["dora"], None)


def test_long_content_is_cut_and_says_so():
    names = tuple(f"public.t{number}" for number in range(MAX_TOUCHED + 9))
    long = asked(SESSION, 1, "x" * (MAX_TEXT + 1), names=names)
    many = asked(SESSION, 2, "SELECT", *["v" * (MAX_PARAMETERS // 2)] * 4)
    first, second = told(opened(SESSION), decided(SESSION, long), decided(SESSION, many)).asked.values()
    assert (len(first.text), first.cut, len(first.touched)) == (MAX_TEXT, True, MAX_TOUCHED)
    assert (second.cut, len(second.parameters)) == (True, 1)


def test_lines_that_seem_to_have_been_typed_belong_to_their_terminal():
    shell = asked(SESSION, 1, "", verb="shell")
    chunks = [("resize", b"80x24"), ("stdout", b"\x1b[?2004h$ "), ("stdout", b"rm -r data\r\n\x1b[?2004l")]
    pieces = [entries.stream_chunk(SESSION, shell, stream, 0, data) for stream, data in chunks]
    batch = told(opened(SESSION), decided(SESSION, shell), *pieces, finished(SESSION, shell))
    (row,) = batch.asked.values()
    assert row.typed == ["rm -r data"]
    unseen = [entries.stream_chunk(SESSION, shell, "stdout", 0, b"$ no terminal\n")]
    (row,) = told(opened(SESSION), decided(SESSION, shell), *unseen).asked.values()
    assert row.typed == []


def test_hostile_headers_are_read_as_far_as_they_go():
    head = {"verdict": 7, "rules": "x", "seq": "many", "request": None, "verb": b"x", "subject": ["a"], "masked": []}
    batch = told(
        Event(EventKind.SESSION_OPENED, {"attributes": 3, "groups": {"a": 1}, "subject": 4}, {}, b"s" * 16),
        Event(EventKind.OPERATION_DECIDED, head, {"text": 5, "parameters": 3, "atoms": [1, {}]}, b"s" * 16, b"o" * 16),
        Event(EventKind.OPERATION_HELD, {"approvals": [1, {"rule": 4}]}, {}, b"s" * 16, b"p" * 16),
        Event(EventKind.OPERATION_FINISHED, {"rows": 2**64 - 1, "masked": {"a": "x"}}, {}, b"s" * 16, b"p" * 16),
        Event(EventKind.APPROVAL_VOTED, {"request": 4, "counted": "yes"}, {"reason": b"x"}),
        Event(EventKind.APPROVAL_GRANTED, {}),
        Event(EventKind.STREAM_CHUNK, {"stream": "resize"}, {"data": "x"}, b"s" * 16, b"o" * 16),
    )
    assert len(batch.asked) == 2
    assert max(row.rows for row in batch.asked.values()) == 2**63 - 1


def test_what_else_is_told_is_kept_as_far_as_it_fits():
    batch = told(
        Event(EventKind.GATEWAY_ERROR, {"what": "x", "policy": b"\1", "more": ["y" * 9000], "zz": {"a": b"b"}})
    )
    (row,) = batch.told
    assert row.about == {"what": "x", "policy": "01"}
    assert told(index_stand.erased(SESSION)).erased == {SESSION.id}


def test_content_that_is_to_be_forgotten_is_taken_for_erased():
    collector = Collector(forget=frozenset({SESSION.id}))
    events = [opened(SESSION), decided(SESSION, asked(SESSION, 1, "SELECT 1", "42"))]
    for index, event in enumerate(events):
        collector.feed(entry_of(index, event))
    (row,) = collector.take().asked.values()
    assert (row.text, row.parameters, row.content, collector.readable) == (None, [], "erased", set())
