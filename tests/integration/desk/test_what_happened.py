"""Auditors find and replay what happened, operators watch and end what goes on; each reading is on record before it."""

import json
import os
import re
import time
from pathlib import Path

import desk_stack
import gateway_stack
import httpx2
import index_stand
import psycopg
import pytest
from desk_stack import DESKTOP, PHONE, DeskStack, events, follow, log_in
from index_stand import Action, a_session, asked, closed, decided, finished, opened

from doorward_core import entries
from doorward_core.model import Effect
from doorward_demo.postgres import free_port

pytestmark = [pytest.mark.need_embedded_postgres, pytest.mark.need_chromium, pytest.mark.slow]

AUDITOR, OPERATOR, APPROVER = "Ana Costa", "Olga Brandt", "Tom Berger"
CHANGE = "UPDATE customer SET newsletter = false WHERE id = 42"
HOSTILE = "SELECT '<img src=x onerror=alert(1)>\u202e' AS \"<script>alert(2)</script>\" -- \x1b]52;c;aGk=\x07"
GIVE_UP_S = 120
SHOTS = os.environ.get("DOORWARD_SHOTS", "")


def shot(page, name):
    """A picture to look at, where somebody wants some."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def a_terminal():
    """A session of a host: a terminal whose output tries what it can, and a command that is refused."""
    session = a_session(7, "crew-9", "maria", "host-1", "ssh", crew="hosts", task="disk")
    shell = asked(session, 1, "", verb="shell", action=Action.EXECUTE, names=("bash",))
    pty = index_stand.Atom(Action.EXECUTE, index_stand.Target("pty", "xterm-256color"))
    shell = index_stand.Operation(shell.id, 1, Action.EXECUTE, "shell", (pty, *shell.atoms), "", b"d" * 32)
    refused = asked(session, 2, "rm -rf /srv", verb="exec", action=Action.EXECUTE, names=("rm",))
    said = [
        ("resize", b"80x24"),
        ("stdout", b"\x1b[?2004hcrew-9@host-1:~$ "),
        ("stdout", b"df -h /srv\r\n\x1b[?2004l\x1b]0;owned\x07\x1b]52;c;aGk=\x07"),
        (
            "stdout",
            b"Filesystem      Size  Used Avail Use% Mounted on\r\n\x1b[32m/dev/vda1\x1b[0m        40G   38G  2.0G  95% /srv\r\n",
        ),
        ("stdout", b"\x1b[?2004hcrew-9@host-1:~$ "),
        ("stdout", b"exit\r\n\x1b[?2004llogout\r\n"),
    ]
    chunks = [entries.stream_chunk(session, shell, stream, 0, data) for stream, data in said]
    return [
        opened(session),
        decided(session, shell, rule="shells"),
        *chunks[:4],
        decided(session, refused, Effect.DENY, "no-removal"),
        *chunks[4:],
        finished(session, shell, native_code="0"),
        closed(session),
    ]


@pytest.fixture(scope="module")
def stack(shop_server, tmp_path_factory):
    """A gateway with some history, a host's log beside it, and a desk before both."""
    folder = tmp_path_factory.mktemp("reading")
    port = free_port()
    (folder / "gateway").mkdir()
    index_stand.write(folder / "host" / "log", a_terminal(), origin="host.test")
    config = gateway_stack.CONFIG.replace("policy: policy.yaml", "operators: {{groups: [ops]}}\npolicy: policy.yaml")
    with gateway_stack.started(shop_server, folder / "gateway", config=config) as gateway:
        with gateway.connect(token=gateway.token("crew-1", sponsor="maria")) as client:
            client.execute("SELECT id, name, email FROM customer ORDER BY id LIMIT 3").fetchall()
            with pytest.raises(psycopg.Error):
                client.execute("DROP TABLE customer")
            client.execute(HOSTILE.replace("\x1b]52;c;aGk=\x07", "")).fetchall()
        _changed(gateway)
        stack = DeskStack(folder, port, gateway)
        host = f"  host: {{control: 'unix:{folder}/none.sock', log: {folder}/host/log}}\nrecord:"
        wanted = desk_stack.SETTINGS
        desk_stack.SETTINGS = wanted.replace("record:", host.replace("{", "{{").replace("}", "}}"), 1)
        try:
            stack.start()
        finally:
            desk_stack.SETTINGS = wanted
        yield stack
        stack.stop()


