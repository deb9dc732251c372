"""What real clients ask of the catalogue is whole, pure, and nothing but reads: psql, drivers, object mappers.

The questions were captured from psql 15 and 18 (backslash commands and tab completion), SQLAlchemy's and Django's
reflection, asyncpg's and psycopg's introspection, against servers with `tests/vectors/sql_schema.sql`.
"""

import json

import pytest
from sql_stand import VECTORS, atoms, looks

from doorward_core.model import Action

CAPTURES: dict[str, list[str]] = json.loads((VECTORS / "sql_clients.json").read_text(encoding="utf-8"))
# Statements that are no look-ups: each ends or changes something of the session's own.
NOT_PURE = {"COMMIT", "ROLLBACK", "RELEASE", "UNLISTEN", "DISCARD"}
# psql 15 asks a newer server for columns that it no longer has: the server refuses as well.
GONE = ("colliculocale", "daticulocale")


def _server(client: str) -> int:
    return 18 if client.endswith("server 18") else 15


def _questions() -> list[tuple[str, str]]:
    return [
        (client, text)
        for client, texts in CAPTURES.items()
        for text in texts
        if not (client == "psql 15 on server 18" and any(name in text for name in GONE))
    ]


def test_the_captures_hold_what_they_say() -> None:
    assert {client: len(texts) > 5 for client, texts in CAPTURES.items()} == dict.fromkeys(CAPTURES, True)
    assert sum(map(len, CAPTURES.values())) > 500


@pytest.mark.parametrize("client", CAPTURES)
def test_clients_questions_are_whole_and_only_read(client: str) -> None:
    for text in (text for who, text in _questions() if who == client):
        for found in looks(text, _server(client)):
            assert found.complete, (found.problem, text)
            assert {atom.action for atom in found.atoms} <= {Action.READ, Action.SESSION}, (atoms(found), text)
            schemas = {atom.target.name.partition(".")[0] for atom in found.atoms if atom.action is Action.READ}
            assert schemas <= {"pg_catalog", "information_schema", "public"}, (atoms(found), text)
            settled = found.pure or found.verb in NOT_PURE or "set_config" in text or "advisory_unlock" in text
            assert settled, text


def test_psql_reads_nothing_but_the_system_catalogues() -> None:
    for client, text in _questions():
        if not client.startswith("psql"):
            continue
        for found in looks(text, _server(client)):
            reads = {atom.target.name for atom in found.atoms if atom.action is Action.READ}
            assert all(name.startswith(("pg_catalog.", "information_schema.")) for name in reads - {"public.seq1"}), (
                text
            )
