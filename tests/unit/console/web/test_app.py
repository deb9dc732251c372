from doorward_console.web.app import page_modules


async def test_every_module_of_pages_is_collected_and_gives_routes(stand):
    names = {module.__name__.rpartition(".")[2] for module in page_modules()}
    assert {"pages_inbox", "pages_login", "pages_passkeys", "pages_request", "pages_break_glass"} <= names
    for module in page_modules():
        assert module.routes(stand.desk)


async def test_what_is_not_there_is_said_in_words(stand):
    answer = await stand.client().get("/nowhere/<b>")
    assert answer.status_code == 404
    assert "nothing at this address" in answer.text
    assert "<b>" not in answer.text


async def test_health_is_red_once_nothing_can_be_recorded(stand):
    client = stand.client()
    assert (await client.get("/healthz", headers={"Host": "10.0.0.1"})).status_code == 200
    stand.log.fail("no space")
    assert (await client.get("/healthz")).status_code == 503


async def test_a_menu_has_what_its_reader_may_see(stand):
    client = await stand.login()
    text = (await client.get("/")).text
    for place in stand.desk.places:
        assert (f'href="{place.path}"' in text.partition("</nav>")[0]) == ("approver" in place.roles)


async def test_a_path_with_a_slash_more_is_another_path(stand):
    assert (await stand.client().get("/login/")).status_code == 404