def _changed(gateway):
    """A change of customer 42 that Tom approved, and one that names nobody."""
    import threading  # noqa: PLC0415 - here alone

    def change(statement):
        with gateway.connect(token=gateway.token("crew-1", sponsor="maria")) as client:
            client.execute(statement)

    for statement in (CHANGE, "UPDATE customer SET newsletter = true WHERE name = 'Nobody'"):
        one = threading.Thread(target=change, args=(statement,))
        one.start()
        (request,) = gateway.waiting(1)
        gateway.vote(request["id"], token=gateway.approver("dba-tom"), reason="as agreed with maria")
        one.join()


def search(page, question):
    """Search until something is found: the index is brought up to the log while its pages are shown."""
    end = time.monotonic() + GIVE_UP_S
    while True:
        page.get_by_role("searchbox").first.fill(question)
        with page.expect_navigation():
            page.get_by_role("button", name="Search").first.click()
        if page.locator("ol.answers").count():
            return
        assert time.monotonic() < end, page.inner_text("main")
        page.wait_for_timeout(250)


def expect_text(locator, words):
    """Wait until something says these words."""
    from playwright.sync_api import expect  # noqa: PLC0415 - absent where `need_chromium` skips

    expect(locator).to_contain_text(words, timeout=desk_stack.WITHIN_MS)


def until_indexed(page, text):
    """What happened is found once a checkpoint covers it, and the index has been brought up to that."""
    end = time.monotonic() + GIVE_UP_S
    while text not in page.inner_text("main"):
        assert time.monotonic() < end, page.inner_text("main")
        page.wait_for_timeout(250)
        page.reload()


@pytest.fixture
def auditor(stack, browser):
    page = browser.page()
    log_in(page, stack, AUDITOR, "/search")
    return page


def test_an_auditor_finds_who_changed_customer_42_from_the_front_page(stack, browser):
    page = browser.page()
    log_in(page, stack, AUDITOR)
    search(page, "who changed customer 42 last week, and who approved it")  # today may end meanwhile
    until_indexed(page, "does not name 42")
    answer = page.locator("ol.answers > li")
    assert answer.count() == 1
    said = answer.inner_text()
    assert "crew-1 for maria on shop as app" in said
    assert CHANGE in said
    assert re.search(r"approved by dba-tom at 2\d{3}-.* proof: token", said)
    assert "as agreed with maria" in said
    assert "changes-need-a-human" in said
    assert "1 more change of customer does not name 42" in page.inner_text("main")
    shot(page, "search-desktop")
    page.get_by_role("link", name="look at all changes of customer").click()
    page.wait_for_selector("ol.answers > li:nth-child(2)")
    assert browser.problems == []


