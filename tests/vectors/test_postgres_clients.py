"""What real clients send at connect and to look around is allowed by safe-catalog alone.

`postgres_clients`, beside this, holds what each sent through a gateway to a PostgreSQL 18
(`DOORWARD_CAPTURE=1 pytest tests/integration/postgres` writes it anew).
The catalogue here is another, that of `tests/vectors/sql_schema.sql`: what they ask about the server is the same.
"""

import json
from pathlib import Path

import pytest
from sql_stand import looks

from doorward_core.model import AuthMethod, Effect, Identity, Operation, PrincipalKind, Resource
from doorward_core.policy.load import parse_policy
from doorward_postgres.proxy import DISCHARGES

CAPTURES = Path(__file__).with_name("postgres_clients")
DB = Resource("db", "postgres")
LOOKER = Identity("looker", "https://idp.example", PrincipalKind.AGENT, frozenset(), AuthMethod.JWT, "jti", 0, 0)
CLIENTS = sorted(path.stem for path in CAPTURES.glob("*.json"))
POLICY = """
include: [safe-catalog]
rules:
  - {id: may-connect, effect: allow, resource: db, do: [session]}
"""
# What these need besides, and why docs/postgres.md says so.
MORE = {
    "django": '["public.*"]',  # it looks at a row of each table
    "django_introspection": '["public.*"]',
    "pg_dump": '["public.*", pg_catalog.pg_foreign_data_wrapper, pg_catalog.pg_foreign_server, '
    "pg_catalog.pg_subscription]",
}
RULE = "  - {{id: more, effect: allow, resource: db, do: [read], tables: {tables}}}\n"
# The shop that was looked at had a table that this catalogue has not.
ABSENT = ("order_item",)


def asked(client):
    texts = json.loads((CAPTURES / f"{client}.json").read_text(encoding="utf-8"))
    return [text for text in texts if not (client in MORE and any(name in text for name in ABSENT))]


def made(client):
    """The statements that the client prepares by name: pg_dump does."""
    effects = [found.effect for text in asked(client) if text.startswith("PREPARE") for found in looks(text, 18)]
    return {effect.name: effect.text for effect in effects}


def decided(client, text):
    """The denials of one message: why it could not be read, or the advice."""
    policy = parse_policy(POLICY + (RULE.format(tables=MORE[client]) if client in MORE else ""), "policy.yaml")
    for found in looks(text, 18, prepared=made(client)):
        operation = Operation(
            b"", 0, found.atoms[0].action, found.verb, found.atoms, text, b"", found.complete,
            attributes={"problem": found.problem},
        )  # fmt: skip
        decision = policy.decide(LOOKER, DB, operation, 0, discharges=DISCHARGES)
        if decision.effect is not Effect.PERMIT:
            yield decision.advice


def test_there_is_a_capture_of_each_client():
    assert {name.partition("_")[0] for name in CLIENTS} == {
        "asyncpg", "django", "jdbc", "pg", "pg8000", "psql", "psycopg2", "sqlalchemy",
    }  # fmt: skip
    assert sum(len(asked(client)) for client in CLIENTS) > 200


@pytest.mark.parametrize("client", CLIENTS)
def test_what_a_client_asks_at_connect_and_to_look_around_is_allowed(client):
    refused = [(text, advice) for text in asked(client) for advice in decided(client, text)]
    assert refused == []


@pytest.mark.parametrize("client", sorted(MORE))
def test_more_is_said_only_where_it_is_needed(client):
    assert any(list(decided("psql_18", text)) for text in asked(client))
