"""What a session has set, statement by statement; the effects are those that the analysis reads off the text.

`tests/integration/postgres/test_session_state.py` holds the same against a server.
"""

import pytest

from doorward_core.sql import session as sql
from doorward_core.sql.analysis import Context
from doorward_core.sql.analyze import analyze
from doorward_core.sql.names import split_path
from doorward_core.sql.parse import parse
from doorward_postgres.state import SessionState, path_elements

ERROR = "ERROR"


def begin():
    return SessionState('"public"', "app")


def run(state, *messages, status="I"):
    """Each message is one text; every statement of it completes, up to an `ERROR`. Then ReadyForQuery."""
    for message in messages:
        texts = message if isinstance(message, tuple) else (message,)
        for text in texts:
            if text == ERROR:
                state.message_failed()
                break
            tag = "ROLLBACK" if text.startswith("failed") else "DONE"
            (one,) = analyze(parse(text.removeprefix("failed ")), Context(None, ("public",)))
            if one.effect is not None:
                state.apply(one.effect, tag)
        state.ready(status)
    return state


def path(state):
    return ", ".join(split_path(state.search_path) or ("unreadable",))


@pytest.mark.parametrize(
    ("script", "status", "expected"),
    [
        ([], "I", "public"),
        (["set search_path to a, b"], "I", "a, b"),
        (["set search_path to a", "reset search_path"], "I", "public"),
        (["set search_path to a", "set search_path to default"], "I", "public"),
        (["set search_path to a", "reset all"], "I", "public"),
        (["set search_path to a", "discard all"], "I", "public"),
        (["set search_path to a", "discard temp"], "I", "a"),
        # a message of its own commits, and takes SET LOCAL with it
        (["set local search_path to a"], "I", "public"),
        ([("set local search_path to a", "select 1")], "I", "public"),
        # a failed message undoes what it did
        ([("set search_path to a", ERROR)], "I", "public"),
        (["set search_path to a", ("set search_path to b", ERROR)], "I", "a"),
        # one message is one implicit transaction, which COMMIT ends, and ROLLBACK and BEGIN have to do with
        ([("set search_path to a", "rollback")], "I", "public"),
        ([("set search_path to a", "commit", ERROR)], "I", "a"),
        ([("set search_path to a", "commit", "set search_path to b", ERROR)], "I", "a"),
        ([("set search_path to a", "begin", "rollback")], "I", "public"),
        ([("set search_path to a", "commit", "begin", "set search_path to b", "rollback")], "I", "a"),
        ([("begin", "set search_path to a", "commit", ERROR)], "I", "a"),
        # a transaction keeps or loses all of it
        ([("begin", "set search_path to a", "commit")], "I", "a"),
        ([("begin", "set search_path to a", "rollback")], "I", "public"),
        ([("begin", "set search_path to a", "failed commit")], "I", "public"),
        ([("begin", "set search_path to a", "end")], "I", "a"),
        ([("begin", "set search_path to a", "prepare transaction 'x'")], "I", "a"),
        ([("begin", "set local search_path to a", "commit")], "I", "public"),
        ([("begin", "set search_path to a", "set local search_path to b", "commit")], "I", "a"),
        ([("begin", "set local search_path to b", "set search_path to a", "commit")], "I", "a"),
        ([("begin", "set search_path to a", "commit and chain", "set search_path to b", "rollback")], "I", "a"),
        ([("begin", "set search_path to a", "rollback and chain", "set search_path to b", "commit")], "I", "b"),
        # savepoints
        (
            [("begin", "set search_path to a", "savepoint s", "set search_path to b", "rollback to s", "commit")],
            "I",
            "a",
        ),
        ([("begin", "savepoint s", "set search_path to b", "release s", "commit")], "I", "b"),
        (
            [("begin", "savepoint s", "set search_path to a", "savepoint s", "set search_path to b", "rollback to s")],
            "T",
            "a",
        ),
        (
            [
                ("begin", "savepoint s", "set search_path to a", "savepoint t", "set search_path to b"),
                ("rollback to s", "rollback to t"),
            ],
            "T",
            "public",
        ),
        ([("begin", "savepoint s", "set search_path to a", "release s", "rollback to s")], "T", "a"),
    ],
)
def test_the_search_path_is_what_the_server_would_have(script, status, expected):
    state = begin()
    for message in script[:-1]:
        run(state, message, status="T" if status == "T" else "I")
    run(state, *script[-1:], status=status)
    assert path(state) == expected


