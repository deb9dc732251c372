"""Whoever decides, in a browser or in a terminal, sees what the server itself expects of the statement."""

import os
import subprocess
import sys

import pytest
from desk_stack import DESKTOP, PHONE, follow, log_in, passkey_config, started

pytestmark = [pytest.mark.need_embedded_postgres, pytest.mark.need_chromium, pytest.mark.slow]
PLAIN = "tls: {{mode: disable}}}}"
PREVIEWS = PLAIN.replace("}}}}", "}}, previews: true, preview_timeout: 60s}}")
UPDATE = "UPDATE customer SET newsletter = false WHERE id = 9"


@pytest.fixture(scope="module")
def desk(shop_server, tmp_path_factory):
    config = passkey_config("http://localhost").replace(PLAIN, PREVIEWS)
    with started(shop_server, tmp_path_factory.mktemp("desk"), config=config) as stack:
        yield stack


@pytest.fixture
def held(desk):
    """A statement that waits, and the name of its request."""
    client = desk.gateway.connect()
    client.pgconn.send_query(UPDATE.encode())
    (request,) = desk.gateway.waiting()
    yield request["id"]
    client.close()


def test_the_page_and_the_command_show_what_the_server_expects(desk, browser, held, picture):
    for size in (DESKTOP, PHONE):
        page = browser.page(viewport=size)
        log_in(page, desk)
        follow(page.locator("a.item").first)
        told = page.get_by_label("The preview").inner_text()
        assert "EXPLAIN, which the gateway asked for beforehand: an estimate, and nothing has run:" in told
        assert "Update on customer: about 1 row, cost " in told
        assert "It is no promise." in page.inner_text("main")
        page.get_by_role("heading", name="Preview").scroll_into_view_if_needed()
        picture(page, "preview")
    assert browser.problems == []
    command = [sys.executable, "-m", "doorward_console", "approvals", "show", held, "--gateway", desk.gateway.control]
    environment = {**os.environ, "DOORWARD_TOKEN": desk.gateway.approver()}
    card = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "preview, which is no promise:\n  | EXPLAIN, which the gateway asked" in card
    assert "  |   Update on customer: about 1 row, cost " in card
