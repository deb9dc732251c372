"""Access in the browser: revoked at a real gateway while a real psql runs, lifted, taken back, and glass broken."""

import re
import subprocess
import time

import desk_stack
import pytest
from desk_stack import PHONE, DeskStack, counted, follow, log_in

from doorward_core.event import EventKind
from doorward_demo.postgres import free_port

pytestmark = [pytest.mark.need_embedded_postgres, pytest.mark.need_chromium, pytest.mark.slow]

SETTINGS = """\
operators: {{groups: [ops]}}
break_glass: {{groups: [ops], reviewers: [dba], longest: 30m}}
policy: policy.yaml"""

OPS = """\
rules:
  - {id: ops-look, effect: allow, who: {groups: [ops]}, resource: shop, do: [read]}
"""


@pytest.fixture(scope="module")
def stack(shop_server, tmp_path_factory):
    """A desk before a gateway with operators, and before another that is down."""
    import gateway_stack  # noqa: PLC0415 - beside its only use

    folder, port = tmp_path_factory.mktemp("access"), free_port()
    (folder / "gateway").mkdir()
    config = gateway_stack.CONFIG.replace("policy: policy.yaml", SETTINGS)
    policy = gateway_stack.POLICY.replace("grant: 5m,", "grant: 5m, standing: 2h,").replace("rules:\n", OPS, 1)
    with gateway_stack.started(shop_server, folder / "gateway", config=config, policy=policy) as gateway:
        made = DeskStack(folder, port, gateway)
        wanted = desk_stack.SETTINGS
        down = f"  host: {{{{control: 'unix:{folder}/none.sock'}}}}\nrecord:"
        desk_stack.SETTINGS = wanted.replace("record:", down, 1)
        try:
            made.start()
        finally:
            desk_stack.SETTINGS = wanted
        yield made
        made.stop()


@pytest.fixture
def sleeping(stack):
    """A maker of psqls that run until they are cut off; each is over at the end of the test."""
    running = []

    def start(subject):
        conninfo = stack.gateway.conninfo(token=stack.gateway.token(subject, groups=("anything",)))
        command = ["psql", "-X", conninfo, "-c", "select pg_sleep(600)"]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        end = time.monotonic() + 120
        while not any(one.header["subject"] == subject for one in stack.gateway.entries(EventKind.OPERATION_DECIDED)):
            assert time.monotonic() < end, "it does not run"
            time.sleep(0.02)
        return running[-1]

    yield start
    for one in running:
        one.kill()
        one.communicate()


def closed(stack, subject):
    found = [entry for entry in stack.gateway.entries() if entry.kind == EventKind.SESSION_CLOSED]
    return [entry.header["reason"] for entry in found if entry.header["subject"] == subject]


@pytest.mark.need_psql
def test_a_subject_is_revoked_in_the_browser_and_their_psql_ends(stack, browser, sleeping):
    psql, page = sleeping("crew-5"), browser.page(scripts=False)
    log_in(page, stack, "Olga Brandt", "/access")
    page.get_by_label("What", exact=True).select_option("subject")
    page.get_by_label("Whose, or which").fill("crew-5")
    page.get_by_label("Why").first.fill("it runs wild")
    page.get_by_role("button", name="Revoke", exact=True).click(no_wait_after=True)
    psql.wait(120)
    assert "an operator has revoked this access: it runs wild" in psql.stderr.read()
    assert page.locator(".note.good").inner_text().startswith("shop: revoked; 1 session ended.")
    assert page.locator(".note.bad").inner_text().startswith("host: not revoked there. It cannot be reached.")
    refused = stack.gateway.psql("select 1", token=stack.gateway.token("crew-5", groups=("anything",)), check=False)
    assert "an operator has revoked this access" in refused

    follow(page.get_by_role("link", name="Access", exact=True).first)
    assert "crew-5" in page.locator(".rights").inner_text()
    page.get_by_text("Lift it …").click()
    page.get_by_label("Why").first.fill("mended")
    follow(page.get_by_role("button", name="Lift it at 1 gateway"))
    page.wait_for_selector("text=Nothing is revoked at the gateways that answer.")
    assert "1" in stack.gateway.psql("select 1", token=stack.gateway.token("crew-5", groups=("anything",)))


