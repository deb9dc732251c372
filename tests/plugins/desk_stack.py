"""A desk for tests: the real program before a real gateway, and Debian's Chromium before that.

People log in at the development issuer by clicking their name; `browser` gives pages of which each is somebody else's
browser, with nothing kept from one to the next.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import gateway_stack
import pytest

from doorward_core.record.reader import LogReader
from doorward_demo.certificates import write_certificates
from doorward_demo.postgres import free_port

CHROMIUM = "/usr/bin/chromium"
WITHIN_MS = 300_000  # where it takes longer, it hangs
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
MAX_PICTURE_BYTES = 150_000  # they are in the README

SETTINGS = """\
version: 1
url: {url}
listen: {{address: 127.0.0.1, port: {port}{tls}}}
login: {{issuer: {issuer}, client_id: desk}}
roles:
  approver: [dba, crew-owners]
  auditor: [privacy-office]
  operator: [ops]
gateways:
  shop: {{control: "{control}", log: {log}, vkey: {keys}/log.vkey, keys: {keys}/payload, policy: {policy}}}
record: {{folder: desk/log, keys: desk/keys, origin: desk.test}}
index: desk/index.sqlite
"""


@dataclass
class DeskStack:
    """A running desk, the gateway behind it, and where people reach it."""

    folder: Path
    port: int
    gateway: gateway_stack.Gateway
    process: subprocess.Popen = None
    extra: str = ""
    tls: bool = False
    environment: dict = field(default_factory=dict)

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    @property
    def record(self):
        return self.folder / "desk" / "log"

    def configure(self):
        gateway = self.gateway
        if self.tls:
            write_certificates(self.folder / "tls")
        text = SETTINGS.format(
            url=self.url,
            tls=", tls: {certificate: tls/server.crt, key: tls/server.key}" if self.tls else "",
            port=self.port,
            issuer=gateway.issuer.url,
            control=gateway.control,
            log=gateway.log,
            keys=gateway.state / "keys",
            policy=gateway.state / "policy.yaml",
        )
        (self.folder / "desk.yaml").write_text(text + self.extra)

    def start(self):
        self.configure()
        log = (self.folder / "desk.log").open("ab")
        command = [sys.executable, "-m", "doorward_console", "desk", "--config", str(self.folder / "desk.yaml")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **self.environment}
        )
        log.close()
        end = time.monotonic() + gateway_stack.HANGS_S
        while "listening on" not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.02)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(gateway_stack.HANGS_S)

    def said(self):
        return (self.folder / "desk.log").read_text()


def passkey_config(url):
    """A gateway's configuration that takes passkeys made at this desk."""
    passkeys = f"  passkeys: {{{{file: passkeys.jsonl, rp_id: localhost, origins: ['{url}']}}}}\n"
    return gateway_stack.CONFIG.replace("approvals:\n", "approvals:\n" + passkeys)


@contextlib.contextmanager
def started(server, folder, **how):
    """Start a gateway and a desk before it; both are gone at the end."""
    port = free_port()
    state = folder / "gateway"
    state.mkdir()
    (state / "passkeys.jsonl").touch()
    how.setdefault("config", passkey_config(f"http://localhost:{port}"))
    with gateway_stack.started(server, state, **how) as gateway:
        stack = DeskStack(folder, port, gateway)
        try:
            stack.start()
            yield stack
        finally:
            if stack.process is not None:
                stack.stop()


@pytest.fixture(scope="session")
def _shared_desk(shop_server, tmp_path_factory):
    with started(shop_server, tmp_path_factory.mktemp("desk")) as stack:
        yield stack


@pytest.fixture
def desk_stack(_shared_desk):
    """The desk that tests share."""
    yield _shared_desk
    while _shared_desk.gateway.clients:
        _shared_desk.gateway.clients.pop().close()


class Browser:
    """Chromium, and the pages that tests opened in it."""

    def __init__(self, chromium):
        self._chromium = chromium
        self._contexts = []
        self.problems = []

    def page(self, *, viewport=None, scheme="light", scripts=True, **options):
        """A page in a browser of its own, which tells of every problem that it has with what it is shown."""
        context = self._chromium.new_context(
            viewport=viewport or DESKTOP, color_scheme=scheme, java_script_enabled=scripts, locale="en-GB", **options
        )
        context.set_default_timeout(WITHIN_MS)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", lambda dialog: (self.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        return page

    def close(self):
        while self._contexts:
            self._contexts.pop().close()
        self.problems.clear()


@pytest.fixture(scope="module")
def _chromium():
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - absent where `need_chromium` skips

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def browser(_chromium):
    """Chromium; every page of the test is closed behind it. Ask for it together with `need_chromium`."""
    made = Browser(_chromium)
    yield made
    made.close()


def log_in(page, stack, name="Tom Berger", path="/"):
    """Go to a page of the desk as a person: the button, and their name at the issuer."""
    page.goto(stack.url + path)
    page.get_by_role("button", name=re.compile("^Log in at")).click()
    page.get_by_role("button", name=name).click()
    page.wait_for_url(stack.url + path)


@pytest.fixture
def picture(tmp_path):
    """Takes a picture of what a page shows; where DOORWARD_SCREENSHOTS names a folder, it is kept there."""
    folder = Path(os.environ.get("DOORWARD_SCREENSHOTS") or tmp_path)

    def take(page, name):
        kind = "phone" if page.viewport_size == PHONE else "desktop"
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
        file = folder / f"desk-{name}-{kind}.png"
        page.mouse.move(0, 0)
        page.screenshot(path=file, animations="disabled", caret="hide")
        assert 2_000 < file.stat().st_size < MAX_PICTURE_BYTES
        return file

    return take


def follow(locator):
    """Click on what leads to another page, and wait until all of that is here."""
    with locator.page.expect_navigation():
        locator.click()


def counted(locator, number):
    """Wait until a page has so many of something."""
    from playwright.sync_api import expect  # noqa: PLC0415 - as above

    expect(locator).to_have_count(number, timeout=WITHIN_MS)


def authenticator(page):
    """A virtual authenticator that verifies its user, in this page's browser."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable", {"enableUI": False})
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session


def events(folder, kind):
    """The headers of all events of a kind in a desk's own log, oldest first."""
    return [dict(entry.header) for entry in LogReader(folder).entries() if entry.kind == kind]
