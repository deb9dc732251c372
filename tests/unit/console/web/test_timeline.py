"""Entries as the steps of a page."""

from dataclasses import replace

import index_stand
import pytest
from index_stand import NOW, NS, a_session, asked, changed_by_leave, decided, finished, opened, voted

from doorward_console.web.timeline import MAX_CELL, MAX_LINES, MAX_ROWS, Note, timeline
from doorward_core import entries
from doorward_core.event import Event, EventKind
from doorward_core.model import Effect, Peer
from doorward_core.record.reader import Content, Entry

SESSION = a_session(1)


def row(*cells):
    body = len(cells).to_bytes(2, "big")
    for cell in cells:
        body += b"\xff\xff\xff\xff" if cell is None else len(cell).to_bytes(4, "big") + cell
    return b"D" + (len(body) + 4).to_bytes(4, "big") + body


def steps(*events, content=Content.CLEAR):
    sealed = content is not Content.CLEAR
    read = [
        Entry(index, NOW + index * NS, str(event.kind), event.session_id, event.operation_id, event.header,
              None if sealed else event.payload, content, b"", 1, index < 50)
        for index, event in enumerate(events)
    ]  # fmt: skip
    return timeline(read, NOW)


def test_a_held_change_is_one_step_with_its_votes():
    made = steps(opened(SESSION), *changed_by_leave(SESSION, 1, "UPDATE customer", "42"), index_stand.closed(SESSION))
    (step,) = made.items
    assert (step.text, step.parameters, step.verdict, step.request, step.ended) == (
        "UPDATE customer", ("42",), "permit", "ap-1", "granted"
    )  # fmt: skip
    assert step.needs == ("1 of dba (rule changes)",)
    assert [(vote.approver, vote.reason, vote.refused) for vote in step.votes] == [("dora", "looks fine", "")]
    assert (step.status, step.rows, step.touched, made.closed) == (
        "ok",
        1,
        (("write", "relation", "public.customer"),),
        True,
    )


def test_a_vote_that_does_not_count_says_why():
    one = asked(SESSION, 1, "UPDATE customer")
    (step,) = steps(index_stand.held(SESSION, one), voted(SESSION, one, refusal="nobody decides alone")).items
    assert step.votes[0].refused == "nobody decides alone"


@pytest.mark.parametrize("retry", [None, False, True])
def test_a_vote_says_what_was_chosen_of_a_retry_where_that_is_on_record(retry):
    one = asked(SESSION, 1, "UPDATE customer")
    cast = voted(SESSION, one)
    cast = replace(cast, header={**cast.header, **({} if retry is None else {"retry": retry})})
    (step,) = steps(index_stand.held(SESSION, one), cast).items
    assert step.votes[0].retry is retry


def test_rows_that_were_shown_are_tables_and_bounded():
    one = asked(SESSION, 1, "SELECT 1; SELECT 2, 3")
    shown = row(b"x" * 999, None) + row(b"1", b"2") * (MAX_ROWS + 5) + row(b"z")
    told = finished(SESSION, one, columns=("id", "name"), shown=shown, shown_format="postgresql.datarow")
    (step,) = steps(decided(SESSION, one), told).items
    first, second = step.tables
    assert (first.headers, len(first.rows), first.more) == (("id", "name"), MAX_ROWS, 6)
    assert (len(first.rows[0][0]), first.rows[0][1]) == (MAX_CELL + 1, None)
    assert (second.headers, second.rows) == (("column 1",), (("z",),))


def test_text_that_was_shown_is_bounded():
    one = asked(SESSION, 1, "df")
    long = finished(SESSION, one, shown=b"line\n" * (MAX_LINES + 9), shown_format="ssh.output")
    (step,) = steps(decided(SESSION, one), long).items
    assert (step.shown.count("\n"), step.shown_cut) == (MAX_LINES - 1, True)
    http = finished(SESSION, one, shown=b"HTTP/1.1 200 OK\r\nx: y\r\n\r\nbody", shown_format="http.message")
    assert steps(decided(SESSION, one), http).items[0].shown.splitlines() == ["< 200 OK", "< x: y", "<", "< body"]


@pytest.mark.parametrize("content", [Content.SEALED, Content.ERASED])
def test_what_cannot_be_read_is_said(content):
    one = asked(SESSION, 1, "SELECT 1")
    (step,) = steps(decided(SESSION, one), finished(SESSION, one), content=content).items
    assert step.missing.lower().startswith(content.value)
    assert step.shown_missing == step.missing
    assert step.text is None


def test_what_came_between_is_told_and_what_was_begun_before_has_no_beginning():
    boss = SESSION.identity
    made = steps(
        entries.session_watched(SESSION, boss, Peer("10.0.0.1")),
        entries.session_ended(SESSION, boss, Peer("10.0.0.1"), "too much"),
        Event(EventKind.GATEWAY_ERROR, {"what": "the target is gone"}),
        Event(EventKind.KEY_ROTATED, {"reason": 7}),
        finished(SESSION, asked(SESSION, 1, "SELECT 1")),
    )
    *notes, step = made.items
    assert all(isinstance(note, Note) for note in notes)
    assert [note.words for note in notes][1:] == [
        "crew-7 (https://id.example) ends this session: too much", "the gateway failed: the target is gone", "key.rotated",
    ]  # fmt: skip
    assert (step.text, step.status) == (None, "ok")


def test_what_was_refused_says_what_its_client_was_told():
    one = asked(SESSION, 1, "GET /x")
    denied = entries.decided(SESSION, one, index_stand.decision(Effect.DENY, "no-x"))
    (step,) = steps(denied).items
    assert (step.verdict, step.rules, step.advice) == ("deny", ("no-x",), "")
