"""Verbs are the words that people know a statement by."""

import pytest

from doorward_core.sql.parse import parse


@pytest.mark.parametrize(
    ("sql", "verb"),
    [
        ("select 1", "SELECT"), ("table t", "SELECT"), ("values (1)", "SELECT"), ("begin", "BEGIN"),
        ("start transaction", "START TRANSACTION"), ("end", "COMMIT"), ("rollback to a", "ROLLBACK TO"),
        ("set a = 1", "SET"), ("reset a", "RESET"), ("reset all", "RESET"), ("show a", "SHOW"),
        ("drop table t", "DROP TABLE"), ("drop materialized view t", "DROP MATVIEW"), ("fetch c", "FETCH"),
        ("move c", "MOVE"), ("grant a to b", "GRANT ROLE"), ("revoke a from b", "REVOKE ROLE"),
        ("grant select on t to a", "GRANT"), ("revoke select on t from a", "REVOKE"), ("create role a", "CREATE ROLE"),
        ("merge into t using u on true when matched then delete", "MERGE"), ("truncate t", "TRUNCATE TABLE"),
    ],
)  # fmt: skip
def test_verbs(sql: str, verb: str) -> None:
    assert parse(sql).statements[0].verb == verb