def test_all_of_it_works_without_scripts_and_on_a_phone(stack, browser):
    page = browser.page(viewport=PHONE, scripts=False)
    log_in(page, stack, AUDITOR, "/search")
    shot(page, "search-empty-phone")
    search(page, "customer 42")
    shot(page, "search-phone")
    follow(page.get_by_role("link", name="Open it in its session").first)
    assert CHANGE in page.inner_text("main")
    shot(page, "session-phone")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    for path in ("/sessions", "/log", "/search?q=customer"):
        page.goto(stack.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
    shot(page, "results-phone")


def test_a_timeline_tells_what_was_asked_decided_voted_and_shown(stack, auditor, browser):
    search(auditor, '"limit 3"')
    follow(auditor.get_by_role("link", name="Open it in its session").first)
    told = auditor.inner_text("main")
    for words in ("SELECT id, name, email FROM customer", "analysts-read", "masked:", "DROP TABLE customer", "told:",
                  "Schema changes go through migrations.", "All of it was seen and enforced."):  # fmt: skip
        assert words in told
    assert auditor.locator("table.shown").count() >= 1
    shot(auditor, "session-desktop")
    assert "***" in auditor.locator("table.shown").first.inner_text()
    assert browser.problems == []


def test_a_hostile_statement_is_text_and_nothing_else(stack, auditor, browser):
    search(auditor, "onerror")
    assert "<img src=x onerror=alert(1)>" in auditor.inner_text("ol.answers")
    assert auditor.locator(".odd.bidi").count() >= 1
    follow(auditor.get_by_role("link", name="Open it in its session").first)
    assert auditor.locator("main img, main script").count() == 0
    follow(auditor.get_by_role("link", name="As a transcript"))
    assert "onerror=alert(1)" in auditor.inner_text("pre.transcript")
    assert browser.problems == []


def test_a_terminal_is_replayed_with_its_markers_and_harmless(stack, auditor, browser):
    name = (b"\7" * 16).hex()
    auditor.goto(f"{stack.url}/sessions/{name}")
    shot(auditor, "ssh-session-desktop")
    follow(auditor.get_by_role("link", name="Play it"))
    auditor.wait_for_selector(".ap-player")
    assert "exec denied no-removal" in auditor.inner_text("ol.markers")
    auditor.locator("ol.markers > li", has_text="exec denied").get_by_role("button").click()
    expect_text(auditor.locator(".ap-player"), "Filesystem")
    shot(auditor, "replay-desktop")
    auditor.select_option("#speed", "4")
    auditor.wait_for_selector(".ap-player")
    response = auditor.goto(f"{stack.url}/sessions/{name}/replay")
    assert "'wasm-unsafe-eval'" in response.headers["content-security-policy"]
    assert "wasm" not in auditor.goto(f"{stack.url}/sessions/{name}").headers["content-security-policy"]
    assert browser.problems == []
    assert "\x1b]" not in cast_of(auditor, stack, name)


def cast_of(page, stack, name):
    operation = (bytes([7, 1]) * 8).hex()
    answer = page.request.get(f"{stack.url}/sessions/{name}/download/{operation}.cast")
    assert answer.headers["content-disposition"].startswith("attachment")
    lines = [json.loads(line) for line in answer.text().splitlines()]
    assert [line[2] for line in lines[1:] if line[1] == "m"] == [
        "shell permitted shells",
        "exec denied no-removal",
    ]
    return "".join(line[2] for line in lines[1:] if line[1] == "o")


def test_copies_are_for_auditors_who_are_logged_in_and_each_is_on_record(stack, auditor, browser):
    name, operation = (b"\7" * 16).hex(), (bytes([7, 1]) * 8).hex()
    paths = [f"/sessions/{name}/replay", f"/sessions/{name}/replay/{operation}.cast",
             f"/sessions/{name}/download/{operation}.cast", f"/sessions/{name}/download/session.txt",
             f"/sessions/{name}/download/session.har", f"/sessions/{name}", "/sessions", "/search", "/log"]  # fmt: skip
    with httpx2.Client(base_url=stack.url, follow_redirects=False) as stranger:
        for path in paths:
            answer = stranger.get(path)
            assert (answer.status_code, "/login" in answer.headers.get("location", "")) == (303, True), path
            assert b"df -h" not in answer.content
    for person, forbidden in ((OPERATOR, paths[:5]), (APPROVER, paths)):
        page = browser.page()
        log_in(page, stack, person, "/")
        for path in forbidden:
            answer = page.request.get(stack.url + path)
            assert (answer.status, "df -h" in answer.text()) == (403, False), (person, path)
    taken = auditor.request.get(f"{stack.url}/sessions/{name}/download/session.txt")
    assert "df -h" in taken.text()
    assert "\x1b" not in taken.text()
    assert auditor.request.get(f"{stack.url}/sessions/{name}/download/session.har").status == 404
    reads = [(read["subject"], read["what"], read["name"]) for read in events(stack.record, "desk.read")]
    assert ("privacy-ana", "download", name) in reads
    assert not [read for read in reads if read[0] == "dba-tom" and read[1] in {"download", "replay", "session"}]


def test_nothing_is_shown_that_cannot_be_recorded_first(stack, auditor):
    before = len(events(stack.record, "desk.read"))
    auditor.goto(f"{stack.url}/sessions/{(b'7' * 16).hex()}")
    assert "No such session" in auditor.inner_text("main")
    assert len(events(stack.record, "desk.read")) == before + 1


def test_the_log_is_shown_and_verified_now(stack, auditor, browser):
    auditor.goto(stack.url + "/log")
    told = auditor.inner_text("main")
    assert "gateway.test" in told
    assert "desk.test" in told
    follow(auditor.locator("section", has_text="shop gateway.test").get_by_role("button", name="Verify now"))
    auditor.wait_for_selector("#report")
    report = auditor.inner_text("#report")
    assert "it holds" in report
    assert "the one in the desk's settings" in report
    assert "no checkpoint from elsewhere" in report
    assert re.search(r"checked\s+\d+ entries, \d+ contents, \d+ tiles, 1 key", report)
    shot(auditor, "log-desktop")
    auditor.goto(stack.url + "/log")  # what was found stays with the log
    shop = auditor.locator("section", has_text="shop gateway.test").inner_text()
    assert re.search(r"verified\s+up to \d+ entries", shop)
    assert "not here since" in auditor.locator("section", has_text="host host.test").first.inner_text()
    assert browser.problems == []


def test_the_witnesses_of_a_log_are_named_where_they_have_signed(stack, auditor):
    folder = stack.folder / "host" / "log"
    assert "none that is seen from here" in _host(auditor, stack)
    note = (folder / "checkpoint").read_text()
    (folder / "checkpoint.cosigned").write_text(f"{note}— witness.example AAAAAAAAAAAAAAAA\n")
    try:
        said = _host(auditor, stack)
        assert "none is verified: the settings name no key of theirs" in said
        assert "witness.example 00000000: not verified: no key here" in said
    finally:
        (folder / "checkpoint.cosigned").unlink()


def _host(page, stack):
    page.goto(stack.url + "/log")
    return page.locator("section", has_text="host host.test").first.inner_text()


def test_a_damaged_log_is_said_not_to_hold(stack, auditor):
    bundle = next((stack.folder / "host" / "log" / "tile" / "entries").rglob("*.p/*"))
    whole = bundle.read_bytes()
    bundle.write_bytes(whole.replace(b"df -h", b"ls -l"))
    try:
        auditor.goto(stack.url + "/log")
        follow(auditor.locator("section", has_text="host host.test").get_by_role("button", name="Verify now"))
        auditor.wait_for_selector("#report")
        assert "it does NOT hold" in auditor.inner_text("#report")
        assert re.search(r"Entry \d+:", auditor.inner_text("#report"))
        assert "it did NOT hold" in _host(auditor, stack)
    finally:
        bundle.write_bytes(whole)


def test_sessions_are_found_by_what_was_decided_in_them(stack, auditor, browser):
    auditor.goto(stack.url + "/sessions")
    auditor.get_by_label("With verdict").select_option("deny")
    follow(auditor.get_by_role("button", name="Find sessions"))
    auditor.wait_for_url("**verdict=deny**")
    rows = auditor.locator("table.stacked tbody tr")
    assert rows.count() >= 1
    assert all("denied" in said for said in rows.all_inner_texts())
    assert auditor.get_by_label("With verdict").input_value() == "deny"
    assert browser.problems == []


def test_an_operator_sees_what_is_open_and_ends_it(stack, browser):
    client = stack.gateway.connect(token=stack.gateway.token("crew-live", sponsor="maria"))
    page = browser.page()
    log_in(page, stack, OPERATOR, "/sessions")
    row = page.locator("ul.sessions > li", has_text="crew-live")
    shot(page, "sessions-desktop")
    row.get_by_text("End it …").click()
    row.get_by_label("Why").fill("it was told to stop")
    follow(row.get_by_role("button", name="End this session"))
    assert page.url == stack.url + "/sessions"
    assert page.locator("ul.sessions > li", has_text="crew-live").count() == 0
    with pytest.raises(psycopg.Error, match="it was told to stop"):
        client.execute("SELECT 1")
    assert browser.problems == []


def test_pictures_of_a_session_and_of_a_replay(stack, browser, picture):
    name = (b"\7" * 16).hex()
    for viewport in (DESKTOP, PHONE):
        page = browser.page(viewport=viewport)
        log_in(page, stack, AUDITOR)
        search(page, '"limit 3"')
        follow(page.get_by_role("link", name="Open it in its session").first)
        page.wait_for_selector("table.shown")
        page.evaluate("scrollTo(0, 0)")
        picture(page, "session")
        page.goto(f"{stack.url}/sessions/{name}/replay")
        page.wait_for_selector(".ap-player")
        page.locator("ol.markers > li", has_text="exec denied").get_by_role("button").click()
        expect_text(page.locator(".ap-player"), "Filesystem")
        picture(page, "replay")
    assert browser.problems == []
