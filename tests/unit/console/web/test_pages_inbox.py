async def test_the_inbox_shows_who_what_where_why_and_how_long(stand):
    client, request = await stand.login(), stand.hold()
    text = (await client.get("/")).text
    for shown in (request.text, "Crew 7", "seven", "sam", "app-db", "Writes need a DBA.", "left", "1 request waits"):
        assert shown in text, shown
    assert f"/requests/pg/{request.id}" in text


async def test_newest_first(stand):
    client = await stand.login()
    stand.hold(id="ap-0000000000aa", text="the first")
    stand.hold(id="ap-0000000000bb", text="the second")
    text = (await client.get("/")).text
    assert text.index("the second") < text.index("the first")


async def test_a_gateway_that_is_down_is_no_empty_inbox(stand):
    stand.configure(more='  k8s: {control: "unix:nothing.sock"}\n')
    client = await stand.login()
    text = (await client.get("/")).text
    assert "<strong>k8s</strong> does not answer" in text
    assert "Nothing waits for you." not in text
    stand.hold()
    assert "does not answer" in (await client.get("/")).text
    assert "Crew 7" in (await client.get("/")).text


async def test_a_review_that_is_owed_stands_on_top_until_somebody_else_has_signed_it(stand):
    client = await stand.login()
    stand.hold()
    stand.openings = [
        {"id": "bg-1", "subject": "olga", "display": "Olga", "resource": "app-db", "reason": "<b>down</b>",
         "opened_unix_ns": stand.clock() - 10**12, "until_unix_ns": stand.clock() - 10**11, "open": False, "owed": True},
    ]  # fmt: skip
    text = (await client.get("/")).text
    assert text.index("A review is owed") < text.index("Crew 7")
    assert "<b>down</b>" not in text
    csrf = stand.csrf(text)
    assert (await client.post("/break-glass/pg/bg-1/review", data={"csrf": csrf, "words": " "})).status_code == 400
    assert (await client.post("/break-glass/pg/bg-1/review", data={"csrf": csrf, "words": "fine"})).status_code == 303
    assert "A review is owed" not in (await client.get("/")).text


async def test_what_was_decided_is_on_a_page_of_its_own(stand):
    client, request = await stand.login(), stand.hold()
    assert request.id not in (await client.get("/decided")).text
    await stand.approvals.withdraw(request.id)
    assert request.id in (await client.get("/decided")).text


async def test_a_long_list_begins_with_its_newest_and_goes_on_where_it_is_asked_to(stand):
    client = await stand.login()
    for number in range(230):
        stand.hold(id=f"ap-{number:012d}", digest=number.to_bytes(32, "big"), subject=f"crew-{number}")
    text = (await client.get("/")).text
    assert text.count('class="item"') == 200
    assert "230 requests wait" in text
    assert "/?all=1" in text
    whole = (await client.get("/?all=1")).text
    assert whole.count('class="item"') == 230
    assert "230 requests wait" in whole
    assert "sse-connect" not in whole
