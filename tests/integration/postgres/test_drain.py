"""SIGTERM: what runs may end, what idles is told to go, what is held is withdrawn, and all of it is in the record."""

import signal
from pathlib import Path

import pytest
from gateway_load import address, figures, login, works_on
from gateway_stack import CONFIG
from raw_client import RawClient

from doorward_core.record.reader import LogReader
from doorward_postgres import wire_encode as enc
from doorward_postgres.wire import Backend

pytestmark = [pytest.mark.slow, pytest.mark.need_embedded_postgres]

GIVE_UP_S = 60
PATIENT = CONFIG + "limits: {{drain: 300s}}\n"  # longer than a test may take: what ends has not waited for it
ANYTHING = ("anything",)
LOCK = 4711


def test_a_drain_lets_running_statements_end_and_tells_everybody_else(own_gateway):
    gateway = own_gateway(config=PATIENT)
    token = gateway.token()
    idle, held, held_in_transaction = (login(gateway, token) for _ in range(3))
    running = RawClient.login(gateway, groups=ANYTHING)
    held.send(enc.encode_query("update customer set newsletter = true where id = 1"))
    gateway.waiting()
    held_in_transaction.query("begin")
    held_in_transaction.query("select 1")
    held_in_transaction.send(enc.encode_query("update customer set newsletter = true where id = 2"))
    gateway.waiting(2)
    with gateway.target.connect("app") as direct:
        direct.execute("select pg_advisory_lock(%s)", (LOCK,))
        running.send(enc.encode_query(f"select pg_advisory_lock({LOCK}), 'the end'"))
        works_on(gateway, "the end")
        gateway.process.send_signal(signal.SIGTERM)
        for client in (idle, held, held_in_transaction):  # each is told while the statement of another still runs
            assert client.ended().errors == ["57P01"]
        assert gateway.probe("/readyz")[0] == 503
        assert not Path(address(gateway)).exists()
    heard = running.ended()
    assert heard.rows[0][1] == b"the end"
    assert heard.errors == ["57P01"]
    assert gateway.process.wait(GIVE_UP_S) == 0
    check(gateway, sessions=4, withdrawn=2)
    assert b"update customer" not in bytes(gateway.recorder.sent)


def test_a_drain_cuts_at_its_limit_what_does_not_end(own_gateway):
    gateway = own_gateway(config=PATIENT.replace("drain: 300s", "drain: 1s"))
    transaction, running, deaf = (RawClient.login(gateway, groups=ANYTHING) for _ in range(3))
    transaction.query("begin")
    running.send(enc.encode_query("select pg_sleep(600), 'never'"))
    deaf.send(enc.encode_query("select repeat('x', 1000000) from generate_series(1, 100)"))
    works_on(gateway, "never")
    assert figures(gateway)["sessions"] == 3
    gateway.process.send_signal(signal.SIGTERM)
    assert transaction.ended().errors == ["57P01"]
    assert Backend.DataRow not in running.ended().kinds.encode()
    assert gateway.process.wait(GIVE_UP_S) == 0  # long before the statement would end by itself
    check(gateway, sessions=3)


def test_a_second_signal_does_not_wait(own_gateway):
    gateway = own_gateway(config=PATIENT)
    transaction = RawClient.login(gateway, groups=ANYTHING)
    transaction.query("begin")
    gateway.process.send_signal(signal.SIGTERM)
    while gateway.probe("/readyz")[0] == 200:
        pass
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(GIVE_UP_S) == 0  # the limit is five times as long
    check(gateway, sessions=1)


def check(gateway, *, sessions, withdrawn=0):
    """Every session is closed in the record, every request ended, and the log is closed last."""
    entries = list(LogReader(gateway.log).entries())
    kinds = [entry.kind for entry in entries]
    opened = {entry.session_id for entry in entries if entry.kind == "session.opened"}
    assert len(opened) == sessions
    assert {entry.session_id for entry in entries if entry.kind == "session.closed"} == opened
    assert kinds[-1] == "log.closed"
    assert kinds.count("operation.held") == withdrawn
    assert kinds.count("approval.withdrawn") == withdrawn, kinds