def test_within_a_transaction_what_was_set_holds_and_local_comes_first():
    state = run(begin(), "begin", "set search_path to a", "set local search_path to b", status="T")
    assert path(state) == "b"
    assert not state.settled
    assert path(run(state, "set search_path to c", status="T")) == "c"


def test_settled_says_that_neither_commit_nor_rollback_would_change_the_path():
    state = begin()
    assert run(state, "begin", status="T").settled
    assert not run(state, "set search_path to a", status="T").settled
    assert run(state, "set search_path to public", status="T").settled
    assert not run(state, "set local search_path to public", status="T").settled
    assert run(state, "rollback").settled


def test_a_set_in_a_batch_that_is_not_synced_is_not_settled():
    state = begin()
    state.apply(sql.SetSetting("search_path", "a"), "SET")
    assert not state.settled
    state.ready("I")
    assert state.settled


def test_a_block_that_ended_without_a_word_has_lost_what_it_set():
    state = run(begin(), "begin", "set search_path to a", status="T")
    state.ready("I")
    assert path(state) == "public"


def test_a_block_that_began_and_ended_in_one_message_without_a_word_has_lost_it_too():
    state = begin()
    for effect in (sql.Begin(), sql.SetSetting("search_path", "a")):
        state.apply(effect, "SET")
    state.ready("I")
    assert path(state) == "public"


def test_a_block_that_neither_began_nor_ended_with_a_word_is_a_block_all_the_same():
    state = begin()
    state.ready("T")
    state.apply(sql.SetSetting("search_path", "a"), "SET")
    state.ready("I")
    assert path(state) == "public"


def test_a_chained_block_that_ends_without_a_word_has_lost_what_it_set():
    state = run(begin(), "begin", status="T")
    for effect in (sql.Commit(chain=True), sql.SetSetting("search_path", "a")):
        state.apply(effect, "COMMIT")
    state.ready("I")
    assert path(state) == "public"


def test_savepoints_end_with_their_block():
    state = run(begin(), ("begin", "savepoint s", "commit"))
    assert state._savepoints == []


def test_a_block_that_began_without_a_word_returns_to_what_held_before_its_message():
    state = begin()
    state.apply(sql.SetSetting("search_path", "a"), "SET")
    state.ready("T")
    run(state, "rollback")
    assert path(state) == "public"


def test_the_servers_own_word_on_the_path_wins():
    state = begin()
    state.reported_path("x, y")
    assert path(state) == "x, y"
    run(state, "begin", status="T")
    state.reported_path("z")
    assert path(state) == "z"
    run(state, "rollback")
    assert path(state) == "x, y"


def test_the_role_follows_the_same_transactions():
    state = run(begin(), "set role a")
    assert state.role == "a"
    run(state, "begin", "set local role b", status="T")
    assert state.role == "b"
    run(state, "commit")
    assert state.role == "a"
    run(state, "begin", "set role c", status="T")
    run(state, "rollback")
    assert state.role == "a"
    run(state, "reset all")
    assert state.role == "a"
    run(state, "set session authorization d")
    assert state.role == "d"  # it takes the place of the role
    assert run(state, "set role a").role == "d/a"
    assert run(state, "set role none").role == "d"
    assert run(state, "discard all").role == ""


