"""Asking the index."""

import sqlite3

import index_stand
import pytest
from index_stand import NOW, NS, a_session, asked, closed, decided, opened

from doorward_console.index import build, query
from doorward_console.index.build import Source
from doorward_console.index.found import Search
from doorward_console.index.query import Index, TooLong
from doorward_console.index.schema import IndexProblem


def texts(index, **what):
    return [row.text for row in query.operations(index, Search(**what)).rows]


SELECT = "SELECT id, email FROM customer WHERE id = $1"
UPDATE = "UPDATE customer SET name = $1 WHERE id = $2"
CITY = "UPDATE customer SET name = 'x' WHERE city = 'Ulm'"


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ({}, [CITY, "DROP", UPDATE, SELECT]),
        ({"text": "customer 42"}, [UPDATE]),
        ({"text": "ulm"}, [CITY]),
        ({"text": '"where city"'}, [CITY]),
        ({"text": "seven"}, [UPDATE, SELECT]),
        ({"text": "maria"}, [CITY, "DROP"]),
        ({"text": "---"}, []),
        ({"identity": "crew"}, [CITY, "DROP", UPDATE, SELECT]),
        ({"identity": "CREW-8"}, [CITY, "DROP"]),
        ({"sponsor": "sam"}, [UPDATE, SELECT]),
        ({"identity": "nobody"}, []),
        ({"resource": "ledger"}, [CITY, "DROP"]),
        ({"resource": "edge"}, []),
        ({"protocol": "postgres"}, [CITY, "DROP", UPDATE, SELECT]),
        ({"verdict": "deny"}, ["DROP"]),
        ({"verdict": "held"}, [UPDATE]),
        ({"verdict": "hold"}, []),
        ({"table": "customer"}, [CITY, UPDATE, SELECT]),
        ({"table": "public.customer", "action": "change"}, [CITY, UPDATE]),
        ({"table": "Public.Orders", "action": "define"}, ["DROP"]),
        ({"table": "custom"}, []),
        ({"code": "23505"}, [CITY]),
        ({"approver": "dora"}, [UPDATE]),
        ({"rule": "no-ddl"}, ["DROP"]),
        ({"origin": "gw.example"}, [CITY, "DROP", UPDATE, SELECT]),
        ({"origin": "other"}, []),
        ({"since_unix_ns": NOW + 4 * NS, "until_unix_ns": NOW + 9 * NS}, [UPDATE]),
        ({"text": "customer", "since_unix_ns": NOW + 4 * NS}, [CITY, UPDATE]),
    ],
)
def test_each_filter_finds_what_it_says(index, search, found):
    assert [text if not text.startswith("DROP") else "DROP" for text in texts(index, **search)] == found


def test_a_row_says_everything_that_was_recorded(index):
    (row,) = query.operations(index, Search(text="42")).rows
    assert (row.subject, row.sponsor, row.resource, row.account, row.verb) == ("crew-7", "sam", "shop", "app", "UPDATE")
    assert (row.verdict, row.rules, row.status, row.rows, row.parameters) == (
        "permit",
        ("changes",),
        "ok",
        1,
        ("x", "42"),
    )
    assert row.touched == (("write", "relation", "public.customer"),)
    assert (row.session, row.seq, row.released) == ("01" * 16, 2, True)
    approval = row.approval
    assert (approval.state, approval.needs) == ("granted", ({"rule": "changes", "groups": ["dba"], "quorum": 1},))
    (vote,) = approval.votes
    assert (vote.approver, vote.verdict, vote.proof, vote.reason) == ("dora", "approve", "token", "looks fine")
    (seen,) = query.operations(index, Search(text="41")).rows
    assert (seen.masked, seen.rows) == ({"email": 2}, 3)


def test_who_changed_customer_42_and_what_may_have_without_naming_it(index):
    changes = query.who_changed(index, "customer", "42")
    assert [(row.text, row.approval.votes[0].approver) for row in changes.page.rows] == [(UPDATE, "dora")]
    assert (changes.others, changes.others_bounded) == (1, False)
    every = query.who_changed(index, "customer")
    assert ([row.text for row in every.page.rows], every.others) == ([CITY, UPDATE], 0)
    assert query.who_changed(index, "customer", "42", search=Search(identity="crew-8")).page.rows == ()


def test_pages_go_on_where_the_one_before_ended(index):
    found, before = [], 0
    for _ in range(4):
        page = query.operations(index, Search(), limit=1, before=before)
        found += [row.text for row in page.rows]
        before = page.next
    assert (found, before) == (texts(index), 0)