@pytest.mark.need_psql
def test_a_session_is_ended_with_what_opened_it(stack, browser, sleeping):
    psql, page = sleeping("crew-6"), browser.page(viewport=PHONE)
    log_in(page, stack, "Olga Brandt", "/sessions")
    mine = page.locator(".sessions > li").filter(has_text="crew-6")
    follow(mine.get_by_role("link", name="Open"))
    page.get_by_text("End it …").click()
    page.get_by_label("Why").fill("nobody knows it")
    page.get_by_role("button", name="End it and revoke its credential").click()
    page.wait_for_selector("text=revoked with the session that it opened; 1 session ended")
    psql.wait(120)
    assert "nobody knows it" in psql.stderr.read()
    name = page.locator("strong.one-line").inner_text()
    operator = stack.gateway.approver("olga", ("ops",))
    (kept,) = stack.gateway.call("GET", "/v1/revocations", operator)[1]["revocations"]
    assert (kept["what"], kept["credential"]) == ("session", name)
    stack.gateway.call("POST", f"/v1/revocations/{kept['id']}/lift", operator, {"reason": "a test"})


def test_what_stands_is_seen_and_taken_back_by_whoever_decides_on_it(stack, browser):
    gateway = stack.gateway
    hostile = "the import <script>document.title='x'</script>"
    body = {"resource": "shop", "actions": ["write"], "seconds": 7200, "reason": hostile}
    status, asked = gateway.call("POST", "/v1/access", gateway.token("crew-1", sponsor="maria"), body)
    assert status == 200, asked
    name = asked["request"]["id"]
    assert gateway.vote(name, token=gateway.approver("tina"))[0] == 200
    page = browser.page()
    log_in(page, stack, path="/access")
    row = page.locator(".rights > li").filter(has_text=name)
    assert "may write on shop as app" in row.inner_text()
    assert hostile in row.inner_text()
    assert "approved by tina" in row.inner_text()
    row.get_by_text("Take it back …").click()
    row.get_by_label("Why").fill("the import is done")
    row.get_by_role("button", name="Take it back").click()
    counted(page.locator(".rights > li"), 0)
    assert gateway.call("GET", "/v1/access", gateway.approver("tina"))[1] == {"access": []}
    assert browser.problems == []


def test_everything_wants_the_word_and_can_be_lifted(stack, browser):
    page = browser.page()
    log_in(page, stack, "Olga Brandt", "/access")
    follow(page.get_by_role("link", name="Revoke everything …"))
    page.get_by_label("Why").fill("incident 4711")
    page.get_by_label("Write everything").fill("no")
    follow(page.get_by_role("button", name="Revoke everything"))
    page.wait_for_selector("text=Nothing is revoked yet")
    page.get_by_label("Write everything").fill("everything")
    follow(page.get_by_role("button", name="Revoke everything"))
    page.wait_for_selector("text=Revoked, and not everywhere")
    assert "an operator has revoked this access" in stack.gateway.psql("select 1", groups=("anything",), check=False)
    page.goto(f"{stack.url}/access")
    page.get_by_text("Lift it …").click()
    page.get_by_label("Why").first.fill("over")
    follow(page.get_by_role("button", name="Lift it at 1 gateway"))
    page.wait_for_selector("text=Nothing is revoked at the gateways that answer.")


def test_the_glass_is_broken_in_the_browser_and_its_review_signed_by_somebody_else(stack, browser):
    gateway = stack.gateway
    page = browser.page(viewport=PHONE)
    log_in(page, stack, "Olga Brandt", "/break-glass")
    page.get_by_label("Resource").fill("shop")
    page.get_by_label("For how many minutes").fill("45")
    page.get_by_label("Why").fill("orders hang")
    follow(page.get_by_role("button", name="Break the glass"))
    page.wait_for_selector("text=seconds is a number from 1 to 1800")
    page.get_by_label("For how many minutes").fill("30")
    follow(page.get_by_role("button", name="Break the glass"))
    note = page.locator(".note.bad").filter(has_text="Olga Brandt")
    note.wait_for()
    assert "is in for another" in note.inner_text()
    assert note.locator("form").count() == 0
    body = {"resource": "shop", "reason": "orders <b>hang</b>", "seconds": 1}
    token = gateway.issuer.issue("dora", "human", ("crew-analysts", "ops"))
    status, opened = gateway.call("POST", "/v1/break-glass", token, body)
    assert status == 200, opened

    tom = browser.page()
    log_in(tom, stack)
    follow(tom.get_by_role("link", name="Break the glass"))
    note = tom.locator(".note.bad").filter(has_text="dora")
    while not note.get_by_text("Review it …").count():
        tom.reload()
    assert "orders <b>hang</b>" in note.inner_text()
    note.get_by_text("Review it …").click()
    note.get_by_label("What you found").fill("two updates; fine")
    follow(note.get_by_role("button", name="Sign the review"))
    signed = tom.locator(".rights > li").filter(has_text="dora")
    signed.wait_for()
    assert re.search(r"reviewed by dba-tom .*: two updates; fine", signed.inner_text())
    assert [one for one in browser.problems if "status of 400" not in one] == []  # the forty-five minutes, refused
