"""From a database of one's own to a masked row: `doorward init`, the gateway on exactly these files, a real client."""

import contextlib
import http.client
import os
import re
import shlex
import subprocess
import sys
import time

import psycopg
import pytest

from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

READY_S = 120
DOORWARD = [sys.executable, "-m", "doorward_console"]


def init(folder, target, issuer, *options, password):
    """Run `doorward init` as an operator would, the password in the environment, on ports that are free."""
    ports = {f"--{name}": f"127.0.0.1:{free_port()}" for name in ("listen", "approvals", "admin")}
    command = [*DOORWARD, "init", "postgres", "--target", target, "--issuer", issuer, "--folder", str(folder), "--yes"]
    command += [word for pair in ports.items() for word in pair]
    done = subprocess.run(
        [*command, *map(str, options)],
        env={**os.environ, "PGPASSWORD": password, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done, ports["--admin"]


@contextlib.contextmanager
def gateway(folder, admin, password):
    """The gateway, started as the last lines of `doorward init` say."""
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "doorward_postgres", "--config", str(folder / "doorward.yaml")],
            env={**os.environ, "DOORWARD_TARGET_PASSWORD": password},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + READY_S
        while not ready(admin):
            said = (folder / "gateway.log").read_text()
            assert process.poll() is None, said
            assert time.monotonic() < end, said
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(120)


def ready(admin):
    connection = http.client.HTTPConnection(admin, timeout=120)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def conninfo(said):
    """What `doorward init` told to connect with."""
    return re.search(r'psql "(.*)"', said)[1]


@pytest.fixture
def issuer():
    with DevelopmentIssuer() as running:
        yield running


@pytest.mark.need_embedded_postgres
@pytest.mark.need_psql
def test_three_commands_from_a_database_to_a_masked_row(shop_server, issuer, tmp_path):
    folder, password = tmp_path / "gateway", shop_server.passwords["app"]
    target = f"postgresql://app@127.0.0.1:{shop_server.port}/shop"
    done, admin = init(folder, target, issuer.url, "--target-tls", "disable", password=password)
    assert done.returncode == 0, done.stdout + done.stderr
    token = issuer.issue("crew-7", "agent", ("crew-analysts",))
    with gateway(folder, admin, password):
        told = next(line for line in done.stdout.splitlines() if "psql" in line).strip()
        question = "SELECT name, email, phone, card, iban, country FROM customer WHERE id = 1"
        psql = subprocess.run(
            ["sh", "-c", f"{told} -X -At -c {shlex.quote(question)}"],
            env={**os.environ, "TOKEN": token},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert psql.returncode == 0, psql.stderr
        with shop_server.connect("app") as past:
            truth = past.execute(question).fetchone()
        shown = psql.stdout.strip().split("|")
        assert shown[5] == truth[5]
        assert [cell for cell, real in zip(shown[:5], truth[:5], strict=True) if cell == real or "*" not in cell] == []

        with psycopg.connect(conninfo(done.stdout), password=token, autocommit=True) as client:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not changed through this gateway"):
                client.execute("DROP TABLE orders")
            assert client.execute("SELECT count(*) FROM orders").fetchone()[0] > 0
        outsider = issuer.issue("crew-8", "agent", ("somebody-else",))
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(conninfo(done.stdout), password=outsider)


@pytest.mark.need_embedded_postgres
def test_a_change_waits_for_a_person_and_goes_on(shop_server, issuer, tmp_path):
    folder, password = tmp_path / "gateway", shop_server.passwords["app"]
    target = f"postgresql://app@127.0.0.1:{shop_server.port}/shop"
    done, admin = init(folder, target, issuer.url, "--target-tls", "disable", password=password)
    token = issuer.issue("crew-7", "agent", ("crew-analysts",))
    approver = {**os.environ, "DOORWARD_TOKEN": issuer.issue("tom", "human", ("dba",))}
    told = next(line for line in done.stdout.splitlines() if "approvals list" in line).partition("doorward ")[2]
    ways = shlex.split(told)[2:]  # --gateway ... --ca-file ...
    with gateway(folder, admin, password), psycopg.connect(conninfo(done.stdout), password=token) as client:
        asked = []

        def decide(notice):
            found = re.search(
                r"ap-[0-9a-z]+", f"{notice.message_primary} {notice.message_detail} {notice.message_hint}"
            )
            if found and not asked:
                asked.append(found[0])
                command = [*DOORWARD, "approvals", "approve", found[0], "--yes", *ways]
                subprocess.run(command, env=approver, check=True, capture_output=True, timeout=120)

        client.add_notice_handler(decide)
        client.execute("SELECT 1")
        assert client.execute("UPDATE customer SET newsletter = newsletter WHERE id = 1").rowcount == 1
        assert asked


@pytest.mark.need_postgres
def test_a_target_with_tls_is_verified(tls_server, issuer, tmp_path):
    password = "pencil-\u00e9"
    with psycopg.connect(host=tls_server.sockets, port=tls_server.port, user="postgres", dbname="postgres") as admin:
        admin.execute("CREATE TABLE IF NOT EXISTS public.person (name text, mail text)")
        admin.execute("TRUNCATE person")
        admin.execute("INSERT INTO person VALUES ('Ada', 'ada@example.com')")
        admin.execute("GRANT SELECT ON person TO scram")
    target = f"postgresql://scram@127.0.0.1:{tls_server.port}/postgres"
    done, _ = init(tmp_path / "no", target, issuer.url, password=password)
    assert (done.returncode, "--target-ca" in done.stderr) == (2, True), done.stderr

    folder = tmp_path / "gateway"
    done, admin = init(folder, target, issuer.url, "--target-ca", tls_server.authorities, password=password)
    assert done.returncode == 0, done.stderr
    assert "without TLS" not in done.stdout
    token = issuer.issue("crew-7", "agent", ("crew-analysts",))
    with gateway(folder, admin, password), psycopg.connect(conninfo(done.stdout), password=token) as client:
        assert client.execute("SELECT mail FROM person").fetchone() == ("a***@***.com",)
