"""What moves the session: effects are exact, and only what is harmless is a session matter."""

import pytest
from sql_stand import atoms, look

from doorward_core.sql import session


@pytest.mark.parametrize(
    ("sql", "effect"),
    [
        ("begin", session.Begin()),
        ("begin read only", session.Begin(read_write=False)),
        ("start transaction isolation level serializable, read write", session.Begin(read_write=True)),
        ("begin read only, read write", session.Begin(read_write=True)),
        ("commit", session.Commit()),
        ("end and chain", session.Commit(chain=True)),
        ("abort", session.Rollback()),
        ("rollback and chain", session.Rollback(chain=True)),
        ('savepoint "A b"', session.Savepoint("A b")),
        ("rollback to savepoint a", session.RollbackTo("a")),
        ("release a", session.Release("a")),
        ('set search_path to A, "B"', session.SetSetting("search_path", '"a", "B"')),
        ("set schema 'x'", session.SetSetting("search_path", '"x"')),
        ("set local timezone = 'UTC'", session.SetSetting("timezone", "UTC", local=True)),
        ("set time zone interval '1' hour", session.SetSetting("timezone", "1")),
        ("set names 'utf8'", session.SetSetting("client_encoding", "utf8")),
        ("set jit to default", session.SetSetting("jit", None)),
        ("reset search_path", session.SetSetting("search_path", None)),
        ("reset all", session.ResetAll()),
        ("discard all", session.Discard("ALL")),
        ("discard temp", session.Discard("TEMP")),
        ("deallocate p", session.Deallocate("p")),
        ("deallocate prepare all", session.Deallocate(None)),
        ("close c", session.CloseCursor("c")),
        ("close all", session.CloseCursor(None)),
        ('listen "A"', session.Listen("A")),
        ("unlisten *", session.Unlisten(None)),
        ("unlisten a", session.Unlisten("a")),
        ("notify a", None),
        ("set constraints all deferred", None),
    ],
)
def test_effects(sql: str, effect: session.SessionEffect | None) -> None:
    found = look(sql)
    assert found.effect == effect
    assert found.complete


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("begin read write", {"session transaction begin/read write"}),
        ("commit", {"session transaction commit"}),
        ("prepare transaction 'x'", {"admin transaction two-phase"}),
        ("commit prepared 'x'", {"admin transaction two-phase"}),
        ("set transaction read only", {"session transaction set/read only"}),
        ("set transaction isolation level serializable", {"session transaction set"}),
        ("set transaction read write", {"admin setting transaction_read_only/read write"}),
        ("set session characteristics as transaction read write", {"admin setting transaction_read_only/read write"}),
        ("set transaction snapshot 'x'", {"admin transaction transaction snapshot"}),
        ("set app.tenant = 1", {"admin setting app.tenant"}),
        ("set session_replication_role = replica", {"admin setting session_replication_role"}),
        ("reset role", {"admin role default/role"}),
        ("set role none", {"admin role none/role"}),
        ("show search_path", {"session setting search_path/show"}),
        ("listen a", {"session channel a"}),
    ],
)
def test_atoms_of_session_statements(sql: str, expected: set[str]) -> None:
    assert atoms(look(sql)) == expected


@pytest.mark.parametrize(
    "sql", ["commit", "rollback", "release a", "listen a", "discard all", "set role x", "notify a"]
)
def test_what_has_an_effect_beyond_the_session_is_not_pure(sql: str) -> None:
    assert not look(sql).pure


@pytest.mark.parametrize("sql", ["begin", "savepoint a", "show all", "set jit = off"])
def test_what_has_none_is_pure(sql: str) -> None:
    assert look(sql).pure


def test_a_refused_setting_says_why() -> None:
    assert "pinned" in look("set client_encoding = 'SJIS'").problem
