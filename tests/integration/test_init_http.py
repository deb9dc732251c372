"""From an API to a gateway before it: `doorward init http`, the files that it made, and the very line that it prints."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from http_stack import CRM_TOKEN, CUSTOMERS, Crm

from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

pytestmark = pytest.mark.need_curl


def doorward(*words, **environment):
    command = [sys.executable, "-m", "doorward_console", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment}
    )


def _wait(gateway, admin):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=120) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError):
            assert gateway.poll() is None, gateway.stderr.read()
            time.sleep(0.05)
    raise AssertionError("the gateway did not become ready")


@pytest.fixture
def made(tmp_path):
    """(what init said, the issuer, the CRM, the folder), with the gateway that init made running."""
    crm, folder = Crm(), tmp_path / "gateway"
    ports = [free_port() for _ in range(3)]
    doors = zip(("--listen", "--approvals", "--admin"), (f"127.0.0.1:{port}" for port in ports), strict=True)
    with DevelopmentIssuer() as issuer:
        done = doorward(
            "init", "http", "--target", f"http://127.0.0.1:{crm.port}", "--issuer", issuer.url, "--folder", folder,
            "--resource", "crm", "--sample", "/customers?limit=2", "--yes", *(word for pair in doors for word in pair),
            DOORWARD_TARGET_CREDENTIAL=CRM_TOKEN,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        command = [sys.executable, "-m", "doorward_http", "--config", str(folder / "doorward.yaml")]
        environment = {**os.environ, "DOORWARD_TARGET_CREDENTIAL": CRM_TOKEN}
        gateway = subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment)
        try:
            _wait(gateway, ports[2])
            yield done.stdout, issuer, crm, folder
        finally:
            gateway.send_signal(signal.SIGTERM)
            gateway.communicate(timeout=120)
            crm.close()


def curl(line, issuer, *more):
    """Run a printed line as a person would paste it."""
    token = issuer.issue("crew-7", "agent", ("crew-analysts",))
    environment = {**os.environ, "TOKEN": token}
    words = " ".join([line.strip(), "-s", "-i", "--max-time", "110", *more])
    done = subprocess.run(
        ["sh", "-c", words], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    head, _, body = done.stdout.partition("\n\n")  # text mode has made line ends plain
    return int(head.split()[1]), body


def test_from_an_api_to_masked_answers_and_a_refusal_that_helps(made):
    said, issuer, crm, folder = made
    line = next(row for row in said.splitlines() if row.strip().startswith("curl "))
    status, body = curl(line, issuer)
    found = json.loads(body)["customers"]
    assert status == 200
    assert [one["id"] for one in found] == [one["id"] for one in CUSTOMERS]
    for true, shown in zip(CUSTOMERS, found, strict=True):
        assert {name for name in true if true[name] != shown[name]} == {"name", "email", "card"}
    before = len(crm.seen)
    status, body = curl(line, issuer, "-X", "DELETE")
    assert (status, json.loads(body)["type"]) == (403, "urn:doorward:refused")
    assert "Ask the API's owners" in json.loads(body)["detail"]
    assert len(crm.seen) == before
    look = next(row for row in said.splitlines() if " replay last " in row)
    told = subprocess.run(["sh", "-c", look], capture_output=True, text=True, timeout=120, check=False)
    assert "403" in told.stdout or "DELETE: DENIED" in told.stdout, told
    assert told.stdout.rstrip().endswith("signature"), told
    exported = doorward("export", "last", "--har", "--log", folder / "state/log")
    (entry,) = json.loads(exported.stdout)["log"]["entries"]
    assert (entry["request"]["method"], entry["response"]["status"]) == ("DELETE", 403)
    assert CRM_TOKEN not in said + exported.stdout
