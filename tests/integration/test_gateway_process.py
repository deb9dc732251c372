"""The gateway as a process, from its command line to its last signal: what it says, what it refuses, how it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import psycopg
import pytest
from gateway_stack import CONFIG, POLICY

from doorward_console.init_certificate import self_signed
from doorward_core.record.reader import LogReader
from doorward_core.record.verify import verify

pytestmark = pytest.mark.need_embedded_postgres

WITHIN_S = 120


def run(*arguments, environment=None):
    """Run the program to its end, which must come by itself."""
    return subprocess.run(
        [sys.executable, "-m", "doorward_postgres", *arguments],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


def until(true, within_s=WITHIN_S):
    """Ask until it is so; a process elsewhere cannot be awaited in any other way."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.02)


def entries(gateway, kind=""):
    return [entry for entry in LogReader(gateway.log).entries() if entry.kind.startswith(kind)]


def restart(gateway):
    gateway.start(gateway.environment)


def whole(gateway):
    """Verify the log as an auditor does, against the key that the gateway published beside its own."""
    (vkey,) = (gateway.state / "keys").glob("*.vkey")
    report = verify(gateway.log, public_key=vkey.read_text().strip(), outside_checkpoint=None)
    assert report.ok, report.problems
    return report


# --- starting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("--config",), ("gateway.yaml",), ("--config", "a", "b"), ("--help",)])
def test_without_a_configuration_it_says_how_it_is_used(arguments):
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (2, "usage: doorward-postgres --config FILE\n")


