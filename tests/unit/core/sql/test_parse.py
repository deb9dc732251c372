"""Reading: exact text in, trees of exactly that text out, bounded in every direction."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doorward_core.sql import parse as room
from doorward_core.sql.parse import UnreadableSQL, normalize_key, parse


def test_statements_are_cut_by_the_grammar_with_their_own_text() -> None:
    message = parse("  select 1 ; -- x ; y\n update t set a = ';' ;; ")
    assert [statement.verb for statement in message.statements] == ["SELECT", "UPDATE"]
    assert message.statements[0].text == "select 1"
    assert message.statements[1].text.endswith("update t set a = ';'")


def test_text_is_cut_by_bytes_not_characters() -> None:
    message = parse("select 'äöü€𝄞' ; select 2")
    assert [statement.text for statement in message.statements] == ["select 'äöü€𝄞'", "select 2"]


def test_the_same_text_is_the_same_object() -> None:
    assert parse("select 41") is parse("select 41")


@pytest.mark.parametrize("text", ["", "  ", ";", "-- x", "/* x */ ;;"])
def test_nothing_is_no_statement(text: str) -> None:
    assert parse(text).statements == ()


@pytest.mark.parametrize(("text", "why"), [("a\x00", "NUL"), ("select '\ud800'", "Unicode"), ("selec", "syntax error")])
def test_unreadable_text_says_why(text: str, why: str) -> None:
    with pytest.raises(UnreadableSQL, match=why):
        parse(text)


def test_length_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LONGEST_STATEMENT_BYTES", 20)
    with pytest.raises(UnreadableSQL, match="longer"):
        parse("select 'äääääääääääääää'")


def test_a_chain_past_the_decoders_own_limit_is_read() -> None:
    assert parse("select " + "||".join(["1"] * 4000)).statements[0].verb == "SELECT"


def test_wide_statements_are_not_taken_for_deep_ones() -> None:
    rows = ", ".join("(1, 'a', 2.5, now())" for _ in range(20_000))
    assert parse(f"insert into t values {rows}").statements[0].verb == "INSERT"
    assert len(parse("; ".join(["select 1 + 1"] * 9000)).statements) == 9000


def test_what_is_inside_quotes_and_comments_is_not_counted() -> None:
    assert parse("select '" + "+" * 100_000 + "'").statements
    assert parse("select 1 /* " + "+ " * 50_000 + "*/").statements


def test_the_cache_is_bounded_in_bytes() -> None:
    cache = room._Cache()
    for index in range(4000):
        cache.put(room.ParsedMessage(f"select {index:0500}", ()))
    assert cache._size <= room.CACHE_BYTES
    assert cache._size == sum(room._cost(text) for text in cache._entries)
    cache.put(room.ParsedMessage("x" * room.CACHE_BYTES, ()))
    assert cache.get("x" * room.CACHE_BYTES) is None


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        message = parse(text)
    except UnreadableSQL:
        return
    assert message.text == text


@pytest.mark.parametrize(
    ("first", "second"),
    [("select * from t where a = 1", "select * from t where a = 2"),
     ("insert into t values (1, 'a')", "insert into t values (2, 'b')"),
     ("update t set a = 'x' where b = 3", "update t set a = 'y' where b = 4")],
)  # fmt: skip
def test_literals_do_not_change_the_key(first: str, second: str) -> None:
    assert normalize_key(first) is not None
    assert normalize_key(first) == normalize_key(second)


@pytest.mark.parametrize(
    "text",
    ["set jit = off", "select set_config('jit', 'off', false)", "select nextval('s')", "select 'pg_class'::regclass",
     "execute p(1)", "declare c cursor for select 1", "copy t to stdout", "do 'x'", "select 1; set jit = off"],
)  # fmt: skip
def test_where_literals_have_meaning_there_is_no_key(text: str) -> None:
    assert normalize_key(text) is None


def test_ordinals_keep_their_meaning_in_the_key() -> None:
    assert normalize_key("select a, b from t order by 1") != normalize_key("select a, b from t order by 2")
    assert normalize_key("select a, b from t group by 1") != normalize_key("select a, b from t group by 2")


def test_a_text_of_more_tokens_than_anybody_may_read_is_refused_before_a_tree_is_made() -> None:
    many = "select " + ",".join(["1"] * (room.MOST_TOKENS // 2 + 1))
    with pytest.raises(UnreadableSQL, match="words and signs"):
        parse(many)


def test_a_long_literal_is_one_token_however_long_it_is() -> None:
    assert len(parse("select '" + "1," * 1_000_000 + "'").statements) == 1