def test_sessions_are_found_by_their_own_and_by_what_was_asked_in_them(index):
    def found(**what):
        return [row.subject for row in query.sessions(index, Search(**what)).rows]

    assert found() == ["crew-8", "crew-7"]
    assert found(identity="crew-7") == found(resource="shop") == found(text="42") == ["crew-7"]
    assert found(live=True) == found(verdict="deny") == found(live=True, text="maria") == ["crew-8"]
    assert found(sponsor="nobody") == found(text="nowhere") == []
    assert found(table="customer") == ["crew-8", "crew-7"]
    assert found(origin="gw.example", protocol="postgres") == ["crew-8", "crew-7"]
    assert found(until_unix_ns=NOW + 2 * NS) == ["crew-7"]
    first = query.sessions(index, Search(), limit=1)
    assert [row.subject for row in query.sessions(index, Search(), limit=1, before=first.next).rows] == ["crew-7"]
    again = query.sessions(index, Search(table="customer"), limit=1)
    assert query.sessions(index, Search(table="customer"), limit=1, before=again.next).next == 0


def test_a_session_and_its_operations_are_there_by_name(index):
    row = query.session(index, "01" * 16)
    assert (row.state, row.coverage, row.attributes["crew"]) == ("closed", ("copy data was not read",), "seven")
    assert (row.permitted, row.held, row.rows, row.masked) == (2, 1, 4, 2)
    page = query.session_operations(index, "01" * 16, limit=1)
    assert [one.seq for one in page.rows] == [1]
    assert [one.seq for one in query.session_operations(index, "01" * 16, after=page.next).rows] == [2]
    assert query.session(index, "zz") is query.session(index, "") is None


def test_a_request_is_there_by_its_id(index):
    told, operation = query.request(index, "ap-1")
    assert (told.state, operation.text, told.session) == ("granted", UPDATE, "01" * 16)
    assert query.request(index, "ap-2") is None


def test_a_session_that_was_refused_is_found_too(tmp_path):
    refused = index_stand.entries.session_refused("shop", index_stand.Peer("10.0.0.9"), None, "bad token")
    log = index_stand.write(tmp_path / "log", [refused])
    build.update(tmp_path / "index.sqlite", [Source("gw", log)])
    with Index.open(tmp_path / "index.sqlite") as index:
        (row,) = query.sessions(index, Search(resource="shop")).rows
    assert (row.state, row.session, row.reason, row.peer) == ("refused", "", "bad token", "10.0.0.9")


def test_what_else_happened_is_there_newest_first(index):
    assert [event.kind for event in query.events(index)] == ["log.closed", "log.opened"]
    assert [event.kind for event in query.events(index, kinds=["log.opened"])] == ["log.opened"]
    assert query.events(index, since_unix_ns=1 << 62) == ()


def test_filters_may_offer_what_there_is(index):
    assert query.names(index) == {"resource": ("ledger", "shop"), "protocol": ("postgres",), "origin": ("gw.example",)}
    assert query.is_touched(index, "customer")
    assert not query.is_touched(index, "customer_")


def test_a_question_that_takes_too_long_ends_with_words(index_path):
    with Index.open(index_path, within_s=0.01) as index:
        endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
        with pytest.raises(TooLong, match="shorter time"):
            index.ask(endless)
        assert index.ask("SELECT 1") == [(1,)]


def test_more_names_than_a_search_takes_are_refused(index_path, monkeypatch):
    monkeypatch.setattr(query, "MAX_ALTERNATIVES", 1)
    with Index.open(index_path) as index:
        with pytest.raises(TooLong, match="give more of it"):
            query.operations(index, Search(identity="crew"))
        with pytest.raises(TooLong, match="name the resource"):
            query.operations(index, Search(protocol="postgres"))


def test_of_too_many_operations_the_newest_are_looked_at_and_that_is_said(index, monkeypatch):
    monkeypatch.setattr(query, "MAX_SCANNED", 1)
    page = query.sessions(index, Search(table="customer"))
    assert ([row.subject for row in page.rows], page.note) == (["crew-8"], "of the newest 1 that match")
    assert query.who_changed(index, "customer", "42").others_bounded


def test_a_damaged_index_is_told_of(index_path):
    with sqlite3.connect(index_path) as connection:
        connection.execute("DROP TABLE words")
    connection.close()
    with Index.open(index_path) as index, pytest.raises(IndexProblem, match="cannot answer"):
        query.operations(index, Search())


def test_long_texts_are_cut_in_lists(tmp_path):
    session = a_session(3)
    log = index_stand.write(
        tmp_path / "log", [opened(session), decided(session, asked(session, 1, "x" * 9_000)), closed(session)]
    )
    build.update(tmp_path / "index.sqlite", [Source("gw", log)])
    with Index.open(tmp_path / "index.sqlite") as index:
        (row,) = query.operations(index, Search()).rows
    assert (len(row.text), row.cut) == (query.MAX_TEXT_SHOWN, True)
