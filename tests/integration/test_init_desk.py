"""From a gateway of one's own to a desk before it: `doorward init desk`, the lines that it prints, and a person's vote."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest
from desk_stack import log_in
from http_stack import CRM_TOKEN, Crm

from doorward_demo.issuer import DevelopmentIssuer
from doorward_demo.postgres import free_port

pytestmark = [pytest.mark.need_curl, pytest.mark.need_chromium, pytest.mark.slow]


def doorward(*words, **environment):
    command = [sys.executable, "-m", "doorward_console", *map(str, words)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _wait(process, address, log):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=120) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError):
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.fixture
def start(tmp_path):
    """Start a program, its words in a file beside; all have ended in order at the end."""
    running = []

    def begin(command, address, **environment):
        log = tmp_path / f"said-{len(running)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={**os.environ, **environment}
            )
        running.append((process, log))
        _wait(process, address, log)

    yield begin
    for process, _ in reversed(running):
        process.send_signal(signal.SIGTERM)
    for process, log in running:
        assert process.wait(120) == 0, log.read_text()


@pytest.fixture
def target():
    crm = Crm()
    yield crm
    crm.close()


def _made(folder, target, issuer):
    """A gateway as `doorward init http` makes it, and its ports."""
    ports = [free_port() for _ in range(3)]
    doors = zip(("--listen", "--approvals", "--admin"), (f"127.0.0.1:{port}" for port in ports), strict=True)
    doorward(
        "init", "http", "--target", f"http://127.0.0.1:{target.port}", "--issuer", issuer.url, "--folder", folder,
        "--resource", "crm", "--yes", *(word for pair in doors for word in pair), DOORWARD_TARGET_CREDENTIAL=CRM_TOKEN,
    )  # fmt: skip
    return ports


def _pasted(said, config):
    """Do to the gateway's configuration what was printed, as a person would."""
    lines = [line for line in said.splitlines() if re.match(r"  (link|passkeys): ", line)]
    text = config.read_text()
    assert text.count("approvals:\n") == 1
    config.write_text(text.replace("approvals:\n", "\n".join(["approvals:", *lines, ""])))
    touch = next(line for line in said.splitlines() if "touch " in line)
    subprocess.run(["sh", "-c", touch.partition(": ")[2]], check=True, timeout=120)
    assert doorward("config", "check", config).splitlines()[-1] == "ok"


def test_a_change_at_a_gateway_of_ones_own_is_approved_in_a_browser(tmp_path, target, start, browser):
    folder, where = tmp_path / "crm", tmp_path / "desk"
    with DevelopmentIssuer() as issuer:
        ports, port = _made(folder, target, issuer), free_port()
        said = doorward(
            "init", "desk", "--gateway", folder, "--folder", where, "--listen", f"127.0.0.1:{port}",
            "--url", f"http://localhost:{port}", "--auditors", "privacy-office",
        )  # fmt: skip
        _pasted(said, folder / "doorward.yaml")
        command = [sys.executable, "-m", "doorward_http", "--config", str(folder / "doorward.yaml")]
        start(command, f"http://127.0.0.1:{ports[2]}/readyz", DOORWARD_TARGET_CREDENTIAL=CRM_TOKEN)
        # The last line of those that start it, as it was printed.
        line = [row for row in said.splitlines() if row.endswith("desk.yaml") and " desk --config " in row][-1]
        words = shlex.split(line)
        start([sys.executable, "-m", "doorward_console", *words[1:]], f"http://127.0.0.1:{port}/healthz")

        page = browser.page()
        desk = SimpleNamespace(url=f"http://localhost:{port}")
        log_in(page, desk, name="Olga Brandt")
        page.wait_for_selector("text=Inbox")
        token = issuer.issue("crew-7", "agent", ("crew-analysts",))
        asked = subprocess.Popen(
            ["curl", "-s", "-i", "--max-time", "110", "--cacert", folder / "tls/gateway.crt", "-d", "{}",
             "-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/json",
             f"https://localhost:{ports[0]}/crm/orders"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            page.locator("a.item").first.click()
            assert "POST /orders" in page.locator("pre.text").first.inner_text()
            page.get_by_role("button", name="Approve once").click()
            answer, _ = asked.communicate(timeout=120)
        finally:
            asked.kill()
            asked.communicate()
        assert int(answer.split()[1]) < 300, answer
        assert [seen.method for seen in target.seen] == ["POST"]
        assert browser.problems == []
