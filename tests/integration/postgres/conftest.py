"""One gateway for the tests of clients, and an ear for what they ask of it.

Set DOORWARD_CAPTURE=1 to write what was heard to `tests/vectors/postgres_clients`, which unit tests hold against
safe-catalog.
"""

import contextlib
import json
import os
import re
import time
from pathlib import Path

import pytest
from gateway_stack import started

from doorward_core.record.reader import LogReader

VECTORS = Path(__file__).parents[2] / "vectors" / "postgres_clients"


@pytest.fixture(scope="session")
def _clients_gateway(shop_server, tmp_path_factory):
    policy = Path(__file__).with_name("clients_policy.yaml").read_text()
    with started(shop_server, tmp_path_factory.mktemp("clients"), policy=policy) as gateway:
        yield gateway


@pytest.fixture
def shop(_clients_gateway):
    """A gateway under `clients_policy.yaml`; each test's own connections are closed behind it."""
    _clients_gateway.recorder.mark()
    yield _clients_gateway
    while _clients_gateway.clients:
        _clients_gateway.clients.pop().close()


@pytest.fixture
def heard(shop):
    """A maker of blocks in which nothing may be refused; what was asked within is the client's capture."""

    @contextlib.contextmanager
    def listen(client):
        before = LogReader(shop.log).size
        asked = []
        yield asked
        refused = []
        for entry in LogReader(shop.log).entries(before):
            if entry.kind == "operation.decided":
                asked.append(entry.payload["text"])
                if entry.header["verdict"] != "permit":
                    refused.append((entry.payload["text"], entry.payload["advice"]))
        assert refused == []
        assert asked
        if os.environ.get("DOORWARD_CAPTURE"):
            VECTORS.mkdir(exist_ok=True)
            # Names that were made up for one run would make every capture new.
            plain = {re.sub(r"\b(__asyncpg_\w+?_|doorward_|pg_restrict_)[0-9a-f]+", r"\1x", text) for text in asked}
            texts = json.dumps(sorted(plain), indent=1)
            (VECTORS / f"{client}.json").write_text(texts + "\n", encoding="utf-8")

    return listen


@pytest.fixture
def running(shop):
    """Wait until a statement with these words in it runs at the target."""

    def wait(words):
        with shop.target.connect("app") as client:
            query = (
                "select 1 from pg_stat_activity where state = 'active' and query like %s and pid <> pg_backend_pid()"
            )
            end = time.monotonic() + 120
            while not client.execute(query, (f"%{words}%",)).fetchall():
                assert time.monotonic() < end, words
                time.sleep(0.02)

    return wait


def key_values(gateway, who):
    """What most drivers take: host, port, user, password (a token), database, and the authority of the gateway."""
    return {
        "host": "localhost",
        "port": gateway.port,
        "user": "app",
        "password": gateway.token(groups=(who,), subject=f"{who}-1"),
        "database": "shop",
        "authority": str(gateway.state / "tls/ca.crt"),
    }


@pytest.fixture
def login(shop):
    """Key values for a member of a group."""
    return lambda who="readers": key_values(shop, who)