def test_a_configuration_that_is_not_there_is_said_to_be(tmp_path):
    done = run("--config", str(tmp_path / "absent.yaml"))
    assert done.returncode == 2
    assert "absent.yaml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def folder(tmp_path):
    """A configuration whose every file is there, and whose target nobody dials before a client comes."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    text = CONFIG.format(
        port=1, sockets=tmp_path, admin=1, issuer="https://id.example", target=1, database="shop", level="shape"
    )
    first, _, rest = text.partition("  - {address: 127.0.0.1, port: 1, tls:")
    text = first + rest.partition("\n")[2]
    (tmp_path / "gateway.yaml").write_text(text.replace("port: 1}", "port: 0}"))
    return tmp_path


def test_everything_that_is_wrong_is_told_at_once_with_file_line_and_key(folder):
    text = (folder / "gateway.yaml").read_text()
    text = text.replace("level: shape", "level: everything").replace("account: app", "account: nobody")
    (folder / "gateway.yaml").write_text(text + "colour: red\n")
    done = run("--config", str(folder / "gateway.yaml"))
    assert done.returncode == 2
    problems = done.stderr.splitlines()
    assert len(problems) == 3, problems
    for problem, word in zip(problems, ("record.level", "account", "colour"), strict=True):
        assert word in problem
        assert "gateway.yaml:" in problem


def test_a_policy_that_is_wrong_is_told_likewise_and_nothing_listens(folder):
    (folder / "policy.yaml").write_text("rules:\n  - {id: x, effect: permit, resource: shop}\n")
    done = run("--config", str(folder / "gateway.yaml"))
    assert done.returncode == 2
    assert "policy.yaml:2" in done.stderr
    assert not list(folder.glob("*.sock"))
    assert "Traceback" not in done.stderr


def test_a_log_that_cannot_be_written_is_no_gateway(folder):
    (folder / "log").write_text("a file stands where the folder should be")
    done = run("--config", str(folder / "gateway.yaml"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    assert not list(folder.glob("*.sock"))


def test_keys_that_have_nowhere_to_lie_are_no_gateway(folder):
    (folder / "keys").write_text("a file stands where the folder should be")
    done = run("--config", str(folder / "gateway.yaml"))
    assert done.returncode == 2
    assert "keys: the folder cannot be made: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_that_was_cut_is_not_used(folder):
    (folder / "keys").mkdir()
    (folder / "keys" / "binding.key").write_bytes(b"short")
    done = run("--config", str(folder / "gateway.yaml"))
    assert done.returncode == 2
    assert "binding.key: not a key of 32 bytes" in done.stderr


def test_a_port_that_is_taken_is_said_to_be(own_gateway):
    first = own_gateway()
    done = run("--config", str(first.state / "gateway.yaml"), environment=first.environment)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert first.probe("/readyz")[0] == 200


def test_what_it_makes_is_for_nobody_else(own_gateway):
    gateway = own_gateway()
    made = [
        gateway.state / "keys",
        gateway.log,
        *(gateway.state / "keys").iterdir(),
        gateway.state / "approvals.sqlite",
    ]
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


# --- running ---------------------------------------------------------------------------------------------------------


def test_the_admin_port_answers(gateway):
    assert gateway.probe("/healthz") == (200, "ok\n")
    assert gateway.probe("/readyz") == (200, "ready\n")
    with gateway.connect() as client:
        client.execute("select 1")
        status, text = gateway.probe("/metrics")
    assert status == 200
    counted = dict(line.split() for line in text.splitlines() if not line.startswith("#"))
    assert float(counted["doorward_ready"]) == 1
    assert float(counted["doorward_sessions"]) >= 1
    assert float(counted["doorward_operations_permitted"]) >= 1
    assert gateway.probe("/elsewhere")[0] == 404


def test_it_says_that_it_is_ready_and_what_is_not_protected(gateway):
    said = [json.loads(line) for line in gateway.said().splitlines()]
    assert any(line["event"] == "gateway.ready" and line["listeners"] == 2 for line in said)
    assert any("tls.mode is disable" in line.get("words", "") for line in said)


def test_it_says_at_its_start_what_will_fail_somebody_later(own_gateway):
    gateway = own_gateway()
    assert gateway.stop() == 0
    before = len(gateway.said())
    certificate, key, _ = self_signed(("127.0.0.1",), datetime(2020, 1, 1, tzinfo=UTC))
    (gateway.state / "tls" / "server.crt").write_bytes(certificate)
    (gateway.state / "tls" / "server.key").write_bytes(key)
    gateway.start({**gateway.environment, "APP_PASSWORD": ""})
    said = [json.loads(line).get("words", "") for line in gateway.said()[before:].splitlines()]
    assert "resources.shop.accounts.app.password: environment variable APP_PASSWORD is empty; " in "".join(said)
    assert [words.partition(": ")[0] for words in said if "server.crt: the certificate ended on 2020-" in words] == [
        "listen[0].tls"
    ]


def test_no_line_that_it_says_holds_a_token_or_a_statement(own_gateway):
    gateway = own_gateway()
    token = gateway.token(subject="canary-subject")
    with gateway.connect(token=token) as client, contextlib.suppress(psycopg.Error):
        client.execute("select 'canary-statement'")
        client.execute("drop table canary_table")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(gateway.conninfo(token="canary-token"))
    said = gateway.said()
    for secret in (token, "canary-token", "canary-statement", "canary_table", gateway.environment["APP_PASSWORD"]):
        assert secret not in said


# --- SIGHUP ----------------------------------------------------------------------------------------------------------

STRICTER = POLICY.replace("do: [define, admin, unknown]", "do: [define, admin, unknown, read]").replace(
    "Schema changes go", "Everything goes"
)


def hang_up(gateway, word):
    """Send SIGHUP, and wait until it is said what became of it."""
    before = gateway.said().count(word)
    gateway.process.send_signal(signal.SIGHUP)
    until(lambda: gateway.said().count(word) > before)


def test_a_changed_policy_is_in_force_at_once_for_sessions_that_are_open(own_gateway):
    gateway = own_gateway()
    with gateway.connect() as client:
        assert client.execute("select count(*) from orders").fetchone()
        (gateway.state / "policy.yaml").write_text(STRICTER)
        hang_up(gateway, '"event": "policy.loaded"')
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="Everything goes"):
            client.execute("select count(*) from orders")
    gateway.stop()
    loaded = entries(gateway, "policy.loaded")
    assert len(loaded) == 2
    assert "Everything goes" in next(iter(loaded[1].payload["texts"].values()))


def test_a_wrong_policy_leaves_the_old_one_in_force_and_says_so(own_gateway):
    gateway = own_gateway()
    with gateway.connect() as client:
        (gateway.state / "policy.yaml").write_text(STRICTER + "  - {id: x, effect: permit}\n")
        hang_up(gateway, "reload.refused")
        assert client.execute("select count(*) from orders").fetchone()
    assert gateway.probe("/readyz")[0] == 200
    gateway.stop()
    (refused,) = entries(gateway, "policy.refused")
    (loaded,) = entries(gateway, "policy.loaded")
    assert refused.header["policy"] == loaded.header["policy"]
    assert any("policy.yaml" in problem for problem in refused.payload["problems"])


def test_a_wrong_certificate_keeps_no_policy_from_its_place(own_gateway):
    gateway = own_gateway()
    with gateway.connect() as client:
        (gateway.state / "tls" / "server.crt").write_text("no certificate")
        (gateway.state / "policy.yaml").write_text(STRICTER)
        hang_up(gateway, "reload.refused")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute("select count(*) from orders")
    with gateway.connect() as client, pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.execute("select count(*) from orders")
    gateway.stop()
    assert entries(gateway, "policy.refused") == []


# --- SIGTERM ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_and_leaves_a_whole_and_closed_log(own_gateway, how):
    gateway = own_gateway()
    with gateway.connect() as client:
        client.execute("select count(*) from customer")
    assert gateway.stop(how) == 0
    kinds = [entry.kind for entry in entries(gateway)]
    assert kinds[:2] == ["log.opened", "policy.loaded"]
    assert kinds[-1] == "log.closed"
    assert kinds.count("session.opened") == kinds.count("session.closed") == 1
    assert whole(gateway).size == len(list(LogReader(gateway.log).entries()))
    assert not list(gateway.sockets.iterdir())


def test_a_session_at_rest_is_told_and_ended(own_gateway):
    gateway = own_gateway()
    client = gateway.connect()
    client.execute("select 1")
    assert gateway.stop() == 0
    with pytest.raises(psycopg.OperationalError, match="going down"):
        client.execute("select 1")
    (closed,) = entries(gateway, "session.closed")
    assert closed.header["reason"] == "the gateway is going down"


def test_what_is_held_is_refused_and_withdrawn(own_gateway):
    gateway = own_gateway()
    client = gateway.connect()
    caught = []

    def update():
        try:
            client.execute("update orders set status = 'x' where id = 1")
        except psycopg.Error as error:
            caught.append(error)

    thread = threading.Thread(target=update)
    thread.start()
    (request,) = gateway.waiting()
    assert gateway.stop() == 0
    thread.join(WITHIN_S)
    assert len(caught) == 1
    kinds = [entry.kind for entry in entries(gateway)]
    assert kinds.count("approval.withdrawn") == 1
    assert kinds.index("approval.withdrawn") < kinds.index("session.closed")
    assert b"update orders" not in bytes(gateway.recorder.sent)
    restart(gateway)
    status, card = gateway.call("GET", f"/v1/approvals/{request['id']}", gateway.approver())
    assert (status, card["state"]) == (200, "withdrawn")


def test_an_open_transaction_may_end_and_nobody_new_comes_in_meanwhile(own_gateway):
    gateway = own_gateway(config=CONFIG + "limits: {{drain: 300s}}\n")
    client = gateway.connect(autocommit=False)
    client.execute("select 1")
    gateway.process.send_signal(signal.SIGTERM)
    until(lambda: gateway.probe("/readyz") == (503, "draining\n"))
    for tls in (True, False):
        with pytest.raises(psycopg.OperationalError):
            gateway.connect(tls=tls)
    assert client.execute("select count(*) from customer").fetchone() == (300,)
    client.commit()
    assert gateway.process.wait(WITHIN_S) == 0
    finished = entries(gateway, "operation.finished")
    assert [entry.header["status"] for entry in finished] == ["ok"] * len(finished)


def test_a_second_signal_cuts_what_does_not_end(own_gateway):
    gateway = own_gateway()
    client = gateway.connect(autocommit=False)
    client.execute("select 1")
    gateway.process.send_signal(signal.SIGTERM)
    until(lambda: gateway.probe("/readyz")[0] == 503)
    assert gateway.stop() == 0
    (closed,) = entries(gateway, "session.closed")
    assert closed.header["reason"] in {"cut", "the gateway is going down"}
    assert entries(gateway)[-1].kind == "log.closed"
    with pytest.raises(psycopg.OperationalError):
        client.execute("select 1")


# --- crashes and faults ----------------------------------------------------------------------------------------------


def test_after_a_crash_it_starts_again_on_the_same_log(own_gateway):
    gateway = own_gateway()
    with gateway.connect() as client:
        client.execute("select count(*) from customer")
    client = gateway.connect()
    client.execute("select 1")
    gateway.stop(signal.SIGKILL)
    restart(gateway)
    with gateway.connect() as again:
        assert again.execute("select 1").fetchone() == (1,)
    assert gateway.stop() == 0
    opened = entries(gateway, "log.opened")
    assert [entry.header["previous"] for entry in opened] == ["none", "unclean"]
    assert whole(gateway).ok


def test_a_request_that_nobody_waits_for_after_a_crash_can_no_longer_be_granted(own_gateway):
    gateway = own_gateway()
    client = gateway.connect()

    def delete():
        with pytest.raises(psycopg.Error):
            client.execute("delete from orders")

    thread = threading.Thread(target=delete)
    thread.start()
    (request,) = gateway.waiting()
    gateway.stop(signal.SIGKILL)
    thread.join(WITHIN_S)
    restart(gateway)
    assert gateway.call("GET", f"/v1/approvals/{request['id']}", gateway.approver())[1]["state"] == "withdrawn"
    assert gateway.vote(request["id"])[1].get("state") != "granted"
    assert b"delete from orders" not in bytes(gateway.recorder.sent)
