"""A session as it went, from its entries: everything told, nothing obeyed, and what is missing is said."""

from dataclasses import replace

import pytest

from doorward_console.replay import Replay, repr_of
from doorward_core.record.reader import Content


@pytest.fixture
def told(log_entries):
    def tell(*, change=lambda entry: entry, rows: int = 20) -> str:
        session = [entry for entry in log_entries if entry.session_id]
        return "\n".join(Replay(rows).lines(change(entry) for entry in session))

    return tell


@pytest.mark.parametrize(
    "part",
    [
        "crew-7 (agent), sponsor sam; https://id.example",
        "    for      crew seven, task mail",
        "app-db as app",
        "SELECT: permitted (rule; analysts-read)",
        "$1 = '4'",
        "$1 = NULL",
        "answered: ok; 3 rows",
        "masked: 2 email; 1.5 ms",
        "| 5          | a***@example.com",
        "| 6          | NULL",
        "DROP: DENIED",
        "told: Schema changes go through migrations.",
        "UPDATE: HELD, request ap-0123456789ab, needs 1 of dba (rule writes), until 2027-01-15 08:10:00.000Z",
        'dora (https://id.example, proof: token) approves ap-0123456789ab: "looks fine"',
        "NOT COUNTED: nobody decides",
        "request ap-0123456789ab granted",
        "UPDATE: permitted (rule; analysts-read); request ap-0123456789ab",
        "session closed: end, after 1 min 30 s; 2 permitted, 1 denied, 1 held",
        "NOT covered:\n      - copy data was not read",
    ],
)
def test_it_is_all_told(told, part):
    assert part in told()


def test_a_text_is_told_once_though_it_was_decided_twice(told):
    assert told().count("UPDATE customer SET name") == 1


def test_times_are_since_the_beginning(told):
    lines = told().splitlines()
    assert lines[0].startswith("2027-01-15 08:00:00.000Z  session")
    assert any(line.startswith("    +3.000 s  DROP") for line in lines)


def test_nothing_that_others_wrote_begins_a_line_or_is_obeyed(told):
    text = told()
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(text)
    assert "    | session closed: all good" in text
    assert "<U+001B>[2J<U+000A>x" in text


@pytest.mark.parametrize(("content", "words"), [(Content.SEALED, "(sealed:"), (Content.ERASED, "(erased:")])
def test_what_is_sealed_or_erased_is_said(told, content, words):
    text = told(change=lambda entry: replace(entry, payload=None, content=content) if entry.payload else entry)
    assert text.count(words) == 4
    assert "UPDATE customer" not in text


def test_what_no_checkpoint_covers_is_said(told):
    text = told(change=lambda entry: replace(entry, protected=entry.index < 10))
    assert text.count("(no checkpoint covers this yet)") == 1


def test_more_rows_than_asked_for_are_counted(told):
    assert "... and 2 rows more (--rows)" in told(rows=1)


def _changed(kind, header=None, payload=None):
    def change(entry):
        if entry.kind != kind:
            return entry
        return replace(entry, header={**entry.header, **(header or {})}, payload={**entry.payload, **(payload or {})})

    return change


def test_a_session_that_was_covered_says_so(told):
    assert "all of it was seen and enforced" in told(change=_changed("session.closed", {"coverage": []}))


@pytest.mark.parametrize(
    ("retry", "words"),
    [(True, "approves ap-0123456789ab, and an identical retry:"),
     (False, "approves ap-0123456789ab, for the one that waits alone:"),
     ("yes", "approves ap-0123456789ab:")],
)  # fmt: skip
def test_what_was_chosen_of_a_retry_is_told_with_the_vote(told, retry, words):
    assert words in told(change=_changed("approval.voted", {"retry": retry}))


def test_observe_mode_and_read_only_and_clear_text_are_said(told):
    text = told(change=_changed("session.opened", {"observe": True, "read_only": True, "encrypted": False}))
    assert "read only OBSERVE MODE" in text
    assert "10.0.0.7 without TLS" in text


@pytest.mark.parametrize(
    ("form", "data", "shown"),
    [
        ("postgresql.copydata", b"d\0\0\0\x08a\tb\n", "    | a\tb"),
        ("text", b"one\ntwo\x1b\n", "    | one\n    | two<U+001B>"),
        ("", b"plain", "    | plain"),
        ("postgresql.datarow", b"damaged", ""),
    ],
)
def test_answers_of_other_forms_are_shown(told, form, data, shown):
    change = _changed("operation.finished", payload={"shown": data, "shown_format": form, "shown_truncated": True})
    text = told(change=change)
    assert shown in text
    assert "the record keeps the beginning only" in text


def test_what_a_write_has_changed_is_told_field_by_field(told):
    changes = [["spec.replicas", "1", "7"], ["data.a\n! obey", None, '"x"'], ["of another shape"], "no list"]
    text = told(change=_changed("operation.finished", payload={"changes": changes, "changes_truncated": True}))
    assert "    changed:\n    | spec.replicas: 1 -> 7\n" in text
    assert '(none) -> "x"' in text
    assert "\n! obey" not in text
    assert "... (there was more)" in text
    assert "changed:" not in told(change=_changed("operation.finished", payload={"changes": "odd"}))


def test_a_kind_that_is_not_known_is_named(told):
    assert "\n    +7.000 s  odd.kind" in told(
        change=lambda entry: replace(entry, kind="odd.kind") if entry.kind == "approval.granted" else entry
    )


def test_headers_of_another_shape_are_no_error(log_entries):
    for entry in log_entries:
        for name in entry.header:
            for odd in (None, b"x", 7, ["x", 7], {"x": 7}, "x"):
                broken = replace(entry, header={**entry.header, name: odd})
                assert all(isinstance(text, str) for text in Replay().lines([broken]))


def test_a_value_stays_within_its_line():
    assert (repr_of("a\nb"), repr_of(b"\1"), repr_of(7)) == ("'a<U+000A>b'", "'b'\\x01''", "'7'")