def test_cursors_are_known_by_the_text_that_opened_them_until_they_end():
    state = run(
        begin(), "begin", "declare c cursor for select 1", "declare h cursor with hold for select 2", status="T"
    )
    assert state.cursors == {
        "c": "declare c cursor for select 1",
        "h": "declare h cursor with hold for select 2",
    }
    assert set(run(state, "commit").cursors) == {"h"}
    assert run(state, "close h").cursors == {}


def test_a_cursor_of_a_lost_transaction_is_gone_whether_it_was_to_be_held_or_not():
    state = run(begin(), "begin", "declare h cursor with hold for select 2", status="T")
    assert run(state, "rollback").cursors == {}


def test_closing_all_closes_all_and_a_name_declared_again_means_the_new_one():
    state = run(
        begin(), "begin", "declare c cursor for select 1", "close c", "declare c cursor for select 2", status="T"
    )
    assert state.cursors["c"].endswith("select 2")
    assert run(state, "close all", status="T").cursors == {}


def test_a_cursor_that_was_opened_under_another_path_is_not_known_by_its_text():
    state = run(begin(), "begin", "declare c cursor for select * from t", "set search_path to other", status="T")
    assert state.cursors == {}
    assert set(run(state, "set search_path to public", status="T").cursors) == {"c"}


def test_a_portal_of_the_same_name_hides_a_cursor():
    state = run(begin(), "begin", "declare c cursor for select 1", status="T")
    state.forget_cursor("other")
    assert set(state.cursors) == {"c"}
    state.forget_cursor("c")
    assert state.cursors == {}


def test_many_cursors_that_end_leave_nothing_behind():
    state = begin()
    for _ in range(50):
        run(state, ("begin", "declare c cursor for select 1", "declare d cursor for select 1", "commit"))
    assert state.current.cursors == ()


def test_definitions_make_the_catalogue_uncertain_and_temporary_names_are_kept():
    assert run(begin(), "create table x (id int)").uncertain
    state = run(begin(), "create temp table x (id int)")
    assert (state.uncertain, state.temp_names) == (True, {"x"})
    assert run(state, "discard temp").temp_names == set()
    assert run(begin(), "do $$ begin end $$").uncertain


def test_what_was_written_is_forgotten_when_its_transaction_ends():
    state = run(begin(), "begin", status="T")
    state.wrote = True
    state.ready("T")
    assert state.wrote
    assert not run(state, "commit").wrote
    state.wrote = True
    state.ready("I")
    assert not state.wrote


def test_the_elements_of_a_path_are_read_as_the_server_reads_them():
    assert path_elements('"$user", public, "A, b"', "app") == ("app", "public", "A, b")
    assert path_elements("", "app") == ()
    assert path_elements("a,", "app") == ()
    assert begin().path_elements() == ("public",)


def test_user_in_the_path_is_the_role_in_force_and_not_who_logged_in():
    state = SessionState('"$user", public', "app")
    for text, expected in (
        ("set role attic", "attic"),
        ("set session authorization cellar", "cellar"),
        ("set role attic", "attic"),
        ("reset role", "cellar"),
        ("set role none", "cellar"),
        ("discard all", "app"),
    ):
        run(state, text)
        assert state.path_elements() == (expected, "public"), text


def test_a_cursor_is_not_read_under_another_role():
    state = SessionState('"$user", public', "app")
    run(state, "begin", "declare c cursor for select 1 from t", status="T")
    assert "c" in state.cursors
    run(state, "set local role attic", status="T")
    assert state.cursors == {}


def test_the_end_of_a_message_that_set_nothing_leaves_the_very_same_state():
    """What was remembered under a state is good for as long as that very state is in force."""
    state = SessionState("public", "app")
    before = state.current
    state.ready("I")
    assert state.current is before
    state.apply(sql.SetSetting("search_path", "attic", local=True), "SET")
    state.ready("I")
    assert state.current is not before
