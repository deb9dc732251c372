"""Pages fit phones, are readable enlarged, and can be used with the keyboard alone."""

import threading

import psycopg
import pytest
from desk_stack import log_in

pytestmark = [pytest.mark.need_embedded_postgres, pytest.mark.need_chromium, pytest.mark.slow]

HOSTILE = "UPDATE customer SET name = '" + "x" * 3_000 + "\u202e' WHERE id = 11"


@pytest.fixture
def waiting(desk_stack):
    """The path of a request that waits, with a text that has nowhere to break."""

    gateway = desk_stack.gateway
    client = gateway.connect(token=gateway.token("crew-1", sponsor="maria", attributes={"crew": "c" * 60}))
    thread = threading.Thread(target=_run, args=(client,))
    thread.start()
    name = gateway.waiting(1)[0]["id"]
    yield f"/requests/shop/{name}"
    gateway.vote(name, "reject", gateway.approver("tina"), "a test")
    thread.join(120)


def _run(client):

    with pytest.raises(psycopg.Error):
        client.execute(HOSTILE)


@pytest.mark.parametrize("width", [360, 390, 640, 1280])
def test_nothing_is_wider_than_the_window(desk_stack, browser, waiting, width):
    """640 is a window of 1280 at 200 %."""
    page = browser.page(viewport={"width": width, "height": 800})
    log_in(page, desk_stack)
    for path in ("/", waiting, "/decided", "/passkeys"):
        page.goto(desk_stack.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert browser.problems == []


def test_the_keyboard_reaches_the_decision_and_shows_where_it_is(desk_stack, browser, waiting):
    page = browser.page()
    log_in(page, desk_stack)
    page.goto(desk_stack.url + waiting)
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.textContent.trim().slice(0, 60)"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", seen[-1]
        if seen[-1].startswith("Reject"):
            break
    assert seen[0] == "Skip to the content"
    assert any(text.startswith("Approve") for text in seen)
    assert seen[-1].startswith("Reject")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(desk_stack, browser, waiting, scheme):
    """WCAG 2.1, 1.4.3: 4.5 to 1, of every text that is on the page."""
    page = browser.page(scheme=scheme)
    log_in(page, desk_stack)
    page.goto(desk_stack.url + waiting)
    assert page.evaluate(CONTRAST) == []


CONTRAST = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.offsetParent) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push([walker.currentNode.textContent.trim().slice(0, 40), ratio]);
  }
  return poor;
}"""
