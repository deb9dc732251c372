"""A login in a real browser over TLS, and what the browser itself makes of our headers and cookies."""

import pytest
from desk_stack import DeskStack, follow, log_in

from doorward_demo.postgres import free_port

pytestmark = [pytest.mark.need_embedded_postgres, pytest.mark.need_chromium, pytest.mark.slow]


@pytest.fixture
def over_tls(desk_stack, tmp_path):
    stack = DeskStack(tmp_path, free_port(), desk_stack.gateway, tls=True)
    stack.start()
    yield stack
    assert stack.stop() == 0, stack.said()


def test_a_person_logs_in_over_tls_and_out_again(over_tls, browser):
    page = browser.page(ignore_https_errors=True)
    log_in(page, over_tls, path="/decided")
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    session = cookies["__Host-doorward"]
    assert (session["secure"], session["httpOnly"], session["sameSite"]) == (True, True, "Lax")
    assert "__Host-doorward-login" not in cookies
    assert page.evaluate("document.cookie") == ""
    page.locator(".me summary").click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_selector("text=You are logged out")
    page.goto(over_tls.url)
    assert page.url.startswith(f"{over_tls.url}/login")
    assert browser.problems == []


def test_ap_05_no_page_can_be_framed_or_sent_a_form_by_another_site(over_tls, desk_stack, browser):
    page = browser.page(ignore_https_errors=True)
    log_in(page, over_tls)
    evil = page.context.new_page()
    evil.route(
        "https://evil.test/**",
        lambda route: route.fulfill(body=EVIL % (over_tls.url, over_tls.url), content_type="text/html"),
    )
    evil.goto("https://evil.test/")
    follow(evil.get_by_role("button", name="win"))
    assert "did not come from a page of the desk" in evil.content() or "Log in first" in evil.content()
    page.goto(over_tls.url)
    assert "Inbox" in page.inner_text("main")
    framed = page.context.new_page()
    framed.route(
        "https://evil.test/**",
        lambda route: route.fulfill(body=f'<iframe src="{over_tls.url}/"></iframe>', content_type="text/html"),
    )
    framed.goto("https://evil.test/")
    assert all("Inbox" not in frame.content() for frame in framed.frames)


EVIL = '<form method="post" action="%s/logout"><input name="csrf" value="x"><button>win</button></form><p>%s</p>'
